"""E-mails about reviews say what waits, and where; never what anybody decided."""

import pytest

from config.ids import new_id
from notices.letters import letter_for
from notices.models import Message


@pytest.mark.parametrize("kind", ["review.conflicted", "review.due", "review.escalated", "review.offered"])
def test_a_letter_about_a_review_leads_to_what_waits(kind: str) -> None:
    found = letter_for(Message(kind=kind, facts={"decision": str(new_id()), "review": str(new_id())}))
    assert found.page == "/admin/reviews/"
    assert found.lines


def test_a_letter_about_an_appeal_leads_to_it() -> None:
    appeal_id = new_id()
    facts = {"appeal": str(appeal_id), "decision": str(new_id())}
    assert letter_for(Message(kind="appeal.opened", facts=facts)).page == f"/admin/reviews/appeals/{appeal_id}/"


def test_the_letter_about_time_running_names_the_queue() -> None:
    found = letter_for(Message(kind="reviews.due", facts={"queue": "loans", "share": 80}))
    assert "the queue loans have used 80 %" in found.lines[0]
    assert found.page == "/admin/reviews/"
