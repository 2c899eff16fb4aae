"""Who leads a case, or is appointed to it: nobody who had a part in it, which this floor knows.

A lead who comes into a conflict later, because a decision joins the case or they act on one that is in it, goes on
until somebody else leads: evidence is not kept out of a case for the sake of its lead. But they conclude nothing under
it, its page says why, and those who can appoint another are alerted, once. So they are of a lead who is no investigator
any more, and of an investigator of the case who came to have a part in it.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from audit.case_access import appointed_to, investigates, place_of
from audit.case_conflicts import conflict_of
from audit.case_errors import LeadHasConflict
from audit.models import Case, CaseAttachment
from audit.services.case_writing import locked_case, require_in
from audit.services.cases import assign_lead, move_case, pass_on_lead
from audit.services.leaving import led_by
from governance import rights
from governance.acts import Act, Condition, Role
from governance.models import Assignment
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from notices.models import Alert
from notices.services import open_alert
from overrides.eligibility import had_part_in_case
from overrides.models import Appeal, Override, ReviewAssignment

NO_PART = frozenset({Condition.NO_PART_IN_IT})
CONFLICT, WITHOUT_ROLE = "case.lead_conflict", "case.lead_without_role"
CONCLUDING = (Case.Status.INVESTIGATING, Case.Status.CONCLUDED)
_PART = "They sent, reviewed or overrode a decision of this case, or judged an appeal."


def lead_case(*, actor: Actor, case_id: uuid.UUID, person_id: uuid.UUID, reason: str = "") -> Case:
    """Have an investigator lead a case, unless they had a part in one of its decisions, or answer for its AI system.

    Errors: those of `audit.services.cases.assign_lead`.
    """
    with sealing():
        case = locked_case(actor, case_id)
        if case.lead_id != person_id:
            refuse_part(case, person_id)
        return assign_lead(actor=actor, case_id=case_id, person_id=person_id, given=NO_PART, reason=reason)


def hand_over_cases(seal: Seal, actor: Actor, person_id: uuid.UUID, heir_id: uuid.UUID, reason: str = "") -> int:
    """Somebody without a part in them leads the cases of one who leaves. Returns how many.

    Errors: `Forbidden`, `LeadHasConflict`, naming the case.
    """
    cases = list(led_by(person_id).select_for_update(no_key=True))
    for case in cases:
        refuse_part(case, heir_id)
        pass_on_lead(seal, actor=actor, case=case, person_id=heir_id, given=NO_PART, reason=reason)
    return len(cases)


def advance_case(*, actor: Actor, case_id: uuid.UUID, to: str, reason: str = "", revision: int | None = None) -> Case:
    """Take a case to another state. Errors: those of `audit.services.cases.move_case`."""
    with sealing():
        case = locked_case(actor, case_id, closed_too=True)
        if to in CONCLUDING and case.lead_id and (why := why_not_lead(case, case.lead_id)):
            raise LeadHasConflict(why)
        return move_case(actor=actor, case_id=case_id, to=to, reason=reason, revision=revision)


def why_not_lead(case: Case, person_id: uuid.UUID) -> str:
    """Why somebody must not lead it, or not any more, in words; empty where nothing stands against it."""
    return conflict_of(case, person_id) or (_PART if had_part_in_case(person_id, case.pk) else "")


def known_conflict(case: Case) -> str:
    """The same of its lead, for pages: what needs a look at every decision of the case, the sweep has found."""
    if case.lead_id is None:
        return ""
    if not investigates(case, case.lead_id):
        return "They are no investigator of any of its AI systems any more."
    found = Alert.objects.filter(fingerprint=_fingerprint(CONFLICT, case, case.lead_id, case.lead_id)).exists()
    return conflict_of(case, case.lead_id) or (_PART if found else "")


def conflict_in(*, actor: Actor, case: Case, person_id: uuid.UUID | None) -> str:
    """Why somebody must not lead a case, told to those who name who does. Errors: `Forbidden`."""
    require_in(actor, Act.CASE_LEAD_ASSIGN, case)
    return why_not_lead(case, person_id) if person_id else ""


def watch_leads(since: datetime | None = None) -> int:
    """Alert of whoever must not investigate a case any more: the data protection officers, the lead and themself.

    With `since` only cases are looked at that changed since then, or whose investigators did something. Returns of how
    many."""
    cases = Case.objects.exclude(status=Case.Status.CLOSED)
    if since is not None:
        cases = cases.filter(_changed_since(since))
    found = [(case, kind, person_id) for case in cases for kind, person_id in _wrong(case)]
    for case, kind, person_id in found:
        _alert(case, kind, person_id)
    return len(found)


def _changed_since(since: datetime) -> Q:
    """Decisions joined or left, somebody else leads or was appointed, or one of those had a part in anything."""
    attached = CaseAttachment.objects.filter(created_at__gte=since).values("case_id")
    led = Case.history.filter(history_date__gte=since).values("id")
    acted = _acted_since(since, _investigating())
    appointed = Assignment.objects.filter(scope=Assignment.Scope.CASE, person_id__in=acted).values("case_id")
    return Q(pk__in=attached) | Q(pk__in=led) | Q(lead_id__in=acted) | Q(pk__in=appointed)


def _investigating() -> frozenset[uuid.UUID]:
    """Whoever leads a case that is not closed, or was appointed to one."""
    open_cases = Case.objects.exclude(status=Case.Status.CLOSED)
    appointed = Assignment.objects.filter(scope=Assignment.Scope.CASE, case_id__in=open_cases.values("pk"))
    leads = open_cases.values_list("lead_id", flat=True)
    return frozenset({*filter(None, leads), *appointed.values_list("person_id", flat=True)})


def _acted_since(since: datetime, people: frozenset[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Those of them whose roles changed, or who reviewed, overrode or judged an appeal."""
    ended = Assignment.objects.filter(ends_at__gte=since, ends_at__lte=timezone.now())
    reviewed = ReviewAssignment.objects.filter(ended_at__gte=since)
    changes = (
        (Assignment.history, "person_id"),
        (Override.history, "person_id"),
        (Override.history, "second_person_id"),
        (Appeal.history, "opened_by_id"),
        (Appeal.history, "decided_by_id"),
    )
    acts = [(rows.filter(history_date__gte=since), column) for rows, column in changes]
    found = [(ended, "person_id"), (reviewed, "person_id"), *acts]
    return frozenset(
        person_id
        for rows, column in found
        for person_id in rows.filter(**{f"{column}__in": people}).values_list(column, flat=True).distinct()
    )


def _wrong(case: Case) -> Iterator[tuple[str, uuid.UUID]]:
    """Those who investigate it and must not, each with the alert that says so."""
    if case.lead_id and not investigates(case, case.lead_id):
        yield WITHOUT_ROLE, case.lead_id
    for person_id in {*appointed_to(case), *filter(None, [case.lead_id])}:
        if why_not_lead(case, person_id):
            yield CONFLICT, person_id


def _alert(case: Case, kind: str, about: uuid.UUID) -> None:
    officers = rights.in_force().filter(place_of(case).covering(), role=Role.DPO).values_list("person_id", flat=True)
    for person_id in {*officers, about, case.lead_id or case.opened_by_id}:
        open_alert(
            actor=SERVER,
            kind=kind,
            severity=Alert.Severity.WARNING,
            fingerprint=_fingerprint(kind, case, about, person_id),
            about_id=case.pk,
            owner_id=person_id,
            facts={"case": str(case.pk)},
            once=True,
        )


def _fingerprint(kind: str, case: Case, about: uuid.UUID, told: uuid.UUID) -> str:
    return f"{kind}:{case.pk}:{about}:{told}"


def refuse_part(case: Case, person_id: uuid.UUID) -> None:
    """Errors: `LeadHasConflict`."""
    if had_part_in_case(person_id, case.pk):
        detail = f"They sent, reviewed or overrode a decision of case {case.reference}, or judged an appeal."
        raise LeadHasConflict(detail)
