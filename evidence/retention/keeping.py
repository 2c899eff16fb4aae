"""What keeps back what is past its time: a legal hold, and which; or that somebody still works on it."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.case_selectors import held
from audit.erasing import held_texts, in_process
from audit.models import (
    Case,
    CaseAttachment,
    CaseDecision,
    CaseNote,
    CorrectiveAction,
    DataKind,
    Decision,
    Finding,
    Incident,
    IncidentExtension,
    IncidentNotice,
    IncidentReport,
    IncidentSignOff,
    LegalHold,
)
from evidence.erasure.places import TEXTS
from evidence.models import ExplanationLetter
from intake.models import QuarantineCase, QuarantinedRecord
from ledger.rows import GovernedRow

Ids = Collection[uuid.UUID]
IN_CASES: Mapping[type[GovernedRow], str] = {
    Case: "pk",
    CaseNote: "case_id",
    Finding: "case_id",
    CorrectiveAction: "case_id",
    CaseAttachment: "case_id",
    LegalHold: "case_id",
    Incident: "case_id",
    IncidentReport: "incident__case_id",
    IncidentExtension: "incident__case_id",
    IncidentSignOff: "incident__case_id",
    IncidentNotice: "incident__case_id",
}
"""What was written in a case, each with the path to its case."""

ONLY_HELD = frozenset({DataKind.QUARANTINE, DataKind.CASES})
"""Of these nothing but a legal hold keeps anything back, so how many are kept back tells of one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Of some rows those that are kept back: by a legal hold, else since somebody still works on them."""

    held: frozenset[uuid.UUID] = frozenset()
    in_process: frozenset[uuid.UUID] = frozenset()

    def __contains__(self, row_id: object) -> bool:
        return row_id in self.held or row_id in self.in_process

    def __len__(self) -> int:
        return len(self.held) + len(self.in_process)

    def among(self, row_ids: Iterable[uuid.UUID]) -> "Kept":
        of = frozenset(row_ids)
        return Kept(self.held & of, self.in_process & of)


def kept_back(kind: DataKind, rows: Iterable[Any]) -> Kept:
    """Of these rows those that a hold keeps, or that somebody still works on."""
    ids = [row.pk for row in rows]
    if kind == DataKind.SEARCHES:
        return Kept()
    is_held = held(ids) if kind == DataKind.PAYLOADS else held_texts(ids)
    about = decisions_of(kind, [each for each in ids if each not in is_held])
    busy = in_process(list(set(about.values())))
    return Kept(is_held, frozenset(pk for pk, of in about.items() if of in busy))


def decisions_of(kind: DataKind, ids: Ids) -> dict[uuid.UUID, uuid.UUID]:
    """Of rows of a kind the decision that each is about; of what is about none nothing."""
    if kind == DataKind.PAYLOADS:
        return {each: each for each in ids}
    if kind not in (DataKind.PEOPLE_SAID, DataKind.LETTERS):
        return {}
    places = [place for place in TEXTS if (place.model is ExplanationLetter) == (kind == DataKind.LETTERS)]
    return {
        pk: of
        for place in places
        for pk, of in place.model._base_manager.filter(pk__in=ids).values_list("pk", place.path)
    }


# --- by which holds ---------------------------------------------------------------------------------------------------
def in_force() -> QuerySet[LegalHold]:
    return LegalHold.objects.exclude(status=LegalHold.Status.LIFTED).order_by("pk")


def holds_over(kind: DataKind, ids: Ids) -> Counter[uuid.UUID]:
    """How many of these rows each legal hold covers, by the rows of holds; one row may be under several."""
    if not ids:
        return Counter()
    if kind == DataKind.CASES:
        rows = ((model._base_manager.filter(pk__in=ids), path) for model, path in IN_CASES.items())
        cases = [of for found, path in rows for of in found.values_list(path, flat=True)]
        by_case = dict(in_force().filter(case_id__in=set(cases)).values_list("case_id", "pk"))
        return Counter(by_case[of] for of in cases if of in by_case)
    about = decisions_of(kind, ids)
    covering = holds_on(set(about.values()))
    return Counter(hold for of in about.values() for hold in covering.get(of, ()))


def holds_on(decision_ids: Ids) -> dict[uuid.UUID, set[uuid.UUID]]:
    """By decision the legal holds that cover it: by a case, or by when it, or the record it was made of, came."""
    found: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    of_cases = dict(in_force().filter(case__isnull=False).values_list("case_id", "pk"))
    inside = CaseDecision.objects.filter(decision_id__in=decision_ids, case_id__in=of_cases)
    for decision_id, case_id in inside.values_list("decision_id", "case_id"):
        found[decision_id].add(of_cases[case_id])
    spans = list(in_force().filter(case=None))
    for decision_id, system_id, at in _moments(decision_ids) if spans else ():
        found[decision_id] |= {span.pk for span in spans if _covers(span, system_id, at)}
    return found


def _covers(span: LegalHold, system_id: uuid.UUID | None, at: datetime) -> bool:
    if span.since is None or span.until is None or span.system_id != system_id:
        return False
    return span.since <= at < span.until


def _moments(decision_ids: Ids) -> Iterator[tuple[uuid.UUID, uuid.UUID | None, datetime]]:
    """When decisions were recorded, and when the records came that they were made of; in which AI system."""
    yield from Decision.objects.filter(pk__in=decision_ids).values_list("pk", "system_id", "recorded_at")
    yield from QuarantinedRecord.objects.filter(pk__in=decision_ids).values_list("pk", "system_id", "received_at")
    made = QuarantineCase.objects.filter(decision_id__in=decision_ids)
    for decision_id, system_id, at in made.values_list("decision_id", "record__system_id", "record__received_at"):
        if decision_id is not None:
            yield decision_id, system_id, at


def holds_there(kind: DataKind, system_id: uuid.UUID | None, before: datetime) -> QuerySet[LegalHold]:
    """The legal holds in force that may keep some of a place back."""
    if kind == DataKind.CASES:
        return in_force().filter(case__closed_at__lt=before)
    if system_id is None:
        return in_force().none()
    inside = CaseDecision.objects.filter(case_id=OuterRef("case_id"), system_id=system_id)
    if kind == DataKind.QUARANTINE:
        came = QuarantineCase.objects.filter(record__system_id=system_id, record__received_at__lt=before)
        inside = inside.filter(Exists(came.filter(Q(decision_id=OuterRef("decision_id")))))
    else:
        inside = inside.filter(recorded_at__lt=before)
    return in_force().filter(Q(system_id=system_id, since__lt=before) | Q(Exists(inside)))
