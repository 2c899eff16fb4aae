"""Commands for scripts: what they print, what they seal."""

import pytest
from django.core.management import CommandError, call_command

from governance.api.authentication import authenticate_key
from governance.models import AISystem, Assignment, Person, ServiceKey
from ledger.models import Entry

pytestmark = pytest.mark.django_db


def create_system(slug: str = "credit") -> None:
    call_command("create_system", slug=slug, name="Credit", accountable="Owner@Example.org")


def test_a_system_is_offered_to_a_person_who_is_registered_if_unknown() -> None:
    create_system()
    offer = Assignment.objects.get()
    assert (offer.status, offer.person.email, offer.system and offer.system.slug) == (
        "offered",
        "owner@example.org",
        "credit",
    )
    create_system("another")
    assert Person.objects.count() == 1


def test_what_the_command_line_did_is_sealed_as_such() -> None:
    create_system()
    entry = Entry.objects.get(kind="system.registered")
    assert b'"actor":{"type":"command"}' in bytes(entry.data)


def test_nothing_is_left_of_a_registration_that_is_refused() -> None:
    create_system()
    with pytest.raises(CommandError):
        call_command("create_system", slug="credit", name="Credit", accountable="somebody-else@example.org")
    assert (AISystem.objects.count(), Person.objects.count()) == (1, 1)


def test_the_key_alone_is_printed_and_it_works(capsys: pytest.CaptureFixture[str]) -> None:
    create_system()
    capsys.readouterr()
    call_command("create_service_key", system=["credit"], scope=["decisions:write"])
    printed = capsys.readouterr().out
    assert printed.endswith("\n") and printed.count("\n") == 1
    grant = authenticate_key(f"Bearer {printed.strip()}")
    assert grant.system("credit").slug == "credit"
    owner = ServiceKey.objects.get().account.owner
    assert owner and owner.email == "owner@example.org"


def test_a_key_for_an_unknown_system_is_not_made() -> None:
    with pytest.raises(CommandError):
        call_command("create_service_key", system=["nothing"], scope=["decisions:write"])
    assert not ServiceKey.objects.exists()


def test_refusals_are_in_the_words_of_the_command_line() -> None:
    with pytest.raises(CommandError, match=r"^No AI system has the slug 'nope'\.$"):
        call_command("create_service_key", system=["nope"], scope=["decisions:write"])
    with pytest.raises(CommandError, match=r"^--accountable: Enter a valid email address\.$"):
        call_command("create_system", slug="credit", name="Credit", accountable="foo")
    with pytest.raises(CommandError, match=r"^slug: "):
        call_command("create_system", slug="Not a slug", name="Credit", accountable="who@example.org")
    assert not Person.objects.exists()
