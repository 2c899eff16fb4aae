"""The reviewer's pages: what is shown to whom, what is hidden while blind, and what becomes of a decision."""

import re
import uuid
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import AISystem, Person
from ledger.models import Entry
from notices.letters import letter_for
from notices.models import Message
from overrides.models import (
    Appeal,
    Override,
    ReasonList,
    Review,
    ReviewAssignment,
    ReviewerSkill,
    ReviewQueue,
    ReviewRule,
    RuleChange,
)
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from overrides.services.overriding import override_decision
from overrides.services.queues import update_queue
from overrides.waiting import what_waits
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
LIST = "/admin/reviews/"
SCRIPT = {"X-Fragment": "1"}
PARTS = {
    "input": {"income": 41234},
    "output": {"limit": 77123},
    "explanation": {"summary": "Because of x-secret-reason."},
}


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits", intended_purpose="Decides on credit limits.")


@pytest.fixture
def reviewer(system: AISystem) -> Person:
    return make_person(name="Rosa Reviewer", reviewer=system)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def claimed(person: Person, review: Review) -> str:
    return f"/admin/reviews/work/{claim(actor=actor_of(person), review_id=review.pk).token}/"


def confirm(version: int = 1, **given: Any) -> dict[str, Any]:
    return {"version": version, "decision": "confirm"} | given


# --- the list ---------------------------------------------------------------------------------------------------------
def test_the_list_says_what_waits_and_why_the_rest_is_not_for_me(system: AISystem, reviewer: Person) -> None:
    queue = make_queue(reviewer, slug="limits", capacity=2, when_full="block")
    open_review(system, rule=make_rule(system, queue, name="plain"))
    open_review(system, rule=make_rule(system, queue, name="law", required_skill="mortgage-law"))
    mine = open_review(system, rule=make_rule(system, queue, name="mine"))
    claim(actor=actor_of(reviewer), review_id=mine.pk)
    open_review(system, rule=make_rule(system, queue, name="sample"), phase="effective")
    page = browser(reviewer).get(LIST).content.decode()
    assert "1 ask for a skill you were not given" in page
    assert "1 with you already" in page
    assert "3 of 2 held" in page and "and 1 to look at afterwards" in page
    assert "over capacity" in page
    assert "2 &middot; claim next" in page


def test_only_what_is_held_fills_a_queue(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer, slug="limits", capacity=1, when_full="block"))
    for phase in ("proposed", "effective", "effective"):
        open_review(system, rule=rule, phase=phase)
    page = browser(reviewer).get(LIST).content.decode()
    assert "1 of 1 held" in page and "and 2 to look at afterwards" in page
    listed = browser(make_person(administrator=True)).get("/admin/overrides/reviewqueue/").content.decode()
    assert "over capacity" not in page + listed


def test_what_waits_tells_every_reason_apart(system: AISystem, reviewer: Person) -> None:
    overridden, taken, escalated = (open_review(system, phase="effective") for _ in range(3))
    boss = make_person(accountable=system)
    claim(actor=actor_of(make_person(reviewer=system)), review_id=taken.pk)
    other = make_person(reviewer=system)
    work = claim(actor=actor_of(other), review_id=escalated.pk)
    submit(actor=actor_of(other), token=work.token, version=1, answer=Answer(decision="escalate", reason_code="unsure"))
    open_appeal(actor=actor_of(reviewer), decision_id=overridden.decision_id, ground_code="g", statement="s")
    (waits,) = what_waits(actor_of(reviewer)).queues
    assert dict(waits.refused) == {"part": 1, "taken": 1, "escalated": 1}
    (waits,) = what_waits(actor_of(boss)).queues
    assert (waits.free, dict(waits.refused)) == (2, {"taken": 1})


def test_the_list_takes_as_many_queries_for_many_reviews_as_for_few(system: AISystem, reviewer: Person) -> None:
    queue = make_queue(reviewer)
    rule = make_rule(system, queue)
    client = browser(reviewer)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as ran:
            assert client.get(LIST).status_code == 200
        return len(ran)

    open_review(system, rule=rule)
    client.get(LIST)
    few = queries()
    for _ in range(6):
        open_review(system, rule=rule)
    assert queries() == few < 50


def test_who_has_nothing_to_do_with_reviews_is_told_so(system: AISystem) -> None:
    assert browser(make_person(viewer=system)).get(LIST).status_code == 403
    assert Client().get(LIST).status_code == 302


# --- one item ---------------------------------------------------------------------------------------------------------
def test_an_item_shows_what_the_model_saw_and_said(system: AISystem, reviewer: Person) -> None:
    review = open_review(system, parts=PARTS)
    page = browser(reviewer).get(claimed(reviewer, review)).content.decode()
    for each in ("41234", "77123", "x-secret-reason", "refused", "Decides on credit limits."):
        assert each in page
    assert Entry.objects.filter(about_id=review.decision_id, kind="payload.viewed").count() == 1


def test_a_blind_item_holds_nothing_of_the_outcome_before_a_first_judgement(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer), name="refused-ones", is_blind=True)
    review = open_review(system, rule=rule, parts=PARTS, adverse=True)
    address, client = claimed(reviewer, review), browser(reviewer)
    before = client.get(address).content.decode()
    assert "41234" in before
    for hidden in ("refused", "77123", "x-secret-reason", "not adverse", "adverse for", str(review.decision_id) + "/"):
        assert hidden not in before, hidden
    assert client.get(f"/admin/decisions/{review.decision_id}/").status_code == 403
    after = client.post(f"{address}judge", {"outcome": "approved"}, headers=SCRIPT).content.decode()
    assert "You said <strong>approved</strong>; the model decided <strong>refused</strong>" in after
    assert "x-secret-reason" in after


def test_nobody_sees_or_hands_in_the_item_of_another(system: AISystem, reviewer: Person) -> None:
    address = claimed(reviewer, open_review(system))
    stranger = browser(make_person(reviewer=system))
    for path in ("", "draft", "judge", "hand-in", "undo", "keep", "give-back", "decline"):
        sent = stranger.post(address + path, confirm()) if path else stranger.get(address)
        assert sent.status_code == 404, path


def test_an_erased_payload_is_no_dead_end(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    erase(review.decision_id)
    page = browser(reviewer).get(claimed(reviewer, review))
    assert page.status_code == 200
    assert b"were erased" in page.content


# --- handing in -------------------------------------------------------------------------------------------------------
def test_handing_in_gives_the_next_item_in_the_same_answer_and_can_be_undone(
    system: AISystem, reviewer: Person
) -> None:
    first, second = open_review(system), open_review(system)
    address, client = claimed(reviewer, first), browser(reviewer)
    client.get(address)
    answer = client.post(f"{address}hand-in", confirm(), headers=SCRIPT)
    following = ReviewAssignment.objects.get(review=second)
    assert answer.headers["X-Address"] == f"/admin/reviews/work/{following.token}/"
    assert "<html" not in (text := answer.content.decode())
    assert str(second.decision_id) in text
    assert "You confirmed the last one." in text
    back = client.post(f"{address}undo", headers=SCRIPT)
    assert back.headers["X-Address"] == address
    first.refresh_from_db()
    assert (first.status, first.verdict) == ("in_review", "")


def test_without_script_it_is_a_redirect_with_the_undo_on_the_next_page(system: AISystem, reviewer: Person) -> None:
    address, client = claimed(reviewer, open_review(system)), browser(reviewer)
    answer = client.post(f"{address}hand-in", confirm())
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{LIST}?handed_in=")
    assert b"You confirmed the last one." in client.get(answer.headers["Location"]).content
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        assert b"You confirmed the last one." not in client.get(answer.headers["Location"]).content


def test_what_is_refused_says_why_and_keeps_what_was_typed(system: AISystem, reviewer: Person) -> None:
    address, client = claimed(reviewer, open_review(system)), browser(reviewer)
    given = {"version": 1, "decision": "reject", "note": "I have thought about it"}
    refused = client.post(f"{address}hand-in", given)
    assert refused.status_code == 422
    assert b"not in the list of reasons" in refused.content
    assert b"I have thought about it" in refused.content
    told = client.post(f"{address}hand-in", given, headers=SCRIPT)
    assert [each["name"] for each in told.json()["fields"]] == ["reason_code"]


def test_a_double_click_and_a_second_tab_make_one_decision(system: AISystem, reviewer: Person) -> None:
    address, client = claimed(reviewer, open_review(system)), browser(reviewer)
    assert [client.post(f"{address}hand-in", confirm(), headers=SCRIPT).status_code for _ in range(2)] == [200, 200]
    other = {"version": 1, "decision": "reject", "reason_code": "other"}
    told = client.post(f"{address}hand-in", other, headers=SCRIPT)
    assert (told.status_code, told.json()["is_over"], told.json()["claim_again"]) == (409, True, None)
    assert "You confirmed it" in told.json()["detail"]
    assert b"You have handed this in" in client.get(address).content


def test_a_lost_lease_keeps_the_draft_and_says_what_to_do(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    address, client = claimed(reviewer, review), browser(reviewer)
    kept = client.post(f"{address}draft", {"decision": "reject", "note": "half a thou"}, headers=SCRIPT)
    assert kept.json()["lease_until"]
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        lost = client.post(f"{address}draft", {"decision": "reject", "note": "half a thought"}, headers=SCRIPT)
        assert lost.status_code == 409
        assert lost.json()["claim_again"] == f"/admin/reviews/{review.pk}/take"
        assert "kept as a draft" in lost.json()["detail"]
        again = client.post(lost.json()["claim_again"], headers=SCRIPT)
        assert b"half a thought" in again.content


def test_an_item_that_was_overridden_meanwhile_says_so(system: AISystem, reviewer: Person) -> None:
    review = open_review(system)
    address, client = claimed(reviewer, review), browser(reviewer)
    override_decision(
        actor=actor_of(make_person(accountable=system)),
        decision_id=review.decision_id,
        outcome="approved",
        reason_code="other",
    )
    told = client.post(f"{address}hand-in", confirm(), headers=SCRIPT)
    assert told.status_code == 409
    assert "overridden the decision meanwhile" in told.json()["detail"]
    assert b"overridden the decision meanwhile" in client.get(address).content


def test_an_item_is_handed_to_a_colleague_who_is_told(system: AISystem, reviewer: Person) -> None:
    colleague = make_person(name="Carl Colleague", reviewer=system)
    address, client = claimed(reviewer, open_review(system)), browser(reviewer)
    assert b"Carl Colleague" in client.get(address).content
    client.post(f"{address}hand-on", {"to": colleague.pk})
    message = Message.objects.get(person_id=colleague.pk)
    assert letter_for(message).subject == "A review was handed to you"
    assert letter_for(message).page == LIST
    assert b"Take it, it was handed to you" in browser(colleague).get(LIST).content


def test_only_who_decides_between_two_sees_both_judgements(system: AISystem, reviewer: Person) -> None:
    review = open_review(system, rule=make_rule(system, make_queue(reviewer), reviews_required=2))
    other, third = make_person(reviewer=system), make_person(reviewer=system)
    first, second = claimed(reviewer, review), claimed(other, review)
    browser(reviewer).post(f"{first}hand-in", confirm())
    assert b"What both reviewers said" not in browser(other).get(second).content
    modified = {"version": 1, "decision": "modify", "outcome": "approved", "reason_code": "other", "note": "my-note"}
    assert browser(other).post(f"{second}hand-in", modified).status_code == 302
    page = browser(third).get(claimed(third, review)).content.decode()
    assert "What both reviewers said" in page
    assert "my-note" in page
    assert page.count("<dd>Another reason, in the note</dd>") == 1
    assert page.count("<dd>As proposed</dd>") == 1
    assert b"my-note" not in browser(reviewer).get(f"/admin/decisions/{review.decision_id}/").content


# --- a decision's page ------------------------------------------------------------------------------------------------
def test_an_override_from_the_decisions_page(system: AISystem) -> None:
    owner, decision = make_person(accountable=system), record_decision(system, outcome="refused")
    page, client = f"/admin/decisions/{decision.id}/", browser(owner)
    assert b"Override this decision" in client.get(page).content
    assert b"Override this decision" not in browser(make_person(viewer=system)).get(page).content
    wrong = client.post(f"{page}override", {"outcome": "approved", "reason_code": "nonsense", "note": "kept"})
    assert wrong.status_code == 422
    assert b"not in the list of reasons" in wrong.content
    assert b"kept" in wrong.content
    given = {"outcome": "approved", "reason_code": "wrong-input", "note": "Misread."}
    assert client.post(f"{page}override", given).status_code == 302
    shown = client.get(page).content.decode()
    assert "the model said refused" in shown
    assert "the caller has not said that it did this" in shown
    assert "Misread." in shown
    assert "Misread." not in browser(make_person(viewer=system)).get(page).content.decode()
    assert str(decision.id) in client.get("/admin/reviews/effects/").content.decode()


def test_an_override_that_asks_for_two_waits_for_the_second(system: AISystem, reviewer: Person) -> None:
    owner = make_person(accountable=system)
    review = open_review(system, rule=make_rule(system, make_queue(owner), reviews_required=2))
    page = f"/admin/decisions/{review.decision_id}/"
    browser(owner).post(f"{page}override", {"outcome": "approved", "reason_code": "other"})
    made = Override.objects.get()
    assert b"Take it back" in browser(owner).get(page).content
    assert b"wait for your agreement" not in browser(owner).get(LIST).content
    assert f'href="{page}#people-said"' in browser(reviewer).get(LIST).content.decode()
    assert browser(owner).post(f"/admin/overrides/{made.pk}/agree").status_code == 403
    shown = browser(reviewer).get(page).content.decode()
    assert "Agree: it is in force at once" in shown
    assert f'action="/admin/reviews/{review.pk}/take"' in shown
    assert "waits for people" in shown
    claim(actor=actor_of(reviewer), review_id=review.pk)
    assert "Take the review and look at it" not in browser(reviewer).get(page).content.decode()
    assert browser(reviewer).post(f"/admin/overrides/{made.pk}/agree").status_code == 302
    made.refresh_from_db()
    assert made.status == "in_force"


def test_what_others_ask_for_does_not_hide_what_waits_for_you(system: AISystem, reviewer: Person) -> None:
    owner = make_person(accountable=system)
    review = open_review(system, rule=make_rule(system, make_queue(owner), reviews_required=2))
    page = f"/admin/decisions/{review.decision_id}/"
    browser(owner).post(f"{page}override", {"outcome": "approved", "reason_code": "other"})
    made, elsewhere = Override.objects.get(), make_system()
    said = {each.attname: getattr(made, each.attname) for each in Override._meta.concrete_fields}
    older = {"at": made.at - timedelta(hours=1), "system_id": elsewhere.pk}
    Override.objects.bulk_create(
        Override(**{**said, **older, "id": uuid.uuid4(), "decision_id": uuid.uuid4()}) for _ in range(200)
    )
    assert f'href="{page}#people-said"' in browser(reviewer).get(LIST).content.decode()


def test_an_appeal_from_opening_to_the_remedy(system: AISystem, reviewer: Person) -> None:
    owner, decision = make_person(accountable=system), record_decision(system, outcome="refused")
    client = browser(owner)
    opened = client.post(
        f"/admin/decisions/{decision.id}/appeal", {"ground_code": "wrong-data", "statement": "My salary is higher."}
    )
    page = opened.headers["Location"]
    assert b"had a part" in client.get(page).content
    assert client.post(f"{page}decide", {"verdict": "upheld", "reason_code": "outcome-stands"}).status_code == 403
    judge = browser(reviewer)
    assert b"For you to decide" in judge.get("/admin/reviews/appeals/").content
    assert b"My salary is higher." in judge.get(page).content
    given = {"verdict": "overturned", "outcome": "approved", "reason_code": "wrong-input", "finding": "They are right."}
    assert judge.post(f"{page}decide", given).status_code == 302
    assert b"waits for the remedy" in client.get("/admin/reviews/appeals/").content
    assert client.post(f"{page}remedy", {"note": ""}).status_code == 409
    assert client.post(f"{page}remedy", {"note": "Paid by hand."}).status_code == 302
    assert Appeal.objects.get().status == "remedied"


def test_the_statement_of_an_appeal_is_not_for_everybody(system: AISystem, reviewer: Person) -> None:
    decision = record_decision(system)
    opened = open_appeal(
        actor=actor_of(make_person(accountable=system)), decision_id=decision.id, ground_code="g", statement="private"
    )
    address = f"/admin/reviews/appeals/{opened.pk}/"
    assert b"private" not in browser(make_person(viewer=system)).get(address).content
    assert b"private" in browser(reviewer).get(address).content
    assert browser(make_person(viewer=make_system())).get(address).status_code == 404


# --- oversight, rules, queues -----------------------------------------------------------------------------------------
def test_oversight_tells_no_small_numbers_and_no_ones_dwell_to_others(system: AISystem, reviewer: Person) -> None:
    owner, boss = make_person(name="Olga Owner"), make_person(accountable=system)
    rule = make_rule(system, make_queue(owner, system=system, slug="limits"))
    client = browser(reviewer)
    for _ in range(5):
        address = claimed(reviewer, open_review(system, rule=rule))
        client.get(address)
        client.post(f"{address}hand-in", confirm())
    page = "/admin/reviews/oversight/"
    assert "too few to say" in (seen := browser(boss).get(page).content.decode())
    assert "Rosa Reviewer" not in seen
    assert "Rosa Reviewer" in browser(owner).get(page).content.decode()
    own = client.get(page).content.decode()
    assert "limits" in own
    assert "You handed nothing in" not in own
    assert browser(make_person(administrator=True)).get(page).status_code == 403


def new_rule(system: AISystem, queue: Any, **given: Any) -> dict[str, Any]:
    return {
        "system": system.pk,
        "name": "unsure-ones",
        "environment": "",
        "confidence_below": "0.9",
        "queue": queue.pk,
        "deadline_minutes": 60,
        "on_timeout": "block",
        "reviews_required": 1,
    } | given


def test_a_rule_is_made_once_its_maker_saw_what_it_would_have_held(system: AISystem) -> None:
    operator = make_person(operator=system)
    for confidence in (0.5, 0.95):
        record_decision(system, confidence=confidence)
    client, given = browser(operator), new_rule(system, make_queue(operator))
    page = "/admin/overrides/reviewrule/add/"
    first = client.post(page, given)
    assert b"It would have held 1 of 2 decisions of the last 7 days" in first.content
    assert not ReviewRule.objects.exists()
    (seen,) = re.findall(r'name="seen" value="([^"]*)"', first.content.decode())
    assert client.post(page, given | {"seen": unescape(seen)}).status_code == 302
    rule = ReviewRule.objects.get()
    assert rule.condition == {"confidence_below": 0.9}
    shown = client.get(f"/admin/overrides/reviewrule/{rule.pk}/change/").content.decode()
    assert "1 of 2 decisions" in shown


def test_what_a_rule_would_have_held_tells_a_blind_reviewer_nothing(system: AISystem, reviewer: Person) -> None:
    rule = make_rule(system, make_queue(reviewer), is_blind=True)
    record_decision(system, outcome="approved")
    review, page = open_review(system, rule=rule), f"/admin/overrides/reviewrule/{rule.pk}/change/"
    assert b"1 of 2 decisions" in browser(reviewer).get(page).content
    claim(actor=actor_of(reviewer), review_id=review.pk)
    assert b"0 of 1 decisions" in browser(reviewer).get(page).content


def test_asking_for_less_waits_for_an_approver_on_the_page(system: AISystem) -> None:
    operator, approver = make_person(operator=system), make_person(approver=True)
    rule = make_rule(system, make_queue(operator), condition={"confidence_below": 0.9})
    page, client = f"/admin/overrides/reviewrule/{rule.pk}/change-rule/", browser(operator)
    given = new_rule(system, rule.queue, confidence_below="0.5", order=rule.order)
    verdict = client.post(page, given)
    assert b"Two people." in verdict.content
    (read,) = re.findall(r'name="read" value="([^"]*)"', verdict.content.decode())
    assert client.post(page, given | {"read": unescape(read)}).status_code == 302
    change = RuleChange.objects.get()
    assert client.post(f"/admin/overrides/rulechange/{change.pk}/approve/").status_code == 403
    assert browser(approver).post(f"/admin/overrides/rulechange/{change.pk}/approve/").status_code == 302
    rule.refresh_from_db()
    assert rule.condition == {"confidence_below": 0.5}


def test_an_old_page_of_a_queue_undoes_nothing_that_somebody_else_changed_since(system: AISystem) -> None:
    client, other = browser(make_person(administrator=True)), make_person(administrator=True)
    queue, successor = make_queue(make_person(), deadline_s=3600, lease_s=600), make_person()
    page = f"/admin/overrides/reviewqueue/{queue.pk}/change/"
    form = client.get(page).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    sent = shown | {f"initial-{name}": value for name, value in shown.items()} | {"lease_s": 900}
    update_queue(actor=actor_of(other), queue_id=queue.pk, changes={"owner_id": successor.pk, "deadline_s": 60})
    assert (
        client.post(page, {name: value for name, value in sent.items() if value not in (None, "")}).status_code == 302
    )
    queue.refresh_from_db()
    assert (queue.owner_id, queue.deadline_s, queue.lease_s) == (successor.pk, 60, 900)


def test_who_decides_between_two_reads_so_in_the_list(system: AISystem) -> None:
    people = [make_person(reviewer=system) for _ in range(3)]
    review = open_review(system, rule=make_rule(system, make_queue(make_person()), reviews_required=2))
    for person, answer in zip(
        people,
        (
            Answer(decision="confirm"),
            Answer(decision="modify", outcome="approved", output="{}", reason_code="wrong-input"),
        ),
        strict=False,
    ):
        assert "between two" not in browser(person).get("/admin/reviews/").content.decode()
        token = claim(actor=actor_of(person), review_id=review.pk).token
        assert "between two" not in browser(person).get("/admin/reviews/").content.decode()
        version = Review.objects.get().version
        submit(actor=actor_of(person), token=token, version=version, answer=answer)
    claimed(people[2], review)
    assert "you decide between two" in browser(people[2]).get("/admin/reviews/").content.decode()


def test_who_may_not_change_a_queue_reads_it_in_words(system: AISystem) -> None:
    owner = make_person()
    queue = make_queue(owner, deadline_s=86_400, lease_s=600, blind_share=0.25)
    page = browser(owner).get(f"/admin/overrides/reviewqueue/{queue.pk}/change/").content.decode()
    said = ("24 hours", "10 minutes", "25 in 100", "no limit", "takes more all the same")
    assert [words for words in said if words not in page] == []
    assert "86400" not in page


def test_queues_reasons_and_skills_are_kept_on_pages(system: AISystem) -> None:
    manager, person = make_person(administrator=True), make_person()
    client = browser(manager)
    given = {
        "slug": "limits",
        "system": system.pk,
        "owner": person.pk,
        "when_full": "accept",
        "lease_s": 600,
        "claims_per_person": 5,
        "deadline_s": 3600,
        "blind_share": 0,
        "dwell_floor_s": 5,
    }
    assert client.post("/admin/overrides/reviewqueue/add/", given).status_code == 302
    queue = ReviewQueue.objects.get(slug="limits")
    page = f"/admin/overrides/reviewqueue/{queue.pk}/"
    assert client.post(f"{page}change/", given | {"capacity": 20}).status_code == 302
    queue.refresh_from_db()
    assert queue.capacity == 20
    client.get("/admin/overrides/reviewqueue/")  # what was told so far is not told again
    waits = client.post(f"{page}change/", given | {"capacity": 5, "when_full": "block"}, follow=True).content
    assert b"waits for a second person" in waits
    assert b"changed successfully" not in waits
    change = RuleChange.objects.get()
    assert b">Look at it</a>" in client.get(f"{page}change/").content
    asked = f"/admin/overrides/rulechange/{change.pk}"
    assert f'href="{asked}/change/"' in client.get("/admin/overrides/rulechange/").content.decode()
    assert b"capacity: 5 (was 20)" in client.get(f"{asked}/change/").content
    assert browser(make_person(approver=True)).post(f"{asked}/approve/").status_code == 302
    queue.refresh_from_db()
    assert (queue.capacity, queue.when_full) == (5, "block")
    assert b"is not: code | words | decisions" in client.post(f"{page}reasons/", {"codes": "wrong"}).content
    assert client.post(f"{page}reasons/", {"codes": "late | It is late | reject, modify"}).status_code == 302
    assert ReasonList.objects.get().codes == [{"code": "late", "words": "It is late", "for": ["modify", "reject"]}]
    client.post("/admin/overrides/reviewerskill/add/", {"person": person.pk, "skill": "law"})
    skill = ReviewerSkill.objects.get()
    assert client.post(f"/admin/overrides/reviewerskill/{skill.pk}/end/").status_code == 302
    assert client.post(f"{page}archive/", {"reason": ""}).status_code == 302
    for each in ("reviewqueue", "reviewrule", "rulechange", "reviewerskill"):
        assert client.get(f"/admin/overrides/{each}/").status_code == 200, each
