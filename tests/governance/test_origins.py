"""No log is opened under a name that is not the registry's: it would keep it for ever."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from governance.models import AISystem
from ledger.models import Log

pytestmark = pytest.mark.django_db


def create_system() -> None:
    call_command("create_system", slug="credit", name="Credit", accountable="owner@example.org")


@pytest.mark.parametrize("name", ["elsewhere.example.org", "answerable"])
def test_under_another_name_no_system_is_registered(settings: Settings, name: str) -> None:
    settings.ORIGIN = name
    with pytest.raises(CommandError, match="another name than its logs"):
        create_system()
    assert not AISystem.objects.exists()
    assert not Log.objects.filter(kind=Log.Kind.SYSTEM).exists()


def test_under_its_own_name_systems_get_logs_beside_the_registry() -> None:
    create_system()
    origins = {origin.rpartition("/logs/")[0] for origin in Log.objects.values_list("origin", flat=True)}
    assert len(origins) == 1


def test_readiness_names_both_names(settings: Settings, client: Client) -> None:
    born, settings.ORIGIN = settings.ORIGIN, "elsewhere.example.org"
    answer = client.get("/readyz")
    finding = json.loads(answer.content)["checks"]["origin"]
    assert answer.status_code == 503
    assert finding["detail"].startswith(f"The logs are those of {born}, but ANSWERABLE_ORIGIN is {settings.ORIGIN}.")
