"""Bundles of a `World`, as docs/bundle-format.md has them: honest ones, and sealing anew what a test changed."""

import base64
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import answerable_verify
from tests.bundles import merkle
from tests.bundles.merkle import Signer
from tests.bundles.world import PARTS, Json, Log, Sealed, World, timestamp

ALL_PARTS = (*PARTS, "state", "particulars", "reason")
UNLISTED = ("manifest.json", "manifest.note", "SHA256SUMS", "README.html")
ABOUT = {"erasure.performed": "about", "decision.overridden": "decision"}


@dataclass
class Wishes:
    """What a bundle is to hold beside what every bundle does."""

    discloses: Callable[[Log, int, Sealed], bool] = lambda log, index, entry: True
    shows: Callable[[Sealed, str], bool] = lambda entry, part: True
    parts: tuple[str, ...] = ALL_PARTS
    """Those that are asked for. Where there are any, somebody approves."""
    decisions: frozenset[str] = frozenset()
    """Of a question without a range."""
    before: dict[str, int] = field(default_factory=dict)
    """Sizes of earlier checkpoints, by origin."""
    heads: tuple[int, ...] = ()
    """Sizes whose roots the tiles of every AI system's log hold too."""
    witnesses: tuple[tuple[str, Signer, int], ...] = ()
    cosigned: Callable[[Log], bool] = lambda log: True
    stamps: Callable[[Log, bytes], list[bytes]] = lambda log, text: []
    sizes: dict[str, int] = field(default_factory=dict)
    """The trees that the bundle is proven against, where they are not the newest."""
    signers: dict[str, list[Signer]] = field(default_factory=dict)
    """Who signs a log's checkpoint, by origin, where it is not who signs now."""
    proves_records: bool = True
    """Whether the tiles hold the roots of the trees that the registry log recorded."""
    registry: frozenset[int] = frozenset()
    """Entries of the registry log that are disclosed beside those that must be."""
    file_bytes: int = 64 << 20
    left_out: tuple[str, ...] = ()


@dataclass
class Bundle:
    """A bundle as files in memory."""

    world: World
    manifest: Json
    files: dict[str, bytes]
    note_signers: list[Signer]

    @property
    def vkey(self) -> str:
        return self.world.vkey()

    def seal(self, *, note: bool = True, page: bool = True) -> "Bundle":
        """List the files anew, and sign: whoever holds the key could do that. Out: this bundle."""
        listed = sorted(set(self.files) - set(UNLISTED))
        self.manifest["files"] = [
            {"path": path, "size": len(self.files[path]), "sha256": hashlib.sha256(self.files[path]).hexdigest()}
            for path in listed
        ]
        self.put_manifest(note=note, page=page)
        return self

    def put_manifest(self, *, note: bool = True, page: bool = True) -> "Bundle":
        """Write the manifest as it is now, and what follows from it."""
        data = (json.dumps(self.manifest, sort_keys=True, indent=2) + "\n").encode()
        self.files["manifest.json"] = data
        if page:
            self.files["README.html"] = answerable_verify.render_first_page(self.manifest).encode()
        if note:
            digest = hashlib.sha256(data).hexdigest()
            text = f"answerable/evidence-bundle/v1\n{self.manifest['id']}\n{digest}\n"
            name = self.manifest["logs"][-1]["origin"]
            self.files["manifest.note"] = merkle.note(text, name, self.note_signers).encode()
        return self.sums()

    def sums(self) -> "Bundle":
        lines = [
            f"{hashlib.sha256(data).hexdigest()}  {path}\n"
            for path, data in sorted(self.files.items())
            if path != "SHA256SUMS"
        ]
        self.files["SHA256SUMS"] = "".join(lines).encode()
        return self

    def zip(self, *, deflated: bool = False) -> bytes:
        """The container, by somebody else's writer of zips."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as container:
            for path, data in self.files.items():
                info = zipfile.ZipInfo(path, (2026, 3, 1, 0, 0, 0))
                info.compress_type = container.compression
                info.external_attr = 0o100644 << 16
                container.writestr(info, data)
        return out.getvalue()

    def write(self, folder: Path) -> Path:
        """The same files in a folder."""
        for path, data in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    def copy(self) -> "Bundle":
        manifest = json.loads(json.dumps(self.manifest))
        return Bundle(self.world, manifest, dict(self.files), list(self.note_signers))


def build(
    world: World, question: Json, wishes: Wishes | None = None, *, approved: bool = False, asked: Json | None = None,
    export: str = "",
) -> Bundle:  # fmt: skip
    """An honest bundle that answers a question, of the world as it is now."""
    wishes = wishes or Wishes()
    export = export or world.uuid()
    approved = approved or bool(wishes.parts)
    asked = asked or world.ask(export, question, approved=approved, parts=wishes.parts, sizes=wishes.sizes)
    is_range = question["kind"] == "range"
    everything = [log for log in world.logs.values() if log.system]
    systems = world.chain_of(question["system"]) if is_range else everything
    if not is_range:
        systems = [log for log in systems if any(entry.json["id"] in wishes.decisions for entry in log.entries)]
    registries = [log for log in world.logs.values() if log.system is None]
    entries = {log.origin: log.entries[: wishes.sizes.get(log.origin)] for log in [*systems, *registries]}
    ranges = {log.origin: _range(entries[log.origin], question) if is_range else None for log in systems}
    asked_for = _asked_for(systems, entries, ranges, question, wishes)
    disclosed = {log.origin: _of_system(log, entries, ranges, asked_for, wishes) for log in systems}
    disclosed |= {log.origin: _of_registry(log, entries, systems, export, wishes) for log in registries}
    files: dict[str, bytes] = {}
    rows = [_log(log, entries, ranges, disclosed, world, wishes, files) for log in [*systems, *registries]]
    seen = [
        (log, index, entries[log.origin][index]) for log in [*systems, *registries] for index in disclosed[log.origin]
    ]
    _parts(seen, wishes, files)
    answer, parts, sources = _answer(asked_for, seen, entries, ranges, disclosed, wishes, is_range=is_range)
    left_out = list(wishes.left_out) or (
        [f"{answer['withheld_entries']} entries"] if answer["withheld_entries"] else []
    )
    manifest: Json = {
        "format": "answerable-evidence/1", "id": export, "origin": world.origin,
        "called": _called(question), "made_at": timestamp(world.now),
        "software": {"name": "answerable", "version": "0.1.0"}, "asked": asked, "question": question, "logs": rows,
        "parts": parts, "answer": answer, "sources": sources, "whole": not left_out, "left_out": left_out, "files": [],
    }  # fmt: skip
    files["verify.py"] = answerable_verify.source_path().read_bytes()
    files["verify.html"] = b"<!doctype html><title>the page</title>\n"
    files["VERIFYING.txt"] = answerable_verify.render_verifying(manifest).encode()
    newest = rows[-1]["origin"]
    return Bundle(world, manifest, files, wishes.signers.get(newest) or list(world.signers)).seal()


def _called(question: Json) -> str | None:
    """As `World.open_case` has it of a case."""
    if question["kind"] == "case":
        return f"C-{question['case'][:4]}"
    return None if question["kind"] == "subject" else "credit-limits"


def _range(entries: Sequence[Sealed], question: Json) -> tuple[int, int]:
    since, until = question["since"], question["until"]
    times = [entry.json["at"] for entry in entries]
    first = next((index for index, at in enumerate(times) if since is None or at >= since), len(times))
    last = [index for index, at in enumerate(times) if until is None or at < until]
    return (first, last[-1] + 1) if last else (first, 0)


def _asked_for(
    systems: list[Log], entries: dict[str, list[Sealed]], ranges: dict[str, Any], question: Json, wishes: Wishes
) -> dict[str, Sealed]:
    """By id, the decisions that the question asks for and that are disclosed."""
    found = {}
    for log in systems:
        for index, entry in enumerate(entries[log.origin]):
            said = entry.json
            if said["kind"] != "decision.recorded" or not wishes.discloses(log, index, entry):
                continue
            if question["kind"] == "range":
                first, end = ranges[log.origin]
                since, until = question["since"], question["until"]
                within = (since is None or said["at"] >= since) and (until is None or said["at"] < until)
                if within and first <= index < end:
                    found[said["id"]] = entry
            elif said["id"] in wishes.decisions:
                found[said["id"]] = entry
    return found


def _of_system(
    log: Log, entries: dict[str, list[Sealed]], ranges: dict[str, Any], asked_for: dict[str, Sealed], wishes: Wishes
) -> list[int]:
    shown = set()
    size = len(entries[log.origin])
    first, end = ranges[log.origin] or (0, 0)
    for index, entry in enumerate(entries[log.origin]):
        said = entry.json
        if first <= index < end:
            if wishes.discloses(log, index, entry):
                shown.add(index)
        elif said["id"] in asked_for or said["body"].get(ABOUT.get(said["kind"], "")) in asked_for:
            shown.add(index)
    if ranges[log.origin] is not None:
        shown |= {index for index in (first - 1, end) if 0 <= index < size}
    return sorted(shown | ({0} if size else set()))


def _of_registry(
    log: Log, entries: dict[str, list[Sealed]], systems: list[Log], export: str, wishes: Wishes
) -> list[int]:
    shown, newest = {0}, {}
    if log.name == "registry":
        shown |= wishes.registry
    sizes = {each.origin: len(entries[each.origin]) for each in systems}
    names = {each.name for each in systems}
    for index, entry in enumerate(entries[log.origin]):
        said = entry.json
        kind, body = said["kind"], said["body"]
        if (
            kind in ("key.announced", "key.retired")
            or kind.startswith("case.")
            or (kind.startswith("export.") and body["about"] == export)
            or (kind in ("log.announced", "log.closed", "checkpoint.contradicted") and body["log"] in names)
        ):
            shown.add(index)
        elif kind == "checkpoint.recorded" and body["tree_size"] <= sizes.get(body["origin"], -1):
            newest[body["origin"]] = index
    return sorted(shown | set(newest.values()))


def _log(
    log: Log, entries: dict[str, list[Sealed]], ranges: dict[str, Any], disclosed: dict[str, list[int]],
    world: World, wishes: Wishes, files: dict[str, bytes],
) -> Json:  # fmt: skip
    place, held, shown = f"logs/{log.name}", entries[log.origin], disclosed[log.origin]
    leaves, before = [merkle.leaf(entry.data) for entry in held], wishes.before.get(log.origin)
    text = merkle.checkpoint_text(log.origin, leaves)
    signed = merkle.note(text, log.origin, wishes.signers.get(log.origin) or world.signers)
    if wishes.cosigned(log):
        signed += "".join(signer.cosignature(name, text, at) for name, signer, at in wishes.witnesses)
    files[f"{place}/checkpoint"] = signed.encode()
    if before is not None:
        files[f"{place}/checkpoint.before"] = world.checkpoint(log, before).encode()
    stamps = wishes.stamps(log, text.encode())
    for number, token in enumerate(stamps):
        files[f"{place}/timestamps/{number:06d}.tsr"] = token
    first, end = ranges.get(log.origin) or (0, 0)
    heads = [size for size in wishes.heads if size <= len(held) and log.system] + ([before] if before else [])
    kinds = ("checkpoint.contradicted", "checkpoint.recorded")[: 1 + wishes.proves_records]
    heads += [size for size in _told_of(log, entries, disclosed, kinds) if size <= len(held)]
    for path, data in merkle.tiles(leaves, [*range(first, end), *shown], heads).items():
        files[f"{place}/{path}"] = data
    files[f"{place}/disclosed"] = runs(shown)
    _numbered([held[index].data + b"\n" for index in shown], f"{place}/entries", files, wishes.file_bytes)
    return {
        "log": log.name, "origin": log.origin, "kind": log.kind, "system": log.system, "tree_size": len(held),
        "root_hash": merkle.root(leaves).hex(), "range": [first, end] if ranges.get(log.origin) else None,
        "disclosed": len(shown), "predecessor": log.predecessor, "before": before, "timestamps": len(stamps),
    }  # fmt: skip


def _told_of(
    log: Log, entries: dict[str, list[Sealed]], disclosed: dict[str, list[int]], kinds: Sequence[str]
) -> list[int]:
    """Sizes of trees of a log that were recorded, or that others hold, as is sealed in what is disclosed."""
    found = []
    for origin, indexes in disclosed.items():
        for index in indexes:
            said = entries[origin][index].json
            body, stated = said["body"], said["body"].get("predecessor") if index == 0 else None
            if said["kind"] == "export.requested" and isinstance(body.get("logs"), list):
                found += [each[1] for each in body["logs"] if each[0] == log.origin]
            if said["kind"] in kinds and body["origin"] == log.origin:
                found.append(body["tree_size"])
            elif isinstance(stated, dict) and stated["origin"] == log.origin:
                trees = stated.get("contradicted", [])
                found += [each[0] for each in trees] if isinstance(trees, list) else []
    return [size for size in found if isinstance(size, int)]


def runs(indexes: Iterable[int]) -> bytes:
    """Indexes as the lines of `disclosed`."""
    found: list[list[int]] = []
    for index in indexes:
        if found and found[-1][0] + found[-1][1] == index:
            found[-1][1] += 1
        else:
            found.append([index, 1])
    return "".join(f"{first} {count}\n" for first, count in found).encode()


def _numbered(lines: Sequence[bytes], folder: str, files: dict[str, bytes], most: int) -> None:
    held: list[bytes] = []
    size = number = 0
    for line in lines:
        if held and size + len(line) > most:
            files[f"{folder}/{number:06d}.ndjson"] = b"".join(held)
            held, size, number = [], 0, number + 1
        held.append(line)
        size += len(line)
    if held:
        files[f"{folder}/{number:06d}.ndjson"] = b"".join(held)


def part_line(log: str, index: int, name: str, key: bytes, data: bytes) -> bytes:
    row: Json = {"log": log, "index": index, "part": name, "key": key.hex()}
    try:
        row["text"] = data.decode()
    except UnicodeDecodeError:
        row["base64"] = base64.b64encode(data).decode()
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _parts(seen: list[tuple[Log, int, Sealed]], wishes: Wishes, files: dict[str, bytes]) -> None:
    lines = [
        part_line(log.name, index, name, *entry.parts[name])
        for log, index, entry in seen
        for name in ALL_PARTS
        if name in entry.parts and wishes.shows(entry, name)
    ]
    _numbered(lines, "parts", files, wishes.file_bytes)


def _answer(
    asked_for: dict[str, Sealed], seen: list[tuple[Log, int, Sealed]], entries: dict[str, list[Sealed]],
    ranges: dict[str, Any], disclosed: dict[str, list[int]], wishes: Wishes, *, is_range: bool,
) -> tuple[Json, Json, list[Json] | None]:  # fmt: skip
    bodies = [entry.json["body"] for entry in asked_for.values()]
    times = sorted(entry.json["at"] for entry in asked_for.values())
    said: dict[str, set[str]] = {kind: set() for kind in ABOUT}
    for log, _, entry in seen:
        found = entry.json
        if found["kind"] == "erasure.performed" and ("place" in found["body"] or not log.system):
            continue
        if found["kind"] in ABOUT:
            said[found["kind"]].add(found["body"].get(ABOUT[found["kind"]]))
    spans = {origin: span for origin, span in ranges.items() if span}
    shown_in_range = sum(span[0] <= index < span[1] for origin, span in spans.items() for index in disclosed[origin])
    total = sum(end - first for first, end in spans.values())
    answer: Json = {
        "entries": total if is_range else sum(len(disclosed[origin]) for origin in ranges),
        "decisions": len(bodies),
        "first_at": times[0] if times else None,
        "last_at": times[-1] if times else None,
        "outcomes": dict(Counter(body["outcome"] for body in bodies)),
        "adverse": sum(body.get("adverse") is True for body in bodies),
        "flagged": sum(bool(body.get("flags")) for body in bodies),
        "failed": sum("error_type" in body for body in bodies),
        "overridden": len(said["decision.overridden"] & set(asked_for)),
        "by_model_version": dict(Counter(body["model_version"] for body in bodies)),
        "withheld_entries": total - shown_in_range if is_range else 0,
    }
    parts: Json = {}
    for identifier, entry in asked_for.items():
        for name in entry.json["body"]["commitments"]:
            row = parts.setdefault(name, {"disclosed": 0, "withheld": 0, "erased": 0})
            if name in entry.parts and wishes.shows(entry, name):
                row["disclosed"] += 1
            else:
                row["erased" if identifier in said["erasure.performed"] else "withheld"] += 1
    return answer, parts, _sources(bodies) if is_range else None


def _sources(bodies: list[Json]) -> list[Json]:
    numbers: dict[str, list[int]] = {}
    for body in bodies:
        if "source_id" in body and "source_seq" in body:
            numbers.setdefault(body["source_id"], []).append(body["source_seq"])
    found = []
    for source, held in sorted(numbers.items()):
        there = set(held)
        gaps: list[list[int]] = []
        for number in sorted(there)[1:]:
            before = max(each for each in there if each < number) if len(there) < 3000 else number - 1
            if before < number - 1:
                gaps.append([before + 1, number - 1])
        found.append({
            "source": source, "first_seq": min(held), "last_seq": max(held), "decisions": len(held), "missing": gaps,
            "missing_count": sum(last - first + 1 for first, last in gaps),
            "twice": sorted(number for number, count in Counter(held).items() if count > 1),
        })  # fmt: skip
    return found
