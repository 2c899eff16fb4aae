"""Database connections of request threads: many threads, so none keeps one."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def brief_connection() -> Iterator[None]:
    """What is opened inside is closed at the end. The committers have the connections that stay."""
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            connection.close()
