"""Exports over the API: from asking to the file, with a repeat that is the same, and for people alone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from config.ids import new_id
from evidence.exports.models import Export
from evidence.exports.running import run_exports
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from ledger.models import Entry
from tests.factories.exports import ALONE, ask, content_of, export_of
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
EXPORTS = "/api/v1/exports"


def as_person(person: Person, *, proven: bool = True) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    if not proven:
        earlier = timezone.now() - timedelta(minutes=20)
        type(token.row).objects.filter(pk=token.row.pk).update(proven_at=earlier)
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def post(client: APIClient, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    answer = client.post(path, json.dumps(body or {}), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_decision(found)
    return found


def wanted(system: AISystem, /, **more: Any) -> dict[str, Any]:
    return {"question": "range", "system": system.slug, "form": "bundle", "reason": "An audit."} | more


def test_from_asking_to_the_file(system: AISystem, auditor: Person) -> None:
    me, dpo = as_person(auditor), as_person(make_person(dpo=True))
    asked = post(me, EXPORTS, wanted(system, parts=["input", "output"]), 201)
    assert (asked["status"], asked["parts"], asked["words"]["reason"]) == (
        "requested",
        ["input", "output"],
        "An audit.",
    )
    address = f"{EXPORTS}/{asked['id']}"
    assert me.get(f"{address}/file").status_code == 409
    assert post(dpo, f"{address}/approve", {"answer": "Once."})["status"] == "queued"
    assert me.get(address).json()["progress"] == {
        "state": "waiting",
        "phase": "",
        "done": 0,
        "total": None,
        "trouble": "",
        "trouble_words": "",
    }
    run_exports(seconds=30, pace=ALONE)
    made = me.get(address).json()
    assert (made["status"], made["is_whole"], made["left_out"], made["progress"]) == ("finished", True, {}, None)
    answer = me.get(f"{address}/file", headers={"Accept": "application/zip"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer.getvalue() == content_of(Export.objects.get(pk=asked["id"]))
    part = me.get(f"{address}/file", headers={"Range": "bytes=5-9"})
    assert (part.status_code, len(part.getvalue())) == (206, 5)
    assert [each["id"] for each in me.get(EXPORTS).json()["items"]] == [asked["id"]]
    kinds = list(Entry.objects.filter(about_id=asked["id"]).order_by("id").values_list("kind", flat=True))
    assert kinds == ["export.requested", "export.approved", "export.finished", "export.downloaded"]


def test_a_repeat_with_its_key_is_the_same(system: AISystem, auditor: Person) -> None:
    me, key = as_person(auditor), str(new_id())
    first = post(me, EXPORTS, wanted(system, key=key), 201)
    assert post(me, EXPORTS, wanted(system, key=key), 201)["id"] == first["id"]
    refused = post(me, EXPORTS, wanted(system, key=key, form="csv"), 409)
    assert refused["type"] == "/problems/export-key-taken"
    assert Export.objects.count() == 1


def test_refused_withdrawn_and_given_up(system: AISystem, auditor: Person) -> None:
    me, dpo = as_person(auditor), as_person(make_person(dpo=True))
    first = post(me, EXPORTS, wanted(system, parts=["input"]), 201)["id"]
    assert post(dpo, f"{EXPORTS}/{first}/refuse", {"answer": "Too much."})["status"] == "refused"
    assert me.get(f"{EXPORTS}/{first}").json()["words"]["answer"] == "Too much."
    second = post(me, EXPORTS, wanted(system, parts=["input"]), 201)["id"]
    assert post(me, f"{EXPORTS}/{second}/withdraw")["status"] == "withdrawn"
    third = post(me, EXPORTS, wanted(system), 201)["id"]
    assert post(me, f"{EXPORTS}/{third}/cancel")["status"] == "cancelled"
    assert post(me, f"{EXPORTS}/{third}/cancel", status=409)["type"] == "/problems/export-not-open"
    assert me.get(f"{EXPORTS}?status=refused").json()["items"][0]["id"] == first


def test_contents_are_asked_for_and_agreed_to_with_a_recent_factor(system: AISystem, auditor: Person) -> None:
    stale = as_person(auditor, proven=False)
    assert post(stale, EXPORTS, wanted(system, parts=["input"]), 403)["type"] == "/problems/factor-not-fresh"
    post(stale, EXPORTS, wanted(system), 201)
    export = ask(auditor, system, parts=["input"])
    dpo = as_person(make_person(dpo=True), proven=False)
    assert post(dpo, f"{EXPORTS}/{export.pk}/approve", status=403)["type"] == "/problems/factor-not-fresh"


@pytest.mark.parametrize(
    ("wrong", "status", "pointer"),
    [
        ({"question": "all"}, 422, "/question"),
        ({"form": "pdf"}, 422, "/form"),
        ({"parts": ["secret"]}, 422, "/parts/0"),
        ({"colour": "red"}, 422, "/colour"),
        ({"since": "yesterday"}, 422, "/since"),
        ({"until": "2999-01-01T00:00:00Z"}, 422, "/until"),
        ({"subject": "ada"}, 422, "/subject"),
        ({"reason": "a\0b"}, 422, "/reason"),
        ({"head": "nonsense"}, 422, "/head"),
        ({"system": "unheard-of"}, 404, None),
    ],
)
def test_what_is_wrong_is_named(
    system: AISystem, auditor: Person, wrong: dict[str, Any], status: int, pointer: str | None
) -> None:
    answer = post(as_person(auditor), EXPORTS, wanted(system, **wrong), status)
    if pointer:
        assert pointer in [each["pointer"] for each in answer["errors"]]
    assert not Export.objects.exists()


def test_services_have_no_exports(system: AISystem, auditor: Person) -> None:
    key = make_key(system, scopes=("decisions:read", "payloads:read", "ledger:read"))
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    export = ask(auditor, system)
    for answer in (
        service.get(EXPORTS),
        service.get(f"{EXPORTS}/{export.pk}"),
        service.get(f"{EXPORTS}/{export.pk}/file"),
    ):
        assert answer.status_code == 403
    post(service, EXPORTS, wanted(system), 403)
    assert APIClient().get(EXPORTS).status_code == 401


def test_others_with_the_right_see_that_it_is_there_and_not_why(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, reason="zq-why")
    accountable = as_person(make_person(accountable=system))
    told = accountable.get(f"{EXPORTS}/{export.pk}")
    assert told.json()["words"] is None
    assert b"zq-why" not in told.content + accountable.get(EXPORTS).content
    assert as_person(make_person(dpo=True)).get(f"{EXPORTS}/{export.pk}").json()["words"]["reason"] == "zq-why"


def test_an_export_out_of_sight_looks_like_none(system: AISystem, auditor: Person) -> None:
    export = export_of(auditor, system, form="csv")
    outsider = as_person(make_person(auditor=make_system()))
    answers = [outsider.get(f"{EXPORTS}/{each}") for each in (export.pk, new_id())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert outsider.get(f"{EXPORTS}/{export.pk}/file").status_code == 404
    for act in ("approve", "refuse", "withdraw", "cancel"):
        assert outsider.post(f"{EXPORTS}/{export.pk}/{act}", {}, format="json").status_code == 404


def test_a_long_list_takes_no_more_queries(system: AISystem, auditor: Person) -> None:
    me = as_person(auditor)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert me.get(f"{EXPORTS}?limit=50").status_code == 200
        return len(seen)

    ask(auditor, system)
    queries()
    few = queries()
    for _ in range(10):
        ask(auditor, system)
    assert queries() <= few
