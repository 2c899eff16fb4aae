"""Webhook endpoints: who may have one, what is refused, what is sealed, what is shown once."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from governance.errors import FactorKeyUnavailable
from governance.models import AISystem
from governance.services.people import deactivate_person
from ledger.entries import COMMAND
from ledger.models import Entry, Particulars
from ledger.selectors import open_log, registry_log
from notices.errors import EndpointNotFound
from notices.models import EndpointSecret, WebhookEndpoint
from notices.services.endpoints import (
    disable_endpoint,
    enable_endpoint,
    register_endpoint,
    rotate_secret,
    update_endpoint,
)
from notices.webhooks import signing
from tests.factories.register import actor_of, make_person, make_system
from tests.notices.endpoints import make_endpoint

pytestmark = pytest.mark.django_db


def kinds(endpoint: WebhookEndpoint) -> list[str]:
    return list(Entry.objects.filter(about_id=endpoint.pk).order_by("id").values_list("kind", flat=True))


def test_the_secret_is_shown_once_and_is_32_random_bytes() -> None:
    made = make_endpoint()
    assert made.text.startswith("whsec_")
    secret = base64.b64decode(made.text.removeprefix("whsec_"))
    assert len(secret) == 32
    kept = EndpointSecret.objects.get()
    assert secret not in bytes(kept.secret)  # whoever has the database alone signs nothing
    assert signing.opened(bytes(kept.secret), made.row.pk) == secret
    with pytest.raises(FactorKeyUnavailable):
        signing.opened(bytes(kept.secret), new_id())


def test_every_act_is_sealed_and_the_address_is_in_no_entry() -> None:
    made = make_endpoint("https://hooks.example.org/unmistakable-token")
    actor, pk = actor_of(made.row.owner), made.row.pk
    update_endpoint(actor=actor, endpoint_id=pk, changes={"event_types": ["switch.*"]})
    rotate_secret(actor=actor, endpoint_id=pk)
    disable_endpoint(actor=actor, endpoint_id=pk, reason="Moves")
    disable_endpoint(actor=actor, endpoint_id=pk)
    enable_endpoint(actor=actor, endpoint_id=pk)
    enable_endpoint(actor=actor, endpoint_id=pk)
    acts = ("registered", "updated", "secret_rotated", "disabled", "enabled")
    assert kinds(made.row) == [f"webhook.{each}" for each in acts]
    entries = b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))
    assert b"unmistakable" not in entries
    assert Particulars.objects.filter(row_id=pk, part="particulars").exists()


def test_the_endpoint_of_one_system_is_written_to_its_log() -> None:
    system = make_system()
    assert Entry.objects.get(about_id=make_endpoint("https://a.example.org/", system).row.pk).log == open_log(system.pk)
    assert Entry.objects.get(about_id=make_endpoint().row.pk).log == registry_log()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"url": "http://hooks.example.org/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"name": "  "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"event_types": []}, "/event_types"),
        ({"event_types": ["switch.*.x"]}, "/event_types"),
        ({"event_types": ["Switch.Stopped"]}, "/event_types"),
        ({"event_types": ["switch.stoped"]}, "/event_types"),
        ({"event_types": ["switches.*"]}, "/event_types"),
        ({"event_types": ["webhook.test"]}, "/event_types"),
        ({"event_types": ["a" * 61 + ".x"]}, "/event_types"),
        ({"event_types": [f"kind.n{'a' * number}" for number in range(51)]}, "/event_types"),
        ({"format": "binary"}, "/format"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    owner = make_person(administrator=True)
    given = {"name": "Ticketing", "url": "https://hooks.example.org/", "event_types": ["*"]} | changes
    with pytest.raises(InvalidInput) as refused:
        register_endpoint(actor=actor_of(owner), **given)
    assert [problem.pointer for problem in refused.value.errors] == [pointer]
    assert not WebhookEndpoint.objects.exists()


def may_register(roles: dict[str, Any], *systems: AISystem) -> bool:
    try:
        make_endpoint("https://a.example.org/", *systems, owner=make_person(**roles))
    except Forbidden:
        return False
    return True


def test_who_may_register_one() -> None:
    mine, other = make_system(), make_system()
    assert may_register({"administrator": True})
    assert may_register({"technical_owner": mine}, mine)
    assert not may_register({"technical_owner": mine}, mine, other)
    assert not may_register({"technical_owner": mine})
    assert not may_register({"operator": mine}, mine)
    assert not may_register({})


def test_a_command_owns_no_endpoint() -> None:
    with pytest.raises(Forbidden):
        register_endpoint(actor=COMMAND, name="Ticketing", url="https://a.example.org/", event_types=["*"])


def test_nobody_widens_an_endpoint_beyond_their_own_rights() -> None:
    mine, other = make_system(), make_system()
    owner = make_person(technical_owner=mine)
    made = make_endpoint("https://a.example.org/", mine, owner=owner)
    for wider in ([], [mine.pk, other.pk]):
        with pytest.raises(Forbidden):
            update_endpoint(actor=actor_of(owner), endpoint_id=made.row.pk, changes={"system_ids": wider})
    made.row.refresh_from_db()
    assert made.row.system_ids == [mine.pk]


def test_a_stranger_is_not_told_whether_it_exists() -> None:
    made, stranger = make_endpoint(), actor_of(make_person())
    for endpoint_id in (made.row.pk, new_id()):
        with pytest.raises(Forbidden):
            disable_endpoint(actor=stranger, endpoint_id=endpoint_id)
    with pytest.raises(EndpointNotFound):
        disable_endpoint(actor=actor_of(made.row.owner), endpoint_id=new_id())


def test_an_overlap_has_bounds() -> None:
    made = make_endpoint()
    for overlap in (timedelta(seconds=-1), timedelta(days=8)):
        with pytest.raises(InvalidInput):
            rotate_secret(actor=actor_of(made.row.owner), endpoint_id=made.row.pk, overlap=overlap)


def test_rotating_at_once_leaves_one_secret_in_force() -> None:
    made = make_endpoint()
    for _ in range(2):
        rotate_secret(actor=actor_of(made.row.owner), endpoint_id=made.row.pk, overlap=timedelta(0))
    assert EndpointSecret.objects.filter(expires_at=None).count() == 1
    assert EndpointSecret.objects.count() == 2  # the one before is past, and goes with the next


def test_the_database_refuses_two_newest_secrets_and_a_disabling_without_a_word() -> None:
    made = make_endpoint()
    with pytest.raises(IntegrityError), transaction.atomic():
        EndpointSecret.objects.create(endpoint=made.row, secret=b"x" * 32)
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookEndpoint.objects.filter(pk=made.row.pk).update(status="disabled")


def test_an_address_that_is_not_allowed_any_more_is_not_enabled_again(settings: Settings) -> None:
    settings.WEBHOOK_PORTS = [443, 8443]
    made = make_endpoint("https://hooks.example.org:8443/")
    disable_endpoint(actor=actor_of(made.row.owner), endpoint_id=made.row.pk)
    settings.WEBHOOK_PORTS = [443]
    with pytest.raises(InvalidInput):
        enable_endpoint(actor=actor_of(made.row.owner), endpoint_id=made.row.pk)


def test_the_owner_may_leave() -> None:
    owner = make_person(administrator=True)
    make_person(administrator=True)
    make_endpoint(owner=owner)
    deactivate_person(actor=COMMAND, person_id=owner.pk)
    assert not type(owner).objects.get(pk=owner.pk).is_active
