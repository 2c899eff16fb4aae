"""What the role `app` may do to each table. Each model says it in `DB_ACCESS`; `manage.py setup_database` grants it.

The role `keeper` owns the tables. Append-only tables carry triggers beside the missing rights, so that `keeper` is
refused too (docs/log-format.md says what is left to someone who drops a trigger, and what finds it).
"""

import enum


class Access(enum.Flag):
    """Rights of the role `app` on a table."""

    READ = enum.auto()
    INSERT = enum.auto()
    UPDATE = enum.auto()
    DELETE = enum.auto()
    LOCK = enum.auto()
    """UPDATE on the dummy column `lock`, which is what FOR UPDATE asks for."""
    TRIGGERED = enum.auto()
    """A trigger refuses UPDATE, DELETE and TRUNCATE to everybody."""
    ERASE = enum.auto()
    """A trigger refuses all but one UPDATE, the erasure of every erasable column at once, and DELETE and TRUNCATE."""

    APPEND = READ | INSERT | TRIGGERED
    ERASABLE = READ | INSERT | ERASE
    """Erased by functions of the database alone, which look for themselves whether it may be."""
    FUNCTIONS_ONLY = READ | TRIGGERED
    """Written by functions of the database alone, and for good."""
    MUTABLE = READ | INSERT | UPDATE
    WORK = READ | INSERT | UPDATE | DELETE
    """Work tables: counters, caches, sessions. Nothing on them is evidence."""
