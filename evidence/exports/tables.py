"""Exports of one line a decision: NDJSON, CSV, OCSF. One file in a small zip, with a manifest that says what it is.

They prove nothing by themselves, and say so: each line names its entry's place and leaf hash, by which it is found in
an evidence bundle or in the log.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, ClassVar

from audit.models import Payload
from evidence.exports.access import asker_of
from evidence.exports.contents import in_order
from evidence.exports.endings import Ending, TooLarge, software_version
from evidence.exports.figures import read_decision
from evidence.exports.making import Maker
from evidence.exports.models import Export
from evidence.exports.names import data_name
from evidence.exports.ocsf import OcsfLines
from evidence.exports.parts import PartsReader
from evidence.exports.plans import PlannedLog
from evidence.exports.rows import COLUMNS, Row, csv_lines, csv_titles, ndjson_line
from governance.models import AISystem
from ledger.tlog import leaf_hash
from overrides.selectors import overridden_among

Form = Export.Form
FORMAT = "answerable-export/1"
LARGEST_MANIFEST = 64 << 20
BY_COMMA = [
    "Import it into a spreadsheet with the comma as separator. Opened by a double click where another one is set,",
    "texts that senders chose are cut at that one, and what stands behind it may be taken for a formula.",
]
HELD_AT_ONCE = 8 << 20
"""Bytes of contents."""


class TableMaker(Maker):
    STEPS: ClassVar = ("lines", "ends")
    manifest_digest = ""

    def _lines(self) -> None:
        written, wanted = self._written(), in_order(self.export.parts)
        if not self.writer.is_in_member:
            self.writer.begin(data_name(self.export, is_whole=not Ending(self).left_out), is_large=True)
            self.writer.write(csv_titles(wanted) if self.export.form == Form.CSV else b"")
        reader = PartsReader(wanted, asker_of(self.export), self.plan.reads_restricted)
        for number in range(self.place.log, len(self.plan.logs)):
            if number != self.place.log:
                self.place.log, self.place.at = number, 0
            log = self.plan.logs[number]
            for indexes, entries in self.batches(log, self.place.at):
                self.count(log, indexes, entries)
                if not log.is_registry:
                    self._write(log, indexes, entries, reader, written)
                self.place.at = indexes[-1] + 1
                self.watch.done += len(entries)
                self.turn()
        self.writer.end()

    def _written(self) -> Callable[[Sequence[Row]], bytes]:
        if self.export.form == Form.NDJSON:
            return lambda rows: b"".join(map(ndjson_line, rows))
        if self.export.form == Form.CSV:
            wanted = in_order(self.export.parts)
            return lambda rows: csv_lines(rows, wanted)
        systems = {log.system_id for log in self.plan.system_logs if log.system_id}
        names = AISystem.objects.filter(pk__in=systems).values_list("pk", "slug")
        return OcsfLines(
            authority=self.plan.logs[-1].origin,
            chain=str(self.export.pk),
            kept=self.more,
            version=software_version(),
            names={str(pk): slug for pk, slug in names},
        ).lines

    def _write(
        self,
        log: PlannedLog,
        indexes: Sequence[int],
        entries: Sequence[bytes],
        reader: PartsReader,
        written: Callable[[Sequence[Row]], bytes],
    ) -> None:
        asked = self.asked_for(log, indexes, entries)
        ids = [line[13:49].decode() for line, is_asked in zip(entries, asked, strict=True) if is_asked]
        if not ids:
            return
        overridden = {str(each) for each in overridden_among(map(uuid.UUID, ids))}
        erased = {str(each) for each in Payload.objects.filter(id__in=ids, secret=None).values_list("id", flat=True)}
        self._note_marked(entries, asked, overridden, erased)
        rows, size = list[Row](), 0
        for place, parts in reader.opened(entries, asked):
            if not asked[place]:
                continue
            line = entries[place]
            entry_id = line[13:49].decode()
            rows.append(
                Row(
                    origin=log.origin,
                    index=indexes[place],
                    line=line,
                    leaf_hash=leaf_hash(line).hex(),
                    is_overridden=entry_id in overridden,
                    is_erased=entry_id in erased,
                    parts=parts,
                )
            )
            self.note_disclosed(parts)
            size += sum(len(part.data) for part in parts)
            if size >= HELD_AT_ONCE:
                self.writer.write(written(rows))
                rows, size = [], 0
        self.writer.write(written(rows))

    def _note_marked(
        self, entries: Sequence[bytes], asked: Sequence[bool], overridden: set[str], erased: set[str]
    ) -> None:
        """Count what the lines say. It is how things are when a line is written, and not what the log says of the time
        that was asked for: so a later override is in it."""
        marked = self.more.setdefault("marked", {"overridden": 0, "erased": {}})
        marked["overridden"] += len(overridden)
        gone = Counter(marked["erased"])
        for line, is_asked in zip(entries, asked, strict=True):
            if is_asked and line[13:49].decode() in erased:
                gone.update(read_decision(line).body.commitments.keys())
        marked["erased"] = dict(gone)

    def _ends(self) -> None:
        self.manifest_digest = TableEnding(self).write()


class TableEnding(Ending):
    GAPS_LISTED = 10_000

    def _marked(self) -> tuple[int, Counter[str]]:
        marked = self.maker.more.get("marked", {})
        return marked.get("overridden", 0), Counter(marked.get("erased", {}))

    def write(self) -> str:
        """The manifest and a page of words; returns the digest of the manifest."""
        counts = self.counts()
        manifest = {
            "format": FORMAT,
            "form": str(self.export.form),
            **self.told(),
            "contents": list(self.export.parts),
            "columns": [*COLUMNS, *self.export.parts] if self.export.form == Form.CSV else None,
            "logs": [_log(log) for log in self.plan.logs],
            "files": [
                {"path": each.name, "size": each.size, "sha256": each.digest} for each in self.maker.writer.members()
            ],
            **counts,
        }
        text = (json.dumps(manifest, sort_keys=True, indent=2) + "\n").encode()
        if len(text) > LARGEST_MANIFEST:
            raise TooLarge()
        self.maker.writer.add("manifest.json", text)
        self.maker.writer.add("README.txt", _words(manifest).encode())
        return sha256(text).hexdigest()


def _log(log: PlannedLog) -> dict[str, Any]:
    return {
        "origin": log.origin,
        "system": str(log.system_id) if log.system_id else None,
        "range": list(log.range) if log.range else None,
        "checkpoint": log.note,
    }


def _words(manifest: dict[str, Any]) -> str:
    answer = manifest["answer"]
    lines = [
        f"Decisions taken out of {manifest['origin']} at {manifest['made_at']}, as {manifest['form']}.",
        f"There are {answer['decisions']} of them. The file: {manifest['files'][0]['path']}.",
        "",
        *(["NOT WHOLE. " + " ".join(manifest["left_out"]), ""] if manifest["left_out"] else []),
        "This file proves nothing by itself: whoever has it can change it. Each line names the place of its entry in",
        "the log (log, index) and the leaf hash there. To prove what it says, ask for an evidence bundle of the same",
        "question. Whether a decision was overridden or erased is told as it was when its line was written.",
        *(BY_COMMA if manifest["form"] == Form.CSV else []),
        "What each column or member means: docs/exports.md of Answerable.",
        "",
    ]
    return "\n".join(lines)
