"""The investigation over the API: what its pages do, for keys and people, with the same rights."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import SavedFilter
from governance.acts import Role
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.configurations import store_configuration
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.cases import make_led_case
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_key, make_system
from tests.personas.people import Persona, make_persona

pytestmark = pytest.mark.django_db
URL = "/api/v1/decisions"
READER = ("decisions:read", "payloads:read")


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


def client(*systems: AISystem, scopes: tuple[str, ...] = READER) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {make_key(*systems, scopes=scopes).text}"})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def test_people_list_and_search_what_they_may_see_and_nothing_else(system: AISystem) -> None:
    seen = str(record_decision(system, subject="c-1").id)
    record_decision(make_system(slug="elsewhere"), subject="c-1")
    person = make_persona("viewer", system).api()
    assert ids(person.get(URL)) == [seen]
    auditor = make_persona("auditor", system).api()
    assert ids(auditor.post(f"{URL}/search", {"subject": "c-1"}, format="json")) == [seen]
    assert person.get(URL, {"system": "elsewhere"}).status_code == 404
    assert person.post(f"{URL}/search", {"text": "income"}, format="json").status_code == 403
    administrator = make_persona("administrator", system).api()
    assert ids(administrator.get(URL)) == []


def test_a_search_takes_the_filters_of_the_list_and_says_what_it_looked_at(system: AISystem) -> None:
    wanted = record_decision(system, capability="raise", parts={"input": "needle", "output": 1})
    record_decision(system, capability="other", parts={"input": "needle", "output": 1})
    answer = client(system).post(f"{URL}/search", {"text": "needle", "capability": "raise"}, format="json")
    assert ids(answer) == [str(wanted.id)]
    told = answer.json()["search"]
    assert (told["hits"], told["scanned"], told["barred"], told["is_over"]) == (1, 1, 0, True)
    assert client(system).delete(f"{URL}/searches/{told['id']}").status_code == 404


SOME_ID = "01a1fd9c-bc38-7026-93b0-108ba8d1b7e3"


@pytest.mark.parametrize("asked", [{"same": "input"}, {"same_as": SOME_ID, "text": "xx"}])
def test_same_and_same_as_go_together(system: AISystem, asked: dict[str, str]) -> None:
    answer = client(system).post(f"{URL}/search", asked, format="json")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/same_as"


def test_people_narrow_to_a_case_that_they_may_read_and_keys_to_none(system: AISystem) -> None:
    inside = record_decision(system)
    record_decision(system)
    case, lead = make_led_case(system, decisions=[inside])
    asked = {"case_id": str(case.pk)}
    assert ids(Persona("lead", True, lead).api().get(URL, asked)) == [str(inside.id)]
    assert make_persona("viewer", system).api().get(URL, asked).status_code in (403, 404)
    assert client(system).get(URL, asked).status_code == 404


def test_counts_neighbours_and_differences_stay_within_reach(system: AISystem) -> None:
    one, other = record_decision(system, outcome="approved"), record_decision(system, outcome="refused")
    foreign = record_decision(make_system(), parent_id=one.id)
    key = client(system)
    counted = key.get(f"{URL}/counts", {"outcome": "refused"}).json()
    assert (counted["total"], counted["is_exact"], counted["systems"]) == (1, True, {"credit-limits": 1})
    beside = key.get(f"{URL}/{one.id}/neighbours").json()
    assert (beside["after"]["id"], beside["before"], beside["children"]) == (str(other.id), None, [])
    assert key.get(f"{URL}/{foreign.id}/neighbours").status_code == 404
    asked = {"before": str(one.id), "after": str(other.id)}
    compared = key.post(f"{URL}/compare", asked, format="json").json()
    assert {"name": "outcome", "before": "approved", "after": "refused"} in compared["facts"]
    assert (compared["parts"], compared["is_identical"]) == (None, None)
    assert key.post(f"{URL}/compare", asked | {"after": str(foreign.id)}, format="json").status_code == 404


def test_payloads_are_compared_with_the_scope_for_them_and_sealed_for_both(system: AISystem) -> None:
    one, other = (
        record_decision(system, parts={"input": 1, "output": 1}),
        record_decision(system, parts={"input": 2, "output": 1}),
    )
    asked = {"before": str(one.id), "after": str(other.id), "payloads": True}
    assert client(system, scopes=("decisions:read",)).post(f"{URL}/compare", asked, format="json").status_code == 403
    assert not Entry.objects.filter(kind="payload.viewed").exists()
    parts = client(system).post(f"{URL}/compare", asked, format="json").json()["parts"]
    assert parts[0]["differences"] == [{"pointer": "", "before": "1", "after": "2"}]
    assert [part["is_identical"] for part in parts] == [False, True, True, True]
    assert Entry.objects.filter(kind="payload.viewed").count() == 2


def test_saved_filters_belong_to_people_and_name_only_what_they_may_see(system: AISystem) -> None:
    make_system(slug="elsewhere")
    owner, other = make_persona("accountable", system).api(), make_persona("viewer", system).api()
    body = {"name": "Refused", "conditions": {"outcome": "refused", "system": "credit-limits"}, "shared": "system"}
    made = owner.post("/api/v1/saved-filters", body, format="json")
    assert made.status_code == 201, made.content
    place = f"/api/v1/saved-filters/{made.json()['id']}"
    assert [each["name"] for each in other.get("/api/v1/saved-filters").json()] == ["Refused"]
    assert other.delete(place).status_code == 404
    foreign = body | {"name": "x", "conditions": {"system": "elsewhere"}}
    assert owner.post("/api/v1/saved-filters", foreign, format="json").status_code == 404
    assert owner.put(place, body | {"shared": "nobody"}, format="json").status_code == 200
    assert other.get(place).status_code == 404
    assert (owner.delete(place).status_code, owner.delete(place).status_code) == (204, 404)
    assert client(system).get("/api/v1/saved-filters").status_code in (401, 403)


def test_a_key_that_reads_decisions_reads_no_configuration(system: AISystem) -> None:
    kept = [
        store_configuration(actor=COMMAND, system_id=system.pk, content=content)
        for content in (b'{"prompt": "secret-one"}', b'{"prompt": "secret-two"}')
    ]
    one, other = (record_decision(system, config_digest=each.digest) for each in kept)
    asked = {"before": str(one.id), "after": str(other.id)}
    answer = client(system, scopes=("decisions:read",)).post(f"{URL}/compare", asked, format="json")
    assert "secret" not in answer.content.decode()
    told = answer.json()
    assert (told["is_configuration_told"], told["configuration"][0]["pointer"]) == (False, "/prompt")
    keyed = client(system, scopes=("decisions:read", "register:write")).post(f"{URL}/compare", asked, format="json")
    assert keyed.json()["configuration"] == [{"pointer": "/prompt", "before": '"secret-one"', "after": '"secret-two"'}]


KEPT = "/api/v1/saved-filters"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"conditions": {"subject": "c-1"}}, "/conditions/subject"),
        ({"conditions": {"outcome": "a b"}}, "/conditions/outcome"),
        ({"conditions": {"confidence_min": "much"}}, "/conditions/confidence_min"),
        ({"conditions": {"score_min": 2, "score_max": 1}}, "/conditions/score_max"),
        ({"conditions": {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, "/conditions/to"),
        ({"conditions": {"period": "2y"}}, "/conditions/period"),
        ({"conditions": {"outcome": "x" * 5000}}, "/conditions/outcome"),
        ({"terms": {"subject": "x" * 201}}, "/terms/subject"),
        ({"terms": {"subjekt": "c-1"}}, "/terms/subjekt"),
        ({"conditions": {"outcome": "a\0b"}}, "/conditions/outcome"),
    ],
)
def test_a_filter_is_kept_as_the_list_would_ask_it_and_a_subject_is_none(
    system: AISystem, sent: dict[str, Any], pointer: str
) -> None:
    owner = make_persona("accountable", system).api()
    refused = owner.post(KEPT, {"name": "x", **sent}, format="json")
    assert refused.status_code == 422, refused.content
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]
    assert not SavedFilter.objects.exists()


def test_what_is_kept_over_the_api_is_what_the_page_uses_and_terms_are_read_one_by_one(system: AISystem) -> None:
    wanted = record_decision(system, subject="c-1", outcome="refused", confidence=0.9)
    persona = make_persona("accountable", system)
    conditions = {"system": "credit-limits", "confidence_min": 0.5, "flagged": False, "period": "7d"}
    body = {"name": "Sure", "conditions": conditions, "terms": {"subject": "c-1"}}
    made = persona.api().post(KEPT, body, format="json").json()
    assert (made["conditions"], made["terms"]) == (conditions, {"subject": "c-1"})
    (listed,) = persona.api().get(KEPT).json()
    assert listed["is_search"] and "terms" not in listed
    began = persona.browser().post(f"/admin/decisions/filters/{made['id']}/search")
    page = persona.browser().get(began.headers["Location"]).content.decode()
    assert f'data-decision="{wanted.id}"' in page
    assert '<option value="7d" selected>' in page and 'value="0.5"' in page


def test_a_viewer_neither_finds_nor_is_offered_what_only_a_payload_tells(system: AISystem) -> None:
    record_decision(system, subject="c-1", labels={"branch": "north"}, trace_id="t-1")
    viewer = make_persona("viewer", system)
    for terms in ({"subject": "c-1"}, {"labels": {"branch": "north"}}, {"trace_id": "t-1"}):
        assert viewer.api().post(f"{URL}/search", terms, format="json").status_code == 403
    page = viewer.browser().get("/admin/decisions/").content.decode()
    assert "/admin/decisions/search" not in page
    refused = viewer.browser().post("/admin/decisions/search", {"subject": "c-1", "period": "7d"})
    assert refused.status_code == 403 and b"you cannot search by what stands in them" in refused.content
    assert not Entry.objects.filter(kind="decisions.searched").exists()
    reading = client(system, scopes=("decisions:read",))
    assert reading.post(f"{URL}/search", {"subject": "c-1"}, format="json").status_code == 403


def test_an_owner_who_views_elsewhere_finds_by_subject_only_where_they_own(system: AISystem) -> None:
    mine, elsewhere = record_decision(system, subject="c-1"), make_system(slug="elsewhere")
    record_decision(elsewhere, subject="c-1")
    owner = make_persona("accountable", system)
    give_role(owner.person, Role.VIEWER, Scope.system(elsewhere.pk))
    assert len(ids(owner.api().get(URL))) == 2
    assert ids(owner.api().post(f"{URL}/search", {"subject": "c-1"}, format="json")) == [str(mine.id)]
    investigator = make_persona("investigator", system).api()
    assert ids(investigator.post(f"{URL}/search", {"subject": "c-1"}, format="json")) == [str(mine.id)]
