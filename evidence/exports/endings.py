"""What is known once everything else is written: the manifest, its signature, the sums, the first page."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from django.conf import settings

from audit.selectors import PARTS as PAYLOAD_PARTS
from evidence.exports import verifier
from evidence.exports.codes import LEFT_OUT
from evidence.exports.disclosed import Disclosed
from evidence.exports.figures import read_decision
from evidence.exports.ids import Ids
from evidence.exports.plans import PlannedLog
from evidence.exports.questions import as_json, called
from ledger.entries import timestamp
from ledger.models import Entry
from ledger.signing import signers_for
from ledger.tlog import sign_note

if TYPE_CHECKING:
    from evidence.exports.making import Maker

FORMAT = "answerable-evidence/1"
STATEMENT = "answerable/evidence-bundle/v1"
UNLISTED = frozenset({"manifest.json", "manifest.note", "SHA256SUMS", "README.html"})
MOST_FILES, LARGEST_FILE, MOST_LINES = 200_000, 64 << 20, 1_000_000
"""Limits of a bundle (docs/bundle-format.md): a verifier's memory has an end."""
AT_ONCE = 1_000


class TooLarge(Exception):
    """It would be larger than a bundle may be: it is to be asked for in several, each for a part of the time."""


class TooManyGaps(Exception):
    """The numbers of its sources have more gaps than a bundle may list, as those of a source that counts over several
    AI systems can."""


class Counted:
    """Of decisions that entries name, those that are counted: that the question asks for, and that are disclosed."""

    def __init__(self, maker: "Maker") -> None:
        self.maker, self.disclosed = maker, Disclosed(maker.export.pk, maker.plan)
        self._logs = {log.id: log for log in maker.plan.system_logs}

    def among(self, decision_ids: Ids) -> Iterator[bytes]:
        """Their entries."""
        for chunk in decision_ids.chunks(AT_ONCE):
            self.maker.watch.beat()
            rows = Entry.objects.filter(id__in=chunk, log_id__in=list(self._logs))
            found = list(rows.values_list("log_id", "leaf_index", "data"))
            disclosed = self.disclosed.among({(log_id, index) for log_id, index, _ in found})
            for log_id, index, data in found:
                line = bytes(data)
                [is_asked] = self.maker.asked_for(self._logs[log_id], [index], [line])
                if is_asked and (log_id, index) in disclosed:
                    yield line


class Ending:
    """The figures of an export, and its manifest."""

    GAPS_LISTED: ClassVar[int | None] = None
    """So many gaps of each source; None: all, as a verifier finds them."""

    def __init__(self, maker: "Maker") -> None:
        self.maker, self.export, self.plan = maker, maker.export, maker.plan

    def told(self) -> dict[str, Any]:
        """What every manifest says of whence it is, and of the question."""
        return {
            "id": str(self.export.pk),
            "origin": self.plan.logs[-1].origin.rsplit("/logs/", 1)[0],
            "called": called(self.export),
            "made_at": timestamp(self.plan.made_at),
            "software": {"name": "answerable", "version": software_version()},
            "asked": self.asked(),
            "question": as_json(self.export),
        }

    def asked(self) -> dict[str, Any]:
        export, plan = self.export, self.plan
        entry = Entry.objects.get(id=plan.request_entry)
        return {
            "by": str(export.asked_by_id),
            "at": msgspec.json.decode(bytes(entry.data))["at"],
            "entry": str(plan.request_entry),
            "approved_by": str(export.decided_by_id) if plan.approval_entry else None,
            "approval": str(plan.approval_entry) if plan.approval_entry else None,
        }

    @property
    def left_out(self) -> list[str]:
        """Codes of why it is not whole; empty where it is."""
        return sorted({*self.plan.left_out, *(["judged_blind"] if self.plan.withheld else [])})

    def counts(self) -> dict[str, Any]:
        """`answer`, `parts`, `sources`, `whole` and `left_out` of the manifest."""
        maker, figures = self.maker, self.maker.figures
        overridden, erased = self._marked()
        entries = sum(log.range_size for log in self.plan.system_logs) if maker.is_range else maker.entries
        return {
            "answer": figures.answer(
                entries=entries,
                withheld_entries=self.plan.withheld,
                overridden=overridden,
            ),
            "parts": {name: self._part(name, erased[name]) for name in PAYLOAD_PARTS},
            "sources": figures.told_sources(self.GAPS_LISTED),
            "whole": not self.left_out,
            "left_out": [LEFT_OUT[code] for code in self.left_out],
        }

    def _marked(self) -> tuple[int, Counter[str]]:
        """How many of the decisions were overridden, and of how many each part was erased: as the entries in it say."""
        counted, erased = Counted(self.maker), Counter[str]()
        for line in counted.among(self.maker.erased):
            erased.update(read_decision(line).body.commitments.keys())
        return sum(1 for _ in counted.among(self.maker.overridden)), erased

    def _part(self, name: str, erased: int) -> dict[str, int]:
        disclosed, sent = self.maker.disclosed_parts[name], self.maker.figures.parts[name]
        gone = min(erased, sent - disclosed)
        return {"disclosed": disclosed, "withheld": sent - disclosed - gone, "erased": gone}


class BundleEnding(Ending):
    def write(self) -> str:
        """Write what is left of a bundle; returns the digest of its manifest. Errors: `TooLarge`."""
        writer = self.maker.writer
        manifest = self.manifest()
        writer.add("VERIFYING.txt", verifier.how_to_verify(manifest))
        for name, data in verifier.files().items():
            writer.add(name, data)
        manifest["files"] = self.files()
        text = (json.dumps(manifest, sort_keys=True, indent=2) + "\n").encode()
        if len(text) > LARGEST_FILE or text.count(b"\n") > MOST_LINES:
            raise TooLarge()
        digest = sha256(text).hexdigest()
        writer.add("manifest.json", text)
        writer.add("manifest.note", self._note(digest).encode())
        writer.add("README.html", verifier.first_page(manifest))
        sums = "".join(f"{each.digest}  {each.name}\n" for each in sorted(writer.members()))
        writer.add("SHA256SUMS", sums.encode())
        return digest

    def manifest(self) -> dict[str, Any]:
        """All of it but the list of files."""
        return {
            "format": FORMAT,
            **self.told(),
            "logs": [self._log(log) for log in self.plan.logs],
            **self.counts(),
        }

    def files(self) -> list[dict[str, Any]]:
        """What was written so far. Errors: `TooLarge`."""
        members = sorted(self.maker.writer.members())
        if len(members) + len(UNLISTED) > MOST_FILES:
            raise TooLarge()
        return [{"path": each.name, "size": each.size, "sha256": each.digest} for each in members]

    def _log(self, log: PlannedLog) -> dict[str, Any]:
        return {
            "log": log.name,
            "origin": log.origin,
            "kind": "registry" if log.is_registry else "system",
            "system": str(log.system_id) if log.system_id else None,
            "tree_size": log.tree_size,
            "root_hash": log.root_hash,
            "range": list(log.range) if log.range else None,
            "disclosed": sum(end - first for first, end in self.maker.runs(log)),
            "predecessor": log.predecessor,
            "before": log.before_size,
            "timestamps": len(log.timestamps),
        }

    def _note(self, digest: str) -> str:
        """Signed under the name of the newest registry log, by the keys that sign there now."""
        registry = self.plan.logs[-1].origin
        return sign_note(f"{STATEMENT}\n{self.export.pk}\n{digest}\n", signers_for(registry))


@cache
def software_version() -> str:
    """Of Answerable, as its project file says."""
    project = tomllib.loads(Path(settings.BASE_DIR, "pyproject.toml").read_text())
    return str(project["project"]["version"])
