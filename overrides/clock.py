"""The epoch of all controls: read, advanced, announced."""

import structlog
from django.db import Error, connection, transaction

from overrides.standing import BEGINNING, Epoch

CHANNEL = "answerable_control"
PATIENCE = "SET LOCAL lock_timeout = '1s'"

log = structlog.get_logger(__name__)


def be_brief() -> None:
    """Before a row is locked that a stop may wait for: this transaction waits for no lock longer than a second."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)


def hold_clock() -> None:
    """Let no other change of a control begin before this transaction ends, without beginning one: to look first."""
    be_brief()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO overrides_controlclock (id, generation, number) VALUES (1, 1, 0) ON CONFLICT (id) DO NOTHING"
        )
        cursor.execute("SELECT 1 FROM overrides_controlclock WHERE id = 1 FOR UPDATE")


def advance_epoch(*, surely: bool = False) -> Epoch:
    """Begin a change of a control, in the caller's transaction: no other change begins before it ends.

    Everything that clients or memories read goes through here: switches, parameters, review rules, and what archives,
    deletes or renames one. Listeners hear of it at COMMIT. From here on the transaction waits for no lock longer than a
    second: while it waits, no stop can begin.

    `surely`: listeners hear of it after COMMIT, where they can. Else a queue of notifications that one idle listener
    kept until it was full would fail the COMMIT, and undo the change.
    """
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(
            "INSERT INTO overrides_controlclock (id, generation, number) VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE"
            " SET number = overrides_controlclock.number + 1, changed_at = statement_timestamp()"
            " RETURNING generation, number"
        )
        epoch = Epoch(*cursor.fetchone())
    if surely:
        transaction.on_commit(lambda: _notify_if_possible(epoch))
    else:
        _notify(epoch)
    return epoch


def jump_generation(above: Epoch) -> Epoch:
    """Start a new generation above what somebody has seen, in the caller's transaction. Never goes back."""
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(
            "INSERT INTO overrides_controlclock (id, generation, number) VALUES (1, %(next)s, 1) ON CONFLICT (id)"
            " DO UPDATE SET number = CASE WHEN overrides_controlclock.generation < %(next)s THEN 1"
            " ELSE overrides_controlclock.number + 1 END,"
            " generation = greatest(overrides_controlclock.generation, %(next)s),"
            " changed_at = statement_timestamp() RETURNING generation, number",
            {"next": above.generation + 1},
        )
        epoch = Epoch(*cursor.fetchone())
    transaction.on_commit(lambda: _notify_if_possible(epoch))
    return epoch


def _notify(epoch: Epoch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(epoch)])


def _notify_if_possible(epoch: Epoch) -> None:
    try:
        _notify(epoch)
    except Error as error:
        # whoever listens looks by itself once a second, too
        log.error("control.not_announced", epoch=str(epoch), exception=type(error).__qualname__)


def current_epoch() -> Epoch:
    """The epoch that the database holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT generation, number FROM overrides_controlclock WHERE id = 1")
        found = cursor.fetchone()
    return Epoch(*found) if found else BEGINNING
