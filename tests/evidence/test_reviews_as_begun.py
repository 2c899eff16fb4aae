"""Reviews as intake opens them, through the front door: what their rule demands, and that verification takes it so."""

from typing import Any

import pytest

from evidence.verification import verify_everything
from governance.models import AISystem
from overrides.models import Review, ReviewRule
from overrides.standing import Mode
from tests.factories.control import stop
from tests.factories.register import make_person
from tests.factories.reviews import make_queue, make_rule
from tests.intake.conftest import Sender, make_sender

pytestmark = [pytest.mark.committing, pytest.mark.usefixtures("transactional_db")]

STRICT: dict[str, Any] = {"reviews_required": 2, "is_blind": True, "required_skill": "lending", "deadline_s": 1800}


@pytest.fixture
def sender() -> Sender:
    return make_sender("credit")


def propose(sender: Sender, **changes: Any) -> Review:
    answer = sender.post(sender.record(phase="proposed", outcome="refused", **changes))
    assert (answer.status_code, answer.json()["directive"]["action"]) == (201, "hold")
    return Review.objects.get(pk=answer.json()["directive"]["review_id"])


def rule_for(sender: Sender, **values: Any) -> ReviewRule:
    return make_rule(sender.systems[0], make_queue(make_person()), **values)


def test_the_mode_review_takes_nothing_away_from_what_a_rule_demands(sender: Sender) -> None:
    rule = rule_for(sender, **STRICT)
    stop(sender.systems[0], mode=Mode.REVIEW)
    review = propose(sender)
    assert (review.rule_id, review.queue_id) == (rule.pk, rule.queue_id)
    assert {name: getattr(review, name) for name in STRICT if name != "deadline_s"} == {
        name: STRICT[name] for name in STRICT if name != "deadline_s"
    }
    assert (review.deadline_at - review.opened_at).total_seconds() == 1800
    assert list(verify_everything()) == []


def test_the_reason_is_the_switchs_and_what_meets_no_rule_waits_in_the_default_queue(sender: Sender) -> None:
    rule_for(sender, condition={"outcome_in": ["approved"]})
    default = make_queue(make_person(), is_default=True)
    stop(sender.systems[0], mode=Mode.REVIEW)
    answer = sender.post(sender.record(phase="proposed", outcome="refused")).json()["directive"]
    assert (answer["mode"], answer["reason_code"]) == ("review", "harm-reported")
    review = Review.objects.get(pk=answer["review_id"])
    assert (review.rule_id, review.queue_id, review.probability) == (None, default.pk, 1.0)
    assert list(verify_everything()) == []


def test_in_the_mode_review_nothing_takes_effect_unseen_and_all_is_chosen(sender: Sender) -> None:
    AISystem.objects.update(risk_class=AISystem.RiskClass.MINIMAL)
    rule = rule_for(sender, condition={"share": 1.0}, on_timeout="allow")
    before = propose(sender)
    stop(sender.systems[0], mode=Mode.REVIEW)
    held = propose(sender)
    assert (before.on_timeout, held.on_timeout) == ("allow", "block")
    assert (before.rule_id, held.rule_id, held.probability) == (rule.pk, rule.pk, 1.0)
    assert [each.code for each in verify_everything() if each.table == Review._meta.db_table] == []


def test_a_rule_that_comes_after_a_share_takes_what_is_left_and_verifies(sender: Sender) -> None:
    """Drawn by chance: so many that some fall to the second rule."""
    rule_for(sender, condition={"share": 0.5})
    second = rule_for(sender, condition={"outcome_in": ["refused"]})
    chances = {(each.rule_id == second.pk, each.probability) for each in (propose(sender) for _ in range(12))}
    assert chances == {(False, 0.5), (True, 0.5)}
    assert list(verify_everything()) == []


def test_what_stands_in_for_a_fallback_and_meets_a_rule_verifies(sender: Sender) -> None:
    AISystem.objects.update(fallback_kind="model_version", fallback="1.9")
    rule = rule_for(sender)
    stop(sender.systems[0], mode=Mode.FALLBACK)
    review = propose(sender, model_version="1.9")
    assert review.rule_id == rule.pk
    assert [each.code for each in verify_everything() if each.table == Review._meta.db_table] == []
