"""A caller's own key leads to what was recorded under it, and to nothing else."""

from typing import Any

import pytest
from django.db import DataError, OperationalError

from audit.models import Decision
from audit.services import recording
from config.ids import new_id
from governance import memory
from intake import groups
from intake.models import ExternalId
from ledger.models import Entry
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

    def refuse_the_first(seal: Any, *, log_id: Any, decisions: Any, ids: Any) -> Any:
        spoilt.append(decisions[0].id)
        if decisions[0].id == spoilt[0]:
            raise DataError("the first is at fault")
        return genuine(seal, log_id=log_id, decisions=decisions, ids=ids)

    sender.post(sender.record())
    monkeypatch.setattr(groups, "record_decisions", refuse_the_first)
    found = sender.batch([sender.record(id=None, external_id="X") for _ in range(2)]).json()["results"]
    assert [row["status"] for row in found] == ["retry", "accepted"]
    assert Entry.objects.filter(id=found[1]["id"]).exists()
    assert ExternalId.objects.get().decision_id == Decision.objects.latest("recorded_at").pk
