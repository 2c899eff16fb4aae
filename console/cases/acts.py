"""The acts on a case's page: each a form, a service, and what is said when it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict

from audit.case_errors import CasePartNotFound
from audit.models import Case, LegalHold
from audit.reach import Reach
from audit.restricted_texts import to_read
from audit.services.cases import edit_case
from audit.services.detaching import detach_decisions
from audit.services.holds import approve_lift, place_hold, refuse_lift, request_lift
from audit.services.incident_signing import sign_off
from audit.services.incidents import record_notice, record_report
from audit.services.investigating import add_note, plan_action, record_finding, settle_action
from config.errors import ServiceError
from console.cases import forms
from console.cases.page import hidden_of, people_to_act, people_to_lead
from governance.admin.pages import add_refusal
from ledger.entries import Actor
from overrides.services.case_leads import advance_case, lead_case

Service = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAct:
    """`form` makes the bound form, `carry_out` calls the service with its values."""

    form: Callable[[QueryDict, Case, Actor], forms.CaseForm]
    carry_out: Callable[[Actor, Case, dict[str, Any]], object]
    done: str
    section: str
    asks_factor: bool = False


def carried_out(form: forms.CaseForm, act: CaseAct, actor: Actor, case: Case) -> bool:
    """Whether it was; what was refused stands in the form."""
    if not form.is_valid():
        return False
    try:
        act.carry_out(actor, case, dict(form.cleaned_data))
    except ValidationError as refusal:
        form.add_error(None, ValidationError(refusal.messages))
    except ServiceError as refusal:
        add_refusal(form, refusal)
    return not form.errors


def _by(service: Service) -> Callable[[Actor, Case, dict[str, Any]], object]:
    return lambda actor, case, values: service(actor=actor, case_id=case.pk, **values)


def _on_hold(service: Service) -> Callable[[Actor, Case, dict[str, Any]], object]:
    return lambda actor, case, values: service(actor=actor, hold_id=_hold_of(case).pk, **values)


def _hold_of(case: Case) -> LegalHold:
    hold = case.holds.exclude(status=LegalHold.Status.LIFTED).first()
    if hold is None:
        raise CasePartNotFound("No legal hold on this case is in force.")
    return hold


def _detach(actor: Actor, case: Case, values: dict[str, Any]) -> object:
    reach = Reach.of_person(actor, hidden=hidden_of(actor))
    return detach_decisions(actor=actor, reach=reach, case_id=case.pk, **values)


ACTS: dict[str, CaseAct] = {
    "edit": CaseAct(
        form=lambda sent, case, actor: forms.EditForm.of(to_read(actor, case), sent),
        carry_out=_by(edit_case),
        done="Saved.",
        section="about",
    ),
    "move": CaseAct(
        form=lambda sent, case, actor: forms.MoveForm(sent), carry_out=_by(advance_case), done="Done.", section="about"
    ),
    "lead": CaseAct(
        form=lambda sent, case, actor: forms.LeadForm(sent, people=people_to_lead(case, actor)),
        carry_out=_by(lead_case),
        done="They lead the case.",
        section="people",
    ),
    "note": CaseAct(
        form=lambda sent, case, actor: forms.NoteForm(sent), carry_out=_by(add_note), done="Noted.", section="notes"
    ),
    "finding": CaseAct(
        form=lambda sent, case, actor: forms.FindingForm(sent, case=case),
        carry_out=_by(record_finding),
        done="The finding is recorded.",
        section="findings",
    ),
    "action": CaseAct(
        form=lambda sent, case, actor: forms.ActionForm(sent, people=people_to_act(case)),
        carry_out=_by(plan_action),
        done="It is planned. Its owner is written to.",
        section="actions",
    ),
    "settle": CaseAct(
        form=lambda sent, case, actor: forms.SettleForm(sent),
        carry_out=_by(settle_action),
        done="It is recorded.",
        section="actions",
    ),
    "detach": CaseAct(
        form=lambda sent, case, actor: forms.DetachForm(sent), carry_out=_detach, done="Taken out.", section="decisions"
    ),
    "hold": CaseAct(
        form=lambda sent, case, actor: forms.ReasonForm(sent),
        carry_out=_by(place_hold),
        done="The legal hold is in force.",
        section="hold",
    ),
    "lift": CaseAct(
        form=lambda sent, case, actor: forms.ReasonForm(sent),
        carry_out=_on_hold(request_lift),
        done="It is asked for. A data protection officer decides.",
        section="hold",
    ),
    "approve": CaseAct(
        form=lambda sent, case, actor: forms.CaseForm(sent),
        carry_out=_on_hold(approve_lift),
        done="The legal hold is lifted.",
        section="hold",
        asks_factor=True,
    ),
    "refuse": CaseAct(
        form=lambda sent, case, actor: forms.MayReasonForm(sent),
        carry_out=_on_hold(refuse_lift),
        done="The legal hold stays.",
        section="hold",
    ),
    "report": CaseAct(
        form=lambda sent, case, actor: forms.ReportForm(sent),
        carry_out=_by(record_report),
        done="The report is recorded, with what it says now.",
        section="incident",
    ),
    "sign": CaseAct(
        form=lambda sent, case, actor: forms.SignForm(sent),
        carry_out=_by(sign_off),
        done="You signed it off.",
        section="incident",
        asks_factor=True,
    ),
    "notice": CaseAct(
        form=lambda sent, case, actor: forms.NoticeForm(sent),
        carry_out=_by(record_notice),
        done="The notice is recorded.",
        section="incident",
    ),
}
