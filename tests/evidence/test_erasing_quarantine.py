"""Records of quarantine: by nobody before their time, never under a hold, and one that is kept holds up no other."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from audit.case_selectors import held
from audit.erasing import floor_ends, held_texts
from audit.models import Payload
from audit.selectors import decisions_by_ids
from audit.services.holds import place_hold, place_span_hold
from config.ids import new_id
from evidence.services import erasure_runs
from evidence.services.erasure_runs import run_erasures
from evidence.verification import verify_everything
from governance import memory
from governance.acts import Role
from governance.models import AISystem
from governance.scopes import Scope
from intake.models import QuarantinedRecord
from intake.services.replays import correct, replay
from intake.services.sweeps import expire_quarantine, seal_arrivals
from notices.models import Alert
from tests.evidence.as_app import RECORDS, REFUSED, erase
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, arrived, erased, no_floor, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person
from tests.intake.conftest import Sender, make_sender

pytestmark = pytest.mark.committing


@pytest.fixture
def sender(committed_db: None) -> Sender:
    return make_sender("credit", accountable=make_person())


@pytest.fixture
def system(sender: Sender) -> AISystem:
    return sender.systems[0]


@pytest.fixture
def app(sender: Sender, database_url: str) -> Iterator[psycopg.Connection]:
    """Somebody with the password of the role that the service runs as."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def refused(sender: Sender, *, days: float) -> uuid.UUID:
    """A record that arrived so long ago."""
    memory.refresh()
    with arrived(days=days):
        record_id = uuid.UUID(sender.post(sender.record(extra=1)).json()["quarantine_id"])
    seal_arrivals()
    return record_id


def replayed(sender: Sender, *, days: float) -> tuple[uuid.UUID, uuid.UUID]:
    """One that arrived so long ago and became a decision now: its id and the decision's."""
    record_id = refused(sender, days=days)
    owner = make_person()
    give_role(owner, Role.TECHNICAL_OWNER, Scope.system(sender.systems[0].pk))
    correct(actor=actor_of(owner), record_id=record_id, corrections={"extra": None}, reason="unknown")
    made = replay(actor=actor_of(owner), record_id=record_id).decision_id
    assert made is not None
    return record_id, made


def is_kept(record_id: uuid.UUID) -> bool:
    return QuarantinedRecord.objects.get(pk=record_id).secret is not None


def hold_days_ago(system: AISystem, days: float) -> None:
    """On what came a day around then."""
    then = timezone.now() - timedelta(days=days)
    place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk, since=then - timedelta(hours=12),
        until=then + timedelta(hours=12), reason="A claim.",
    )  # fmt: skip


# --- by nobody before its time ----------------------------------------------------------------------------------------
def test_without_two_people_nothing_goes_that_is_no_month_old(app: psycopg.Connection, sender: Sender) -> None:
    young, old = refused(sender, days=29), refused(sender, days=31)
    for warrant in (None, new_id()):
        with pytest.raises(REFUSED):
            erase(app, warrant, young, by=RECORDS)
    with pytest.raises(REFUSED, match="too young"):
        erase(app, None, young, old, by=RECORDS)
    assert is_kept(young) and is_kept(old)
    erase(app, None, old, by=RECORDS)
    assert not is_kept(old)


@pytest.mark.parametrize(
    ("floor", "ceiling", "days", "goes"),
    [(0, 10, 11, True), (0, 10, 9, False), (0, None, 400, False), (60, 100, 50, False), (60, 100, 99, False)],
)
def test_two_people_say_when_it_goes(
    app: psycopg.Connection, sender: Sender, floor: int, ceiling: int | None, days: int, goes: bool
) -> None:
    put_in_force("quarantine", sender.systems[0], floor=floor, ceiling=ceiling)
    record = refused(sender, days=days)
    if goes:
        erase(app, None, record, by=RECORDS)
    else:
        with pytest.raises(REFUSED, match="within its floor, too young"):
            erase(app, None, record, by=RECORDS)
    assert is_kept(record) is not goes


def test_a_row_that_says_so_shortens_nothing(app: psycopg.Connection, sender: Sender) -> None:
    put_in_force("quarantine", sender.systems[0], ceiling=200)
    record = refused(sender, days=100)
    app.execute("UPDATE audit_retentionclass SET ceiling_days = 1")
    with pytest.raises(REFUSED, match="too young"):
        erase(app, None, record, by=RECORDS)


def test_what_came_within_a_hold_stays(app: psycopg.Connection, sender: Sender, system: AISystem) -> None:
    record, other = refused(sender, days=100), refused(sender, days=110)
    hold_days_ago(system, 100)
    with pytest.raises(REFUSED, match="held"):
        erase(app, None, record, by=RECORDS)
    assert expire_quarantine() == 1
    assert is_kept(record) and not is_kept(other)


# --- what it became ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["case", "span"])
def test_a_hold_on_the_decision_keeps_the_record_that_it_was_made_of(
    app: psycopg.Connection, sender: Sender, system: AISystem, way: str
) -> None:
    days = settings.QUARANTINE_DAYS + 10
    (record, decision), other = replayed(sender, days=days), refused(sender, days=days)
    if way == "span":
        hold_days_ago(system, 0)
    else:
        row = decisions_by_ids([decision])[decision]
        case, lead = make_led_case(system, decisions=[row])
        place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    assert held_texts([record]) == {record}
    with pytest.raises(REFUSED, match="held"):
        erase(app, None, record, by=RECORDS)
    assert expire_quarantine() == 1
    assert is_kept(record) and not is_kept(other)
    assert expire_quarantine() == 0


# --- one that is kept holds up no other -------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["held", "floor"])
def test_what_keeps_a_record_keeps_its_decision_and_nothing_else(sender: Sender, system: AISystem, way: str) -> None:
    no_floor(system)
    record, kept = replayed(sender, days=50)
    others = [record_decision(system).id for _ in range(3)]
    if way == "held":
        hold_days_ago(system, 50)
        assert held([kept, *others]) == {kept}
    else:
        put_in_force("quarantine", system, floor=60)
        assert floor_ends([kept])[kept] > timezone.now()
    request = erased(kind="decision", decision_ids=[kept, *others])
    assert request.status == "scheduled"
    left = Payload.objects.filter(pk__in=[kept, *others], secret__isnull=False)
    assert list(left.values_list("pk", flat=True)) == [kept] and is_kept(record)
    assert not Alert.objects.filter(kind="erasure.blocked").exists()
    assert list(verify_everything()) == []


def test_what_the_database_refuses_holds_up_no_other_of_its_slice(
    sender: Sender, system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this host believes that all of them may go."""
    no_floor(system)
    ids = [record_decision(system).id for _ in range(5)]
    row = decisions_by_ids(ids[:1])[ids[0]]
    case, lead = make_led_case(system, decisions=[row])
    request = agreed(kind="decision", decision_ids=ids)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    monkeypatch.setattr(erasure_runs, "free_decisions", set)
    assert run_erasures(seconds=SECONDS) == 4
    request.refresh_from_db()
    assert request.status == "scheduled", "it is not tried again every minute"
    left = Payload.objects.filter(pk__in=ids, secret__isnull=False)
    assert list(left.values_list("pk", flat=True)) == ids[:1]
    assert Alert.objects.filter(kind="erasure.blocked").count() == 1
    assert list(verify_everything()) == []
