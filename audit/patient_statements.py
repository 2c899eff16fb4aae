"""Statements of migrations that have to wait for others while the service works.

Sessions give up after a minute, and after seconds for a lock. What lets others read and write meanwhile may take as
long as it takes; what holds them up gives way again and again until it comes through.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

PATIENCE_SECONDS = 900.0
PAUSE_SECONDS = 1.0


@contextmanager
def as_long_as_it_takes(connection: Any) -> Iterator[None]:
    """Statements inside have no time limit. Only for what neither readers nor writers wait for."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")
                cursor.execute("RESET lock_timeout")


def giving_way(connection: Any, statement: str) -> None:
    """Run a statement whose lock others wait for: where it is not had soon they go first, and it is tried again.

    Errors: `OperationalError` when its patience is at an end.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not _came_through(connection, statement, is_last=time.monotonic() > until):
        time.sleep(PAUSE_SECONDS)


def _came_through(connection: Any, statement: str, *, is_last: bool) -> bool:
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(statement)
    except OperationalError as error:
        if is_last or not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise
        return False
    return True
