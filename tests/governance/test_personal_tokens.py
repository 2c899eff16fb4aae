"""Personal tokens: people call the API as themselves, for some hours; keys never pass for a person."""

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.urls import path
from django.utils import timezone
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from config.errors import InvalidInput
from config.urls import urlpatterns as real
from governance.acts import Role
from governance.api.authentication import IsPerson, actor_of, person_of, require_fresh
from governance.errors import FactorNotFresh, PersonNeeded, TokenNotFound
from governance.models import Person, PersonToken
from governance.scopes import Scope
from governance.services.people import change_own_password, deactivate_person
from governance.services.tokens import NewToken, create_token, revoke_token
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.register import actor_of as acting
from tests.factories.register import give_role, make_key, make_person, make_system
from tests.factories.sign_in import with_app

PASSWORD = "correct horse battery staple"


class WhoAmI(APIView):
    def get(self, request: Request) -> Response:
        return Response({"type": actor_of(request).type, "id": str(actor_of(request).id)})


class ForPeople(APIView):
    permission_classes = (IsPerson,)

    def get(self, request: Request) -> Response:
        return Response({"name": person_of(request).name})

    def post(self, request: Request) -> Response:
        return Response({"name": require_fresh(request).name})


urlpatterns = [path("api/test/who", WhoAmI.as_view()), path("api/test/people", ForPeople.as_view()), *real]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def person() -> Person:
    return make_person(name="Ada")


def token_of(person: Person, **rest: timedelta) -> NewToken:
    return create_token(actor=acting(person), name="laptop", proven_at=timezone.now(), **rest)


def client(text: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {text}"})


def test_a_token_speaks_for_its_person(person: Person) -> None:
    caller = client(token_of(person).text)
    assert caller.get("/api/test/who").json() == {"type": "person", "id": str(person.pk)}
    assert caller.get("/api/test/people").json() == {"name": "Ada"}


def test_only_a_hash_is_kept_and_the_entries_say_when_it_was_made_and_ended(person: Person) -> None:
    made = token_of(person)
    secret = made.text.rsplit("_", 1)[1]
    revoke_token(actor=acting(person), token_id=made.row.pk)
    revoke_token(actor=acting(person), token_id=made.row.pk)
    stored = PersonToken.objects.get()
    assert secret.encode() not in bytes(stored.secret_hash) and bytes.fromhex(secret) != bytes(stored.secret_hash)
    entries = Entry.objects.filter(about_id=made.row.pk).order_by("leaf_index")
    assert [entry.kind for entry in entries] == ["token.created", "token.revoked"]
    assert all(secret.encode() not in bytes(entry.data) and b"laptop" not in bytes(entry.data) for entry in entries)


def test_a_revoked_token_is_refused_at_once(person: Person) -> None:
    made = token_of(person)
    caller = client(made.text)
    assert caller.get("/api/test/people").status_code == 200
    revoke_token(actor=acting(person), token_id=made.row.pk)
    answer = caller.get("/api/test/people")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token-not-accepted")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_tokens_end_with_their_span_the_password_and_the_person(person: Person) -> None:
    caller = client(token_of(person, life=timedelta(hours=1)).text)
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        assert caller.get("/api/test/people").status_code == 401
    caller = client(token_of(person).text)
    change_own_password(actor=acting(person), password=PASSWORD)
    assert caller.get("/api/test/people").status_code == 401
    caller = client(token_of(person).text)
    make_person(administrator=True)
    deactivate_person(actor=COMMAND, person_id=person.pk)
    assert caller.get("/api/test/people").status_code == 401


@pytest.mark.parametrize("wrong", ["anp_abcdefghijkl_" + "0" * 64, "anp_", "anp_" + "x" * 500, "anp_ä"])
def test_what_is_no_token_is_refused_in_the_same_way(wrong: str) -> None:
    answer = client(wrong).get("/api/test/people")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token-not-accepted")


def test_a_right_id_with_another_secret_is_refused(person: Person) -> None:
    made = token_of(person)
    other = made.text[:-64] + "0" * 64
    assert client(other).get("/api/test/people").status_code == 401


def test_a_token_older_than_the_role_that_asks_for_a_factor_does_nothing_but_stop(
    person: Person, settings: Settings
) -> None:
    settings.SECOND_FACTOR_FORCED = True
    caller, system = client(token_of(person).text), make_system(slug="credit")
    give_role(person, Role.OPERATOR, Scope.system(system.pk))
    answer = caller.get("/api/test/people")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/factor-needed")
    assert caller.get("/api/v1/control/switches").status_code == 200
    stop = {"system": "credit", "mode": "stop", "reason_code": "harm-reported"}
    assert caller.post("/api/v1/control/tighten", stop, format="json").status_code == 200


def test_with_a_first_factor_the_tokens_of_a_password_end(person: Person) -> None:
    before = token_of(person)
    with_app(person)
    assert client(before.text).get("/api/test/people").status_code == 401
    after = token_of(person)
    with_app(person)
    assert client(after.text).get("/api/test/people").status_code == 200


def test_a_key_never_passes_for_a_person() -> None:
    caller = client(make_key(make_system()).text)
    assert caller.get("/api/test/who").json()["type"] == "service"
    answer = caller.get("/api/test/people")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-needed")
    assert APIClient().get("/api/test/people").status_code == 401


def test_a_token_is_no_key(person: Person) -> None:
    """People read what a key reads; what a service says of itself, they cannot say."""
    caller = client(token_of(person).text)
    assert caller.post("/api/v1/decisions", {}).status_code == 401
    assert caller.get("/api/v1/control/state").status_code == 401


def test_acts_that_ask_for_a_fresh_factor_take_a_token_for_ten_minutes(person: Person) -> None:
    caller = client(token_of(person).text)
    assert caller.post("/api/test/people").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1), tick=False):
        answer = caller.post("/api/test/people")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/factor-not-fresh")
        assert caller.get("/api/test/people").status_code == 200


def test_a_token_is_made_by_its_person_soon_after_a_factor(person: Person) -> None:
    now = timezone.now()
    for actor in (COMMAND, Actor("service", person.pk)):
        with pytest.raises(PersonNeeded):
            create_token(actor=actor, name="", proven_at=now)
    for stale in (now - timedelta(minutes=11), now + timedelta(hours=1)):
        with pytest.raises(FactorNotFresh):
            create_token(actor=acting(person), name="laptop", proven_at=stale)
    for life in (timedelta(0), timedelta(days=31)):
        with pytest.raises(InvalidInput):
            create_token(actor=acting(person), name="laptop", proven_at=now, life=life)


def test_nobody_ends_anothers_token(person: Person) -> None:
    made = token_of(person)
    with pytest.raises(TokenNotFound):
        revoke_token(actor=acting(make_person(administrator=True)), token_id=made.row.pk)


def test_the_database_keeps_no_token_for_longer_than_30_days(person: Person) -> None:
    made = token_of(person)
    with pytest.raises(IntegrityError), transaction.atomic():
        PersonToken.objects.filter(pk=made.row.pk).update(expires_at=timezone.now() + timedelta(days=31))


def test_the_description_names_both_ways_to_sign_in() -> None:
    schemes = APIClient().get("/api/schema", headers={"Accept": "application/json"}).json()["components"]
    assert {"serviceKey", "personalToken"} <= schemes["securitySchemes"].keys()
