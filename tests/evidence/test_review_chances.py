"""The probability that a review was drawn with, against the rules that took their share before its own."""

import pytest

from evidence.verification import verify_everything
from tests.factories.register import make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.committing


@pytest.mark.parametrize(("probability", "found"), [(0.4, set()), (0.4 - 0.1, set()), (0.2, {"review-altered"})])
def test_a_share_is_what_an_earlier_one_left_of_it(transactional_db: None, probability: float, found: set[str]) -> None:
    system, queue = make_system(), make_queue(make_person())
    make_rule(system, queue, condition={"share": 0.1, "outcome_in": ["refused"]})
    rule = make_rule(system, queue, condition={"share": 0.4})
    open_review(system, rule=rule, probability=probability)
    assert {each.code for each in verify_everything()} == found
