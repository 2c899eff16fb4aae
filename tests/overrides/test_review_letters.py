"""E-mails about reviews say what waits, and where; never what anybody decided."""

import pytest

from config.ids import new_id
from notices.letters import letter_for
from notices.models import Message


@pytest.mark.parametrize("kind", ["review.conflicted", "review.escalated", "appeal.opened"])
def test_a_letter_about_a_decision_leads_to_its_page(kind: str) -> None:
    decision_id = new_id()
    found = letter_for(Message(kind=kind, facts={"decision": str(decision_id)}))
    assert found.page == f"/admin/decisions/{decision_id}/"
    assert found.lines


def test_the_letter_about_time_running_names_the_queue() -> None:
    found = letter_for(Message(kind="reviews.due", facts={"queue": "loans", "share": 80}))
    assert "the queue loans have used 80 %" in found.lines[0]
