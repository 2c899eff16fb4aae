"""Locks for what has no row to lock: a slug or an address about to be taken, the number of administrators.

The order in which everybody takes locks, so that no two wait for each other: names, people, AI systems, what belongs to
an AI system, logs. Within each, by id.
"""

from django.db import connection

ADMINISTRATORS = "administrators"
"""Acts by which roles begin and end come one after the other, else two could each let the other one go."""


def hold(*names: str) -> None:
    """Wait for names and hold them until this transaction ends. To be called before any log is locked."""
    with connection.cursor() as cursor:
        for name in sorted(names):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"answerable.register.{name}"])
