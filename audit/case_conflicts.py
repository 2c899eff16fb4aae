"""Who must not investigate a case: whoever answers, or answered, for it. (Floors above know who took part.)"""

import uuid
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.case_errors import LeadHasConflict
from audit.models import Case, CaseDecision, CaseTally
from governance import rights
from governance.acts import Role
from governance.models import Assignment

ANSWERING = (Role.ACCOUNTABLE, Role.DEPUTY, Role.TECHNICAL_OWNER)


def conflict_of(case: Case, person_id: uuid.UUID, system_ids: Collection[uuid.UUID] = ()) -> str:
    """Why somebody must not investigate it, in words; empty where nothing in the register stands against it.

    `system_ids`: those that are about to be added.
    """
    held = _answered(person_id).filter(system_id__in={*case.system_ids, *system_ids})
    now = rights.in_force().filter(pk__in=held.values("pk")).first()
    if now is not None:
        return f"They are {now.get_role_display().lower()} of an AI system that this case is about."
    if case.tallies.filter(accountable_id=person_id, count__gt=0).exists():
        return "They were accountable when decisions of this case were made."
    for each in held:
        if Case.objects.filter(_stood(each), pk=case.pk).exists():
            role = each.get_role_display().lower()
            return f"They were {role} of an AI system of this case in the time of its decisions."
    return ""


def refuse_conflict(case: Case, person_id: uuid.UUID | None, system_ids: Collection[uuid.UUID] = ()) -> None:
    """Errors: `LeadHasConflict`."""
    if person_id is not None and (why := conflict_of(case, person_id, system_ids)):
        raise LeadHasConflict(why)


def without_conflict(person_id: uuid.UUID, case_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these cases those about which nothing in the register stands against somebody. Four queries at most."""
    counted = CaseTally.objects.filter(case__in=case_ids, accountable_id=person_id, count__gt=0)
    refused, held = set(counted.values_list("case_id", flat=True)), list(_answered(person_id))
    if held:
        refused |= _with_role(case_ids, held)
    return frozenset(case_ids) - refused


# --- parts of the above -----------------------------------------------------------------------------------------------
def _answered(person_id: uuid.UUID) -> QuerySet[Assignment]:
    """Every role that they answered in, for an AI system or a part of one, whether it ended or not."""
    rows = Assignment.objects.filter(person_id=person_id, role__in=ANSWERING, accepted_at__isnull=False)
    return rows.exclude(system_id=None)


def _with_role(case_ids: Collection[uuid.UUID], held: list[Assignment]) -> set[uuid.UUID]:
    """Those in which one of these roles stands against somebody: held now, or in the time of the decisions."""
    rows = rights.in_force().filter(pk__in=[each.pk for each in held])
    now = [each for each in rows.values_list("system_id", flat=True) if each]
    against = Q(system_ids__overlap=now)
    for each in held:
        against |= Q(system_ids__contains=[each.system_id]) & _stood(each)
    return set(Case.objects.filter(against, pk__in=case_ids).values_list("pk", flat=True))


def _stood(held: Assignment) -> Q:
    """Of cases: that a role stood at some time between the first and the last of the decisions of its AI system.

    Asked by one decision before its end and one after it began, which an index finds: a case may have very many.
    """
    assert held.system_id is not None  # as those of `_answered`
    inside = CaseDecision.current().filter(case_id=OuterRef("pk"), system_id=held.system_id)
    begun = Q(Exists(inside.filter(recorded_at__gte=held.accepted_at)))
    return begun & Q(Exists(inside.filter(recorded_at__lte=held.ends_at))) if held.ends_at else begun
