"""Rows in PostgreSQL's binary COPY format, made by hand: several times faster than adapting each value.

A row is the number of its columns (int16) and then each value as a length (int32) and its bytes; -1 is NULL.
(PostgreSQL documentation, COPY, "Binary Format".)
"""

from collections.abc import Iterable
from itertools import islice
from select import POLLIN, POLLOUT, poll
from struct import Struct
from typing import Any, Self

from django.db import DatabaseError, connection
from psycopg import Cursor
from psycopg.copy import LibpqWriter
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
TEXT_OID, VARCHAR_OID = 25, 1043
PART_ROWS = 250
EPOCH_MICROSECONDS = 946_684_800_000_000
"""PostgreSQL counts time in microseconds since 2000-01-01 UTC."""

_length = Struct(">i").pack
_int8 = Struct(">iq").pack
_float8 = Struct(">id").pack
_uuid = Struct(">i16s").pack
_array = Struct(">iiiiii").pack


def binary(value: bytes | None) -> bytes:
    """A bytea, or text that is encoded already."""
    return NULL if value is None else _length(len(value)) + value


def text(value: str | None) -> bytes:
    if value is None:
        return NULL
    data = value.encode()
    return _length(len(data)) + data


def int8(value: int | None) -> bytes:
    return NULL if value is None else _int8(8, value)


def float8(value: float | None) -> bytes:
    return NULL if value is None else _float8(8, value)


def boolean(value: bool | None) -> bytes:
    return NULL if value is None else b"\0\0\0\1" + (b"\1" if value else b"\0")


def uuid(value: bytes | None) -> bytes:
    """A uuid from its 16 bytes."""
    return NULL if value is None else _uuid(16, value)


def text_array(values: Iterable[str], element_oid: int = TEXT_OID) -> bytes:
    """A one-dimensional array of text, or, with its oid, of varchar."""
    items = [text(value) for value in values]
    if not items:
        return _length(12) + _length(0) + _length(0) + _length(element_oid)
    body = b"".join(items)
    return _array(20 + len(body), 1, 0, element_oid, len(items), 1) + body


class Copies:
    """Rows on their way into tables, part by part: the database stores one part while the next is made.

    COPY keeps what it reads and stores all of it at its end (binary rows, up to 1,000), and whoever waits for that end
    has nothing else done meanwhile. So each part is a COPY of its own, whose end is waited for when the next part is
    ready. Between `add` and the end of the block, nothing else may be asked of this connection.

    Table and columns are constants of ours, never anything a caller sent. Errors: Django's, by `add` or at the end.
    """

    def __init__(self) -> None:
        self._stored: PGconn | None = None
        """Where a part is being stored whose end nobody has seen."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._see_the_end()
        except DatabaseError:
            # what went wrong first is what is told; this one ended the transaction, if that is not over anyway
            if error is None:
                raise

    def add(self, table: str, columns: str, rows: Iterable[bytes]) -> None:
        left = iter(rows)
        while part := list(islice(left, PART_ROWS)):
            data = b"".join((HEADER, *part, TRAILER))
            self._see_the_end()
            with (
                connection.wrap_database_errors,  # Django leaves COPY's errors as psycopg raises them
                connection.cursor() as cursor,
            ):
                # psycopg's own cursor: the one with which Django counts queries takes no writer
                sender = _Sender(cursor.cursor)
                with sender.cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", writer=sender) as copy:
                    copy.write(data)
            self._stored = sender.pgconn

    def _see_the_end(self) -> None:
        pgconn, self._stored = self._stored, None
        if pgconn is not None:
            with connection.wrap_database_errors:
                _see_the_end(pgconn)


class _Sender(LibpqWriter):
    """Says that a COPY is complete, and does not wait for what the database says to that."""

    def __init__(self, cursor: Cursor[Any]) -> None:
        super().__init__(cursor)
        self.pgconn = cursor.connection.pgconn

    def finish(self, exc: BaseException | None = None) -> None:
        if exc is not None:
            super().finish(exc)
            return
        while not self.pgconn.put_copy_end():
            _wait(self.pgconn, POLLOUT)
        while self.pgconn.flush():
            _wait(self.pgconn, POLLIN | POLLOUT)
            self.pgconn.consume_input()


def _see_the_end(pgconn: PGconn) -> None:
    while pgconn.is_busy():
        _wait(pgconn, POLLIN)
        pgconn.consume_input()
    error = None
    while (result := pgconn.get_result()) is not None:
        if result.status != ExecStatus.COMMAND_OK:
            error = error_from_result(result)
    if error is not None:
        raise error


def _wait(pgconn: PGconn, events: int) -> None:
    waiting = poll()
    waiting.register(pgconn.socket, events)
    waiting.poll()
