"""Reading the report of a case: as it stands, or as it was kept when it went to the authority."""

import json
import uuid

from audit.case_access import readable_case, systems_named, systems_seen, visible_cases
from audit.case_document import Document, Seen, narrowed
from audit.case_errors import CasePartNotFound
from audit.models import Case, CaseDecision, IncidentReport
from audit.restricted_texts import to_read
from ledger.entries import Actor
from overrides.selectors import hidden_from


def seen_by(actor: Actor, case: Case) -> Seen:
    """What somebody may know of what is in a case."""
    hidden = hidden_from(actor.id) if actor.type == "person" and actor.id else frozenset()
    # also one that was taken out: what put it in still counts it
    is_blind = bool(hidden) and CaseDecision.objects.filter(case_id=case.pk, decision_id__in=hidden).exists()
    return Seen(
        named=systems_named(actor, [case])[case.pk],
        systems=systems_seen(actor, case),
        hidden=hidden,
        is_blind=is_blind,
        cases=_cases_known(actor, case),
        reader=actor,
    )


def _cases_known(actor: Actor, case: Case) -> frozenset[uuid.UUID]:
    """Of the cases that are named by the filters that put decisions in."""
    named = case.attachments.filter(question__has_key="case_id").values_list("question__case_id", flat=True)
    ids = {uuid.UUID(each) for each in named}
    return frozenset(visible_cases(actor).filter(pk__in=ids).values_list("pk", flat=True)) if ids else frozenset()


def kept_report(actor: Actor, case_id: uuid.UUID, report_id: uuid.UUID) -> IncidentReport:
    """A report that went to the authority. Errors: `CaseNotFound`, `Forbidden`, `CasePartNotFound`."""
    case = readable_case(actor, case_id)
    report = IncidentReport.objects.filter(pk=report_id, incident__case=case).first()
    if report is None:
        raise CasePartNotFound("No report of this id went to the authority.")
    return report


def content_of(actor: Actor, report: IncidentReport) -> Document | None:
    """What it said, as far as somebody may know of it. None once erased, or restricted from them until it is."""
    if not report.content or is_content_barred(actor, report):
        return None
    return narrowed(json.loads(report.content), seen_by(actor, report.incident.case))


def is_content_barred(actor: Actor, report: IncidentReport) -> bool:
    """Whether what it said is restricted, and this one is nobody who reads what is."""
    return "content" in to_read(actor, report).covered
