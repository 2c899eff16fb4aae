"""Whoever may be the second person is written to: who asks for what, why, and where to answer."""

from typing import Any

import pytest
from django.core import mail

from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import offer_assignment
from governance.services.cards import return_card
from governance.services.fail_policies import ask_for_milder_policy, withdraw_milder_policy
from notices.approvals import ask_about_the_register
from notices.models import Message
from notices.services.mailing import send_mails
from overrides.services.overriding import override_decision
from overrides.services.parameters import ask_to_retire_parameter
from overrides.services.rules import change_rule
from tests.factories import cards, letters
from tests.factories.control import ask_for, stop
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.versions import make_proposed

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    found = make_crew(risk_class="high", safe_state="a", shutdown_steps="b", shutdown_contacts="c")
    Person.objects.filter(pk=found.operator.pk).update(name="Olga Operator")
    Person.objects.filter(pk=found.engineer.pk).update(name="Tom Owner")
    Person.objects.filter(pk=found.approver.pk).update(email="approver@example.org")
    return found


def the_mail(*, to: str = "approver@example.org") -> Any:
    Message.objects.exclude(kind__endswith=".asked").delete()
    send_mails()
    [found] = [each for each in mail.outbox if each.to == [to]]
    assert len(mail.outbox) == 1
    return found


def test_a_parameter(crew: Crew) -> None:
    version = crew.set(crew.parameter(), 5000, note="Claims have grown.")
    sent = the_mail()
    assert f"set max-amount of {crew.system} to 5000" in sent.subject
    assert "Olga Operator asks to set max-amount" in sent.body
    assert "Why: tuning; Claims have grown." in sent.body
    assert f"/admin/overrides/parameterversion/{version.pk}/change/" in sent.body


def test_a_parameters_end(crew: Crew) -> None:
    parameter = crew.parameter()
    ask_to_retire_parameter(actor=actor_of(crew.engineer), parameter_id=parameter.pk, reason_code="unused")
    assert f"Tom Owner asks to retire max-amount of {crew.system}." in the_mail().body


def test_a_step_to_the_safe_side_asks_nobody(crew: Crew) -> None:
    crew.set(crew.parameter(), 10)
    assert not Message.objects.filter(kind="parameter.asked").exists()


def test_a_switch(crew: Crew) -> None:
    request = ask_for(stop(crew.system), crew.operator)
    sent = the_mail()
    assert f"Olga Operator asks to set {crew.system.slug} from stop to run." in sent.body
    assert f"Why: {request.reason_code}" in sent.body
    assert f"/admin/switchboard/requests/{request.pk}/" in sent.body


def test_a_review_rule(crew: Crew) -> None:
    rule = make_rule(crew.system, make_queue(make_person(), system=crew.system), name="refusals")
    asked = actor_of(crew.operator)
    change_rule(actor=asked, rule_id=rule.pk, changes={"condition": {"confidence_below": 0.5}}, reason="Too many.")
    sent = the_mail()
    assert "Olga Operator asks to loosen the review rule refusals" in sent.body
    assert "Why: Too many." in sent.body


def test_an_override(crew: Crew) -> None:
    """Whoever reviewed the decision, or asks, is not written to; the outcome stands in no e-mail."""
    owner = make_person(name="Orla Owner", accountable=crew.system)
    review = open_review(crew.system, rule=make_rule(crew.system, make_queue(owner), reviews_required=2))
    make_person(reviewer=crew.system, email="second@example.org")
    override_decision(
        actor=actor_of(owner), decision_id=review.decision_id, outcome="approved", reason_code="wrong-input"
    )
    sent = the_mail(to="second@example.org")
    assert f"Orla Owner asks to override a decision of {crew.system}." in sent.body
    assert "Why: wrong-input" in sent.body and "approved" not in sent.body
    assert f"/admin/decisions/{review.decision_id}/" in sent.body


def test_a_fail_policy(crew: Crew) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status=AISystem.Status.LIVE)
    request = ask_for_milder_policy(
        actor=actor_of(crew.engineer), system_id=crew.system.pk, max_staleness_s=900, safe_mode="review", note="Slow."
    )
    assert ask_about_the_register() == 1
    assert ask_about_the_register() == 0, "once a request"
    sent = the_mail()
    assert f"Tom Owner asks to loosen the fail policy of {crew.system} to 900 s, then review." in sent.body
    assert "Why: Slow." in sent.body
    assert f"/admin/governance/failpolicyrequest/{request.pk}/change/" in sent.body


def test_what_was_answered_before_the_mail_went_says_so(crew: Crew) -> None:
    AISystem.objects.filter(pk=crew.system.pk).update(status=AISystem.Status.LIVE)
    asker = actor_of(crew.engineer)
    request = ask_for_milder_policy(actor=asker, system_id=crew.system.pk, max_staleness_s=900, safe_mode="review")
    ask_about_the_register()
    withdraw_milder_policy(actor=asker, request_id=request.pk)
    sent = the_mail()
    assert "Answered meanwhile" in sent.subject
    assert "agree or refuse" not in sent.body


def test_a_model_version() -> None:
    system = make_system(slug="credit-limits")
    owner = make_person(email="owner@example.org")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    make_proposed(system, "2.0", by=make_person(technical_owner=system, name="Tom Owner"))
    ask_about_the_register()
    sent = the_mail(to="owner@example.org")
    assert "bring the model version 2.0 of Credit-Limits into use" in sent.subject
    assert "Why: Better on late payers." in sent.body
    ask_about_the_register()
    assert Message.objects.filter(kind="version.asked").count() == 1, "once, whatever the number of sweeps"


def test_a_template_of_letters_once_it_is_submitted() -> None:
    system, writer = make_system(slug="credit-limits"), make_person(name="Tom Owner")
    owner = make_person(email="owner@example.org")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    give_role(writer, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    saved = letters.save(system, writer)
    assert ask_about_the_register() == 0, "nobody is asked about what is still being written"
    draft = letters.submit(writer, saved, note="As the desk wants it.")
    assert (ask_about_the_register(), ask_about_the_register()) == (1, 0), "once a submission"
    sent = the_mail(to="owner@example.org")
    assert "Tom Owner asks to publish a template of the letters of Credit-Limits (en)." in sent.body
    assert "Why: As the desk wants it." in sent.body
    assert f"/admin/systems/{system.pk}/letters/{draft.language}/" in sent.body


def test_a_template_of_letters_is_not_asked_of_who_wrote_of_it() -> None:
    system = make_system()
    owner, writer = make_person(), make_person()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    give_role(writer, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    theirs = letters.save(system, owner)
    letters.submit(writer, letters.save(system, writer, base=theirs.revision, contest_days=3))
    assert ask_about_the_register() == 0


def test_a_role_that_takes_two_administrators() -> None:
    asker = make_person(administrator=True, name="Ada")
    make_person(administrator=True, email="second@example.org")
    grace = make_person(administrator=True, name="Grace")  # who it is about does not agree to it
    proposal = offer_assignment(
        actor=actor_of(asker), person=grace, role=Role.EMERGENCY_OPERATOR, scope=ORGANISATION, reason="New."
    )
    assert proposal.status == Assignment.Status.PROPOSED
    ask_about_the_register()
    sent = the_mail(to="second@example.org")
    assert "Ada asks to give Grace the role" in sent.body
    assert "Why: New." in sent.body


def test_only_those_who_could_agree_are_asked(crew: Crew) -> None:
    """Not whoever asks, though they are an approver too."""
    give_role(crew.operator, Role.APPROVER)
    make_person(administrator=True)
    other = make_person(approver=True)
    crew.set(crew.parameter(), 5000)
    asked = set(Message.objects.filter(kind="parameter.asked").values_list("person_id", flat=True))
    assert asked == {crew.approver.pk, other.pk}


def test_whoever_may_publish_a_card_is_asked_once_for_each_submission(crew: Crew) -> None:
    owner = make_person(name="Ada Accountable", email="ada@example.org")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(crew.system.pk))
    cards.submit(crew.system, crew.engineer, note="New test results.")
    assert [ask_about_the_register(), ask_about_the_register()] == [1, 0]
    found = the_mail(to="ada@example.org")
    assert "Tom Owner asks to publish a system card" in found.body and "New test results." in found.body
    assert f"/admin/systems/{crew.system.pk}/cards/draft/" in found.body
    return_card(actor=actor_of(owner), system_id=crew.system.pk, reason="Which test?")
    assert ask_about_the_register() == 0
    cards.submit(crew.system, crew.engineer, cards.content(cards.RANGE))
    assert ask_about_the_register() == 1
