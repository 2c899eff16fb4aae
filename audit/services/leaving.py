"""What investigations hold of somebody who leaves: inner steps of `evidence.services.leaving`, which asks the right."""

import uuid

from django.db.models import QuerySet

from audit.models import Case, CorrectiveAction
from audit.services.investigating import write_action
from governance.models import Person
from ledger.entries import Actor
from ledger.sealing import Seal
from notices.outbox import tell


def led_by(person_id: uuid.UUID) -> QuerySet[Case]:
    """The cases that they lead and that are not closed."""
    return Case.objects.filter(lead_id=person_id).exclude(status=Case.Status.CLOSED).order_by("pk")


def actions_left_by(person_id: uuid.UUID) -> QuerySet[CorrectiveAction]:
    """What they were to do and did not; also nothing of a closed case."""
    waiting = CorrectiveAction.objects.filter(owner_id=person_id, done_at=None, dropped_at=None)
    return waiting.exclude(case__status=Case.Status.CLOSED).select_related("case").order_by("pk")


def hand_over_actions(seal: Seal, actor: Actor, person_id: uuid.UUID, heir: Person) -> int:
    """Somebody else carries out the corrective actions that they had; they are written to. Returns how many."""
    actions = list(actions_left_by(person_id).select_for_update(no_key=True, of=("self",)))
    for action in actions:
        action.owner_id = heir.pk
        write_action(seal, actor, action, action.case, "passed_on")
        facts = {"case": str(action.case_id), "due_on": action.due_on.isoformat()}
        fingerprint = f"case.action:{action.pk}:{action.revision}"
        tell(person_id=heir.pk, kind="case.action_planned", fingerprint=fingerprint, facts=facts)
    return len(actions)
