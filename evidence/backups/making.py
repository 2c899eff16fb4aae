"""Making a backup while the service runs.

The order makes it fit together. The newest checkpoints are signed; then the head store is copied; then one snapshot of
the database is taken, which therefore holds all that was signed, and `pg_dump` reads that very snapshot. A head store
older than its database is harmless, the other way round is a database that was turned back.
"""

import errno
import hashlib
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from audit.erasing import database_now
from config.errors import ServiceError
from evidence.backups import dumping, folders
from evidence.backups.keys import digest_key_text, key_files
from evidence.backups.manifest import (
    DUMP,
    ERASED,
    FORMAT,
    HEADS,
    MANIFEST,
    ORIGIN,
    README,
    SIGNATURE,
    SIGNING_KEY,
    BackupError,
    LogMark,
    Manifest,
    Progress,
    mark_of,
    quiet,
    sign_manifest,
)
from evidence.erasure.errors import MemoryUnavailable
from evidence.erasure.memory import erasure_memory
from evidence.kinds import BACKUP_MADE
from evidence.services.erased_again import remember_erasures
from intake.digests import fingerprint_of
from ledger.entries import Actor, draft_entry
from ledger.errors import CANNOT_SEAL_NOW, HeadStoreUnavailable, LogClosed
from ledger.heads import head_store
from ledger.key_file import parse_seeds
from ledger.models import Log
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, registry_log
from ledger.signing import public_key
from ledger.tlog import EMPTY_ROOT

logger = structlog.get_logger(__name__)

LOCK_PATIENCE = "60s"
AHEAD = "was made after now by its own word: a clock was set back, or was ahead then. It goes later than was promised."
MARKS = """
    SELECT l.id, l.origin, l.kind, c.log_id IS NOT NULL, coalesce(h.tree_size, 0), h.root_hash
    FROM ledger_log l LEFT JOIN ledger_logclosure c ON c.log_id = l.id
    LEFT JOIN LATERAL
        (SELECT tree_size, root_hash FROM ledger_head WHERE log_id = l.id ORDER BY tree_size DESC LIMIT 1) h ON true
    ORDER BY l.kind, l.origin
"""
UNREADABLE = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, 'SELECT') ORDER BY 1
"""
HOW_TO_RESTORE = """A backup of Answerable, made {made_at}.

{keys}
It holds the database, the head store, what this host remembers to have been erased, and the name of the installation.
Not in it: finished exports (ask for them again), control.json (it must not be restored), e-mails and log files.

Restore it into a place that has no database yet:

    ANSWERABLE_DATA_DIR=/srv/restored python manage.py restore {name}

docs/operations.md, "Backup and restore", says what to do before and after. manifest.json lists what is in here, and
where each log stood; `python manage.py verify_backup {name}` checks it.
"""
WITH_KEYS = """Whoever has this folder can read every record, and sign in the name of {origin}.
"""
WITHOUT_KEYS = """Its keys (signing.key, digest.key) were kept elsewhere: it is no use without them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`troubles`: what must be looked at though the backup was made; the older ones then stay."""

    folder: Path
    keys_folder: Path | None
    manifest: Manifest
    removed: list[str]
    troubles: list[str] = field(default_factory=list)


def make_backup(
    *,
    actor: Actor,
    target: Path,
    with_keys: bool = True,
    keys_target: Path | None = None,
    keep_days: int | None = None,
    progress: Progress = quiet,
) -> Made:
    """Write a backup of this installation into a new folder below `target`, whole or not at all, while it runs.

    `with_keys=False` leaves the keys out; `keys_target` puts them there instead. `keep_days`: afterwards backups in the
    same place that were made longer before this one are removed. It is sealed in the registry log where that takes
    entries. Errors: `BackupError`, and nothing is left of it.
    """
    outside, made_at = Path(settings.DATA_DIR), timezone.now().replace(microsecond=0)
    target = folders.prepare(target, outside=outside)
    keys_target = folders.prepare(keys_target, outside=outside) if keys_target else None
    if keys_target and keys_target.resolve() == target.resolve():
        raise BackupError("The keys are to go to another place than the backup: name another folder for them.")
    with ExitStack() as stack, _disk_errors(target):
        left = [*stack.enter_context(folders.only_one_in(target))]
        if keys_target:
            left += stack.enter_context(folders.only_one_in(keys_target))
        manifest, data, trouble = _write(target, keys_target, with_keys, made_at, progress)
        name = folders.name_for(made_at)
        troubles = [*(f"{log.origin}: {log.trouble}" for log in manifest.troubled), *([trouble] if trouble else [])]
        removed = _remove_older(target, keys_target, manifest, keep_days, troubles)
        troubles += left  # said last: nothing of it keeps an older backup there
        _seal(actor, manifest, data, len(removed), troubles)
    return Made(
        folder=target / name,
        keys_folder=keys_target / name if keys_target else None,
        manifest=manifest,
        removed=removed,
        troubles=troubles,
    )


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupError(f"There is no room left for it in {target}. Nothing of it was kept.") from error
        where = f"{error.filename}: " if error.filename else ""
        raise BackupError(f"{where}{error.strerror}. Nothing of it was kept.") from error
    except sqlite3.Error as error:
        raise BackupError(f"The head store could not be copied ({error}). Nothing of it was kept.") from error
    except DatabaseError as error:
        raise dumping.no_answer(error) from error


def _write(
    target: Path, keys_target: Path | None, with_keys: bool, made_at: datetime, progress: Progress
) -> tuple[Manifest, bytes, str]:
    name, keys = folders.name_for(made_at), key_files()
    with ExitStack() as stack:
        folder = stack.enter_context(folders.new_folder(target, name))
        signed = _checkpoints()
        head_troubles = _copy_heads(folder / HEADS)
        trouble = _copy_memory(folder / ERASED)
        with _snapshot() as (url, connection, snapshot):
            manifest = _described(connection, made_at, with_keys and not keys_target, keys, signed, head_troubles)
            _dump(folder / DUMP, url, connection, snapshot, progress)
        folders.write(folder / ORIGIN, settings.ORIGIN.encode())
        said = (WITHOUT_KEYS, WITH_KEYS)[manifest.has_keys].format(origin=settings.ORIGIN)
        folders.write(folder / README, HOW_TO_RESTORE.format(made_at=made_at, keys=said, name=name).encode())
        # entered last, so it gets its name first: no backup is ever there whose keys are not
        keys_folder = stack.enter_context(folders.new_folder(keys_target, name)) if keys_target else folder
        for file, content in keys.items() if with_keys or keys_target else ():
            folders.write(keys_folder / file, content)
        manifest = _with_files(manifest, folder, progress)
        data = manifest.as_bytes()
        _write_manifest(folder, data, _seeds(keys))
        if keys_folder != folder:
            folders.write(keys_folder / MANIFEST, data)
    return manifest, data, trouble


def _checkpoints() -> dict[uuid.UUID, tuple[str, str]]:
    """Of each log the newest signed checkpoint, or why there is none."""
    found = {}
    for log in Log.objects.order_by("id"):
        try:
            found[log.id] = (latest_checkpoint(log).note, "")
        except LogClosed:
            found[log.id] = ("", "")
        except ServiceError as error:
            found[log.id] = ("", f"{error.title}.")
    return found


def _copy_heads(path: Path) -> str:
    try:
        head_store().copy_to(path)
    except HeadStoreUnavailable as error:
        path.unlink(missing_ok=True)
        return f"{error.title}."
    return ""


def _copy_memory(path: Path) -> str:
    """What was erased up to now: whoever restores an older backup takes it from a newer one."""
    try:
        remember_erasures()
        if erasure_memory().path.exists():
            erasure_memory().copy_to(path)
    except MemoryUnavailable as error:
        path.unlink(missing_ok=True)
        return f"{error.title} ({error.detail}): it is not in this backup."
    return ""


@contextmanager
def _snapshot() -> Iterator[tuple[str, "psycopg.Connection[Any]", str]]:
    """One moment of the database, held for as long as the block lasts. Errors: `BackupError`."""
    url = dumping.address()
    try:
        with dumping.connect(url) as connection:
            connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            _require_same_database(connection)
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            yield url, connection, str(row[0]) if row else ""
            connection.rollback()
    except psycopg.Error as error:
        raise BackupError(f"The database failed: {str(error).strip()}") from error


def _require_same_database(connection: "psycopg.Connection[Any]") -> None:
    another = "The address for backups is that of another database than the service's own."
    if connection.execute("SELECT to_regclass('public.ledger_log')").fetchone() == (None,):
        raise BackupError(another)
    unreadable = [name for (name,) in connection.execute(UNREADABLE)]
    if unreadable:
        raise BackupError(
            f"The role {connection.info.user} may not read {', '.join(unreadable[:3])}: a backup would lack it. Give "
            "it the right to read everything (GRANT pg_read_all_data TO ...)."
        )
    first = Log.objects.filter(kind=Log.Kind.REGISTRY).order_by("sequence").values_list("id", flat=True).first()
    if first is None:
        raise BackupError("There is nothing to back up: this database was never set up (manage.py setup_database).")
    there = connection.execute("SELECT id FROM ledger_log WHERE id = %s", [first]).fetchone()
    if there is None:
        raise BackupError(another)


def _described(
    connection: "psycopg.Connection[Any]",
    made_at: datetime,
    has_keys: bool,
    keys: dict[str, bytes],
    signed: dict[uuid.UUID, tuple[str, str]],
    head_trouble: str,
) -> Manifest:
    program = dumping.client("pg_dump", server_version=connection.info.server_version)
    migrations = connection.execute("SELECT DISTINCT ON (app) app, name FROM django_migrations ORDER BY app, id DESC")
    applied = dict(migrations.fetchall())
    (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    digest = digest_key_text()
    return Manifest(
        format=FORMAT,
        made_at=made_at,
        version=_own_version(),
        origin=settings.ORIGIN,
        server_version=connection.info.parameter_status("server_version") or "",
        dump_version=dumping.version_of(program),
        database_size=size,
        migrations=applied,
        logs=[_mark(row, signed, head_trouble) for row in connection.execute(MARKS)],
        has_keys=has_keys,
        signing_keys=[public_key(seed).hex() for seed in _seeds(keys)],
        digest_key=fingerprint_of(digest) if digest else "",
        files=[],
    )


def _mark(row: tuple[Any, ...], signed: dict[uuid.UUID, tuple[str, str]], head_trouble: str) -> LogMark:
    log_id, origin, kind, is_closed, size, root = row
    note, trouble = signed.get(log_id, ("", ""))
    return LogMark(
        id=log_id,
        origin=origin,
        kind=kind,
        is_closed=is_closed,
        tree_size=size,
        root_hash=(bytes(root) if root else EMPTY_ROOT).hex(),
        checkpoint=note,
        trouble="" if is_closed else trouble or head_trouble,
    )


def _dump(path: Path, url: str, connection: "psycopg.Connection[Any]", snapshot: str, progress: Progress) -> None:
    program = dumping.client("pg_dump", server_version=connection.info.server_version)
    how = ["--format=custom", "--no-password", f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_PATIENCE}"]
    dumping.run(program, [*how, f"--file={path}"], url=url, growing=path, progress=progress)


def _with_files(manifest: Manifest, folder: Path, progress: Progress) -> Manifest:
    marks = [mark_of(path, progress) for path in sorted(folder.iterdir())]
    return msgspec.structs.replace(manifest, files=marks)


def _write_manifest(folder: Path, data: bytes, seeds: tuple[bytes, ...]) -> None:
    folders.write(folder / MANIFEST, data)
    if seeds:
        note = sign_manifest(data, origin=settings.ORIGIN, seeds=seeds)
        folders.write(folder / SIGNATURE, note.encode())


def _seeds(keys: dict[str, bytes]) -> tuple[bytes, ...]:
    """Out of the very bytes that are backed up: the file may be replaced meanwhile. Errors: `BackupError`."""
    try:
        return parse_seeds(keys[SIGNING_KEY].decode()) if SIGNING_KEY in keys else ()
    except ValueError as error:
        raise BackupError(f"The signing key cannot be read: {error}.") from None


def _own_version() -> str:
    try:
        return version("answerable")
    except PackageNotFoundError:  # run from its sources, as `make run` does
        return ""


def _remove_older(
    target: Path, keys_target: Path | None, manifest: Manifest, keep_days: int | None, troubles: list[str]
) -> list[str]:
    if keep_days is None:
        return []
    if troubles:
        troubles.append("So no older backup was removed.")
        return []
    try:
        than = min(manifest.made_at, database_now())  # nothing goes because one of the two clocks is ahead
    except DatabaseError:
        troubles.append("No older backup was removed: the database, whose clock counts too, does not answer.")
        return []
    names: list[str] = []
    for place in filter(None, (target, keys_target)):
        try:
            found = folders.remove_older(place, days=keep_days, than=than, origin=manifest.origin)
        except OSError as error:
            troubles.append(f"Older backups in {place} could not be removed: {error.strerror}.")
            continue
        names += found.names if place == target else []
        troubles += [f"{place / name} {reason}" for name, reason in found.left.items()]
        ahead = (name for name in found.ahead if name != folders.name_for(manifest.made_at))
        troubles += [f"{place / name} {AHEAD}" for name in ahead]
    return names


def _seal(actor: Actor, manifest: Manifest, data: bytes, removed: int, troubles: list[str]) -> None:
    body = {
        "manifest": hashlib.sha256(data).hexdigest(),
        "entries": manifest.entries,
        "keys": manifest.has_keys,
        "removed": removed,
    }
    try:
        with sealing() as seal:
            entry = draft_entry(kind=BACKUP_MADE, actor=actor, at=timezone.now(), body=body)
            seal.add(registry_log().id, entry)
    except (*CANNOT_SEAL_NOW, DatabaseError) as error:
        logger.warning("evidence.backup_not_sealed", error=type(error).__qualname__)
        troubles.append("That it was made could not be sealed: the registry log takes no entry now.")
