"""Payloads and searches: who may, what they get, and the entry that says so."""

import gc
import hashlib
import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.services import recording
from audit.services.preparing import label_term
from audit.text_scanning import escapes, spellings
from config.ids import new_id
from governance.models import AISystem
from ledger.commitments import commitment
from ledger.models import Entry, Log, Particulars
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import make_key, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/decisions"
READER = ("decisions:read", "payloads:read")


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


def client(*systems: AISystem, scopes: tuple[str, ...] = READER) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {make_key(*systems, scopes=scopes).text}"})


def bodies(kind: str) -> list[dict[str, Any]]:
    entries = Entry.objects.filter(kind=kind).order_by("id")
    return [json.loads(bytes(entry.data))["body"] for entry in entries]


def test_a_part_comes_byte_for_byte_with_the_key_that_opens_its_commitment(system: AISystem) -> None:
    decision = record_decision(system, parts={"input": {"größe": 1.50}, "output": [1]})
    answer = client(system).get(f"{URL}/{decision.id}/payload/input")
    assert answer.content == json.dumps({"größe": 1.50}).encode()
    key = bytes.fromhex(answer.headers["Answerable-Part-Key"])
    assert hashlib.sha256(key + answer.content).hexdigest() == decision.body.commitments["input"]


def test_a_view_is_sealed_in_the_systems_log_and_not_again_within_a_minute(system: AISystem) -> None:
    decision = record_decision(system)
    api = client(system)
    for _ in range(2):
        api.get(f"{URL}/{decision.id}/payload/input")
    (view,) = Entry.objects.filter(kind="payload.viewed")
    assert (view.about_id, view.log_id) == (decision.id, decision.log_id)
    assert bodies("payload.viewed") == [{"about": str(decision.id), "parts": ["input"]}]
    api.get(f"{URL}/{decision.id}/payload/output")
    assert len(bodies("payload.viewed")) == 2


def test_a_key_without_the_scope_gets_no_payload_and_leaves_no_entry(system: AISystem) -> None:
    decision = record_decision(system)
    answer = client(system, scopes=("decisions:read",)).get(f"{URL}/{decision.id}/payload/input")
    assert answer.status_code == 403
    assert bodies("payload.viewed") == []


def test_foreign_missing_and_unknown_parts_are_not_found(system: AISystem) -> None:
    decision, foreign = record_decision(system), record_decision(make_system())
    api = client(system)
    assert api.get(f"{URL}/{foreign.id}/payload/input").status_code == 404
    assert api.get(f"{URL}/{decision.id}/payload/context").status_code == 404
    assert api.get(f"{URL}/{decision.id}/payload/secret").status_code == 404


def test_a_key_reads_and_finds_nothing_of_another_environment(system: AISystem) -> None:
    staged = record_decision(system, environment="staging", subject="c-1")
    api = client(system)
    assert api.get(f"{URL}/{staged.id}/payload/input").status_code == 404
    for terms in ({"subject": "c-1"}, {"text": "income"}):
        assert api.post(f"{URL}/search", terms).json()["items"] == []
    assert bodies("payload.viewed") == []


def test_an_erased_payload_is_gone_and_the_decision_stays(system: AISystem) -> None:
    decision = record_decision(system)
    erase(decision.id)
    api = client(system)
    assert api.get(f"{URL}/{decision.id}/payload/input").status_code == 410
    assert api.get(f"{URL}/{decision.id}").json()["payload"] is None


def test_the_detail_is_what_the_entry_says(system: AISystem) -> None:
    decision = record_decision(system, outcome="refused", adverse=True, confidence=0.25)
    told = client(system).get(f"{URL}/{decision.id}").json()
    said = json.loads(decision.data)
    assert (told["outcome"], told["adverse"], told["confidence"]) == ("refused", True, 0.25)
    assert told["commitments"] == said["body"]["commitments"]
    assert told["sealed"]["leaf_index"] == decision.leaf_index
    assert told["sealed"]["log"] == Log.objects.get(pk=decision.log_id).origin
    assert "account" not in told
    assert told["payload"]["input"]["path"] == f"{URL}/{decision.id}/payload/input"


@pytest.mark.parametrize(
    "terms", [{"subject": "c-1"}, {"labels": {"branch": "north"}}, {"text": "ÜBER"}, {"text": 'say "hi"'}]
)
def test_a_search_finds_by_subject_label_and_text(system: AISystem, terms: dict[str, Any]) -> None:
    parts = {"input": {"note": 'über alles, say "hi"'}, "output": 1}
    wanted = record_decision(system, subject="c-1", labels={"branch": "north"}, parts=parts)
    record_decision(system, subject="c-2", labels={"branch": "south"})
    record_decision(make_system(), subject="c-1", labels={"branch": "north"}, parts=parts)
    answer = client(system).post(f"{URL}/search", terms)
    assert [item["id"] for item in answer.json()["items"]] == [str(wanted.id)]


LABELS = [{"a=b": "c"}, {"a": "b=c"}, {"3:a=b": "c"}, {"a": "=b=c"}, {"a=": "b=c"}]


@pytest.mark.parametrize("labels", LABELS)
def test_a_label_is_found_by_its_own_name_and_value_alone(system: AISystem, labels: dict[str, str]) -> None:
    recorded = {str(record_decision(system, labels=each).id): each for each in LABELS}
    answer = client(system).post(f"{URL}/search", {"labels": labels})
    assert [recorded[item["id"]] for item in answer.json()["items"]] == [labels]


def test_no_two_labels_share_a_term() -> None:
    texts = ["".join(each) for size in range(4) for each in itertools.product("a=1:", repeat=size)]
    assert len({label_term(name, value) for name in texts for value in texts}) == len(texts) ** 2


def test_a_search_is_sealed_with_its_hits_and_a_commitment_to_its_terms(system: AISystem) -> None:
    record_decision(system, subject="c-1")
    client(system).post(f"{URL}/search", {"system": "credit-limits", "subject": "c-1"})
    (said,) = bodies("decisions.searched")
    assert (said["hits"], said["by"], said["system"]) == (1, ["subject"], str(system.pk))
    kept = Particulars.objects.get(part="terms")
    assert commitment(bytes(kept.secret or b""), "terms", bytes(kept.data or b"")).hex() == said["terms"]
    assert "c-1" not in str(said)


def test_a_search_looks_at_seven_days_unless_told_otherwise(system: AISystem) -> None:
    old = timezone.now() - timedelta(days=8)
    record_decision(system, subject="c-1", at=old)
    api = client(system)
    assert api.post(f"{URL}/search", {"subject": "c-1"}).json()["items"] == []
    since = (old - timedelta(hours=1)).isoformat()
    assert len(api.post(f"{URL}/search", {"subject": "c-1", "from": since}).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (r'{"labels": {"a\u0000": "b"}}', "/labels/a\\u0000"),
        (r'{"subject": "c\u0000"}', "/subject"),
        (r'{"text": "in\u0000come"}', "/text"),
        ('{"subject": 5}', "/subject"),
        ('{"labels": {"branch": 7}}', "/labels/branch"),
        ('{"subject": "c-1", "to": "0001-01-02T00:00:00Z"}', "/to"),
        ('{"subject": "c-1", "to": "0001-01-01T00:00:00+14:00"}', "/to"),
    ],
)
def test_a_search_that_cannot_be_asked_is_refused_with_its_place(system: AISystem, body: str, pointer: str) -> None:
    answer = client(system).post(f"{URL}/search", body, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_a_search_pages_and_its_cursor_serves_no_other_search(system: AISystem) -> None:
    wanted = {str(record_decision(system, subject="c-1").id) for _ in range(3)}
    api = client(system)
    first = api.post(f"{URL}/search", {"subject": "c-1", "limit": 2}).json()
    rest = api.post(f"{URL}/search", {"subject": "c-1", "limit": 2, "cursor": first["next_cursor"]}).json()
    assert {item["id"] for item in first["items"] + rest["items"]} == wanted
    other = api.post(f"{URL}/search", {"subject": "c-2", "limit": 2, "cursor": first["next_cursor"]})
    assert other.status_code == 400


def test_what_is_personal_is_searched_with_the_payload_scope_only(system: AISystem) -> None:
    api = client(system, scopes=("decisions:read",))
    assert api.post(f"{URL}/search", {"text": "income"}).status_code == 403
    assert api.post(f"{URL}/search", {"subject": "c-1"}).status_code == 403
    assert client(system).post(f"{URL}/search", {"subject": "c-1"}).status_code == 200
    assert client(system).post(f"{URL}/search", {}).status_code == 422


def test_a_subject_of_very_many_decisions_is_still_found_in_windows(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_decision(system, subject="c-1")
    monkeypatch.setattr("audit.services.searching.NAMED_AT_MOST", 0)
    answer = client(system).post(f"{URL}/search", {"subject": "c-1"})
    assert len(answer.json()["items"]) == 1


@pytest.fixture
def heavy(system: AISystem) -> list[str]:
    """Two dozen decisions with a million bytes each, the word in the oldest and in one of the middle."""
    filler = "lorem ipsum " * 80_000
    said = [f"{filler} {'needle' if number in (0, 12) else ''}" for number in range(24)]
    return [str(record_decision(system, subject="c-1", parts={"input": text}).id) for text in said]


@pytest.mark.parametrize("named", [{}, {"subject": "c-1"}])
def test_text_in_large_payloads_is_searched_in_steps_that_each_end_soon(
    system: AISystem, heavy: list[str], named: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.services.searching.WINDOW_LIMIT_MS", 10)  # two dozen million bytes take longer
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(f"audit.services.searching.{name}", 0)
    api, found, cursor, pages = client(system), [], None, 0
    while cursor or not pages:
        answer = api.post(f"{URL}/search", {"text": "NEEDLE", **named, **({"cursor": cursor} if cursor else {})})
        page = answer.json()
        assert answer.status_code == 200, page
        found += [item["id"] for item in page["items"]]
        assert (page["searched_to"] is None) == (page["next_cursor"] is None)
        cursor, pages = page["next_cursor"], pages + 1
    assert found == [heavy[12], heavy[0]]
    assert 1 < pages <= len(heavy) + 1


@pytest.mark.parametrize(("text", "count"), [("income", 1), ('say "hi"', 2), ("Größe", 2), ("ß", 1)])
def test_spellings_that_one_look_finds_are_not_looked_for_twice(text: str, count: int) -> None:
    assert len(list(spellings(text))) == count


UNREADABLE = '"\\ud800 Gr\\u00f6\\u00dfe"'
"""A lone surrogate: no text for PostgreSQL, and yet what callers send."""


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ('"Größe"', "GRÖSSE"),
        ('"GRÖSSE"', "größe"),
        ('"οδός"', "ΟΔΌΣ"),
        ('"Иванов"', "иВАНОВ"),
        (r'"\u0418\u0432\u0430\u043d\u043e\u0432"', "иВАНОВ"),
        (r'"\u0418ванов"', "ИВАНОВ"),
        ('"住所は東京"', "住所"),
        (r'"\u4F4F\u6240"', "住所"),
        (r'"\u0069ncome"', "INCOME"),
        ('"cafe\u0301"', "caf\u00e9"),
        ('"caf\u00e9"', "CAFE\u0301"),
        (UNREADABLE, "GRÖßE"),
        (r'"say \"hi\""', 'SAY "HI"'),
        (r'{"a": 1,"b":  "x y"}', '"B":  "X'),
    ],
)
def test_text_is_found_in_any_language_case_and_escape(system: AISystem, sent: str, asked: str) -> None:
    wanted = record_decision(system, raw_parts={"input": b"1", "output": sent.encode()})
    record_decision(system, raw_parts={"input": b'"nothing \\u0041bout it"', "output": b'"Grosse"'})
    answer = client(system).post(f"{URL}/search", {"text": asked})
    assert [item["id"] for item in answer.json()["items"]] == [str(wanted.id)]


def test_what_is_found_never_begins_in_one_part_and_ends_in_another(system: AISystem) -> None:
    record_decision(system, raw_parts={"input": b'"abc"', "output": b'"def"'})
    assert client(system).post(f"{URL}/search", {"text": '""'}).json()["items"] == []


def test_escapes_are_tried_in_the_cases_that_people_write() -> None:
    assert len(list(escapes("größe"))) == 3


def test_no_cache_keeps_labels_that_may_be_erased(system: AISystem) -> None:
    marker = "somebody-" + new_id().hex
    record_decision(system, labels={"name": marker})
    gc.collect()
    # of strings alone: among all objects of the process there are some that refuse to be compared
    pairs = (kept for kept in gc.get_objects() if type(kept) is tuple and [type(part) for part in kept] == [str, str])
    held = [pair for pair in pairs if pair == ("name", marker)]
    caches = [value for value in vars(recording).values() if hasattr(value, "cache_info")]
    assert (held, caches) == ([], [])
