"""Floors, ceilings, holds and restrictions as arithmetic: here and in the database the same."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from audit.erasing import floor_ends, texts_within_floor
from audit.models import DataKind, LegalHold, Payload
from audit.models.retention import DEFAULT_FLOORS, LONGEST_DAYS, OF_THE_ORGANISATION
from audit.restrictions import restricted_among
from audit.retention import Terms, default_terms, terms_of
from audit.services.holds import place_span_hold
from evidence.erasure.reading import standing_of
from evidence.services.erasure_runs import free_decisions
from governance.models import AISystem
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.factories.erasing import erased, no_floor, put_in_force
from tests.factories.erasing import written as words_of
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

DAYS = some.integers(min_value=0, max_value=LONGEST_DAYS)
MOMENTS = some.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=some.just(UTC))
AHEAD = some.timedeltas(timedelta(0), timedelta(days=60))
FROM_NOW = some.timedeltas(timedelta(seconds=-2), timedelta(seconds=2))
MANY = hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- of one place -----------------------------------------------------------------------------------------------------
@given(floor=DAYS, above=DAYS, since=MOMENTS, at=MOMENTS, ahead=AHEAD)
def test_nothing_is_due_inside_its_floor_and_all_is_before_its_ceiling(
    floor: int, above: int, since: datetime, at: datetime, ahead: timedelta
) -> None:
    terms = Terms(floor, floor + above)
    before = terms.due_before(at, ahead)
    assert before is not None
    is_due = since < before
    free_from, ends = since + timedelta(days=floor), since + timedelta(days=floor + above)
    if is_due:
        assert free_from < at, "the floor is over"
    if ends < at + ahead and free_from < at:
        assert is_due, "by the next time it would be past its ceiling"


@given(floor=DAYS, at=MOMENTS, ahead=AHEAD)
def test_without_a_ceiling_nothing_goes_by_itself(floor: int, at: datetime, ahead: timedelta) -> None:
    assert Terms(floor).due_before(at, ahead) is None


@given(floor=DAYS, above=DAYS, at=MOMENTS, later=AHEAD, ahead=AHEAD)
def test_what_was_due_stays_due(floor: int, above: int, at: datetime, later: timedelta, ahead: timedelta) -> None:
    terms = Terms(floor, floor + above)
    now, then = terms.due_before(at, ahead), terms.due_before(at + later, ahead)
    assert now is not None and then is not None
    assert now <= then


def test_defaults_have_the_legal_floor_and_no_ceiling_but_quarantine() -> None:
    assert default_terms(DataKind.PAYLOADS) == Terms(190)
    assert default_terms(DataKind.QUARANTINE) == Terms(0, settings.QUARANTINE_DAYS)
    assert {kind for kind in DataKind if default_terms(kind).ceiling is not None} == {DataKind.QUARANTINE}


# --- as the database says it ------------------------------------------------------------------------------------------
def database_floor(kind: str, system_id: uuid.UUID | None, url: str) -> int:
    with psycopg.connect(url) as keeper:
        row = keeper.execute("SELECT evidence_floor_days(%s, %s)", [kind, system_id]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.committing
def test_the_database_knows_the_same_floors(keeper_url: str, transactional_db: None) -> None:
    system, other = make_system(accountable=make_person()), make_system(accountable=make_person())
    for kind in DataKind:
        assert database_floor(kind, None, keeper_url) == DEFAULT_FLOORS[kind], kind
    for days, kind in enumerate(DataKind, start=7):
        place = None if kind in OF_THE_ORGANISATION else system.pk
        put_in_force(kind, system, floor=days)
        assert database_floor(kind, place, keeper_url) == terms_of(kind, place).floor == days
        if place:
            assert database_floor(kind, other.pk, keeper_url) == terms_of(kind, other.pk).floor == DEFAULT_FLOORS[kind]


@pytest.mark.django_db
@MANY
@given(days=some.integers(0, 4_000), before=FROM_NOW, held=some.booleans(), of_other=some.booleans())
def test_a_decision_is_free_from_the_moment_its_floor_is_over_unless_it_is_held(
    days: int, before: timedelta, held: bool, of_other: bool
) -> None:
    """Around the very moment: whoever asks before it is refused, whoever asks after it is not."""
    system, other = make_system(accountable=make_person()), make_system(accountable=make_person())
    put_in_force("payloads", system, floor=days)
    now = timezone.now()
    at = now - timedelta(days=days) + before
    decision = record_decision(system, at=at)
    if held or of_other:
        hold_around(other if of_other and not held else system, decision.recorded_at)
    ends = floor_ends([decision.id])[decision.id]
    assert ends == decision.recorded_at + timedelta(days=days)
    is_free = decision.id in free_decisions([decision.id])
    if held or ends > timezone.now():
        assert not is_free
    elif ends <= now:
        assert is_free


def hold_around(system: AISystem, at: datetime) -> LegalHold:
    """From that very moment, up to and without the next microsecond."""
    return place_span_hold(
        actor=actor_of(make_person(investigator=True)),
        system_id=system.pk,
        since=at,
        until=at + timedelta(microseconds=1),
        reason="A claim.",
    )


@pytest.mark.django_db
def test_a_hold_ends_before_its_last_moment() -> None:
    system = make_system(accountable=make_person())
    put_in_force("payloads", system)
    first, second = (record_decision(system) for _ in range(2))
    place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk, since=first.recorded_at,
        until=second.recorded_at, reason="A claim.",
    )  # fmt: skip
    assert free_decisions([first.id, second.id]) == {second.id}


@pytest.mark.django_db
@MANY
@given(payload=some.integers(0, 400), said=some.integers(0, 400), later=some.integers(0, 200))
def test_of_several_floors_the_latest_counts(payload: int, said: int, later: int) -> None:
    system = make_system()
    owner = make_person(accountable=system)
    put_in_force("payloads", system, floor=payload)
    put_in_force("people_said", system, floor=said)
    decision = record_decision(system, at=timezone.now() - timedelta(days=300))
    with words_of(days=301):
        override_decision(
            actor=actor_of(owner), decision_id=decision.id, outcome="refused", reason_code="other", note="No."
        )
    written = decision.recorded_at + timedelta(days=later)  # later than any of its words
    mine = Override.objects.filter(decision_id=decision.id)
    mine.update(created_at=written)
    found = floor_ends([decision.id])[decision.id]
    assert found == max(decision.recorded_at + timedelta(days=payload), written + timedelta(days=said))
    within = texts_within_floor(list(mine.values_list("pk", flat=True)), found - timedelta(microseconds=1))
    assert bool(within) == (found == written + timedelta(days=said) and said > 0)


class Fate(NamedTuple):
    """Of one decision: how long ago it was recorded, and what keeps it."""

    days: int
    is_held: bool


FATES = some.lists(some.builds(Fate, some.integers(0, 60), some.booleans()), min_size=1, max_size=6)


@pytest.mark.django_db
@hypothesis_settings(MANY, max_examples=8)
@given(fates=FATES, floor=some.integers(0, 60))
def test_each_decision_of_a_subject_is_erased_restricted_or_held_and_nothing_else(
    fates: list[Fate], floor: int
) -> None:
    system, now = make_system(accountable=make_person()), timezone.now()
    no_floor(system)
    put_in_force("payloads", system, floor=floor)
    subject = f"subject-{system.pk}"
    # a minute apart, so that a hold covers one alone; the floor never ends while this runs
    moments = [now - timedelta(days=fate.days, hours=1, minutes=number) for number, fate in enumerate(fates)]
    made = [record_decision(system, at=at, subject=subject) for at in moments]
    for fate, decision in zip(fates, made, strict=True):
        if fate.is_held:
            hold_around(system, decision.recorded_at)
    request = erased(kind="subject", subject=subject)
    expected = {"erased": set[uuid.UUID](), "restricted": set[uuid.UUID](), "held": set[uuid.UUID]()}
    for fate, decision in zip(fates, made, strict=True):
        inside = fate.days < floor
        expected["held" if fate.is_held else "restricted" if inside else "erased"].add(decision.id)
    ids = [decision.id for decision in made]
    assert set(Payload.objects.filter(pk__in=ids, secret=None).values_list("pk", flat=True)) == expected["erased"]
    assert restricted_among(ids) == expected["restricted"], "what was erased since is erased"
    standing = standing_of(request)
    assert (standing.held, standing.restricted) == (len(expected["held"]), len(expected["restricted"]))
    assert request.status == ("performed" if expected["erased"] == set(ids) else "scheduled")


@pytest.mark.django_db
def test_of_a_row_that_no_floor_knows_nothing_is_within_one() -> None:
    assert texts_within_floor([uuid.uuid4()], timezone.now()) == frozenset()
