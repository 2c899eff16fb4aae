"""Whether the authority knows of a serious incident, and what may not be done before it does (article 73(6))."""

from audit.case_errors import HoldByLaw
from audit.models import Case, Incident, IncidentReport, LegalHold
from governance.services.incidents import settle_uninformed

FINAL = IncidentReport.Stage.FINAL


def is_informed(incident: Incident) -> bool:
    """Somebody says when it was, or a report to it is recorded."""
    return incident.authority_informed_at is not None or incident.reports.exists()


def settle_authority(case: Case) -> None:
    """After every change of an incident, and of the state and the AI systems of its case: the register is told."""
    incident = Incident.objects.filter(case=case).first()
    if incident is not None:
        waits = case.status != Case.Status.CLOSED and not is_informed(incident)
        settle_uninformed(incident_id=incident.pk, system_ids=case.system_ids if waits else [])


def is_kept_by_law(hold: LegalHold) -> bool:
    """The evidence of a serious incident, until its final report is recorded."""
    incident = Incident.objects.filter(case_id=hold.case_id).first() if hold.case_id else None
    return incident is not None and not incident.reports.filter(stage=FINAL).exists()


def refuse_before_final_report(hold: LegalHold) -> None:
    """Errors: `HoldByLaw`."""
    if is_kept_by_law(hold):
        raise HoldByLaw()
