"""What verifying a bundle costs, stage by stage: `python benchmarks/verify_bundle.py`; prints, asserts nothing.

    --entries N     decisions in the log, of about 1.2 kB each (1,000,000)
    --contents N    of which the contents are disclosed (100,000)
    --deflated      a zip whose files are deflated
    --node          the page's modules too, in node
    --keep FOLDER   where the bundle is made, and left

Needs `cryptography`, which signs the bundle, and the repository's tests, which know how a registry log looks. The
verifier runs alone in a process of its own, as an auditor runs it.
"""

import argparse
import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "sdk" / "src")]

from tests.bundles import merkle  # type: ignore[import-not-found]  # noqa: E402
from tests.bundles.building import Bundle, build  # type: ignore[import-not-found]  # noqa: E402
from tests.bundles.world import Log, World  # type: ignore[import-not-found]  # noqa: E402

import answerable_verify  # noqa: E402
from answerable_verify import verify  # noqa: E402

BAR = 200_000
FILE = 64 << 20
KEYS = {name: hashlib.sha256(name.encode()).digest() for name in ("input", "output")}
FILLER = "x" * 420
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
DIRECTIVE = {"action": "proceed", "mode": "normal", "epoch": "12"}

MEASURED = """
import json, re, sys, time
sys.path.insert(0, sys.argv[1])
from answerable_verify import verify
container = verify.open_container(sys.argv[2])
options = verify.Options([verify.parse_vkey(sys.argv[3])], now=int(time.time()))
began = time.perf_counter()
report = verify.check_bundle(container, options)
took = time.perf_counter() - began
peak = int(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1]) / 1024
seconds = report.facts["seconds"]
print(json.dumps({"exit": report.exit_code, "took": took, "peak": peak, "seconds": seconds, "found": report.counts}))
"""


def entries_of(log: Log, count: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Entries of about 1.2 kB as intake writes them, each with its two contents."""
    owner = {"person": ID, "assignment": ID, "accepted": True}
    body = {
        "system": log.system, "environment": "production", "model_version": "2.1", "card": 3, "model_version_id": ID,
        "capability": "scoring", "outcome": "approved", "ai_role": "sole", "adverse": False, "phase": "effective",
        "config_digest": "sha256:" + "0" * 64, "accountable": owner, "directive": DIRECTIVE, "occurred_at": "AT",
        "confidence": 0.91, "score": 0.123, "latency_ms": 12.5, "source_id": ID, "source_seq": "SEQ",
        "commitments": {"input": "IN", "output": "OUT", "refs": "0" * 64},
    }  # fmt: skip
    actor = {"type": "service", "id": ID}
    entry = {"v": 1, "id": "NEW", "kind": "decision.recorded", "at": "AT", "actor": actor, "body": body}
    first, middle, last = json.dumps(entry, separators=(",", ":")).replace('"SEQ"', "SEQ").split("AT")
    for number in range(count):
        content, output = b'{"n":%d,"text":"%s"}' % (number, FILLER.encode()), b'{"limit":%d}' % number
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_772_400_000 + number // 500))
        at = f"{second}.{number % 500 * 2000:06d}Z"
        rest = last.replace("SEQ", str(number), 1)
        rest = rest.replace('"IN"', f'"{hashlib.sha256(KEYS["input"] + content).hexdigest()}"', 1)
        rest = rest.replace('"OUT"', f'"{hashlib.sha256(KEYS["output"] + output).hexdigest()}"', 1)
        head = first.replace("NEW", f"01890a5d-ac96-774b-bcce-{number:012x}", 1)
        yield f"{head}{at}{middle}{at}{rest}".encode(), content, output


class Writer:
    """A bundle on its way to the disk: what is large is never held."""

    def __init__(self, path: Path, *, deflated: bool) -> None:
        self.zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED, compresslevel=6)
        self.listed: list[dict[str, object]] = []

    def put(self, path: str, data: bytes) -> None:
        info = zipfile.ZipInfo(path, (2026, 3, 1, 0, 0, 0))
        info.compress_type, info.external_attr = self.zip.compression, 0o100644 << 16
        self.zip.writestr(info, data)
        self.listed.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


class Lines:
    """Lines into numbered files of at most 64 MiB."""

    def __init__(self, writer: Writer, folder: str) -> None:
        self.writer, self.folder, self.held, self.size, self.number = writer, folder, [b""][:0], 0, 0

    def add(self, line: bytes) -> None:
        if self.size + len(line) > FILE:
            self.flush()
        self.held.append(line)
        self.size += len(line)

    def flush(self) -> None:
        if self.held:
            self.writer.put(f"{self.folder}/{self.number:06d}.ndjson", b"".join(self.held))
            self.held, self.size, self.number = [], 0, self.number + 1


def make(path: Path, count: int, contents: int, *, deflated: bool) -> str:
    """Make the bundle. Out: its verifier key."""
    world = World(1)
    log = world.open_system()
    bundle = build(world, {"kind": "range", "system": log.system, "since": None, "until": None})
    writer = Writer(path, deflated=deflated)
    place = f"logs/{log.name}"
    files = {
        name: data
        for name, data in bundle.files.items()
        if not name.startswith((place, "README", "manifest", "SHA256"))
    }
    lines, parts = Lines(writer, f"{place}/entries"), Lines(writer, "parts")
    leaves = [merkle.leaf(log.entries[0].data)]
    lines.add(log.entries[0].data + b"\n")
    for number, (entry, content, output) in enumerate(entries_of(log, count)):
        lines.add(entry + b"\n")
        leaves.append(merkle.leaf(entry))
        if number < contents:
            for name, data in (("input", content), ("output", output)):
                row = {
                    "index": number + 1,
                    "key": KEYS[name].hex(),
                    "log": log.name,
                    "part": name,
                    "text": data.decode(),
                }
                parts.add(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    lines.flush()
    parts.flush()
    _tiles(writer, place, leaves)
    root = verify.root_of(len(leaves), lambda level, index: LEVELS[level][8192 * index : 8192 * (index + 1)])
    assert root is not None
    text = f"{log.origin}\n{len(leaves)}\n{base64.b64encode(root).decode()}\n"
    writer.put(f"{place}/checkpoint", merkle.note(text, log.origin, world.signers).encode())
    writer.put(f"{place}/disclosed", f"0 {len(leaves)}\n".encode())
    for name, data in files.items():
        writer.put(name, data)
    _manifest(bundle, log, writer, root, count, contents, entry)
    return str(world.vkey())


LEVELS: list[bytes] = []


def _tiles(writer: Writer, place: str, leaves: list[bytes]) -> None:
    """The tiles of each level, from hashes that stand one behind the other."""
    LEVELS[:] = [b"".join(leaves)]
    while len(LEVELS[-1]) >= 8192:
        row = LEVELS[-1]
        LEVELS.append(b"".join(verify.fold_perfect(row[at : at + 8192]) for at in range(0, len(row) - 8191, 8192)))
    for level, row in enumerate(LEVELS):
        for index in range(-(-len(row) // 8192)):
            tile = row[8192 * index : 8192 * (index + 1)]
            writer.put(f"{place}/{verify.tile_name(level, index, len(tile) // 32)}", tile)


def _manifest(bundle: Bundle, log: Log, writer: Writer, root: bytes, count: int, contents: int, last: bytes) -> None:
    manifest, row = bundle.manifest, bundle.manifest["logs"][0]
    row |= {"tree_size": count + 1, "root_hash": root.hex(), "range": [0, count + 1], "disclosed": count + 1}
    first = next(entries_of(log, 1))[0]
    manifest["answer"] |= {
        "entries": count + 1, "decisions": count, "first_at": json.loads(first)["at"],
        "last_at": json.loads(last)["at"], "outcomes": {"approved": count},
        "by_model_version": {"2.1": count},
    }  # fmt: skip
    shown = {"disclosed": contents, "withheld": count - contents, "erased": 0}
    manifest["parts"] = {"input": shown, "output": shown, "refs": {"disclosed": 0, "withheld": count, "erased": 0}}
    manifest["sources"] = [{
        "source": ID, "first_seq": 0, "last_seq": count - 1, "decisions": count,
        "missing": [], "missing_count": 0, "twice": [],
    }]  # fmt: skip
    manifest["files"] = sorted(writer.listed, key=lambda each: str(each["path"]))
    bundle.files = {}
    bundle.put_manifest()
    digests = {str(each["path"]): str(each["sha256"]) for each in writer.listed}
    digests |= {name: hashlib.sha256(data).hexdigest() for name, data in bundle.files.items() if name != "SHA256SUMS"}
    bundle.files["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    for name, data in bundle.files.items():
        writer.put(name, data)
    writer.zip.close()


def measure(path: Path, vkey: str, count: int, contents: int) -> None:
    """Run the verifier once, and print where its time went."""
    command = [sys.executable, "-I", "-c", MEASURED, str(REPOSITORY / "sdk" / "src"), str(path), vkey]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    seconds = found["seconds"]
    said = f"exit code {found['exit']} {found['found'] or ''}, {found['took']:.1f} s"
    print(f"\nverify.py: {said}, peak {found['peak']:.0f} MB resident")
    print(f"  {'stage':34}{'seconds':>9}{'entries/s':>12}")
    stages = (
        ("read (checksum, inflate)", ("read",)), ("digests of files", ("digests",)), ("lines", ("lines",)),
        ("leaf hashes, compared with tiles", ("leaves",)),
        ("tiles and root", ("tiles",)), ("JSON and figures", ("entries",)),
        ("contents", ("parts",)), ("the rest", ("rest",)),
    )  # fmt: skip
    for title, names in stages:
        spent = sum(seconds.get(name, 0.0) for name in names)
        whole = contents if title == "contents" else count
        print(f"  {title:34}{spent:9.2f}{whole / max(spent, 1e-9):12,.0f}")
    proof = sum(seconds.get(name, 0.0) for name in ("read", "digests", "lines", "leaves", "tiles"))
    print(f"  {'entries, tiles and root':34}{proof:9.2f}{count / proof:12,.0f}   (the bar is {BAR:,})")
    print(f"  {'all of it':34}{found['took']:9.2f}{count / found['took']:12,.0f}")


PAGE = """
import { open } from "node:fs/promises";
const [path, vkey, page] = process.argv.slice(2);
const load = (name) => import(new URL(`${name}.js`, page));
const [{ checkBundle }, { openContainer }] = await Promise.all(["check", "container"].map(load));
const { parseVkey } = await load("notes");
const file = await open(path);
const source = { size: (await file.stat()).size, read: async (position, length) => {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
} };
const began = performance.now();
const now = Math.floor(Date.now() / 1000);
const options = { keys: [parseVkey(vkey)], policy: null, heads: [], certificates: [], now };
const report = await checkBundle(await openContainer(source), options);
const peak = process.resourceUsage().maxRSS / 1024;
const took = (performance.now() - began) / 1000;
console.log(JSON.stringify({ exit: report.exitCode, found: report.counts, took, peak }));
"""


def measure_page(path: Path, vkey: str, count: int, folder: Path) -> None:
    script = folder / "page.mjs"
    script.write_text(PAGE)
    page = answerable_verify.source_path().parent / "page"
    done = subprocess.run(
        ["node", str(script), str(path), vkey, f"{page.as_uri()}/"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    print(
        f"\nthe page's modules in node: exit code {found['exit']} {found['found'] or ''}, {found['took']:.1f} s, ",
        end="",
    )
    print(f"{count / found['took']:,.0f} entries/s, peak {found['peak']:.0f} MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(description="What verifying a bundle costs.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--contents", type=int, default=100_000)
    parser.add_argument("--deflated", action="store_true")
    parser.add_argument("--node", action="store_true")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    contents = min(given.contents, given.entries)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    folder = given.keep or Path(tempfile.mkdtemp(prefix="answerable-verify-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        began, path = time.perf_counter(), folder / "bundle.zip"
        vkey = make(path, given.entries, contents, deflated=given.deflated)
        said = f"{given.entries:,} decisions, {contents:,} with contents: {path.stat().st_size / 1e6:,.0f} MB"
        print(f"made a bundle of {said}, {time.perf_counter() - began:.0f} s")
        measure(path, vkey, given.entries, contents)
        if given.node:
            measure_page(path, vkey, given.entries, folder)
    finally:
        if not given.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
