"""Readiness of the whole service: the ground's checks, and those that need the ledger and the record."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from audit.models import Decision, Payload
from config.errors import ServiceError
from config.health import GROUND_CHECKS, Check, Unready, readiness
from governance.origins import foreign_registry
from intake.digests import check_digest_key
from intake.errors import DigestKeyUnavailable
from ledger.heads import head_store
from ledger.selectors import discontinued_logs
from ledger.signing import signing_seeds
from overrides import memory as control_memory

PARTITIONED = (Decision, Payload)
NAMED = 3


def head_store_writable() -> None:
    """Without it nothing is acknowledged: a rolled-back database could not be noticed."""
    head_store().check_writable()


def ledger_continues() -> None:
    """A restored or rewritten database takes no decision in: it must not get any."""
    discontinued = discontinued_logs()
    if discontinued:
        named = ", ".join(discontinued[:NAMED])
        raise Unready(f"{len(discontinued)} logs do not continue what this host signed: {named}. See `verify_logs`.")


def origin_is_that_of_the_logs() -> None:
    """Under another name no log could be opened: none for a new AI system, none to go on with after a loss."""
    registry = foreign_registry()
    if registry is not None:
        born = registry.rpartition("/logs/")[0]
        raise Unready(f"The logs are those of {born}, but ANSWERABLE_ORIGIN is {settings.ORIGIN}. Set it to {born}.")


def digest_key_is_the_one() -> None:
    """Made here at the first start, so that it is there to be backed up before anything hangs on it."""
    try:
        check_digest_key()
    except DigestKeyUnavailable as error:
        raise Unready(error.detail) from error


def signing_key_announced() -> None:
    """A lost or exchanged key must be noticed before somebody waits for a signature by the right one."""
    try:
        signing_seeds()
    except ServiceError as error:
        raise Unready(f"{error.title}. {error.detail}") from error


def controls_known() -> None:
    """Of the process that is asked. Whoever is behind with the switches must get neither decisions nor clients."""
    control_memory.current()
    ago = control_memory.seconds_since_look()
    if ago is not None and control_memory.is_stale():
        hears = "hears of changes, but" if control_memory.is_listening() else "does not hear of changes, and"
        raise Unready(
            f"This process {hears} last compared its switches with the database {ago:.0f} s ago: a stop since then is"
            " unknown here. Its log says why (control.listener_lost, control.listener_broken)."
        )


def month_partitions_ahead() -> None:
    """This month's and the next must exist: on the first of the month every insert goes to the new one."""
    missing = [name for name in _wanted_partitions() if not _table_exists(name)]
    if missing:
        raise Unready(f"Partitions are missing: {', '.join(missing)}. `manage.py setup_database` makes them.")


def _wanted_partitions() -> list[str]:
    now = datetime.now(UTC)
    following = (now.year + now.month // 12, now.month % 12 + 1)
    months = [f"{year}{month:02}" for year, month in ((now.year, now.month), following)]
    return [f"{model._meta.db_table}_{month}" for model in PARTITIONED for month in months]


def _table_exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        row = cursor.fetchone()
    return bool(row and row[0])


CHECKS = [
    *GROUND_CHECKS,
    Check(name="head_store", run=head_store_writable),
    Check(name="ledger", run=ledger_continues),
    Check(name="origin", run=origin_is_that_of_the_logs),
    Check(name="digest_key", run=digest_key_is_the_one),
    Check(name="signing_key", run=signing_key_announced),
    Check(name="controls", run=controls_known),
    Check(name="partitions", run=month_partitions_ahead),
]


def readyz(request: HttpRequest) -> HttpResponse:
    return readiness(CHECKS)
