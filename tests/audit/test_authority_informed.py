"""An AI system is not changed, and evidence not let go, before the authority was told of a serious incident."""

from typing import Any

import pytest
from django.utils import timezone

from audit.case_errors import HoldByLaw
from audit.models import Case, LegalHold
from audit.services.authority import settle_authority
from audit.services.holds import approve_lift, request_lift
from audit.services.incidents import record_report, update_incident
from config.ids import new_id
from evidence.verification import verify_everything
from governance.gates import gates_of
from governance.models import AISystem, ModelVersion, Person, UninformedIncident
from governance.services.promotions import propose_version, release_version
from governance.version_errors import PromotionBlocked
from tests.factories.cases import attach, declare, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.versions import approve, engineer_of, make_approved, make_proposed, make_version, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(risk_class=AISystem.RiskClass.LIMITED, accountable=make_person())


def is_met(version: ModelVersion) -> bool:
    (gate,) = [each for each in gates_of(version) if each.code == "authority"]
    return gate.is_met


def report(case: Case, lead: Person, stage: str) -> Any:
    return record_report(actor=actor_of(lead), case_id=case.pk, stage=stage, reported_at=timezone.now())


def test_nothing_is_proposed_approved_or_taken_live_before_the_authority_knows(system: AISystem) -> None:
    engineer, approved, proposed = engineer_of(system), make_approved(system), make_proposed(system, "2.0")
    fresh = make_version(system, "3.0")
    assert is_met(fresh)
    case, lead = make_led_case(system)
    declare(case, lead)
    assert not is_met(fresh)
    for act in (
        lambda: propose_version(actor=actor_of(engineer), version_id=fresh.pk, reason="It mends it."),
        lambda: approve(owner_of(system), proposed),
        lambda: release_version(actor=actor_of(engineer), version_id=approved.pk),
    ):
        with pytest.raises(PromotionBlocked) as refusal:
            act()
        assert [each.pointer for each in refusal.value.errors] == ["/system/incidents"]
    report(case, lead, "initial")
    assert is_met(fresh)
    assert approve(owner_of(system), proposed).status == "approved"
    assert release_version(actor=actor_of(engineer), version_id=approved.pk).status == "live"


def test_saying_when_the_authority_was_informed_opens_the_gate(system: AISystem) -> None:
    version = make_version(system)
    case, lead = make_led_case(system)
    declare(case, lead)
    informed = {"authority_informed_at": timezone.now()}
    update_incident(actor=actor_of(lead), case_id=case.pk, changes=informed)
    assert is_met(version)
    update_incident(actor=actor_of(lead), case_id=case.pk, changes={"authority_informed_at": None})
    assert not is_met(version)


def test_a_closed_case_holds_nothing_up_and_one_that_is_opened_again_does(system: AISystem) -> None:
    version = make_version(system)
    case, lead = make_led_case(system)
    declare(case, lead)
    for status, met in ((Case.Status.CLOSED, True), (Case.Status.OPEN, False)):
        case.status = status
        settle_authority(case)
        assert is_met(version) is met


def test_an_ai_system_that_comes_into_the_case_later_waits_too(system: AISystem) -> None:
    other = make_system(risk_class=AISystem.RiskClass.LIMITED, accountable=make_person())
    case, lead = make_led_case(system)
    declare(case, lead)
    assert set(UninformedIncident.objects.values_list("system_id", flat=True)) == set(case.system_ids)
    case.system_ids = sorted({*case.system_ids, other.pk})
    settle_authority(case)
    assert not is_met(make_version(other))


def test_the_hold_is_not_lifted_before_the_final_report(system: AISystem) -> None:
    case, lead = make_led_case(system)
    attach(case, lead, record_decision(system))
    declare(case, lead)
    hold, dpo = LegalHold.objects.get(case=case), make_person(dpo=True)

    def ask() -> LegalHold:
        return request_lift(actor=actor_of(lead), hold_id=hold.pk, reason="Nothing more to look at.")

    report(case, lead, "initial")
    with pytest.raises(HoldByLaw):
        ask()
    report(case, lead, "final")
    ask()
    assert approve_lift(actor=actor_of(dpo), hold_id=hold.pk).status == "lifted"


def test_a_lift_that_was_asked_for_before_the_case_became_an_incident_is_not_agreed_to(system: AISystem) -> None:
    case, lead = make_led_case(system)
    dpo = make_person(dpo=True)
    declare(case, lead)
    hold = LegalHold.objects.get(case=case)
    LegalHold.objects.filter(pk=hold.pk).update(
        status="lift_requested", lift_requested_by_id=lead.pk, lift_requested_at=timezone.now()
    )
    with pytest.raises(HoldByLaw):
        approve_lift(actor=actor_of(dpo), hold_id=hold.pk)


def test_verification_counts_again_which_ai_systems_wait(system: AISystem) -> None:
    case, lead = make_led_case(system)
    incident = declare(case, lead)
    noted = UninformedIncident.objects.get()

    def misnoted() -> list[str]:
        return [each.row for each in verify_everything() if each.code == "incident-misnoted"]

    assert misnoted() == []
    noted.delete()
    assert misnoted() == [str(incident.pk)]
    settle_authority(case)
    other = UninformedIncident.objects.create(incident_id=incident.pk, system=make_system())
    assert misnoted() == [str(incident.pk)]
    other.delete()
    nobodys = UninformedIncident.objects.create(incident_id=new_id(), system=system)
    assert misnoted() == [str(nobodys.incident_id)]
    nobodys.delete()
    report(case, lead, "initial")
    assert (UninformedIncident.objects.count(), misnoted()) == (0, [])
    UninformedIncident.objects.create(incident_id=incident.pk, system=system)
    assert misnoted() == [str(incident.pk)]
