"""Against a switch: who knew of it, or must have, breaches it; who could not have known is late."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.entries import read_entry
from audit.models import Decision
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Entry
from notices.models import Alert, Event
from notices.outbox import announce
from overrides.conduct import DRAIN_WITHIN, Conduct, conduct_of
from overrides.models import BreachCount, Review
from overrides.services.breaches import alert_breaches
from overrides.standing import Epoch, InFlight, Mode, Node, SwitchState
from tests.factories.control import clear, stop
from tests.intake.conftest import Sender, make_sender

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def judged(
    *, epoch: str | None = None, occurred: float = 0, received: float | None = None, drain: bool = False
) -> Conduct:
    """Seconds after the change of the switch; fail policy of a minute."""
    state = SwitchState(
        id=uuid.uuid4(),
        node=Node(),
        mode=Mode.STOP,
        epoch=Epoch(2, 5),
        reason_code="x",
        in_flight=InFlight.DRAIN if drain else InFlight.HOLD,
        changed_at=NOW,
    )
    return conduct_of(
        state,
        control_epoch=epoch,
        occurred_at=NOW + timedelta(seconds=occurred),
        received_at=NOW + timedelta(seconds=occurred if received is None else received),
        max_staleness_s=60,
    )


@pytest.mark.parametrize(
    ("epoch", "occurred", "received", "conduct"),
    [
        ("2.5", 1, 2, Conduct.BREACH),
        ("2.9", 1, 2, Conduct.BREACH),
        ("3.1", 1, 2, Conduct.BREACH),
        ("2.5", -3600, 2, Conduct.BREACH),  # by epoch, never by a clock that is an hour behind
        ("2.4", 1, 2, Conduct.LATE),
        ("1.99", 30, 31, Conduct.LATE),
        ("2.4", 3600, 5, Conduct.LATE),  # nor by one that is an hour ahead
        ("2.4", -5, 7200, Conduct.LATE),  # a spool that is replayed
        ("2.4", 61, 62, Conduct.BREACH),  # its fail policy lets nobody act so long on what they knew
        (None, -1, 2, Conduct.LATE),
        (None, 0, 2, Conduct.BREACH),
        (None, 1, 2, Conduct.BREACH),
        ("spring", 1, 2, Conduct.BREACH),
    ],
)
def test_who_must_have_known(epoch: str | None, occurred: float, received: float, conduct: Conduct) -> None:
    assert judged(epoch=epoch, occurred=occurred, received=received) is conduct


def test_work_that_may_finish_is_late_until_it_should_have() -> None:
    assert judged(epoch="2.5", occurred=100, drain=True) is Conduct.LATE
    assert judged(epoch="2.5", occurred=DRAIN_WITHIN.total_seconds(), drain=True) is Conduct.BREACH


@pytest.fixture
def sender() -> Sender:
    return make_sender("credit")


# --- through the front door -------------------------------------------------------------------------------------------
def flags_of(answer: Any) -> list[str]:
    return read_entry(bytes(Entry.objects.get(id=answer.json()["id"]).data)).body.flags


def now() -> str:
    return timezone.now().isoformat()


@pytest.mark.committing
def test_a_breach_is_sealed_counted_and_told_once(sender: Sender) -> None:
    system = sender.systems[0]
    done = stop(system)
    for _ in range(3):
        answer = sender.post(sender.record(occurred_at=now(), control_epoch=str(done.epoch)))
        assert answer.status_code == 201 and "breach" in flags_of(answer)
        assert answer.json()["directive"]["action"] == "stop"
    counted = BreachCount.objects.get()
    assert (counted.count, counted.system_id) == (3, system.pk)
    assert [alert_breaches(), alert_breaches()] == [1, 0]
    sender.post(sender.record(occurred_at=now()))
    alert_breaches()
    alert = Alert.objects.get(kind="switch.breached")
    assert (alert.occurrences, Event.objects.filter(type="switch.breached").count()) == (4, 1)
    assert Decision.objects.filter(flags__contains=["breach"]).count() == 4
    assert list(verify_everything()) == []


@pytest.mark.committing
def test_a_sweep_that_dies_or_stumbles_tells_each_breach_once(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    stop(sender.systems[0])
    sender.post(sender.record(occurred_at=now()))
    first = BreachCount.objects.get()
    values = {each.attname: getattr(first, each.attname) for each in BreachCount._meta.fields}
    BreachCount.objects.create(**values | {"id": uuid.uuid4(), "number": first.number + 1})

    def stumbles(**given: Any) -> Any:
        if given["facts"]["epoch"] == f"1.{first.number}":
            raise RuntimeError("a row in trouble")
        return announce(**given)

    with monkeypatch.context() as stumbling:
        stumbling.setattr("overrides.services.breaches.announce", stumbles)
        assert alert_breaches() == 1, "the other one waits for nobody"
    assert [alert_breaches(), alert_breaches()] == [1, 0]
    assert Event.objects.filter(type="switch.breached").count() == Alert.objects.count() == 2


@pytest.mark.committing
def test_what_is_done_against_a_drill_is_no_breach_but_against_a_stop_during_one(sender: Sender) -> None:
    system = sender.systems[0]
    stop(system, drill_id=uuid.uuid4())
    answer = sender.post(sender.record(occurred_at=now()))
    assert answer.json()["directive"]["action"] == "stop" and not {"breach", "late"} & set(flags_of(answer))
    stop(None)
    assert "breach" in flags_of(sender.post(sender.record(occurred_at=now())))
    assert BreachCount.objects.get().count == 1


@pytest.mark.committing
def test_a_repeat_of_a_breach_counts_once(sender: Sender) -> None:
    stop(sender.systems[0])
    record = sender.record(occurred_at=now())
    assert [sender.post(record).status_code for _ in range(2)] == [201, 200]
    assert BreachCount.objects.get().count == 1


@pytest.mark.committing
@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"phase": "proposed"}, set()),
        ({"occurred_at": "2026-11-21T07:00:00Z"}, {"late"}),
        ({"control_epoch": "1.0"}, {"late"}),
    ],
)
def test_what_is_no_breach(sender: Sender, changes: dict[str, str], flags: set[str]) -> None:
    stop(sender.systems[0])
    answer = sender.post(sender.record(**{"occurred_at": now()} | changes))
    assert set(flags_of(answer)) & {"late", "breach"} == flags
    assert not BreachCount.objects.exists()


@pytest.mark.committing
def test_after_a_clear_nothing_is_a_breach(sender: Sender) -> None:
    system = sender.systems[0]
    clear(stop(system), system)
    answer = sender.post(sender.record(occurred_at=now()))
    assert answer.json()["directive"]["action"] == "proceed" and "breach" not in flags_of(answer)


@pytest.mark.committing
def test_what_stands_in_for_a_system_in_fallback_is_no_breach(sender: Sender) -> None:
    system = sender.systems[0]
    AISystem.objects.update(fallback_kind="model_version", fallback="2026.10")
    stop(system, mode=Mode.FALLBACK)

    def posted(version: str) -> Any:
        return sender.post(sender.record(occurred_at=now(), model_version=version))

    assert "breach" in flags_of(posted("2026.11"))
    answer = posted("2026.10")
    assert (answer.json()["directive"]["action"], "breach" in flags_of(answer)) == ("proceed", False)


@pytest.mark.committing
def test_review_holds_each_decision_and_opens_its_review_once(sender: Sender) -> None:
    stop(sender.systems[0], mode=Mode.REVIEW)
    record = sender.record(phase="proposed")
    first, again = sender.post(record).json(), sender.post(record).json()
    review = Review.objects.get()
    assert first["directive"]["action"] == "hold"
    assert first["directive"]["review_id"] == again["directive"]["review_id"] == str(review.pk)
    body = read_entry(bytes(Entry.objects.get(id=record["id"]).data)).body
    assert (body.review_id, body.directive.action) == (str(review.pk), "hold")
    sender.batch([sender.record(phase="proposed") for _ in range(5)])
    assert Review.objects.count() == 6


@pytest.mark.committing
def test_a_repeat_after_a_stop_is_told_of_the_stop_and_of_no_review_that_is_not(sender: Sender) -> None:
    record = sender.record(phase="proposed")
    assert sender.post(record).json()["directive"]["action"] == "proceed"
    stop(sender.systems[0], mode=Mode.REVIEW)
    directive = sender.post(record).json()["directive"]
    assert (directive["action"], directive["review_id"], Review.objects.count()) == ("hold", None, 0)
