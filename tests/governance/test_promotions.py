"""Model versions come into use by two people, with reasons, past gates; what was approved is not changed."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import ApprovalForbidden, FallbackInUse, PersonNeeded
from governance.gates import gates_of
from governance.models import AISystem, ModelVersion, VersionPromotion
from governance.scopes import Scope
from governance.services.dependencies import declare_dependency, remove_dependency
from governance.services.people import deactivate_person
from governance.services.promotions import (
    approve_version,
    dependencies_digest,
    is_last_approved,
    propose_version,
    refuse_version,
    release_version,
    retire_version,
    withdraw_proposal,
)
from governance.services.systems import gaps, update_system
from governance.services.versions import register_unverified, update_version
from governance.version_errors import (
    LastApprovedVersion,
    PromotionAnew,
    PromotionBlocked,
    PromotionNotOpen,
    PromotionOpen,
    VersionNotApproved,
    VersionSettled,
    VersionUnverified,
)
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.cards import publish
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.versions import (
    approve,
    engineer_of,
    looked_at,
    make_approved,
    make_promotable,
    make_proposed,
    make_source,
    make_version,
    owner_of,
)

pytestmark = pytest.mark.django_db
Status = ModelVersion.Status


@pytest.fixture
def system() -> AISystem:
    return make_system(risk_class=AISystem.RiskClass.LIMITED)


def kinds(system: AISystem) -> list[str]:
    return list(Entry.objects.filter(log__system_id=system.pk).order_by("leaf_index").values_list("kind", flat=True))


def unmet(version: ModelVersion) -> set[str]:
    return {each.code for each in gates_of(version) if not each.is_met}


# --- the way --------------------------------------------------------------------------------------------------------
def test_proposed_approved_live_retired_each_sealed(system: AISystem) -> None:
    engineer, owner, version = engineer_of(system), owner_of(system), make_version(system)
    made = propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    assert (made.status, made.requested_by_id, made.model_version.status) == ("open", engineer.pk, "proposed")
    assert approve(owner, version, "Seen.").status == "approved"
    assert release_version(actor=actor_of(engineer), version_id=version.pk).status == "live"
    assert release_version(actor=actor_of(engineer), version_id=version.pk).status == "live", "once more is no other"
    assert retire_version(actor=actor_of(owner), version_id=version.pk).status == "retired"
    made.refresh_from_db()
    assert (made.status, made.decided_by_id, made.answer) == ("approved", owner.pk, "Seen.")
    assert [kind for kind in kinds(system) if kind.startswith(("promotion", "model_version"))] == [
        "model_version.registered",
        "promotion.requested",
        "model_version.proposed",
        "promotion.approved",
        "model_version.approved",
        "model_version.released",
        "model_version.retired",
    ]


def test_an_approved_and_a_live_version_both_let_a_system_go_live(system: AISystem) -> None:
    def lacks_version() -> bool:
        return any(gap.pointer == "/model_versions" for gap in gaps(system))

    version = make_proposed(system)
    assert lacks_version()
    approve(owner_of(system), version)
    assert not lacks_version()
    release_version(actor=actor_of(owner_of(system)), version_id=version.pk)
    assert not lacks_version()
    retire_version(actor=actor_of(owner_of(system)), version_id=version.pk)
    assert lacks_version()


def test_refused_with_a_reason_it_is_registered_again_and_may_be_proposed_anew(system: AISystem) -> None:
    version, owner = make_proposed(system), owner_of(system)
    with pytest.raises(InvalidInput):
        refuse_version(actor=actor_of(owner), version_id=version.pk, answer=" ")
    assert (
        refuse_version(actor=actor_of(owner), version_id=version.pk, answer="Not for students.").status == "registered"
    )
    with pytest.raises(PromotionNotOpen):
        approve(owner, version)
    propose_version(actor=actor_of(engineer_of(system)), version_id=version.pk, reason="Students are out now.")
    assert [each.status for each in version.promotions.all()] == ["open", "refused"]


def test_taken_back_by_who_could_propose_it(system: AISystem) -> None:
    version = make_proposed(system)
    with pytest.raises(Forbidden):
        withdraw_proposal(actor=actor_of(make_person(viewer=system)), version_id=version.pk)
    assert withdraw_proposal(actor=actor_of(engineer_of(system)), version_id=version.pk).status == "registered"


# --- two people -----------------------------------------------------------------------------------------------------
def test_nobody_approves_what_they_proposed(system: AISystem) -> None:
    both = engineer_of(system)
    give_role(both, Role.ACCOUNTABLE, Scope.system(system.pk))
    version = make_proposed(system, by=both)
    with pytest.raises(ApprovalForbidden):
        approve(both, version)


def test_nobody_approves_what_they_described(system: AISystem) -> None:
    both = engineer_of(system)
    give_role(both, Role.ACCOUNTABLE, Scope.system(system.pk))
    version = make_version(system, by=both)
    propose_version(actor=actor_of(engineer_of(system)), version_id=version.pk, reason="Better.")
    with pytest.raises(ApprovalForbidden):
        approve(both, version)


def test_nobody_approves_what_they_described_before_somebody_else_did(system: AISystem) -> None:
    both, engineer = engineer_of(system), engineer_of(system)
    give_role(both, Role.ACCOUNTABLE, Scope.system(system.pk))
    version = make_version(system, by=both)
    update_version(actor=actor_of(engineer), version_id=version.pk, changes={"notes": "A comma."})
    made = propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    assert made.written_by == [both.pk, engineer.pk]
    with pytest.raises(ApprovalForbidden):
        approve(both, version)
    with pytest.raises(IntegrityError, match="promotion_not_approved_by_a_writer"), transaction.atomic():
        VersionPromotion.objects.filter(pk=made.pk).update(status="approved", decided_by_id=both.pk)


def test_nobody_approves_what_they_said_it_depends_on(system: AISystem) -> None:
    both, engineer, version = engineer_of(system), engineer_of(system), make_version(system)
    give_role(both, Role.ACCOUNTABLE, Scope.system(system.pk))
    make_source()
    declared = declare_dependency(actor=actor_of(both), version_id=version.pk, source="applications", use="training")
    remove_dependency(actor=actor_of(engineer), dependency_id=declared.pk)
    propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    with pytest.raises(ApprovalForbidden):
        approve(both, version)


@pytest.mark.parametrize("role", [Role.DEPUTY, Role.OPERATOR, Role.TECHNICAL_OWNER, Role.VIEWER])
def test_only_the_accountable_person_approves(system: AISystem, role: Role) -> None:
    version, other = make_proposed(system), make_person()
    give_role(other, role, Scope.system(system.pk))
    with pytest.raises(ApprovalForbidden):
        approve(other, version)


def test_the_accountable_person_of_another_system_neither_approves_nor_learns_of_it(system: AISystem) -> None:
    stranger, version = make_person(accountable=make_system()), make_version(system)
    for _ in range(2):  # whether something waits makes no difference
        with pytest.raises(ApprovalForbidden):
            approve(stranger, version)
        if version.status == Status.REGISTERED:
            propose_version(actor=actor_of(engineer_of(system)), version_id=version.pk, reason="Better.")
            version.refresh_from_db()


def test_programs_and_the_command_line_propose_nothing(system: AISystem) -> None:
    version, account = make_version(system), make_account()
    make_key(system, account=account, scopes=["register:write"])
    for actor in (Actor("service", account.pk), COMMAND):
        with pytest.raises((Forbidden, PersonNeeded)):
            propose_version(actor=actor, version_id=version.pk, reason="Better.")


def test_what_is_approved_is_what_was_looked_at(system: AISystem) -> None:
    engineer, version, owner = engineer_of(system), make_proposed(system), actor_of(owner_of(system))
    seen = looked_at(version)
    withdraw_proposal(actor=actor_of(engineer), version_id=version.pk)
    update_version(actor=actor_of(engineer), version_id=version.pk, changes={"provider": "Another"})
    propose_version(actor=actor_of(engineer), version_id=version.pk, reason="The same, I swear.")
    now = looked_at(version)
    for stale in (seen, now | {"promotion_id": seen["promotion_id"]}, now | {"revision": seen["revision"]}):
        with pytest.raises(PromotionAnew):
            approve_version(actor=owner, version_id=version.pk, **stale)
    assert approve_version(actor=owner, version_id=version.pk, **now).status == "approved"


# --- gates ----------------------------------------------------------------------------------------------------------
def test_a_high_risk_system_asks_for_all_that_can_be_checked() -> None:
    system = make_system(risk_class=AISystem.RiskClass.HIGH)
    engineer, version = engineer_of(system), make_version(system, model_digest="")
    with pytest.raises(PromotionBlocked) as refusal:
        propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    assert {each.pointer for each in refusal.value.errors} == {
        "/model_digest", "/config_digest", "/dependencies", "/system/card",
    }  # fmt: skip
    publish(system, writer=engineer)
    ready = make_promotable(system, "2.0", by=engineer)
    assert unmet(ready) == {"way-back"}, "which does not block"
    made = propose_version(actor=actor_of(engineer), version_id=ready.pk, reason="Better.")
    assert [each["code"] for each in made.gates if not each["met"]] == ["way-back"]


def test_a_gate_that_closed_meanwhile_stops_the_approval_and_says_which(system: AISystem) -> None:
    keeper, version = make_person(), make_version(system)
    make_source(owner=keeper)
    engineer = engineer_of(system)
    declare_dependency(actor=actor_of(engineer), version_id=version.pk, source="applications", use="training")
    propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    make_person(administrator=True)
    deactivate_person(actor=COMMAND, person_id=keeper.pk)
    with pytest.raises(PromotionBlocked) as refusal:
        approve(owner_of(system), version)
    assert [each.pointer for each in refusal.value.errors] == ["/dependencies"]
    assert VersionPromotion.objects.get().status == "open", "it waits for the gate"


def test_a_way_back_is_another_version_than_itself(system: AISystem) -> None:
    version = make_version(system)
    update_system(
        actor=COMMAND, system_id=system.pk, changes={"fallback_kind": "model_version", "fallback": version.version}
    )
    version.system.refresh_from_db()
    assert "way-back" in unmet(version)


# --- what it is, and when it is settled -----------------------------------------------------------------------------
def test_what_was_only_seen_is_described_first(system: AISystem) -> None:
    account = make_account()
    make_key(system, account=account)
    seen = register_unverified(actor=Actor("service", account.pk), system_id=system.pk, version="9.9")
    with pytest.raises(VersionUnverified):
        propose_version(actor=actor_of(engineer_of(system)), version_id=seen.pk, reason="It runs.")


def test_what_waits_or_was_approved_is_not_changed(system: AISystem) -> None:
    engineer, version = engineer_of(system), make_proposed(system)
    make_source()

    def tries() -> None:
        update_version(actor=actor_of(engineer), version_id=version.pk, changes={"provider": "Another"})

    def declares() -> None:
        declare_dependency(actor=actor_of(engineer), version_id=version.pk, source="applications", use="training")

    for change in (tries, declares):
        with pytest.raises(PromotionOpen):
            change()
    approve(owner_of(system), version)
    for change in (tries, declares):
        with pytest.raises(VersionSettled):
            change()


def test_what_it_depends_on_is_part_of_what_was_approved(system: AISystem) -> None:
    engineer, version = engineer_of(system), make_version(system)
    make_source()
    empty = dependencies_digest(version)
    declare_dependency(
        actor=actor_of(engineer), version_id=version.pk, source="applications", use="training", snapshot="2026-09"
    )
    assert dependencies_digest(version) != empty
    propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    approve(owner_of(system), version)
    sealed = Entry.objects.get(kind="model_version.approved")
    assert dependencies_digest(version) in bytes(sealed.data).decode()


def test_only_what_was_approved_goes_live(system: AISystem) -> None:
    version, owner = make_proposed(system), owner_of(system)
    with pytest.raises(VersionNotApproved):
        release_version(actor=actor_of(owner), version_id=version.pk)
    approved = make_approved(system, "2.0")
    with pytest.raises(Forbidden):
        release_version(actor=actor_of(make_person(operator=system)), version_id=approved.pk)


def test_retiring_what_waits_closes_its_proposal_and_what_is_fallen_back_to_stays(system: AISystem) -> None:
    version, owner = make_proposed(system), owner_of(system)
    retire_version(actor=actor_of(owner), version_id=version.pk)
    assert VersionPromotion.objects.get().status == "withdrawn"
    kept = make_approved(system, "2.0")
    changes = {"fallback_kind": "model_version", "fallback": "2.0"}
    update_system(actor=COMMAND, system_id=system.pk, changes=changes)
    with pytest.raises(FallbackInUse):
        retire_version(actor=actor_of(owner), version_id=kept.pk)


# --- the last one ---------------------------------------------------------------------------------------------------
@pytest.fixture
def live(system: AISystem) -> AISystem:
    """With one approved version, and another that waits."""
    make_approved(system)
    make_proposed(system, "2.0")
    AISystem.objects.filter(pk=system.pk).update(status=AISystem.Status.LIVE)
    system.refresh_from_db()
    return system


def test_the_last_approved_version_of_a_live_system_is_retired_with_a_reason_that_says_so(live: AISystem) -> None:
    version, engineer = live.model_versions.get(version="1.0"), actor_of(engineer_of(live))
    for said in ({}, {"reason": "Unsafe."}, {"leaves_none": True, "reason": " "}):
        with pytest.raises(LastApprovedVersion):
            retire_version(actor=engineer, version_id=version.pk, **said)
    assert is_last_approved(version)
    made = retire_version(actor=engineer, version_id=version.pk, reason="Unsafe.", leaves_none=True)
    assert made.status == "retired"


def test_the_form_asks_whether_none_is_to_be_left_and_for_the_reason(live: AISystem) -> None:
    version, browser = live.model_versions.get(version="1.0"), Client()
    browser.force_login(engineer_of(live))
    address = f"/admin/governance/modelversion/{version.pk}/retire/"
    page = browser.get(address).content.decode()
    assert "No approved version is left" in page and "the last approved version" in page
    for said in ({}, {"reason": "Unsafe."}, {"leaves_none": "on"}, {"reason": " ", "leaves_none": "on"}):
        again = browser.post(address, said).content.decode()
        version.refresh_from_db()
        assert "This field is required." in again and version.status == "approved", said
    assert browser.post(address, {"reason": "Unsafe.", "leaves_none": "on"}).status_code == 302
    version.refresh_from_db()
    assert version.status == "retired"


def test_the_form_of_any_other_version_asks_nothing_of_the_kind(live: AISystem) -> None:
    other, browser = live.model_versions.get(version="2.0"), Client()
    browser.force_login(engineer_of(live))
    address = f"/admin/governance/modelversion/{other.pk}/retire/"
    assert "leaves_none" not in browser.get(address).content.decode()
    assert browser.post(address, {}).status_code == 302
    other.refresh_from_db()
    assert other.status == "retired"


def test_an_administrator_retires_others_but_not_the_last(live: AISystem) -> None:
    admin, last = actor_of(make_person(administrator=True)), live.model_versions.get(version="1.0")
    assert retire_version(actor=admin, version_id=live.model_versions.get(version="2.0").pk).status == "retired"
    for who in (admin, COMMAND):
        with pytest.raises(Forbidden):
            retire_version(actor=who, version_id=last.pk, reason="Tidying up.", leaves_none=True)


def test_the_gates_as_they_stood_stay_with_the_proposal(system: AISystem) -> None:
    version = make_approved(system)
    changes = {"fallback_kind": "process", "fallback": "people"}
    update_system(actor=COMMAND, system_id=system.pk, changes=changes)
    (kept,) = version.promotions.all()
    by_code = {each["code"]: each for each in kept.gates}
    assert not by_code["way-back"]["met"] and by_code["way-back"]["title"] == "There is a way back"
    assert by_code["identity"] == {
        "code": "identity",
        "title": "What runs can be told apart",
        "met": True,
        "blocks": True,
    }
