"""Repeats: the same decision again is answered with its first place; other content under its id is a conflict."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from audit.models import Decision
from governance.models import ServiceKey
from governance.services.versions import register_version
from intake.models import ConflictCount, ExternalId, QuarantinedRecord
from intake.services.sweeps import alert_conflicts
from ledger.entries import COMMAND, draft_entry
from ledger.heads import head_store
from ledger.models import Entry
from ledger.sealing import sealing
from ledger.selectors import open_log
from notices.models import Alert
from tests.factories.erasing import erase
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing

FULL: dict[str, Any] = {
    "score": 0.25, "threshold": 1, "explanation": {"a": 1}, "context": [1], "subject": "p-1",
    "labels": {"a": "1", "b": "2"}, "adverse": False, "capability": "limit", "source": {"id": "spool", "seq": 3},
    "latency_ms": 10, "conversation_id": "c-1",
}  # fmt: skip


def test_the_same_again_is_200_with_the_first_place(sender: Sender) -> None:
    sent = sender.record(**FULL)
    first, second = sender.post(sent), sender.post(sent)
    assert (first.status_code, second.status_code) == (201, 200)
    for name in ("id", "log", "leaf_index", "leaf_hash", "directive"):
        assert first.json()[name] == second.json()[name]
    assert second.json()["status"] == "duplicate"
    assert Decision.objects.count() == 1


SAME = [
    {"occurred_at": "2026-11-21T06:00:00.500Z"},
    {"score": 2.5e-1, "threshold": 1.0},
    {"labels": {"b": "2", "a": "1"}},
    {"environment": "production"},
    {"ai_role": "sole", "phase": "effective"},
    {"id": "upper"},
]


@pytest.mark.parametrize("change", SAME, ids=",".join)
def test_it_is_the_same_however_it_is_written(sender: Sender, change: dict[str, Any]) -> None:
    sent = sender.record(**FULL)
    again = sent | ({"id": sent["id"].upper()} if "id" in change else change)
    assert sender.post(sent).status_code == 201
    assert sender.post(again).status_code == 200


OTHER = [
    {"outcome": "refused"}, {"confidence": 0.5}, {"score": 0.26}, {"threshold": None}, {"output": {"limit": 1}},
    {"input": {"income": 52000, "age": 41}}, {"explanation": None}, {"context": [2]}, {"subject": "p-2"},
    {"labels": {"a": "1"}}, {"adverse": True}, {"capability": None}, {"source": {"id": "spool", "seq": 4}},
    {"source": {"id": "spool-2", "seq": 3}}, {"latency_ms": 11}, {"conversation_id": "c-2"}, {"phase": "proposed"},
    {"occurred_at": "2026-11-21T06:00:00.501Z"}, {"model_version": "2026.12"}, {"ai_role": "advisory"},
]  # fmt: skip


@pytest.mark.parametrize("change", OTHER, ids=",".join)
def test_other_content_under_the_id_is_a_conflict(sender: Sender, change: dict[str, Any]) -> None:
    sent = sender.record(**FULL)
    assert sender.post(sent).status_code == 201
    other = {name: value for name, value in (sent | change).items() if value is not None}
    answer = sender.post(other)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/decision-conflict")
    assert Decision.objects.get().outcome == "approved"


def test_a_conflict_is_sealed_once_an_hour_counted_after_and_alerts(sender: Sender) -> None:
    sent = sender.record()
    sender.post(sent)
    for outcome in ("refused", "flagged", "refused"):
        assert sender.post(sent | {"outcome": outcome}).status_code == 409
    assert Entry.objects.filter(kind="decision.conflicted").count() == 1
    assert ConflictCount.objects.get().count == 3
    assert {json.loads(bytes(kept.original or b""))["outcome"] for kept in QuarantinedRecord.objects.all()} == {
        "refused",
        "flagged",
    }
    assert alert_conflicts() == 1
    assert alert_conflicts() == 0
    alert = Alert.objects.get()
    assert (alert.kind, alert.occurrences, "count" in alert.facts) == ("decision.conflicted", 3, False)
    sender.post(sent | {"outcome": "other"})
    assert alert_conflicts() == 1
    assert Alert.objects.get(last_seen_at__gt=alert.last_seen_at).occurrences == 4


def test_a_log_in_trouble_keeps_no_other_systems_conflict_from_its_alert(senders: Callable[..., Sender]) -> None:
    both = [senders("credit"), senders("hiring")]
    for sender in both:
        sent = sender.record()
        sender.post(sent)
        assert sender.post(sent | {"outcome": "refused"}).status_code == 409
    troubled = both[0].systems[0]
    head_store().advance(open_log(troubled.pk).id, 10_000, bytes(32))
    assert alert_conflicts() == 2
    assert alert_conflicts() == 0
    assert dict(Alert.objects.values_list("system_id", "seal_pending")) == {
        troubled.pk: True,
        both[1].systems[0].pk: False,
    }


def test_an_id_of_another_system_says_nothing_more(senders: Callable[..., Sender]) -> None:
    mine, theirs = senders("credit"), senders("hiring")
    sent = mine.record()
    assert mine.post(sent).status_code == 201
    answer = theirs.post(sent | {"system": "hiring"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/id-taken")
    assert "quarantine_id" not in answer.json()
    assert not Entry.objects.filter(kind="decision.conflicted").exists()


def test_an_id_of_another_kind_of_entry_is_taken(sender: Sender) -> None:
    entry_id = str(Entry.objects.filter(kind="system.registered").get().id)
    assert sender.post(sender.record(id=entry_id)).json()["type"] == "/problems/id-taken"


def test_the_callers_own_key_makes_retries_idempotent_whatever_changed(sender: Sender) -> None:
    sent = sender.record(id=None, external_id="order-1")
    first = sender.post(sent)
    again = sender.post(sent | {"latency_ms": 99})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert "differs_from_first" in again.json()["warnings"]
    assert "differs_from_first" not in sender.post(sent).json()["warnings"]
    assert Decision.objects.count() == 1
    assert b"order-1" not in bytes(ExternalId.objects.get().digest)


def test_the_callers_own_key_counts_within_a_batch_and_a_system(senders: Callable[..., Sender]) -> None:
    sender = senders("credit", "hiring")
    one = sender.record(id=None, external_id="order-1")
    answer = sender.batch([one, one, one | {"system": "hiring"}]).json()
    assert answer["counts"]["accepted"] == 2
    assert answer["counts"]["duplicate"] == 1
    assert answer["results"][0]["id"] == answer["results"][1]["id"] != answer["results"][2]["id"]


def test_of_an_erased_decision_the_entry_fields_alone_are_compared(sender: Sender) -> None:
    sent = sender.record(subject="p-1")
    sender.post(sent)
    erase(sent["id"])
    assert sender.post(sent | {"input": "other"}).status_code == 200
    assert sender.post(sent | {"outcome": "refused"}).status_code == 409
    with connection.cursor() as cursor:
        cursor.execute("SELECT input, subject FROM audit_payload")
        assert cursor.fetchall() == [(None, None)]


def test_a_repeat_through_another_key_of_the_system_is_the_same(senders: Callable[..., Sender]) -> None:
    from tests.factories.register import make_account, make_key

    sender = senders("credit")
    other = Sender(sender.systems, sender.account, make_key(*sender.systems, account=make_account()).text)
    sent = sender.record()
    assert (sender.post(sent).status_code, other.post(sent).status_code) == (201, 200)


def test_the_register_may_have_changed_in_between(sender: Sender) -> None:
    sent = sender.record()
    sender.post(sent)
    register_version(actor=COMMAND, system_id=sender.systems[0].pk, version="2026.11")
    assert sender.post(sent).status_code == 200


def test_an_old_id_that_is_recorded_is_answered(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    sent = sender.record()
    sender.post(sent)
    monkeypatch.setattr("intake.admission.OLDEST_ID", timedelta(seconds=-60))
    assert sender.post(sent).status_code == 200
    assert sender.post(sender.record()).status_code == 422


def test_a_closed_log_answers_repeats_from_where_they_stand(sender: Sender) -> None:
    """Not closed here: an entry of another kind comes between, and the index stays."""
    sent = sender.record()
    first = sender.post(sent).json()
    with sealing() as seal:
        from django.utils import timezone

        from ledger.kinds import LOG_OPENED

        log = open_log(sender.systems[0].pk)
        seal.add(log.id, draft_entry(kind=LOG_OPENED, actor=COMMAND, at=timezone.now(), body={}))
    again = sender.post(sent).json()
    assert again["leaf_index"] == first["leaf_index"]
    assert again["tree_size"] > first["tree_size"]
    assert ServiceKey.objects.count() == 1
