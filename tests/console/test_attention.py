"""What the overview and an AI system's page say needs somebody now."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from console.attention import attention_for, parameters_in_force
from tests.factories.control import ask_for, stop
from tests.factories.parameters import make_crew
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db


def test_what_waits_is_counted_for_whom_it_concerns() -> None:
    crew = make_crew()
    places = [crew.system.pk]
    assert not attention_for(crew.approver, places).waits
    review = open_review(crew.system, at=timezone.now() - timedelta(hours=3))
    ask_for(stop(crew.system), crew.operator)
    crew.set(crew.parameter(), 9000)
    found = attention_for(crew.approver, places)
    assert (found.reviews, found.oldest, found.requests) == (1, review.opened_at, 2)
    assert attention_for(crew.operator, places).requests == 0, "nobody agrees to their own request"
    assert attention_for(crew.approver, []).reviews == 0


def test_an_overdue_drill_is_named_when_it_is() -> None:
    crew = make_crew()
    crew.system.__class__.objects.filter(pk=crew.system.pk).update(status="live")
    with time_machine.travel(timezone.now() + timedelta(days=400)):
        (debt,) = attention_for(crew.operator, [crew.system.pk]).overdue
        assert debt.system == crew.system
    assert attention_for(crew.operator, [crew.system.pk]).overdue == []


def test_the_pages_say_it() -> None:
    crew = make_crew()
    crew.parameter()
    open_review(crew.system)
    ask_for(stop(crew.system), crew.operator)
    client = Client()
    client.force_login(crew.approver)
    overview = client.get("/admin/").content.decode()
    assert "1 request to loosen a control waits for your agreement" in " ".join(overview.split())
    assert "Open reviews" in overview
    page = client.get(f"/admin/systems/{crew.system.pk}/").content.decode()
    assert "Parameters in force" in page
    assert "max-amount" in page
    (held,) = parameters_in_force(crew.system.pk)
    assert (held.value, held.lapses_at) == (1000.0, None)
