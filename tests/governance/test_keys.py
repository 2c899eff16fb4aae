"""Service keys: what a header must be, what it opens, what ends it."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from governance.api.authentication import authenticate_key
from governance.errors import KeyEnded, KeyNotAccepted, KeyOutOfScope
from governance.models import ServiceKey
from governance.services.accounts import update_account
from governance.services.keys import create_service_key, revoke_service_key, rotate_service_key
from governance.usage import write_uses
from ledger.entries import COMMAND, Actor
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db


def bearer(text: str) -> str:
    return f"Bearer {text}"


def test_a_key_opens_its_systems_and_acts() -> None:
    system = make_system(slug="ours")
    grant = authenticate_key(bearer(make_key(system).text))
    assert grant.system("ours").id == system.pk
    assert grant.allows("decisions:write") and not grant.allows("register:write")
    assert grant.environment == "production"


def test_a_key_of_one_system_does_not_open_another_and_does_not_tell_whether_it_exists() -> None:
    make_system(slug="theirs")
    grant = authenticate_key(bearer(make_key(make_system()).text))
    refusals = []
    for slug in ("theirs", "never-existed"):
        with pytest.raises(KeyOutOfScope) as refused:
            grant.system(slug)
        refusals.append(refused.value.detail)
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "bearer ans_aaaaaaaaaaaa_" + "0" * 64,
        "Bearer sk_aaaaaaaaaaaa_" + "0" * 64,
        "Bearer ans_aaaaaaaaaaaa_" + "0" * 64,
        "Bearer ans_aaaaaaaaaaaa_" + "0" * 63,
        "Bearer ans_aaaaaaaaaaaa_" + "0" * 64 + "\n",
        "Bearer ans_aaaaaaaaaaaa_" + "\u0660" * 64,
        "Bearer " + "a" * 1_000_000,
        "Bearer ans_\x00",
    ],
)
def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(header: str) -> None:
    with pytest.raises(KeyNotAccepted) as refused:
        authenticate_key(header)
    assert refused.value.detail == KeyNotAccepted.default_detail


def test_another_secret_does_not_open_a_key() -> None:
    text = make_key(make_system()).text
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    with pytest.raises(KeyNotAccepted):
        authenticate_key(bearer(wrong))


def test_an_expired_key_is_refused_to_the_second() -> None:
    ends = timezone.now() + timedelta(hours=1)
    key = make_key(make_system(), expires_at=ends)
    assert authenticate_key(bearer(key.text), now=ends - timedelta(seconds=1))
    with pytest.raises(KeyNotAccepted):
        authenticate_key(bearer(key.text), now=ends)


def test_a_revoked_key_is_refused() -> None:
    key = make_key(make_system())
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    with pytest.raises(KeyNotAccepted):
        authenticate_key(bearer(key.text))


def test_the_keys_of_an_inactive_account_are_refused() -> None:
    account = make_account()
    key = make_key(make_system(), account=account)
    update_account(actor=COMMAND, account_id=account.pk, changes={"is_active": False})
    with pytest.raises(KeyNotAccepted):
        authenticate_key(bearer(key.text))


def test_rotation_lets_both_keys_in_until_the_overlap_ends() -> None:
    old = make_key(make_system())
    new = rotate_service_key(actor=COMMAND, key_id=old.row.pk, overlap=timedelta(days=1))
    assert authenticate_key(bearer(old.text)) and authenticate_key(bearer(new.text))
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1), tick=False):
        assert authenticate_key(bearer(new.text))
        with pytest.raises(KeyNotAccepted):
            authenticate_key(bearer(old.text))


def test_rotation_never_lengthens_a_key() -> None:
    ends = timezone.now() + timedelta(hours=1)
    old = make_key(make_system(), expires_at=ends)
    rotate_service_key(actor=COMMAND, key_id=old.row.pk, overlap=timedelta(days=7))
    assert ServiceKey.objects.get(pk=old.row.pk).expires_at == ends


def test_a_revoked_key_is_not_rotated() -> None:
    key = make_key(make_system())
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    with pytest.raises(KeyEnded):
        rotate_service_key(actor=COMMAND, key_id=key.row.pk)


def test_only_the_hash_of_a_secret_is_stored() -> None:
    key = make_key(make_system())
    stored = ServiceKey.objects.get(pk=key.row.pk)
    secret = key.text.rsplit("_", 1)[1]
    assert len(bytes(stored.secret_hash)) == 32
    assert secret not in repr(vars(stored)) and bytes.fromhex(secret) != bytes(stored.secret_hash)


def test_a_key_without_acts_or_with_an_unknown_act_is_not_made() -> None:
    for scopes in ([], ["everything"]):
        with pytest.raises(InvalidInput):
            make_key(make_system(), scopes=scopes)


def test_a_service_account_makes_no_keys() -> None:
    key = make_key(make_system(), scopes=["register:write"])
    with pytest.raises(Forbidden):
        create_service_key(
            actor=Actor("service", key.row.account_id), account=key.row.account, systems=[], scopes=["ledger:read"]
        )


def test_only_an_administrator_makes_keys() -> None:
    system = make_system()
    operator = make_person(operator=system)
    with pytest.raises(Forbidden):
        create_service_key(actor=actor_of(operator), account=make_account(), systems=[system], scopes=["ledger:read"])
    admin = make_person(administrator=True)
    assert create_service_key(actor=actor_of(admin), account=make_account(), systems=[system], scopes=["ledger:read"])


def test_a_key_is_for_an_environment_that_the_system_then_has() -> None:
    system = make_system()
    make_key(system, environment="staging")
    assert set(system.environments.values_list("slug", flat=True)) == {"production", "staging"}


def test_last_use_is_written_later() -> None:
    key = make_key(make_system())
    authenticate_key(bearer(key.text))
    authenticate_key(bearer(key.text))
    assert ServiceKey.objects.get(pk=key.row.pk).last_used_at is None
    write_uses()
    assert ServiceKey.objects.get(pk=key.row.pk).last_used_at is not None
