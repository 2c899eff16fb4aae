"""What the pages of exports say: the question in words, the state, what may be done."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.timezone import localtime

from audit.case_access import visible_cases
from audit.models import Case
from console.exports.forms import AnswerForm
from evidence.exports.access import may_agree, may_fetch, may_read_words
from evidence.exports.codes import FAILURES, LEFT_OUT, TROUBLES
from evidence.exports.contents import WORDS
from evidence.exports.models import Export, ExportPlace
from evidence.exports.progress import Progress
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.models import Log
from ledger.selectors import registry_log, vkeys_of
from ledger.signing import verifier_keys
from ledger.tlog import Verifier

Status = Export.Status
TONES = {
    Status.REQUESTED: "warn",
    Status.QUEUED: "info",
    Status.FINISHED: "ok",
    Status.FAILED: "bad",
    Status.REFUSED: "bad",
}
FORM_NAMES = {
    Export.Form.BUNDLE: "Evidence bundle",
    Export.Form.NDJSON: "NDJSON",
    Export.Form.CSV: "CSV",
    Export.Form.OCSF: "OCSF lines",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An export in the list."""

    export: Export
    title: str
    form: str
    contents: str
    asked_by: Person | None
    tone: str
    state: str
    progress: Progress | None
    is_gone: bool
    """Its file is, or is about to be."""


def rows_of(viewer: Person, exports: Sequence[Export]) -> list[Row]:
    people = Person.objects.in_bulk({each.asked_by_id for each in exports})
    titles = titles_of(viewer, exports)
    return [_row(each, titles[each.pk], people.get(each.asked_by_id)) for each in exports]


def _row(export: Export, title: str, asked_by: Person | None) -> Row:
    progress = Progress.of(export)
    return Row(
        export=export,
        title=title,
        form=FORM_NAMES[Export.Form(export.form)],
        contents=", ".join(WORDS[name].split(":")[0].lower() for name in export.parts),
        asked_by=asked_by,
        tone="warn" if _lacks_something(export) else TONES.get(Status(export.status), "neutral"),
        state=_state(export, progress),
        progress=progress,
        is_gone=export.expires_at is not None and export.expires_at <= timezone.now(),
    )


def _lacks_something(export: Export) -> bool:
    return export.status == Status.FINISHED and export.is_whole is False


def _state(export: Export, progress: Progress | None) -> str:
    if _lacks_something(export):
        return "finished, not whole"
    if progress is None:
        return str(export.get_status_display()).lower()
    if progress.state == "waiting" and not progress.phase:
        return "waits for its turn"
    return f"{progress.percent}% made" if progress.percent is not None else "is being made"


def titles_of(viewer: Person, exports: Sequence[Export]) -> dict[uuid.UUID, str]:
    """What each is about, in words that tell its viewer of nothing else. Two queries."""
    systems = AISystem.objects.in_bulk({each.system_id for each in exports if each.system_id})
    wanted = {each.case_id for each in exports if each.case_id}
    cases = {case.pk: case for case in visible_cases(as_actor(viewer)).filter(pk__in=wanted)} if wanted else {}
    return {each.pk: _title(each, systems, cases) for each in exports}


def _title(export: Export, systems: dict[Any, AISystem], cases: dict[Any, Case]) -> str:
    if export.question == Export.Question.CASE:
        case = cases.get(export.case_id)
        return f"Case {case.reference}" if case else "A case"
    if export.question == Export.Question.SUBJECT:
        return "One subject"
    system = str(systems.get(export.system_id) or "An AI system")
    if export.question == Export.Question.DECISION:
        return f"One decision of {system}"
    return f"{system}, {_times(export)}"


def _times(export: Export) -> str:
    since, until = (localtime(at).strftime("%Y-%m-%d %H:%M %Z") if at else "" for at in (export.since, export.until))
    if since and until:
        return f"received {since} to {until}"
    return f"received from {since}" if since else f"received before {until}" if until else "all of it"


def told(viewer: Person, export: Export) -> dict[str, Any]:
    """The live part of an export's page."""
    actor = as_actor(viewer)
    [row] = rows_of(viewer, [export])
    is_mine = export.asked_by_id == viewer.pk
    agrees = may_agree(actor, export)
    decided_by = Person.objects.filter(pk=export.decided_by_id).first() if export.decided_by_id else None
    return {
        "row": row,
        "export": export,
        "is_mine": is_mine,
        "decided_by": decided_by,
        "reads_words": may_read_words(actor, export),
        "left_out": [LEFT_OUT.get(code, code) for code in export.left_out],
        "failure": FAILURES.get(export.failure, export.failure),
        "trouble": TROUBLES.get(row.progress.trouble, "") if row.progress else "",
        "may_agree": agrees and export.status == Status.REQUESTED,
        "may_withdraw": is_mine and export.status == Status.REQUESTED,
        "may_cancel": (is_mine or agrees) and export.status == Status.QUEUED,
        "may_fetch": export.status == Status.FINISHED and not row.is_gone and may_fetch(actor, export),
        "downloads": list(export.downloads.order_by("-begun_at")[:5]),
        "answering": AnswerForm(),
    }


def keys_to_give(export: Export) -> list[str]:
    """The verifier keys that a receiver needs from elsewhere, where it is a bundle: those that sign now, and of logs in
    it that were closed before the key was replaced, those that signed these."""
    if export.form != Export.Form.BUNDLE:
        return []
    keys = verifier_keys(registry_log().origin)
    known = set(map(_public_key, keys))  # one key is good for every log of the installation
    places = Exists(ExportPlace.objects.filter(export=export, log_id=OuterRef("pk")))  # by log: there may be a million
    of_it = Q(kind=Log.Kind.REGISTRY) | Q(system_id=export.system_id, system_id__isnull=False) | Q(places)
    for log in Log.objects.filter(of_it).exclude(closure=None).select_related("closure").order_by("kind", "id"):
        more = [key for key in vkeys_of(log) if _public_key(key) not in known]
        known.update(map(_public_key, more))
        keys += more
    return keys


def _public_key(vkey: str) -> bytes:
    return Verifier.from_vkey(vkey).public_key
