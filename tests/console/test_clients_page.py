"""The page of clients: who would hear a stop, and flags that nobody has; each to those who may see the AI system."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from governance.models import AISystem, ServiceKey
from overrides.clients import unknown_flags
from overrides.models import ClientInstance, Probe
from overrides.services.probing import send_probe
from tests.factories.control import ack, operator_of, reading
from tests.factories.register import make_key, make_system

pytestmark = pytest.mark.django_db
CLIENTS = "/admin/switchboard/clients/"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def page(system: AISystem, client: Client) -> Any:
    client.force_login(operator_of(system))

    def read(path: str = CLIENTS) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(path).content.decode()))

    return read


def test_who_did_not_apply_the_probe_comes_first_and_since_when(system: AISystem, page: Any) -> None:
    assert "No client was heard of" in page()
    grant = reading(system)
    ack(grant, system, None, instance="deaf")
    ack(grant, system, None, instance="hearing")
    epoch = send_probe()
    Probe.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    for instance in ("deaf", "hearing"):
        ack(grant, system, epoch if instance == "hearing" else None, instance=instance)
    ClientInstance.objects.update(first_heard_at=timezone.now() - timedelta(minutes=3))
    text = page()
    assert "1 of 2 armed" in text
    assert text.index("deaf") < text.index("not armed") < text.index("hearing")


def test_flags_are_shown_to_who_may_see_an_ai_system_that_the_key_reaches(system: AISystem, page: Any) -> None:
    other = make_system(slug="cv-triage")
    mine, theirs = make_key(system).row, make_key(other).row
    _asked(mine, "credit-limits.mod", times=3)
    _asked(theirs, "cv-triage.mod")
    text = page()
    assert "credit-limits.mod" in text
    assert str(mine.account) in text
    assert "cv-triage.mod" not in text
    assert "1 flag missing" in page("/admin/switchboard/")


def test_without_any_the_board_says_nothing_of_flags(page: Any) -> None:
    assert "missing" not in page("/admin/switchboard/")
    assert "every flag that was asked for is there" in page()


def _asked(key: ServiceKey, flag: str, times: int = 1) -> None:
    for _ in range(times):
        unknown_flags.note(key.pk, flag)
    unknown_flags.write()
