"""Reading investigations: what is in a case, who answered for it then, what is held, what waits for somebody."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.case_access import may, may_read_findings, own_cases, visible_cases
from audit.case_kinds import (
    CASE_ATTACHED,
    CASE_DETACHED,
    CASE_OPENED,
    FINDING_RECORDED,
    HOLD_LIFT_REFUSED,
    HOLD_LIFT_REQUESTED,
    HOLD_LIFTED,
    HOLD_PLACED,
)
from audit.erasing import held_decisions
from audit.models import (
    Case,
    CaseDecision,
    CaseDetachment,
    CaseTally,
    CorrectiveAction,
    Decision,
    LegalHold,
)
from audit.restricted_texts import for_reading, texts_in_force
from audit.selectors import SealedDecision, decisions_by_ids
from config.pagination import keyset_page
from governance import rights
from governance.acts import Act
from governance.scopes import Scope
from ledger.entries import Actor
from ledger.models import Entry

ENTRIES_SHOWN = 200
"""At a time, the newest ones."""
NO_TIME = datetime.max.replace(tzinfo=UTC)


# --- legal holds ------------------------------------------------------------------------------------------------------
def held(decision_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these decisions those that a legal hold covers: they must not be erased. One query, whatever the number.

    Also those that were taken out of the case again: what was evidence once is not let go by one person alone.
    """
    return held_decisions(decision_ids)


def holds_for(actor: Actor) -> QuerySet[LegalHold]:
    """The legal holds that somebody could place and lift, or read as an auditor, with what was written of them."""
    rows, systems = LegalHold.objects.select_related("case"), rights.systems_where(actor, Act.HOLD_PLACE)
    read = rights.systems_where(actor, Act.CASE_READ)
    if systems is None or read is None:
        return rows
    reached = Q(system_id__in=systems | read) | Q(case__system_ids__overlap=list(systems))
    audited = Q(case__system_ids__contained_by=list(read))
    return rows.filter(reached | audited | Q(case__in=own_cases(actor)))


# --- what is in a case ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What is in a case now, counted: at no time by looking at the decisions."""

    total: int = 0
    systems: Counter[uuid.UUID] = field(default_factory=Counter)
    model_versions: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    accountable: Counter[tuple[uuid.UUID | None, bool]] = field(default_factory=Counter)
    """Who answered when each was recorded, and whether they had accepted; None: nobody."""


def facets_of(case: Case, system_ids: Collection[uuid.UUID] | None = None) -> Facets:
    """Those of all of its AI systems (None), or of some."""
    rows = CaseTally.objects.filter(case=case, count__gt=0)
    if system_ids is not None:
        rows = rows.filter(system_id__in=system_ids)
    found = Facets(total=sum(row.count for row in rows))
    for row in rows:
        found.systems[row.system_id] += row.count
        found.model_versions[row.model_version] += row.count
        found.outcomes[row.outcome] += row.count
        found.accountable[row.accountable_id, row.is_accepted] += row.count
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Some of the decisions in a case, the newest first."""

    items: list[SealedDecision]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What the decisions of a case can be narrowed to: what its facets count."""

    system_id: uuid.UUID | None = None
    model_version: str = ""
    outcome: str = ""
    accountable_id: uuid.UUID | None = None

    def condition(self) -> Q | None:
        given = self._given()
        return Q(**given) if given else None

    def said(self) -> dict[str, str]:
        """What it asks, in clear values."""
        return {name: str(value) for name, value in self._given().items()}

    def _given(self) -> dict[str, Any]:
        asked = {
            "system_id": self.system_id,
            "model_version": self.model_version,
            "outcome": self.outcome,
            "accountable_id": self.accountable_id,
        }
        return {name: value for name, value in asked.items() if value}


def narrowed(rows: QuerySet[CaseDecision], within: CaseFilter | None) -> QuerySet[CaseDecision]:
    """Those of which the filter holds."""
    condition = within.condition() if within else None
    if condition is None:
        return rows
    return rows.filter(Exists(Decision.objects.filter(condition, id=OuterRef("decision_id"))))


def decisions_in(
    case: Case,
    *,
    within: CaseFilter | None = None,
    systems: Collection[uuid.UUID] | None = None,
    hidden: frozenset[uuid.UUID] = frozenset(),
    cursor: str | None = None,
    limit: int = 50,
) -> CasePage:
    """A page of a case, narrowed to AI systems that may be seen (None: all) and without what is hidden.

    Errors: `InvalidCursor`.
    """
    rows = CaseDecision.current().filter(case_id=case.pk).exclude(decision_id__in=hidden)
    if systems is not None:
        rows = rows.filter(system_id__in=systems)
    key, scope = ("recorded_at", "decision_id"), f"{case.pk}:{within}"
    page = keyset_page(narrowed(rows, within), key=key, cursor=cursor, limit=limit, scope=scope)
    sealed = decisions_by_ids([row.decision_id for row in page.items])
    return CasePage(
        items=[sealed[row.decision_id] for row in page.items if row.decision_id in sealed],
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def cases_with(actor: Actor, decision_id: uuid.UUID) -> list[Case]:
    """The cases that a decision is in now, as far as somebody may know of them."""
    now_in = CaseDecision.current().filter(decision_id=decision_id).values("case_id")
    return for_reading(actor, visible_cases(actor).filter(pk__in=now_in))


# --- lists ------------------------------------------------------------------------------------------------------------
def overdue_first(cases: Iterable[Case], due: dict[uuid.UUID, datetime]) -> list[Case]:
    """By the deadline of what was not reported, then the newest."""
    return sorted(cases, key=lambda case: (case.pk not in due, due.get(case.pk, NO_TIME), -case.pk.int))


def called(actor: Actor, text: str) -> Q:
    """Cases of this reference, or with this in their title; not where it is restricted from whoever looks."""
    year, _, number = text.strip().partition("-")
    is_reference = year.isascii() and year.isdigit() and len(year) == 4 and number.isascii() and number.isdigit()
    if is_reference and len(number) < 10:
        return Q(year=int(year), number=int(number))
    return Q(title__icontains=text.strip().replace("\0", "")) & ~Q(pk__in=_untitled(actor))


def _untitled(actor: Actor) -> list[uuid.UUID]:
    """Cases whose title is restricted from somebody."""
    rows = Case.objects.filter(pk__in=texts_in_force().values("row_id"))
    return [row.pk for row in for_reading(actor, rows) if "title" in row.covered]


def leaderless_for(actor: Actor) -> QuerySet[Case]:
    """The open cases that nobody leads and for which somebody could name one, the oldest first."""
    waiting = Case.objects.filter(status=Case.Status.OPEN, lead_id=None)
    systems = rights.systems_where(actor, Act.CASE_LEAD_ASSIGN)
    return (waiting if systems is None else waiting.filter(system_ids__overlap=list(systems))).order_by("pk")


def actions_shown(actor: Actor, case: Case) -> QuerySet[CorrectiveAction]:
    """All of them to those who know of the case by a role; to who carries one out, their own."""
    if may(actor, Act.CASE_VIEW, case):
        return case.actions.all()
    return case.actions.filter(owner_id=actor.id) if actor.id else case.actions.none()


def actions_of(person_id: uuid.UUID) -> QuerySet[CorrectiveAction]:
    """What somebody is to do because of cases, the one due first first."""
    mine = CorrectiveAction.objects.filter(owner_id=person_id, done_at=None, dropped_at=None)
    return mine.select_related("case").order_by("due_on", "id")


@dataclass(frozen=True, slots=True)
class Trail:
    """Some of the entries about a case, oldest first; `earlier` names the one before which there are more."""

    entries: list[Entry]
    earlier: uuid.UUID | None = None


def trail_of_case(case: Case) -> list[Entry]:
    """Every entry about a case and everything in it, oldest first."""
    return _entries(_ids(Q(about_id__in=_rows_of(case))))


def is_partly_restricted(case: Case) -> bool:
    """Whether something that is written in it is restricted until it is erased."""
    return texts_in_force().filter(row_id__in=_rows_of(case)).exists()


def trail_ids(case: Case) -> list[uuid.UUID]:
    """Their ids: as long as these are the same, nothing happened in the case."""
    return _ids(Q(about_id__in=_rows_of(case)))


def trail_page(case: Case, before: uuid.UUID | None = None, limit: int = ENTRIES_SHOWN) -> Trail:
    """The newest of them, or the newest before one."""
    ids = [each for each in _ids(Q(about_id__in=_rows_of(case))) if before is None or each < before]
    shown = ids[-limit:]
    return Trail(_entries(shown), shown[0] if len(ids) > len(shown) else None)


def _rows_of(case: Case) -> list[uuid.UUID]:
    ids: list[uuid.UUID] = [case.pk]
    for rows in (case.notes, case.findings, case.actions, case.attachments, case.holds):
        ids += rows.values_list("pk", flat=True)
    incident = getattr(case, "incident", None)
    if incident is not None:
        ids += [incident.pk, *incident.reports.values_list("pk", flat=True)]
        for parts in (incident.notices, incident.extensions, incident.sign_offs):
            ids += parts.values_list("pk", flat=True)
    return ids


def _ids(said: Q) -> list[uuid.UUID]:
    """Of the entries of which this holds, oldest first."""
    # sorted here: asked for in order, the planner may walk the index on id over all entries instead
    return sorted(Entry.objects.filter(said).order_by().values_list("id", flat=True))


def _entries(ids: Sequence[uuid.UUID]) -> list[Entry]:
    return sorted(Entry.objects.filter(id__in=ids).order_by(), key=lambda entry: entry.id)


# --- what cases say of one decision -----------------------------------------------------------------------------------
OF_A_HOLD = (HOLD_PLACED, HOLD_LIFT_REQUESTED, HOLD_LIFT_REFUSED, HOLD_LIFTED)
OF_A_DECISION = (CASE_ATTACHED, CASE_DETACHED, FINDING_RECORDED, *OF_A_HOLD)


def case_trail_of(actor: Actor, decision: SealedDecision) -> list[Entry]:
    """What happened to a decision in the cases that somebody may know of, oldest first: nothing of any other.

    The case that was opened with it, its ways in and out, legal holds; findings to those who may read them.
    """
    rows = CaseDecision.objects.filter(decision_id=decision.id)
    cases = list(visible_cases(actor).filter(pk__in=rows.values("case_id")))
    brought = list(rows.filter(case_id__in=[case.pk for case in cases]).values_list("attachment_id", flat=True))
    taken = CaseDetachment.objects.filter(decision_id=decision.id, attached_by_id__in=brought)
    about = {*brought, *taken.values_list("attachment_id", flat=True), *_spans_over(actor, decision)}
    for case in cases:
        about |= set(case.holds.values_list("pk", flat=True))
        if may_read_findings(actor, case):
            about |= set(case.findings.values_list("pk", flat=True))
    said = Q(about_id__in=about, kind__in=[kind.name for kind in OF_A_DECISION])
    opened = [case.pk for case in cases if _opened_with(case, brought)]
    return _entries(_ids(said | Q(about_id__in=opened, kind=CASE_OPENED.name))[-ENTRIES_SHOWN:])


def _opened_with(case: Case, brought: Collection[uuid.UUID]) -> bool:
    began = case.origin in (Case.Origin.DECISIONS, Case.Origin.FILTER)
    return began and case.attachments.order_by("id").values_list("pk", flat=True)[0] in brought


def _spans_over(actor: Actor, decision: SealedDecision) -> list[uuid.UUID]:
    """Legal holds on a span of its AI system, for those who could place one."""
    if not rights.can(actor, Act.HOLD_PLACE, Scope.system(decision.system_id)):
        return []
    spans = LegalHold.objects.filter(
        system_id=decision.system_id, since__lte=decision.recorded_at, until__gt=decision.recorded_at
    )
    return list(spans.values_list("pk", flat=True))
