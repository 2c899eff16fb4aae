"""What people did to a decision, in words on its page; and what others must not know yet."""

import pytest
from django.test import Client
from django.utils import timezone

from audit.selectors import decision_by_id
from config.ids import new_id
from console.sayings import SAYINGS, sentence
from console.timelines import timeline
from governance.models import AISystem, Person
from ledger.entries import Actor
from ledger.kinds import Kind
from monitoring.services.outcomes import NewOutcome, record_outcome
from overrides.effective import effective_of
from overrides.models import Review
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from overrides.services.effects import confirm_effect
from overrides.services.executing import claim_execution
from overrides.services.overriding import override_decision
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(name="Olga Owner", accountable=system)


def texts(review: Review, viewer: Person) -> str:
    return "\n".join(event.text for event in timeline(decision_by_id(review.decision_id), viewer.pk))


def judge(person: Person, review: Review, answer: Answer) -> None:
    work = claim(actor=actor_of(person), review_id=review.pk)
    review.refresh_from_db()
    submit(actor=actor_of(person), token=work.token, version=review.version, answer=answer)


def test_the_page_tells_the_story_and_shows_what_holds(system: AISystem, owner: Person) -> None:
    account = make_account(slug="app")
    make_key(system, scopes=("decisions:write", "feedback:write"), account=account)
    caller, review = Actor("service", account.pk), open_review(system)
    reviewer = make_person(name="Rita Reviewer", reviewer=system)
    judge(reviewer, review, Answer(decision="modify", outcome="approved", reason_code="wrong-input"))
    about = review.decision_id
    override_decision(actor=actor_of(owner), decision_id=about, outcome="halved", reason_code="unfair-effect")
    confirm_effect(actor=caller, decision_id=about, outcome="approved", occurred_at=timezone.now())
    open_appeal(actor=caller, decision_id=about, ground_code="wrong-data", statement="It is not so.")
    new = NewOutcome(decision=decision_by_id(about), outcome="refused", observed_at=timezone.now())
    record_outcome(actor=caller, new=new)
    told = texts(review, owner)
    for said in (
        "The caller was told to hold, in mode review",
        "Rita Reviewer decided approved instead (wrong input).",
        "Olga Owner decided that halved takes its place (unfair effect).",
        "App says that approved was carried out. halved was to be carried out.",
        "App noted it: wrong data.",
        "App says that refused would have been right.",
    ):
        assert said in told
    client = Client()
    client.force_login(owner)
    page = client.get(f"/admin/decisions/{about}/").content.decode()
    assert "said the model; what holds is" in page
    assert "<b>halved</b>" in page
    assert "the caller did something else" in page


def test_that_a_worker_took_it_to_carry_out_is_told(system: AISystem, owner: Person) -> None:
    account = make_account(slug="app")
    make_key(system, scopes=("decisions:write",), account=account)
    review = open_review(system)
    override_decision(
        actor=actor_of(owner), decision_id=review.decision_id, outcome="approved", reason_code="wrong-input"
    )
    claim_execution(
        actor=Actor("service", account.pk),
        decision_id=review.decision_id,
        execution_id=new_id(),
        version=effective_of(review.decision_id).version,
        instance="worker-1",
    )
    assert "App (worker worker-1) took it to carry out approved." in texts(review, owner)


def test_a_judgement_is_hidden_from_others_until_the_review_is_over(system: AISystem, owner: Person) -> None:
    review = open_review(system, rule=make_rule(system, make_queue(owner), reviews_required=2))
    first, second = (make_person(name=name, reviewer=system) for name in ("Fay First", "Sid Second"))
    judge(first, review, Answer(decision="reject", reason_code="not-lawful"))
    assert "Fay First rejected" in texts(review, first)
    assert "rejected" not in texts(review, second)
    assert "Fay First handed in a judgement. It is shown once the review is over" in texts(review, second)
    judge(second, review, Answer(decision="reject", reason_code="not-lawful"))
    assert "Fay First rejected" in texts(review, second)


def test_the_list_tells_and_filters_what_people_overrode(system: AISystem, owner: Person) -> None:
    overridden, other = open_review(system), open_review(system)
    override_decision(
        actor=actor_of(owner), decision_id=overridden.decision_id, outcome="approved", reason_code="unfair-effect"
    )
    client = Client()
    client.force_login(owner)
    found = {
        asked: client.get("/admin/decisions/", {"overridden": asked}, follow=True).content.decode()
        for asked in ("yes", "no", "")
    }
    assert [str(overridden.decision_id) in page for page in found.values()] == [True, False, True]
    assert [str(other.decision_id) in page for page in found.values()] == [False, True, True]
    assert ">overridden</span>" in found["yes"]
    breaches = client.get("/admin/decisions/", {"flagged": "breach"})
    assert breaches.status_code == 200
    assert str(other.decision_id) not in breaches.content.decode()


def test_only_kinds_that_exist_have_sentences_and_a_verdict_never_tells_how_long_somebody_took() -> None:
    assert set(SAYINGS) <= set(Kind.declared)
    said = sentence("review.submitted", "Rita", {"said": "confirm", "reason_code": "as-proposed", "dwell_s": 3.2})
    assert said == "Rita confirmed the proposal (as proposed)."
