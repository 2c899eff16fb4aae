"""A caller's own key leads to what was recorded under it, and to nothing else."""

import itertools
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Decision
from audit.services import recording
from config.ids import new_id
from governance import memory
from governance.api.authentication import KeyGrant
from intake import groups
from intake.admission import Admission
from intake.errors import DigestKeyUnavailable
from intake.groups import seal_group
from intake.models import ExternalId, QuarantinedRecord
from intake.reading import read_record
from ledger.models import Entry
from ledger.selectors import open_log
from overrides import memory as control_memory
from overrides.conditions import compile_condition, draw_of
from overrides.directives import directive_for
from overrides.memory import Controls
from overrides.review_rules import Rule
from overrides.standing import Control, Epoch
from tests.factories.register import make_key, make_system
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing


def test_a_key_that_came_with_a_refused_conflict_is_not_used_up(sender: Sender) -> None:
    first = str(new_id())
    assert sender.post(sender.record(id=first)).status_code == 201
    assert sender.post(sender.record(id=first, outcome="refused", external_id="X1")).status_code == 409
    answer = sender.post(sender.record(id=None, outcome="flagged", external_id="X1"))
    assert (answer.status_code, answer.json()["status"]) == (201, "accepted")
    assert Decision.objects.filter(outcome="flagged").count() == 1


def test_a_repeat_by_key_with_other_content_is_told_so(sender: Sender) -> None:
    first = sender.post(sender.record(id=None, external_id="order-1")).json()
    again = sender.post(sender.record(id=None, external_id="order-1", outcome="refused"))
    assert (again.status_code, again.json()["id"], again.json()["warnings"][-1]) == (
        200,
        first["id"],
        "differs_from_first",
    )


def test_one_environments_keys_are_not_anothers(sender: Sender) -> None:
    system = make_system()
    staging, production = (make_key(system, environment=place).text for place in ("staging", "production"))
    memory.refresh()
    for key in (staging, production):
        answer = sender.client.post(
            "/api/v1/decisions",
            sender.record(id=None, system=system.slug, external_id="order-1"),
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 201


def test_a_group_that_runs_again_gives_the_same_answers(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = recording.record_decisions
    lost: list[bool] = []

    def lose_the_connection_once(*args: object, **rest: object) -> object:
        done = genuine(*args, **rest)  # type: ignore[arg-type]
        if not lost:
            lost.append(True)
            raise OperationalError("the connection was lost")
        return done

    monkeypatch.setattr(groups, "record_decisions", lose_the_connection_once)
    answer = sender.batch(
        [sender.record(id=None, external_id="X"), sender.record(id=None, external_id="X", outcome="refused")]
    )
    assert lost
    assert [row["status"] for row in answer.json()["results"]] == ["accepted", "duplicate"]
    assert Decision.objects.count() == 1


def test_a_half_that_fails_promises_its_id_to_nobody(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two with one key cannot be recorded: the second is, under an id that its entry says."""
    genuine = recording.record_decisions
    spoilt: list[str] = []

    def refuse_the_first(seal: Any, *, log_id: Any, decisions: Any, **rest: Any) -> Any:
        spoilt.append(decisions[0].id)
        if decisions[0].id == spoilt[0]:
            raise DataError("the first is at fault")
        return genuine(seal, log_id=log_id, decisions=decisions, **rest)

    sender.post(sender.record())
    monkeypatch.setattr(groups, "record_decisions", refuse_the_first)
    found = sender.batch([sender.record(id=None, external_id="X") for _ in range(2)]).json()["results"]
    assert [row["status"] for row in found] == ["retry", "accepted"]
    assert Entry.objects.filter(id=found[1]["id"]).exists()
    assert ExternalId.objects.get().decision_id == Decision.objects.latest("recorded_at").pk


KINDS: dict[str, dict[str, Any]] = {
    "keyed": {"id": None, "external_id": "X"},
    "keyed, other content": {"id": None, "external_id": "X", "outcome": "refused"},
    "own id and key": {"id": "A", "external_id": "X"},
    "own id and key, other content": {"id": "A", "external_id": "X", "outcome": "refused"},
    "another own id and key": {"id": "B", "external_id": "X"},
    "another own id and key, other content": {"id": "C", "external_id": "X", "outcome": "refused"},
    "own id alone": {"id": "A"},
    "own id and another key": {"id": "A", "external_id": "Y"},
}


def test_a_group_is_answered_as_if_each_had_come_alone(senders: Any) -> None:
    """Whatever the order, and whatever of it was there before."""
    together, alone = senders("credit"), senders("hiring")
    for number, names in enumerate(itertools.permutations(KINDS, 3)):
        before = number % 3  # so many of them came in a batch of their own
        batches, singles = (numbered(sender, names, str(number)) for sender in (together, alone))
        counted = [count(sender) for sender in (together, alone)]
        found = answers_of_batch(together, batches[:before]) + answers_of_batch(together, batches[before:])
        assert found == [answer_to(alone, each) for each in singles], names
        accepted = sum(answer[0] == "accepted" for answer in found)
        assert [count(together) - counted[0], count(alone) - counted[1]] == [accepted, accepted]


def count(sender: Sender) -> int:
    return Decision.objects.filter(system_id=sender.systems[0].pk).count()


def numbered(sender: Sender, names: Sequence[str], number: str) -> list[dict[str, Any]]:
    """Fresh ids and keys that are the same among these records only."""
    ids = {letter: str(new_id()) for letter in "ABC"}
    made = []
    for name in names:
        changes = dict(KINDS[name])
        changes["id"] = ids.get(changes["id"])
        if "external_id" in changes:
            changes["external_id"] = f"{changes['external_id']}-{number}"
        made.append(sender.record(**changes))
    return made


def answers_of_batch(sender: Sender, records: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    found = sender.batch(records).json()["results"] if records else []
    return [(each["status"], "differs_from_first" in each.get("warnings", ())) for each in found]


def answer_to(sender: Sender, record: dict[str, Any]) -> tuple[str, bool]:
    answer = sender.post(record)
    status = {201: "accepted", 200: "duplicate", 409: "conflict"}[answer.status_code]
    return status, "differs_from_first" in answer.json().get("warnings", ())


@pytest.mark.parametrize("order", [("keyed", "own id and key"), ("own id and key", "keyed")])
def test_of_two_with_one_key_the_second_is_the_first_with_an_id_or_without(
    sender: Sender, order: tuple[str, str]
) -> None:
    first, second = sender.batch(numbered(sender, order, "1")).json()["results"]
    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["id"] == second["id"] == str(ExternalId.objects.get().decision_id) == str(Decision.objects.get().pk)


def test_another_decision_under_a_key_and_an_id_of_its_own_is_kept_and_sealed_as_a_conflict(sender: Sender) -> None:
    first = sender.post(sender.record(id=None, external_id="X")).json()
    answer = sender.post(sender.record(external_id="X", outcome="refused"))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/decision-conflict")
    assert "external_id" in answer.json()["detail"]
    assert QuarantinedRecord.objects.get().pk == uuid.UUID(answer.json()["quarantine_id"])
    (entry,) = Entry.objects.filter(kind="decision.conflicted")
    assert str(entry.about_id) == first["id"]


def test_an_id_that_is_taken_promises_its_key_to_nobody(senders: Any) -> None:
    sender, other = senders("credit"), senders("hiring")
    taken = other.record()
    assert other.post(taken).status_code == 201
    both = [sender.record(id=taken["id"], external_id="X"), sender.record(id=None, external_id="X")]
    assert [each["status"] for each in sender.batch(both).json()["results"]] == ["conflict", "accepted"]
    assert ExternalId.objects.get().decision_id == Decision.objects.get(system_id=sender.systems[0].pk).pk


def test_keys_cost_no_query_more_when_ids_and_keys_come_together(sender: Sender) -> None:
    def queries(records: list[dict[str, Any]]) -> int:
        with CaptureQueriesContext(connection) as captured:
            seal_group(log_id, [admission.admit(read_record(json.dumps(each).encode())) for each in records])
        return len(captured)

    register = memory.fresh()
    key = next(key for key in register.keys.values() if key.account_id == sender.account.pk)
    admission = Admission(KeyGrant(register, key), timezone.now())
    log_id = open_log(sender.systems[0].pk).id
    queries([sender.record()])
    keyed = queries([sender.record(id=None, external_id="A"), sender.record(id=None, external_id="B")])
    mixed = queries([sender.record(id=None, external_id="C"), sender.record(external_id="C")])
    assert mixed == keyed


def test_a_random_share_is_drawn_by_the_callers_own_key_so_a_repeat_answers_alike(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float | None] = []

    def note(**asked: Any) -> Any:
        drawn.append(asked["draw"]())
        return directive_for(**asked)

    monkeypatch.setattr("intake.admission.directive_for", note)
    for external_id in ("order-1", "order-1", "order-2"):
        sender.post(sender.record(id=None, external_id=external_id))
    assert (drawn[0] == drawn[1], drawn[0] == drawn[2]) == (True, False)


def test_a_caller_that_chooses_ids_does_not_choose_the_sample(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float | None] = []

    def note(**asked: Any) -> Any:
        drawn.append(asked["draw"]())
        return directive_for(**asked)

    rule = Rule(id=uuid.uuid4(), system_id=sender.systems[0].pk, tests=compile_condition({"share": 0.5}), share=0.5)
    controls = Controls(control=Control(epoch=Epoch(1, 7)), rules={rule.system_id: (rule,)})
    monkeypatch.setattr(control_memory, "current", lambda: controls)
    monkeypatch.setattr("intake.admission.directive_for", note)
    record = sender.record()
    answers = [sender.post(record).json()["directive"]["action"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert drawn[0] == drawn[1] is not None
    assert drawn[0] != draw_of(record["id"])
    monkeypatch.setattr("intake.digests.digest_key", _no_key)
    sender.post(sender.record())
    assert drawn[2] is None


def _no_key(purpose: str) -> bytes:
    raise DigestKeyUnavailable("digest.key: gone")
