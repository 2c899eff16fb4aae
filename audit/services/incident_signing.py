"""Signing off an incident: somebody says, with a fresh factor, that what it says now is what they know."""

import uuid

from audit.case_access import may_read_findings
from audit.case_errors import CasePartNotFound
from audit.case_kinds import INCIDENT_SIGNED
from audit.models import Case, Incident, IncidentReport, IncidentSignOff
from audit.services.case_writing import locked_case, one_of, refuse_stale, text_of, write_part
from config.errors import Forbidden
from governance import rights
from governance.actors import person_id_of
from governance.acts import Role
from governance.models import Assignment
from ledger.entries import Actor
from ledger.sealing import sealing

Capacity = IncidentSignOff.Capacity
BY_ROLE = {
    Role.ACCOUNTABLE: Capacity.ACCOUNTABLE,
    Role.DEPUTY: Capacity.DEPUTY,
    Role.DPO: Capacity.DATA_PROTECTION,
    Role.INVESTIGATOR: Capacity.INVESTIGATOR,
    Role.AUDITOR: Capacity.AUDITOR,
}


def sign_off(*, actor: Actor, case_id: uuid.UUID, stage: str, revision: int, text: str = "") -> IncidentSignOff:
    """Sign the incident as it stands, for one of its reports. The same again is the same signature.

    Whoever may read what was found in the case may sign: its investigators, and once it is concluded those who answer
    for its AI systems. The edge asks for a fresh factor. Errors: `CaseNotFound`, `CaseClosed`, `Forbidden`,
    `CasePartNotFound`, `CaseChanged` where it is not what was looked at, `InvalidInput`.
    """
    one_of("stage", stage, IncidentReport.Stage.values)
    person_id, text = person_id_of(actor), text_of("text", text)
    with sealing() as seal:
        case = locked_case(actor, case_id)
        if not may_read_findings(actor, case):
            raise Forbidden("Who cannot read an incident does not sign it: once the case is concluded, they can.")
        incident = _incident_of(case)
        refuse_stale(incident, revision)
        known = incident.sign_offs.filter(stage=stage, person_id=person_id, incident_revision=revision).first()
        if known is not None:
            return known
        row = IncidentSignOff(
            incident=incident,
            incident_revision=revision,
            stage=stage,
            person_id=person_id,
            capacity=_capacity(case, person_id),
            text=text,
        )
        facts = {"stage": stage, "capacity": str(row.capacity), "revision": revision}
        write_part(seal, actor, INCIDENT_SIGNED, row, case, facts)
    return row


def _incident_of(case: Case) -> Incident:
    incident: Incident | None = getattr(case, "incident", None)
    if incident is None:
        raise CasePartNotFound("This case was not declared to be an incident.")
    return incident


def _capacity(case: Case, person_id: uuid.UUID) -> IncidentSignOff.Capacity:
    """As what they sign: the lead, else the first of their roles in this order."""
    if case.lead_id == person_id:
        return Capacity.LEAD
    there = rights.in_force().filter(person_id=person_id, role__in=BY_ROLE)
    systems = there.filter(system_id__in=case.system_ids) | there.filter(scope=Assignment.Scope.ORGANISATION)
    held = set((systems | there.filter(case_id=case.pk)).values_list("role", flat=True))
    return next((capacity for role, capacity in BY_ROLE.items() if role in held), Capacity.INVESTIGATOR)
