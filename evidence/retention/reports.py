"""The report of a purge that is over: what went of which place, under which class, and what was kept back, and why.

A signed note (C2SP signed-note) under the name of the registry log, of lines `name: value`. It is made of what is
sealed of the purge, whenever somebody asks for it: the words of a class can be erased, and stand nowhere else then.
Reports of the first version were kept as they were signed, and are handed out so (docs/retention.md has both).
"""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from audit.models import Purge, RetentionClass
from evidence.erasure.documents import document_about, signed_note, unreached
from evidence.erasure.errors import NoDocument, PurgeDiffers
from evidence.kinds import RETENTION_CONCLUDED
from evidence.retention.due import Part, ruled
from evidence.verification.rows import check_rows
from governance.models import AISystem
from ledger.entries import timestamp
from ledger.models import Entry
from ledger.rows import GovernedRow

FORMAT = "answerable/purge-report/v2"


def report_of(purge: Purge) -> str:
    """The signed report. Errors: `NoDocument` before it is over, `PurgeDiffers`, those of signing."""
    if purge.status != Purge.Status.DONE:
        raise NoDocument()
    kept = document_about(purge.pk)
    if kept is not None:
        return kept.note
    _require_sealed(purge)
    return signed_note(FORMAT, _lines(purge))


def _require_sealed(purge: Purge) -> None:
    """Nothing is signed that is not sealed: what the entry of its end says of each part; its row, with the classes and
    AI systems that it names, as their last changes were sealed."""
    entry = Entry.objects.filter(about_id=purge.pk, kind=RETENTION_CONCLUDED.name).order_by("-id").first()
    said = msgspec.json.decode(bytes(entry.data))["body"]["parts"] if entry else []
    if len(said) != len(purge.done) or not all(map(_says, purge.done, said)):
        raise PurgeDiffers()
    named: dict[type[GovernedRow], set[uuid.UUID]] = {
        Purge: {purge.pk},
        RetentionClass: {uuid.UUID(part["class"]) for part in purge.done},
        AISystem: {uuid.UUID(part["system"]) for part in purge.done if part["system"]},
    }
    if any(finding for model, ids in named.items() for finding in check_rows(model, ids)):
        raise PurgeDiffers()


def _says(part: Part, sealed: Part) -> bool:
    """Whether a part of the row says all that the entry says of it."""
    return all(name in part and part[name] == value for name, value in sealed.items())


def _lines(purge: Purge) -> Iterator[str]:
    parts = ruled(purge.done)
    slugs = {str(pk): slug for pk, slug in AISystem.objects.values_list("pk", "slug")}
    yield f"purge: {purge.pk}"
    yield f"announced: {timestamp(purge.announced_at)}"
    yield f"runs: {timestamp(purge.runs_at)}"
    yield f"done: {timestamp(purge.done_at) if purge.done_at else ''}"
    yield f"parts: {len(parts)}"
    for number, part in enumerate(parts, 1):
        yield f"part: {number}"
        yield from _part(part, slugs, purge.stopped.get(part["system"]))
    yield "files: no export that is kept here holds any of it"
    yield from unreached(purge.done_at)


def _part(part: Part, slugs: dict[str, str], stopped: str | None) -> Iterator[str]:
    yield f"data: {part['kind']}"
    yield f"system: {part['system']} {slugs.get(part['system'], '')}".rstrip() if part["system"] else "system: none"
    yield f"class: {part['class']} {one_line(part['class_name']) or '(its name was erased)'}"
    yield f"floor: {_days(part['floor_days'], part['floor_source'])}"
    yield f"ceiling: {_days(part['ceiling_days'], part['purpose'])}"
    yield f"before: {part['before']}"
    yield f"took: {part['count']}"
    yield f"digest: {part['digest']}"
    yield f"kept: {part['kept']}"
    yield from _why_kept(part)
    if stopped:
        yield f"stopped: {stopped}; whoever answers for it kept it out"
    if part.get("replaced"):
        yield "replaced: another class holds there since it was announced"


def _why_kept(part: dict[str, Any]) -> Iterator[str]:
    """As it was passed by; nothing of one that began before that was counted."""
    if "held" not in part:
        return
    yield f"held: {part['held']}"
    for hold in part["holds"]:
        yield f"hold: {hold['id']} {hold['count']}"
    if part["more_holds"]:
        yield f"hold: {part['more_holds']} more"
    yield f"in_process: {part['in_process']}"


def _days(days: int | None, why: str) -> str:
    return f"{'unknown' if days is None else days} days; {one_line(why) or '(its words were erased)'}"


def one_line(text: str) -> str:
    """Somebody's words as they may stand in one line of a signed note: nothing in them begins a line of its own.

    >>> one_line("a law\\ntook: 0")
    'a law took: 0'
    """
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
