"""Blind means everywhere: what a blind reviewer must not see yet is on no page, list, filter, count or address."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit.services.tallying import tally_decisions
from config.errors import InvalidInput
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from ledger.entries import SERVER
from overrides.models import Review, ReviewAssignment
from overrides.selectors import hidden_from, is_hidden
from overrides.services.claiming import claim, decline, release, show_item
from overrides.services.deadlines import apply_deadlines
from overrides.services.deciding import Answer, judge_blind, submit
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
OUTCOME = "refused-for-good"


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def person(system: AISystem) -> Person:
    return make_person(reviewer=system, accountable=system)


@pytest.fixture
def review(system: AISystem, person: Person) -> Review:
    rule = make_rule(system, make_queue(person), condition={"outcome_in": [OUTCOME]}, is_blind=True)
    return open_review(system, rule=rule, outcome=OUTCOME)


@pytest.fixture
def work(person: Person, review: Review) -> ReviewAssignment:
    return claim(actor=actor_of(person), review_id=review.pk)


@pytest.fixture
def browser(person: Person) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client


@pytest.fixture
def api(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def test_it_is_hidden_from_the_claim_to_the_judgement(person: Person, review: Review) -> None:
    assert hidden_from(person.pk) == frozenset()
    work = claim(actor=actor_of(person), review_id=review.pk)
    assert is_hidden(person.pk, review.decision_id)
    assert not is_hidden(make_person().pk, review.decision_id)
    judge_blind(actor=actor_of(person), token=work.token, outcome="approved")
    assert not is_hidden(person.pk, review.decision_id)


@pytest.mark.parametrize("ending", ["release", "decline", "lapse"])
def test_giving_it_back_is_no_way_to_look(person: Person, review: Review, work: ReviewAssignment, ending: str) -> None:
    if ending == "release":
        release(actor=actor_of(person), token=work.token)
    elif ending == "decline":
        decline(actor=actor_of(person), review_id=review.pk, reason_code="not-competent")
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert is_hidden(person.pk, review.decision_id)


def test_it_ends_with_the_review(person: Person, review: Review, work: ReviewAssignment) -> None:
    with time_machine.travel(review.deadline_at + timedelta(seconds=1)):
        apply_deadlines(actor=SERVER)
    assert not is_hidden(person.pk, review.decision_id)


def test_the_item_shows_input_and_neither_output_nor_explanation_before(person: Person, work: ReviewAssignment) -> None:
    shown = show_item(actor=actor_of(person), token=work.token)
    assert {part.name for part in shown[3]} == {"input", "refs"}
    judge_blind(actor=actor_of(person), token=work.token, outcome="approved")
    shown = show_item(actor=actor_of(person), token=work.token)
    assert {"output", "explanation"} <= {part.name for part in shown[3]}


def test_a_page_without_a_claim_shows_the_outcome_so_these_tests_can_fail(browser: Client, review: Review) -> None:
    assert OUTCOME in browser.get("/admin/decisions/").content.decode()
    assert OUTCOME in browser.get(f"/admin/decisions/{review.decision_id}/").content.decode()


@pytest.mark.parametrize("query", ["", f"?outcome={OUTCOME}", "?directive=hold", "?confidence_min=0"])
def test_no_list_and_no_filter_shows_it(
    browser: Client, system: AISystem, review: Review, work: ReviewAssignment, query: str
) -> None:
    other = record_decision(system, outcome="approved")
    page = browser.get(f"/admin/decisions/{query}").content.decode().replace(query.strip("?"), "")
    assert str(review.decision_id) not in page
    for typed in (f'value="{OUTCOME}"', f"outcome: <b>{OUTCOME}</b>", f"filter outcome: {OUTCOME}"):
        page = page.replace(typed, "")  # what was asked for is told again
    assert OUTCOME not in page
    assert query or str(other.id) in page


@pytest.mark.parametrize("terms", [{"subject": "subject"}, {"text": "Low income"}])
def test_no_search_finds_it(browser: Client, review: Review, work: ReviewAssignment, terms: dict[str, str]) -> None:
    from audit.models import Payload

    if "subject" in terms:
        terms = {"subject": str(Payload.objects.values_list("subject", flat=True).get(id=review.decision_id))}
    body = browser.post("/admin/decisions/search", terms | {"days": "7"}, follow=True).content.decode()
    assert str(review.decision_id) not in body


@pytest.mark.parametrize("address", ["", "proof", "proof.tlog-proof", "entry.json"])
def test_no_page_of_the_decision_opens(browser: Client, review: Review, work: ReviewAssignment, address: str) -> None:
    answer = browser.get(f"/admin/decisions/{review.decision_id}/{address}")
    assert answer.status_code == 403
    assert OUTCOME not in answer.content.decode()


@pytest.mark.parametrize("address", ["payload", "payload/output", "payload/input", "disclosure"])
def test_no_payload_is_given_out(browser: Client, review: Review, work: ReviewAssignment, address: str) -> None:
    assert browser.post(f"/admin/decisions/{review.decision_id}/{address}").status_code == 403


@pytest.mark.parametrize("page", ["/admin/", "/admin/decisions/", "system"])
def test_no_figure_and_no_chart_counts_it_by_outcome(
    browser: Client, system: AISystem, review: Review, person: Person, page: str
) -> None:
    tally_decisions(actor=SERVER)
    address = f"/admin/systems/{system.pk}/" if page == "system" else page
    assert OUTCOME in browser.get(address).content.decode()
    claim(actor=actor_of(person), review_id=review.pk)
    assert OUTCOME not in browser.get(address).content.decode()


def test_the_page_leads_on_to_the_review_and_says_nothing_of_access(
    browser: Client, review: Review, work: ReviewAssignment
) -> None:
    page = browser.get(f"/admin/decisions/{review.decision_id}/").content
    assert b'href="/admin/reviews/">Your reviews</a>' in page
    assert b"ask an administrator" not in page


@pytest.mark.parametrize("address", ["effective", "appeals", "outcomes"])
def test_no_address_of_the_api_tells(api: APIClient, review: Review, work: ReviewAssignment, address: str) -> None:
    answer = api.get(f"/api/v1/decisions/{review.decision_id}/{address}")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/hidden-while-blind")


def test_nor_can_it_be_overridden_unseen(api: APIClient, review: Review, work: ReviewAssignment) -> None:
    body = {"outcome": OUTCOME, "reason_code": "other"}
    answer = api.post(f"/api/v1/decisions/{review.decision_id}/override", body)
    assert answer.json()["type"] == "/problems/hidden-while-blind"


def test_the_work_over_the_api_tells_nothing_before(api: APIClient, work: ReviewAssignment) -> None:
    address = f"/api/v1/reviews/work/{work.token}"
    item = api.get(address)
    assert OUTCOME not in item.content.decode()
    assert (item.json()["original_outcome"], item.json()["confidence"]) == (None, None)
    api.post(f"{address}/judge", {"outcome": "approved"})
    assert api.get(address).json()["original_outcome"] == OUTCOME


def test_a_record_in_clear_of_a_review_and_its_lists_tells_nothing(
    api: APIClient, review: Review, work: ReviewAssignment
) -> None:
    for address in ("reviews", "reviews/mine", f"reviews/{review.pk}", "reviews/counts", "appeals"):
        assert OUTCOME not in api.get(f"/api/v1/{address}").content.decode()


def test_two_reviewers_do_not_see_each_others_work(system: AISystem, api: APIClient, person: Person) -> None:
    rule = make_rule(system, make_queue(make_person()), reviews_required=2, name="pair")
    review, other = open_review(system, rule=rule), make_person(reviewer=system)
    theirs = claim(actor=actor_of(other), review_id=review.pk)
    submit(
        actor=actor_of(other),
        token=theirs.token,
        version=1,
        answer=Answer(decision="modify", outcome="their-view", reason_code="other"),
    )
    claim(actor=actor_of(person), review_id=review.pk)
    assert "their-view" not in api.get(f"/api/v1/reviews/{review.pk}").content.decode()


def test_who_decides_between_two_sees_what_they_said(system: AISystem, api: APIClient, person: Person) -> None:
    rule = make_rule(system, make_queue(make_person()), reviews_required=2, name="pair")
    review = open_review(system, rule=rule)
    for outcome in ("their-view", "another-view"):
        other = make_person(reviewer=system)
        theirs = claim(actor=actor_of(other), review_id=review.pk)
        answer = Answer(decision="modify", outcome=outcome, reason_code="other")
        submit(actor=actor_of(other), token=theirs.token, version=1, answer=answer)
    assert "their-view" not in api.get(f"/api/v1/reviews/{review.pk}").content.decode()
    claim(actor=actor_of(person), review_id=review.pk)
    assert "their-view" in api.get(f"/api/v1/reviews/{review.pk}").content.decode()


def test_unseen_nothing_is_confirmed_and_meeting_the_models_is_a_confirmation(
    person: Person, work: ReviewAssignment
) -> None:
    with pytest.raises(InvalidInput):
        submit(actor=actor_of(person), token=work.token, version=1, answer=Answer(decision="confirm"))
    answer = Answer(decision="modify", outcome=OUTCOME, reason_code="other")
    done = submit(actor=actor_of(person), token=work.token, version=1, answer=answer)
    assert (done.decision, done.first_outcome) == ("confirm", OUTCOME)
    assert submit(actor=actor_of(person), token=work.token, version=1, answer=answer).pk == done.pk


@pytest.mark.parametrize("outcome", [OUTCOME, "another"])
def test_a_wrong_reason_is_refused_whatever_the_model_said(
    person: Person, work: ReviewAssignment, outcome: str
) -> None:
    answer = Answer(decision="modify", outcome=outcome, reason_code="nonsense")
    with pytest.raises(InvalidInput):
        submit(actor=actor_of(person), token=work.token, version=1, answer=answer)


def test_who_judges_at_a_second_claim_is_blind_no_more(person: Person, review: Review, work: ReviewAssignment) -> None:
    release(actor=actor_of(person), token=work.token)
    again = claim(actor=actor_of(person), review_id=review.pk)
    assert is_hidden(person.pk, review.decision_id)
    judge_blind(actor=actor_of(person), token=again.token, outcome="another")
    assert not is_hidden(person.pk, review.decision_id)


def test_a_queue_makes_a_share_blind_whatever_the_rule_says(system: AISystem, person: Person) -> None:
    rule = make_rule(system, make_queue(person, blind_share=0.5))
    blind = [open_review(system, rule=rule).is_blind for _ in range(24)]
    assert 0 < sum(blind) < 24
