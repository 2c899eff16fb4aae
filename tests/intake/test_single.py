"""One decision a request."""

import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from audit.entries import read_entry
from audit.models import Decision, Payload
from config.ids import id_at
from evidence.verification import verify_everything
from governance import memory
from governance.acts import Role
from governance.errors import UnverifiedLimitReached
from governance.models import KeyAct, ServiceKey
from governance.scopes import Scope
from governance.services.keys import revoke_service_key
from governance.services.systems import end_environment
from governance.usage import write_uses
from intake.models import QuarantinedRecord
from intake.wire import MAX_RECORD_BYTES
from ledger.commitments import commitment
from ledger.entries import COMMAND
from ledger.models import Entry
from ledger.selectors import open_log, root_at
from ledger.tlog import Verifier, check_inclusion, open_checkpoint, prove_inclusion
from ledger.tree_store import TreeReader
from tests.factories.keys import verifier_key
from tests.factories.register import give_role, make_person
from tests.intake.conftest import Sender, record

pytestmark = pytest.mark.committing


def uuid7_at(moment: datetime) -> str:
    value = (id_at(moment).int & ~(0xFFFF << 64)) | (0x7 << 76) | (0x2 << 62) | uuid.uuid4().int & 0xFFFFFFFF
    return str(uuid.UUID(int=value))


def test_the_answer_is_a_receipt_that_proves_the_decision(sender: Sender) -> None:
    sent = sender.record()
    answer = sender.post(sent)
    assert answer.status_code == 201
    receipt = answer.json()
    log = open_log(sender.systems[0].pk)
    entry = Entry.objects.get(id=sent["id"])
    assert (receipt["id"], receipt["log"], receipt["leaf_index"]) == (sent["id"], log.origin, entry.leaf_index)
    assert receipt["leaf_hash"] == bytes(entry.leaf_hash).hex()
    checkpoint = open_checkpoint(
        receipt["checkpoint"], origin=log.origin, log_verifiers=[Verifier.from_vkey(verifier_key(log.origin))]
    )
    size = receipt["tree_size"]
    assert checkpoint.checkpoint.tree_size == size
    assert checkpoint.checkpoint.root_hash == root_at(log.id, size)
    proof = prove_inclusion(TreeReader(log.id), entry.leaf_index, size)
    check_inclusion(bytes(entry.leaf_hash), entry.leaf_index, size, proof, checkpoint.checkpoint.root_hash)


def test_that_a_key_sends_decisions_is_noted_and_that_it_reads_them_is_not(sender: Sender) -> None:
    own = KeyAct.objects.filter(key_id=ServiceKey.objects.get(account=sender.account).pk)
    sender.client.get("/api/v1/decisions", headers={"Authorization": sender.header})
    write_uses()
    assert not own.exists()
    assert sender.post(sender.record()).status_code == 201
    write_uses()
    assert own.get().act == "posted"


def test_entry_row_and_payload_say_the_same(sender: Sender) -> None:
    sent = sender.record(
        subject="p-1", labels={"b": "2", "a": "1"}, source={"id": "spool", "seq": 7}, latency_ms=12, adverse=True,
        explanation={"summary": "é"}, external_id="order-1", score=1e-7, parent_id=record()["id"],
    )  # fmt: skip
    assert sender.post(sent).status_code == 201
    entry = Entry.objects.get(id=sent["id"])
    body, row, payload = read_entry(bytes(entry.data)).body, Decision.objects.get(), Payload.objects.get()
    assert bytes(entry.data).isascii()
    assert (row.leaf_index, row.outcome, row.score, row.adverse) == (entry.leaf_index, "approved", 1e-7, True)
    assert row.occurred_at == datetime(2026, 11, 21, 6, 0, 0, 500000, tzinfo=UTC)
    assert body.occurred_at == "2026-11-21T06:00:00.500000Z"
    assert (body.source_seq, str(row.source_id), row.source_seq) == (7, body.source_id, 7)
    assert (payload.subject, payload.label_terms) == ("p-1", ["1:a=1", "1:b=2"])
    assert bytes(payload.input or b"") == json.dumps(sent["input"]).encode()
    parts = {name: bytes(getattr(payload, name)) for name in ("input", "output", "explanation", "refs")}
    assert body.commitments == {
        name: commitment(bytes(payload.secret or b""), name, data).hex() for name, data in parts.items()
    }


def test_nothing_personal_is_in_the_entry(sender: Sender) -> None:
    secrets = {"subject": "Jane-4711", "external_id": "Jane-4712", "conversation_id": "Jane-4713"}
    sender.post(sender.record(**secrets, input="Jane-4714", output="Jane-4715", labels={"Jane-4716": "Jane-4717"}))
    assert b"Jane" not in b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))


def test_a_decision_from_an_environment_that_ended_is_flagged(sender: Sender) -> None:
    assert "unknown_environment" not in sender.post(sender.record()).json()["warnings"]
    end_environment(actor=COMMAND, environment_id=sender.systems[0].environments.get().pk, reason="moved")
    memory.refresh()
    answer = sender.post(sender.record())
    assert answer.status_code == 201
    assert "unknown_environment" in answer.json()["warnings"]
    assert list(verify_everything()) == []


def test_flags_say_what_was_unusual(sender: Sender) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    flags = sender.post(sender.record(occurred_at=long_ago)).json()["warnings"]
    assert set(flags) >= {"unverified_model_version", "not_live", "late_over_24h"}
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert "clock_ahead" in sender.post(sender.record(occurred_at=ahead)).json()["warnings"]
    assert Decision.objects.order_by("id").reverse()[0].flags[-1] == "clock_ahead"


def test_the_accountable_person_of_both_moments_is_named(sender: Sender) -> None:
    system = sender.systems[0]
    now = datetime.now(UTC).isoformat()
    first = sender.post(sender.record(occurred_at=now)).json()["id"]
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    second = sender.post(sender.record(occurred_at=now)).json()["id"]
    third = sender.post(sender.record(occurred_at=datetime.now(UTC).isoformat())).json()["id"]
    rows = {str(row.pk): row for row in Decision.objects.all()}
    assert rows[first].accountable_id != person.pk
    assert rows[second].accountable_id == person.pk == rows[third].accountable_id
    assert rows[second].accountable_accepted
    assert rows[second].occurred_accountable_id != person.pk
    assert rows[third].occurred_accountable_id is None


def test_nobody_answers_any_more_from_the_moment_at_which_an_assignment_ends(sender: Sender) -> None:
    person, ends_at = make_person(), datetime.now(UTC) + timedelta(hours=1)
    give_role(person, Role.ACCOUNTABLE, Scope.system(sender.systems[0].pk), ends_at=ends_at)

    def who(moment: datetime) -> tuple[bool, list[str]]:
        with time_machine.travel(moment, tick=True):
            receipt = sender.post(sender.record(occurred_at=datetime.now(UTC).isoformat())).json()
        return Decision.objects.get(pk=receipt["id"]).accountable_id == person.pk, receipt["warnings"]

    who(ends_at - timedelta(seconds=1))  # the model version is registered: nothing changes in the register after
    held, ended = who(ends_at - timedelta(milliseconds=500)), who(ends_at + timedelta(milliseconds=1))
    assert held[0] and not ended[0]
    assert "no_accountable" not in held[1]


def test_an_id_of_the_server_is_made_where_none_was_sent(sender: Sender) -> None:
    ids = {sender.post(sender.record(id=None)).json()["id"] for _ in range(3)}
    assert len(ids) == 3
    assert Decision.objects.count() == 3


def test_ids_from_the_future_are_refused_and_old_ones_quarantined(sender: Sender) -> None:
    now = datetime.now(UTC)
    ahead = sender.post(sender.record(id=uuid7_at(now + timedelta(minutes=6))))
    assert (ahead.status_code, ahead.json()["errors"][0]["pointer"]) == (422, "/id")
    assert sender.post(sender.record(id=uuid7_at(now + timedelta(minutes=4)))).status_code == 201
    assert sender.post(sender.record(id=uuid7_at(now - timedelta(days=34)))).status_code == 201
    old = sender.post(sender.record(id=uuid7_at(now - timedelta(days=365))))
    assert (old.status_code, old.json()["type"]) == (422, "/problems/id-too-old")
    kept = QuarantinedRecord.objects.get(pk=old.json()["quarantine_id"])
    assert kept.problem_code == "id-too-old"


def test_a_wrong_record_is_refused_with_the_id_of_its_replay(sender: Sender) -> None:
    answer = sender.post(sender.record(confidence=3, extra=1))
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert {problem["pointer"] for problem in answer.json()["errors"]} == {"/confidence", "/extra"}
    kept = QuarantinedRecord.objects.get(pk=answer.json()["quarantine_id"])
    assert json.loads(bytes(kept.original or b""))["confidence"] == 3
    assert not Decision.objects.exists()


def test_other_systems_and_environments_are_out_of_reach_and_not_quarantined(senders) -> None:  # type: ignore[no-untyped-def]
    mine, theirs = senders("credit"), senders("hiring")
    for wrong in ({"system": "hiring"}, {"system": "nothing"}, {"environment": "staging"}):
        answer = mine.post(mine.record(**wrong))
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/key-out-of-scope")
    assert theirs.post(theirs.record()).status_code == 201
    assert not QuarantinedRecord.objects.exists()


def test_keys_must_be_in_force_and_for_writing(sender: Sender, senders) -> None:  # type: ignore[no-untyped-def]
    reader = senders("hiring", scopes=("decisions:read",))
    assert reader.post(reader.record()).status_code == 403
    assert sender.post(sender.record(), HTTP_AUTHORIZATION="").status_code == 401
    assert (
        sender.post(
            sender.record(), HTTP_AUTHORIZATION=sender.header[:-1] + ("1" if sender.header[-1] == "0" else "0")
        ).status_code
        == 401
    )
    from governance.models import ServiceKey

    assert sender.post(sender.record()).status_code == 201
    revoke_service_key(actor=COMMAND, key_id=ServiceKey.objects.get(account=sender.account).pk)
    assert sender.post(sender.record()).status_code == 401


def test_only_post_is_taken(sender: Sender) -> None:
    answer = sender.client.get("/api/v1/decisions/batch", HTTP_AUTHORIZATION=sender.header)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_other_methods_are_refused_and_the_answer_names_those_that_are_not(sender: Sender) -> None:
    answer = sender.client.put("/api/v1/decisions", HTTP_AUTHORIZATION=sender.header)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer["Allow"].split(", "))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-ndjson", "", "application/json; charset=latin-1", "{"])
def test_other_content_types_are_refused(sender: Sender, kind: str) -> None:
    answer = sender.raw("/api/v1/decisions", b"{}", content_type=kind)
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


def test_json_may_name_its_charset(sender: Sender) -> None:
    body = json.dumps(sender.record()).encode()
    assert sender.raw("/api/v1/decisions", body, content_type="Application/JSON; charset=UTF-8").status_code == 201


def test_encodings_that_are_not_read_are_refused(sender: Sender) -> None:
    answer = sender.post(sender.record(), HTTP_CONTENT_ENCODING="br")
    assert answer.status_code == 415


def test_a_body_over_the_limit_is_413_and_an_empty_one_400(sender: Sender) -> None:
    assert sender.post(b" " * (20 << 20)).status_code == 413
    assert sender.post(b"", CONTENT_TYPE="application/json").status_code == 400


def test_a_body_that_is_not_utf8_is_kept_up_to_64_kib(sender: Sender) -> None:
    body = json.dumps(sender.record(subject="@" * 100, input="y" * 100_000)).encode().replace(b"@", b"\xff")
    answer = sender.post(body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable-body")
    kept = QuarantinedRecord.objects.get(pk=answer.json()["quarantine_id"])
    assert bytes(kept.original or b"") == body[: 64 << 10]
    assert kept.is_truncated
    assert kept.original_size == len(body)


def test_a_record_of_a_megabyte_is_taken(sender: Sender) -> None:
    assert sender.post(sender.record(input="x" * 1_000_000)).status_code == 201


def test_an_unknown_model_version_is_registered_unverified(sender: Sender) -> None:
    from governance.models import ModelVersion

    sender.post(sender.record(model_version="brand-new"))
    sender.post(sender.record(model_version="brand-new"))
    assert ModelVersion.objects.get(version="brand-new").status == "unverified"
    assert set(Decision.objects.values_list("model_version_id", flat=True)) == {
        ModelVersion.objects.get(version="brand-new").pk
    }


def test_a_decision_is_never_lost_for_its_unknown_version(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.services.versions.UNVERIFIED_A_DAY", 1)
    sender.post(sender.record(model_version="one"))
    answer = sender.post(sender.record(model_version="two"))
    assert answer.status_code == 201
    assert "unregistered_model_version" in answer.json()["warnings"]


def test_past_the_days_unknown_versions_none_is_tried(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refuse(*, version: str, **rest: Any) -> Any:
        tried.append(version)
        raise UnverifiedLimitReached()

    monkeypatch.setattr("intake.learning.register_unverified", refuse)
    answer = sender.batch([sender.record(model_version=f"v{number}") for number in range(5)])
    assert answer.json()["counts"]["accepted"] == 5
    assert len(tried) == 1


def test_the_allowance_holds_but_never_for_what_is_sealed(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.rate_limits import TokenBuckets

    monkeypatch.setattr("intake.api.DECISIONS", TokenBuckets(name="decisions", per_second=0.001, burst=2))
    first = sender.record()
    assert [sender.post(first).status_code, sender.post(sender.record()).status_code] == [201, 201]
    refused = sender.post(sender.record())
    assert (refused.status_code, "Retry-After" in refused) == (429, True)
    assert sender.post(first).status_code == 200
    batch = sender.batch([first, sender.record()])
    assert batch.json()["counts"] | {"accepted": 0} == {
        "accepted": 0, "duplicate": 1, "conflict": 0, "rejected": 0, "retry": 1,
    }  # fmt: skip


def test_a_repeat_by_the_callers_own_key_is_answered_without_allowance(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.rate_limits import TokenBuckets

    monkeypatch.setattr("intake.api.DECISIONS", TokenBuckets(name="decisions", per_second=0.001, burst=1))
    sent = sender.record(id=None, external_id="order-1")
    assert sender.post(sent).status_code == 201
    assert sender.post(sent).status_code == 200
    assert sender.post(sent | {"external_id": "order-2"}).status_code == 429
    counts = sender.batch([sent, sent | {"external_id": "order-2"}]).json()["counts"]
    assert (counts["duplicate"], counts["retry"]) == (1, 1)


@pytest.mark.committing
def test_gzip_is_read_within_the_limit(sender: Sender) -> None:
    packed = gzip.compress(json.dumps(sender.record()).encode())
    assert sender.post(packed, HTTP_CONTENT_ENCODING="gzip").status_code == 201
    bomb = gzip.compress(b" " * (MAX_RECORD_BYTES + 1))
    assert sender.post(bomb, HTTP_CONTENT_ENCODING="gzip").status_code == 413
    assert sender.post(packed[:-9], HTTP_CONTENT_ENCODING="gzip").status_code == 400
    assert sender.post(packed, HTTP_CONTENT_ENCODING="br").status_code == 415
