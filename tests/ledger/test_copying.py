"""Rows on their way into tables, part by part: all of them or an error that is told, and a connection that goes on."""

import threading
import uuid
from collections.abc import Iterable, Iterator
from struct import Struct

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections, transaction
from psycopg.pq.abc import PGconn

from ledger import copying
from ledger.copying import PART_ROWS, Copies, binary
from ledger.models import Tile

pytestmark = pytest.mark.django_db
LOG_ID = uuid.uuid4()
TILE = "ledger_tile", "log_id, level, index, data, root"
"""A table that refers to nothing."""
_row = Struct(">hi16sihiq").pack


def rows(numbers: Iterable[int], size: int = 3) -> Iterator[bytes]:
    data = binary(b"x" * size)
    return (_row(5, 16, LOG_ID.bytes, 2, 63, 8, number) + data + binary(b"") for number in numbers)


def stored() -> list[int]:
    found = Tile.objects.filter(log_id=LOG_ID).order_by("index")
    return list(found.values_list("index", flat=True))


@pytest.mark.parametrize("count", [0, 1, PART_ROWS - 1, PART_ROWS, PART_ROWS + 1, 3 * PART_ROWS + 7])
def test_every_row_arrives(count: int) -> None:
    with Copies() as copies:
        copies.add(*TILE, rows(range(count)))
    assert stored() == list(range(count))


def test_parts_wait_for_a_database_that_takes_more_slowly_than_we_send() -> None:
    with Copies() as copies:
        copies.add(*TILE, rows(range(300), size=200_000))
        copies.add(*TILE, rows(range(300, 310), size=200_000))
    assert stored() == list(range(310))


def test_a_part_is_on_its_way_while_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    see = copying._see_the_end

    def note(pgconn: PGconn) -> None:
        happened.append("seen")
        see(pgconn)

    monkeypatch.setattr(copying, "_see_the_end", note)

    def made() -> Iterator[bytes]:
        for number in range(3 * PART_ROWS):
            if number % PART_ROWS == 0:
                happened.append(f"part {number // PART_ROWS}")
            yield from rows(range(number, number + 1))

    with Copies() as copies:
        copies.add(*TILE, made())
    assert happened == ["part 0", "part 1", "seen", "part 2", "seen", "seen"]


@pytest.mark.parametrize("place", [0, PART_ROWS, 3 * PART_ROWS - 1])
def test_a_row_that_the_database_refuses_is_told_and_nothing_stays(place: int) -> None:
    numbers = list(range(1, 3 * PART_ROWS + 1))
    numbers[place] = 0
    with pytest.raises(IntegrityError, match="ledger_tile_pkey"), transaction.atomic():
        with Copies() as copies:
            copies.add(*TILE, rows([0]))
        with Copies() as copies:
            copies.add(*TILE, rows(numbers))
    assert stored() == []


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_error_in_making_rows_is_the_one_that_is_told(is_refused: bool) -> None:
    def made() -> Iterator[bytes]:
        yield from rows(range(PART_ROWS))
        if is_refused:
            yield from rows(range(PART_ROWS))
        raise LookupError("no such row")

    with pytest.raises((LookupError, IntegrityError)) as told, transaction.atomic(), Copies() as copies:
        copies.add(*TILE, made())
    assert told.type is LookupError
    assert stored() == []


def test_a_table_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(Exception, match="nowhere"), transaction.atomic(), Copies() as copies:
        copies.add("nowhere", TILE[1], rows(range(3)))
    assert stored() == []


@pytest.mark.committing
def test_a_database_that_goes_away_in_between_is_told(database_url: str) -> None:
    """In a thread of its own, whose connection it may lose."""
    found: list[DatabaseError] = []

    def lose() -> None:
        def made() -> Iterator[bytes]:
            yield from rows(range(PART_ROWS))
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            yield from rows(range(PART_ROWS, 3 * PART_ROWS))

        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    pid = cursor.fetchone()[0]
                with Copies() as copies:
                    copies.add(*TILE, made())
        except DatabaseError as error:
            found.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=lose)
    thread.start()
    thread.join(30)
    assert [type(each) for each in found] == [OperationalError]
