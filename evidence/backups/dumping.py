"""PostgreSQL's own programs, run beside us: which, with which address, and what they said when they failed."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.standalone import layout
from config.standalone.binaries import postgres_client, program_version
from config.standalone.processes import StandaloneError, signal_at_parents_end
from config.standalone.stopping import STOP_SIGNALS
from evidence.backups.manifest import BackupError, Progress

LOOK_EVERY = 0.5
LAST_LINES = 5
KEPT_OF_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "TZDIR")


def address() -> str:
    """The address of the database for a role that may read all of it.

    `ANSWERABLE_BACKUP_DATABASE_URL`, else that of the owner; of the private PostgreSQL, its owner's. Errors:
    `BackupError`.
    """
    given = settings.BACKUP_DATABASE_URL or settings.ADMIN_DATABASE_URL
    if not given and settings.DATABASE_URL is not None:
        raise BackupError(
            "Set ANSWERABLE_BACKUP_DATABASE_URL to the address of a role that may read everything (GRANT "
            "pg_read_all_data TO ...), or ANSWERABLE_ADMIN_DATABASE_URL: the role `app` may not."
        )
    return given or layout.database_url(Path(settings.DATA_DIR), role="keeper")


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """A connection that nothing times out. Errors: `BackupError`."""
    try:
        return psycopg.connect(url, connect_timeout=10, application_name="answerable backup")
    except psycopg.OperationalError as error:
        raise no_answer(error) from None


def no_answer(error: Exception) -> BackupError:
    """What to say, and what to do about it."""
    hint = " Start it first: `python -m config.standalone database` starts PostgreSQL alone."
    return BackupError(
        f"The database does not answer: {str(error).strip()}.{hint if settings.DATABASE_URL is None else ''}"
    )


def client(name: str, *, server_version: int) -> Path:
    """`pg_dump` or `pg_restore` for a server of this version, as `connection.info` says it. Errors: `BackupError`."""
    try:
        return postgres_client(name, server_major=server_version // 10000)
    except StandaloneError as error:
        raise BackupError(str(error)) from None


def version_of(program: Path) -> str:
    """For example "18.6". Errors: `BackupError`."""
    try:
        return program_version(program)
    except StandaloneError as error:
        raise BackupError(str(error)) from None


def run(
    program: Path, arguments: Sequence[str | Path], *, url: str | None, growing: Path | None, progress: Progress
) -> None:
    """Run one to its end. It ends with us, however we end. `url`: None where it asks no database. `growing`: the file
    whose size is its progress.

    Errors: `BackupError` with its own last words.
    """
    what = program.name
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [program, *arguments, *([f"--dbname={_without_password(url)}"] if url else [])],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=_environment(url),
            start_new_session=True,
            umask=0o077,
            preexec_fn=signal_at_parents_end(STOP_SIGNALS[1]),  # noqa: PLW1509 - this process has one thread
        )
        try:
            while not _ended(process):
                progress(what, growing.stat().st_size if growing and growing.exists() else 0, None)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            said.seek(0)
            words = said.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]
            raise BackupError(f"{what} failed:\n" + ("\n".join(words) or f"exit code {process.returncode}"))


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has ended, after waiting for a moment that it might."""
    try:
        process.wait(LOOK_EVERY)
    except subprocess.TimeoutExpired:
        return False
    return True


def _without_password(url: str) -> str:
    parts = conninfo_to_dict(url)
    parts.pop("password", None)
    return make_conninfo("", **parts)


def _environment(url: str | None) -> dict[str, str]:
    # a password in the arguments would be read by everybody on this machine; PG* of somebody's shell says nothing here
    environment = {name: os.environ[name] for name in KEPT_OF_ENVIRONMENT if name in os.environ}
    if url and (password := conninfo_to_dict(url).get("password")):
        environment["PGPASSWORD"] = str(password)
    return environment | {"LC_ALL": "C"}
