"""E-mails about cases name the case and the day, and lead to its page."""

import pytest

from notices.letters import letter_for
from notices.models import Message
from tests.factories.cases import act, make_led_case
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db


def test_the_letter_about_an_action_names_case_and_day_and_not_what_is_to_be_done() -> None:
    case, lead = make_led_case(make_system())
    action = act(case, lead, make_person(), what="Mend the till of Ada.")
    said = letter_for(Message.objects.get(kind="case.action_planned"))
    assert case.reference in said.subject and action.due_on.isoformat() in " ".join(said.lines)
    assert "Ada" not in said.subject + " ".join(said.lines)
    assert said.page == f"/admin/cases/{case.pk}/"
