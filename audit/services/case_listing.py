"""The decisions of a case as a file. Taking it out is an export without payloads: it appends an entry."""

import csv
import io
import uuid
from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone

from audit.case_access import readable_case
from audit.case_document import Document, Seen, lines_of, members
from audit.case_kinds import CASE_LISTED
from audit.models import Case
from governance.models import AISystem
from ledger.entries import Actor, draft_entry
from ledger.sealing import sealing
from ledger.selectors import registry_log

AT_A_TIME = 1_000
COLUMNS = ("id", "system", "recorded_at", "outcome", "model_version", "model_digest")


def list_decisions_of(*, actor: Actor, case_id: uuid.UUID, seen: Seen, at: datetime | None = None) -> Iterator[str]:
    """CSV of every decision that is in a case, or was at a moment, the newest first; sealed before it is given.

    `seen`: what the actor may know of. Errors: `CaseNotFound`, `Forbidden`; what sealing raises.
    """
    case = readable_case(actor, case_id)
    ids = list(members(case, seen, at).values_list("decision_id", flat=True))
    _seal(actor, case, len(ids))
    return _lines(case, ids)


def _seal(actor: Actor, case: Case, count: int) -> None:
    body = {"case": case.reference, "count": count}
    draft = draft_entry(kind=CASE_LISTED, actor=actor, at=timezone.now(), body=body, about_id=case.pk)
    with sealing() as seal:
        seal.add(registry_log().id, draft)


def _lines(case: Case, ids: list[uuid.UUID]) -> Iterator[str]:
    slugs = {str(pk): slug for pk, slug in AISystem.objects.filter(pk__in=case.system_ids).values_list("pk", "slug")}
    yield ",".join(COLUMNS) + "\r\n"
    for start in range(0, len(ids), AT_A_TIME):
        lines = lines_of(ids[start : start + AT_A_TIME])
        yield _written([each | {"system": slugs.get(each["system_id"], "")} for each in lines])


def _written(lines: list[Document]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_plain(line[column]) for column in COLUMNS] for line in lines)
    return text.getvalue()


def _plain(value: str) -> str:
    """Callers chose some of these: no spreadsheet takes one for a formula."""
    is_formula = value.startswith(("\t", "\r")) or value.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value
