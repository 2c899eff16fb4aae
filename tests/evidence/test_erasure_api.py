"""Erasures and retention over the API: the same services, the same rights, clear problems; never by a key."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import ErasureRequest, Payload
from config.ids import new_id
from evidence.erasure.memory import Asked, Gone, erasure_memory
from evidence.erasure.places import DECISION_PLACE
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.purges import announce_purge, run_purges
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, agreeing, erased, long_ago, no_floor, officer, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
ERASURES, RETENTION = "/api/v1/erasures", "/api/v1/retention"
SUBJECT = {"kind": "subject", "subject": "c-1907", "basis": "objection", "reason": "They ask for it."}
CLASS = {
    "kind": "payloads", "name": "Credit", "floor_days": 190, "floor_source": "Article 26(6)", "ceiling_days": 365,
    "purpose": "Complaints.",
}  # fmt: skip


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> APIClient:
    return client(make_person(dpo=True))


def client(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def problem(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return str(answer.json()["type"].rpartition("/")[2])


def post(who: APIClient, path: str, body: Any = None, status: int = 200) -> Any:
    answer = who.post(path, body or {}, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


# --- erasures ---------------------------------------------------------------------------------------------------------
def test_from_the_wish_to_the_receipt(system: AISystem, dpo: APIClient) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    case, _ = make_led_case(system, title="About Ada Lovelace")
    other, _ = make_led_case(system, title="Ada Lovelace Street")
    made = post(dpo, ERASURES, SUBJECT | {"identifiers": ["ada lovelace"]}, 201)
    url = f"{ERASURES}/{made['id']}"
    assert (made["status"], made["is_searched"], made["system_id"]) == ("draft", False, None)
    assert problem(dpo.post(f"{url}/ask"), 409)
    search_for_finds(seconds=SECONDS)
    finds = {find["row_id"]: find for find in dpo.get(f"{url}/finds").json()["items"]}
    assert finds[str(case.pk)]["excerpts"] == ["About Ada Lovelace"]
    left_out = [finds[str(other.pk)]["id"]]
    assert dpo.put(f"{url}/finds", {"left_out": left_out}, format="json").status_code == 200
    with long_ago():
        asked = post(dpo, f"{url}/ask")
        said = {each["system_id"]: (each["decisions"], each["status"]) for each in asked["consents"]}
        assert (asked["status"], said) == ("requested", {str(system.pk): (1, "waiting"), None: (0, "waiting")})
        theirs = client(agreeing(system))
        for consent in asked["consents"]:
            answered = post(theirs, f"/api/v1/erasure-consents/{consent['id']}/approve", {"answer": "Yes."})
            assert (answered["status"], answered["answer"]) == ("approved", "Yes.")
    assert dpo.get(url).json()["status"] == "waiting"
    run_erasures(seconds=SECONDS)
    done = dpo.get(url).json()
    assert (done["status"], done["subject"], done["identifiers"], done["reason"]) == ("performed", "", [], "")
    assert done["standing"]["erased"] == 1 and done["standing"]["texts_erased"] == 1
    assert Payload.objects.get(pk=decision.id).secret is None
    receipt = dpo.get(f"{url}/receipt")
    assert receipt.content.startswith(b"answerable/erasure-receipt/v1\n") and receipt["Cache-Control"] == "no-store"
    assert dpo.get(ERASURES).json()["items"][0]["id"] == made["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        SUBJECT | {"subject": ""},
        SUBJECT | {"subject": "x" * 201},
        SUBJECT | {"basis": "so"},
        SUBJECT | {"more": 1},
        SUBJECT | {"kind": "person"},
        SUBJECT | {"kind": "decision", "decisions": ["x"]},
        SUBJECT | {"identifiers": ["x"] * 21},
        SUBJECT | {"subject": "c-\u0000"},
    ],
)
def test_what_is_no_request_is_a_clear_problem(dpo: APIClient, wrong: dict[str, Any]) -> None:
    assert problem(dpo.post(ERASURES, wrong, format="json"), 422)
    assert not ErasureRequest.objects.exists()


def test_a_subject_is_taken_to_the_letter(system: AISystem, dpo: APIClient) -> None:
    made = post(dpo, ERASURES, SUBJECT | {"subject": " 7 "}, 201)
    assert made["subject"] == " 7 "


def test_lists_are_read_a_page_at_a_time(system: AISystem, dpo: APIClient) -> None:
    ids = [post(dpo, ERASURES, SUBJECT, 201)["id"] for _ in range(3)]
    first = dpo.get(f"{ERASURES}?limit=2").json()
    rest = dpo.get(ERASURES, {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["id"] for page in (first, rest) for each in page["items"]] == ids[::-1]
    for _ in range(3):
        make_led_case(system, title="About C-1907")
    search_for_finds(seconds=SECONDS)
    url = f"{ERASURES}/{ids[0]}"
    page = dpo.get(f"{url}/finds?limit=3").json()
    assert (len(page["items"]), page["total"], page["unseen"]) == (3, 5, 2), "the other two requests name them too"
    assert problem(dpo.post(f"{url}/ask"), 409) == "finds-unseen"
    page = dpo.get(f"{url}/finds", {"limit": 3, "cursor": page["next_cursor"]}).json()
    assert (len(page["items"]), page["unseen"]) == (2, 0)
    assert post(dpo, f"{url}/ask")["status"] == "requested"


def test_what_is_back_after_a_restore_is_prepared_again(
    system: AISystem, dpo: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.erasure.memory.NAME", f"erased-{new_id()}.sqlite3")
    assert problem(client(agreeing(system)).post(f"{ERASURES}/again"), 403)
    assert problem(dpo.post(f"{ERASURES}/again"), 409) == "nothing-to-erase"
    decision = record_decision(system, subject="c-1907")
    lost = new_id()
    erasure_memory().remember(
        Asked(lost, "decision", "objection", None), [Gone(lost, decision.id, DECISION_PLACE, decision.id)]
    )
    (made,) = post(dpo, f"{ERASURES}/again", status=201)
    request = ErasureRequest.objects.get(pk=made["id"])
    assert request.status == "draft" and request.targets.get().decision_id == decision.id


def test_it_is_refused_held_and_taken_back(system: AISystem, dpo: APIClient) -> None:
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    url, owner = f"{ERASURES}/{request.pk}", client(agreeing(system))
    assert problem(owner.post(f"{url}/hold", {"reason": " "}, format="json"), 422)
    assert post(owner, f"{url}/hold", {"reason": "A claim came in."})["status"] == "held"
    assert problem(owner.post(f"{url}/hold", {"reason": "Again."}, format="json"), 409)
    (consent,) = post(dpo, f"{url}/ask")["consents"]
    assert post(owner, f"/api/v1/erasure-consents/{consent['id']}/refuse")["status"] == "refused"
    assert dpo.get(url).json()["status"] == "refused"
    assert problem(dpo.post(f"{url}/withdraw", {}, format="json"), 409)


def test_of_others_and_of_keys_there_is_nothing(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    request = erased(kind="subject", subject="c-1907")
    url = f"{ERASURES}/{request.pk}"
    for person in (make_person(), make_person(investigator=True), make_person(accountable=make_system())):
        theirs = client(person)
        assert problem(theirs.get(url), 404)
        assert theirs.get(ERASURES).json()["items"] == []
        assert problem(theirs.get(f"{url}/finds"), 404)
        assert problem(theirs.get(f"{url}/receipt"), 404)
        assert theirs.post(ERASURES, SUBJECT, format="json").status_code == 403
    key = APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=('decisions:read',)).text}"})
    assert key.get(ERASURES).status_code == 403
    assert key.post(ERASURES, SUBJECT, format="json").status_code == 403


def test_of_finds_and_holds_the_officer_alone_is_told(system: AISystem, dpo: APIClient) -> None:
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    url, owner = f"{ERASURES}/{request.pk}", client(agreeing(system))
    assert problem(owner.get(f"{url}/finds"), 403)
    assert owner.get(url).json()["standing"]["held"] is None
    assert dpo.get(url).json()["standing"]["held"] == 0


def test_asking_and_agreeing_take_a_factor_of_the_last_minutes(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    stale = create_token(actor=actor_of(officer()), name="old", proven_at=timezone.now())
    from governance.models import PersonToken

    PersonToken.objects.filter(pk=stale.row.pk).update(proven_at=timezone.now() - timedelta(minutes=11))
    who = APIClient(headers={"Authorization": f"Bearer {stale.text}"})
    made = post(who, ERASURES, SUBJECT, 201)
    search_for_finds(seconds=SECONDS)
    assert problem(who.post(f"{ERASURES}/{made['id']}/ask"), 403)


# --- restricted -------------------------------------------------------------------------------------------------------
def test_what_is_restricted_is_told_so_over_the_api(system: AISystem, dpo: APIClient) -> None:
    decision = record_decision(system, subject="c-1907", parts={"input": "needle", "output": 1})
    erased(kind="subject", subject="c-1907")
    owner, url = client(agreeing(system)), f"/api/v1/decisions/{decision.id}"
    key = make_key(system, scopes=("decisions:read", "payloads:read"), account=make_account(owner=agreeing(system)))
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    said = service.get(url)
    assert said.status_code == 200 and b"c-1907" not in said.content and b"needle" not in said.content
    assert said.json()["is_restricted"] is True
    assert problem(service.get(f"{url}/payload/input"), 403) == "payload-restricted"
    search = owner.post("/api/v1/decisions/search", {"subject": "c-1907"}, format="json")
    assert search.json()["items"] == []
    found = dpo.post("/api/v1/decisions/search", {"subject": "c-1907"}, format="json")
    assert [each["id"] for each in found.json()["items"]] == [str(decision.id)]


# --- retention --------------------------------------------------------------------------------------------------------
def test_a_class_a_rule_what_is_due_and_its_purge(system: AISystem, dpo: APIClient) -> None:
    owner = client(agreeing(system))
    made = post(dpo, f"{RETENTION}/classes", CLASS, 201)
    assert dpo.get(f"{RETENTION}/classes").json()[0]["id"] == made["id"]
    asked = {"class_id": made["id"], "system": "credit", "reason": "As agreed."}
    rule = post(dpo, f"{RETENTION}/rules", asked, 201)
    assert problem(dpo.post(f"{RETENTION}/rules/{rule['id']}/approve", {}, format="json"), 403)
    assert post(owner, f"{RETENTION}/rules/{rule['id']}/approve", {"answer": "Fine."})["status"] == "in_force"
    assert dpo.get(f"{RETENTION}/rules").json()["items"][0]["retention_class"]["name"] == "Credit"
    assert problem(dpo.post(f"{RETENTION}/classes/{made['id']}/archive"), 409)
    record_decision(system, at=timezone.now() - timedelta(days=400))
    (part,) = owner.get(f"{RETENTION}/due").json()["parts"]
    assert (part["system"], part["count"], part["kept"]) == (str(system.pk), 1, 0)
    with long_ago(days=20):
        purge = announce_purge()
    assert purge is not None
    assert owner.get(f"{RETENTION}/purges/{purge.pk}").json()["status"] == "announced"
    run_purges(seconds=SECONDS)
    assert owner.get(f"{RETENTION}/purges/{purge.pk}").json()["done"][0]["count"] == 1
    assert dpo.get(f"{RETENTION}/purges/{purge.pk}/report").content.startswith(b"answerable/purge-report/v2\n")
    assert problem(owner.post(f"{RETENTION}/purges/{purge.pk}/hold", {"reason": "Late."}, format="json"), 409)


def test_an_accountable_person_sees_of_retention_what_is_theirs(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    for place in (system, other):
        put_in_force("payloads", place, ceiling=30)
        record_decision(place, at=timezone.now() - timedelta(days=60))
    announce_purge()
    owner = client(agreeing(system))
    assert [each["parts"][0]["system"] for each in owner.get(f"{RETENTION}/purges").json()["items"]] == [str(system.pk)]
    for path in ("rules", "due", "purges"):
        said = owner.get(f"{RETENTION}/{path}").content
        assert str(system.pk).encode() in said and str(other.pk).encode() not in said, path
    stranger = client(make_person())
    for path in ("classes", "rules", "due", "purges"):
        assert problem(stranger.get(f"{RETENTION}/{path}"), 403)
