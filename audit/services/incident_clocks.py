"""The clocks of incidents and corrective actions: those concerned are told before one runs out, and once it has."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from audit.incident_deadlines import Deadline, awaited, deadlines_of
from audit.models import Case, CorrectiveAction, Incident
from config.days import day_of
from governance.models import Person
from governance.selectors import accountable_of
from ledger.entries import SERVER, timestamp
from notices.models import Alert
from notices.outbox import tell
from notices.services import open_alert


def watch_clocks() -> int:
    """Tell the lead and the accountable people of every deadline that runs out or has; once each.

    Returns how many are over.
    """
    overdue = 0
    for incident in awaited().prefetch_related("reports", "notices", "extensions"):
        near = [each for each in deadlines_of(incident) if each.is_near]
        overdue += sum(each.is_over for each in near)
        for deadline in near:
            _alert(incident, deadline)
    _tell_of_actions(timezone.now())
    return overdue


def _alert(incident: Incident, deadline: Deadline) -> None:
    assert deadline.due_at is not None  # what was taken away is never near
    facts: dict[str, Any] = {"case": str(incident.case_id), "due_at": timestamp(deadline.due_at)}
    facts["clock"] = deadline.clock.value
    # another deadline is another thing to be told
    moment = f"{deadline.clock.value}:{deadline.due_at:%Y%m%dT%H%M}"
    for person_id in _concerned(incident.case):
        if deadline.is_over:
            open_alert(
                actor=SERVER,
                kind="incident.overdue",
                severity=Alert.Severity.CRITICAL,
                fingerprint=f"incident.overdue:{incident.pk}:{moment}:{person_id}",
                about_id=incident.case_id,
                owner_id=person_id,
                facts=facts,
                once=True,
            )
        else:
            open_alert(
                actor=SERVER,
                kind="incident.due",
                severity=Alert.Severity.WARNING,
                fingerprint=f"incident.due:{incident.pk}:{moment}:{person_id}",
                about_id=incident.case_id,
                owner_id=person_id,
                facts=facts,
                once=True,
            )


def _concerned(case: Case) -> Iterable[UUID]:
    """The lead, and who answers for each AI system now: each once, while they are here."""
    found = [case.lead_id, *_accountable(case)]
    here = Person.objects.filter(pk__in=[each for each in found if each], is_active=True)
    return dict.fromkeys(here.values_list("pk", flat=True))


def _accountable(case: Case) -> Iterator[UUID]:
    for system_id in case.system_ids:
        held = accountable_of(system_id)
        if held is not None:
            yield held.person_id


def _tell_of_actions(now: datetime) -> None:
    late = CorrectiveAction.objects.filter(done_at=None, dropped_at=None, due_on__lt=day_of(now)).exclude(
        case__status=Case.Status.CLOSED
    )
    for action in late.select_related("case"):
        for person_id in {action.owner_id, action.case.lead_id or action.owner_id}:
            facts = {"case": str(action.case_id), "due_on": action.due_on.isoformat()}
            fingerprint = f"case.action_overdue:{action.pk}"
            tell(person_id=person_id, kind="case.action_overdue", fingerprint=fingerprint, facts=facts)
