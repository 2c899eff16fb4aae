"""Systems and versions over the API: strict, repeatable, within the key's reach."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AISystem, Assignment, ServiceKey
from governance.services.keys import NewKey, revoke_service_key
from ledger.entries import COMMAND
from tests.factories.register import make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/systems"


def client(key: NewKey) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {key.text}"})


def registering_key(*systems: AISystem) -> NewKey:
    return make_key(
        *systems, scopes=["register:write"], account=make_account(owner=make_person(email="owner@example.org"))
    )


def test_a_registered_system_is_offered_to_the_owner_of_the_key() -> None:
    answer = client(registering_key()).post(URL, {"slug": "triage", "name": "Triage"})
    assert answer.status_code == 201, answer.content
    offer = Assignment.objects.get(system__slug="triage")
    assert (offer.role, offer.status, offer.person.email) == (Role.ACCOUNTABLE, "offered", "owner@example.org")
    assert answer.json()["environments"] == ["production"]


def test_a_registered_system_can_be_offered_to_somebody_named() -> None:
    make_person(email="named@example.org")
    answer = client(registering_key()).post(
        URL, {"slug": "triage", "name": "Triage", "accountable": "Named@Example.org"}
    )
    assert answer.status_code == 201, answer.content
    assert Assignment.objects.get(system__slug="triage").person.email == "named@example.org"


@pytest.mark.parametrize(
    ("configuration", "pointer"),
    [
        (r'{"prompt": "a\u0000b"}', "/configuration/prompt"),
        (r'{"steps": [1, {"say": "\u0000"}]}', "/configuration/steps/1/say"),
        (r'{"a\u0000": 1}', "/configuration/a\\u0000"),
    ],
)
def test_a_configuration_that_no_column_holds_is_refused_with_its_place(configuration: str, pointer: str) -> None:
    system = make_system(slug="ours")
    body = f'{{"version": "1", "configuration": {configuration}}}'
    answer = client(registering_key(system)).post(f"{URL}/ours/versions", body, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_key_makes_no_people() -> None:
    answer = client(registering_key()).post(URL, {"slug": "triage", "name": "T", "accountable": "who@example.org"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/accountable"
    assert not AISystem.objects.filter(slug="triage").exists()


def test_a_key_reaches_what_it_registered_and_nothing_else() -> None:
    make_system(slug="theirs")
    key = registering_key()
    post = client(key).post(URL, {"slug": "mine", "name": "Mine"})
    assert post.status_code == 201
    assert [each["slug"] for each in client(key).get(URL).json()["items"]] == ["mine"]
    assert client(key).post(f"{URL}/mine/versions", {"version": "v1"}).status_code == 201
    assert client(key).post(f"{URL}/theirs/versions", {"version": "v1"}).status_code == 403
    assert client(key).post(f"{URL}/nothing/versions", {"version": "v1"}).status_code == 403


def test_the_same_registration_again_is_answered_with_what_exists() -> None:
    key = registering_key()
    body = {"slug": "mine", "name": "Mine"}
    first, again = client(key).post(URL, body), client(key).post(URL, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]


def test_the_same_slug_with_other_values_or_out_of_reach_is_a_conflict() -> None:
    make_system(slug="theirs")
    key = registering_key()
    client(key).post(URL, {"slug": "mine", "name": "Mine"})
    for body in ({"slug": "mine", "name": "Other"}, {"slug": "theirs", "name": "Theirs"}):
        answer = client(key).post(URL, body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/system-exists")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"slug": "x", "name": "X", "nmae": "typo"}, "/nmae"),
        ({"name": "X"}, "/slug"),
        ({"slug": "Große", "name": "X"}, "/slug"),
        ({"slug": "x\u0441", "name": "X"}, "/slug"),
        ({"slug": "x\n", "name": "X"}, "/slug"),
        ({"slug": "-x", "name": "X"}, "/slug"),
        ({"slug": "x" * 101, "name": "X"}, "/slug"),
        ({"slug": "x", "name": "X", "risk_class": "none"}, "/risk_class"),
        ({"slug": "x", "name": "X", "environments": ["ok", "Not OK"]}, "/environments/1"),
        ({"slug": "x", "name": "X\u0000"}, "/name"),
        ({"slug": "x", "name": "X" * 201}, "/name"),
    ],
)
def test_what_is_wrong_with_a_body_is_named_by_a_pointer(body: dict[str, Any], pointer: str) -> None:
    answer = client(registering_key()).post(URL, body)
    assert answer.status_code == 422, answer.content
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]


def test_a_key_without_the_scope_is_refused() -> None:
    key = make_key(make_system(), scopes=["decisions:write"])
    answer = client(key).get(URL)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/key-out-of-scope")


def test_no_key_or_a_revoked_one_is_401() -> None:
    key = registering_key()
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    for answer in (client(key).get(URL), APIClient().get(URL)):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_registers_nothing_even_if_memory_has_not_heard() -> None:
    key = registering_key()
    ServiceKey.objects.filter(pk=key.row.pk).update(revoked_at="2020-01-01T00:00Z")
    assert client(key).post(URL, {"slug": "late", "name": "Late"}).status_code in (401, 403, 409)
    assert not AISystem.objects.filter(slug="late").exists()


def test_a_version_is_registered_once_and_the_same_again_is_the_same() -> None:
    key = registering_key(make_system(slug="ours"))
    body = {"version": "gbm-2.1", "configuration": {"threshold": 0.5}, "model_digest": "sha256:" + "a" * 64}
    answers = [client(key).post(f"{URL}/ours/versions", body) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    other = client(key).post(f"{URL}/ours/versions", body | {"configuration": {"threshold": 0.6}})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/model-version-exists")


def test_a_version_name_is_clear_text() -> None:
    key = registering_key(make_system(slug="ours"))
    assert client(key).post(f"{URL}/ours/versions", {"version": "v 1 für alle"}).status_code == 422


def test_lists_are_paged() -> None:
    key = registering_key(*(make_system(slug=f"s-{number}") for number in range(3)))
    first = client(key).get(URL, {"limit": 2}).json()
    assert [each["slug"] for each in first["items"]] == ["s-0", "s-1"]
    rest = client(key).get(URL, {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["slug"] for each in rest["items"]] == ["s-2"]


def test_what_an_address_takes_comes_before_what_a_key_may_do() -> None:
    key = make_key(make_system(slug="credit"), scopes=["decisions:write"])
    answer = client(key).patch(URL, {})
    assert answer.status_code == 405
    assert "GET" in answer["Allow"] and "POST" in answer["Allow"]
    assert client(key).post(URL, {}).status_code == 403
    assert APIClient().post(URL, {}).status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"slug": "a", "slug": "b", "name": "N"}', '"slug"'),
        (b'{"slug": "a", "name": "N", "x": [{"deep": 1, "deep": 1}]}', '"deep"'),
        (b'{"slug": "a", "name": NaN}', "not JSON"),
        (b'{"slug": "a", "name": 1e999}', "not JSON"),
        (b"[" * 1020 + b"]" * 1020, "nested too deeply"),
    ],
)
def test_json_of_two_meanings_is_refused(body: bytes, said: str) -> None:
    answer = client(registering_key()).post(URL, body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert said in answer.json()["detail"]
    assert not AISystem.objects.exists()


def test_a_number_of_any_length_is_no_fault_of_ours() -> None:
    body = b'{"slug": "a", "name": "N", "configuration": ' + b"9" * 5_000 + b"}"
    assert client(registering_key()).post(URL, body, content_type="application/json").status_code in (400, 422)


def test_all_that_is_wrong_is_said_at_once() -> None:
    answer = client(registering_key()).post(
        URL, {"slug": "Not a slug", "accountable": "who@example.org", "risk_class": "huge", "colour": "red"}
    )
    assert answer.status_code == 422
    found = {each["pointer"] for each in answer.json()["errors"]}
    assert found == {"/slug", "/name", "/accountable", "/risk_class", "/colour"}
