"""A backup restored into a PostgreSQL of its own that is thrown away: the only proof that it can be restored."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from config.standalone.processes import signal_at_parents_end
from config.standalone.stopping import STOP_SIGNALS
from evidence.backups.manifest import EXIT_LOOK, BackupError, Progress, quiet
from evidence.backups.restoring import remove_cluster


def try_backup(backup: Path, *, keys_from: Path | None, room: Path | None, progress: Progress = quiet) -> None:
    """Restore it below `room` (else where temporary files go), and verify every log there.

    It needs the room that the database takes. Errors: `BackupError` with what `manage.py restore` said.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="answerable-try-", dir=room) as name:
            folder = Path(name)
            folder.chmod(0o755)  # as root, another user runs PostgreSQL and must get in; the files in it are closed
            try:
                progress("restoring it, and verifying every log", 0, None)
                _restore(backup, folder, keys_from)
            finally:
                remove_cluster(folder / "pg")
    except OSError as error:
        raise BackupError(f"{error.filename or room}: {error.strerror}.") from None


def _restore(backup: Path, folder: Path, keys_from: Path | None) -> None:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "restore", str(backup), "--heads", "backup"]
    command += ["--quiet", *(["--keys-from", str(keys_from)] if keys_from else [])]
    process = subprocess.Popen(
        command,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=signal_at_parents_end(STOP_SIGNALS[1]),  # noqa: PLW1509 - this process has one thread
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()  # it stops its PostgreSQL first
        raise
    if process.returncode == EXIT_LOOK:
        raise BackupError(f"It can be restored, and then people would have to look:\n{said.strip()}")
    if process.returncode:
        raise BackupError(f"It could not be restored, or does not verify:\n{said.strip()}")


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of this installation's: neither its database nor its keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERABLE_")}
    programs = os.environ.get("ANSWERABLE_PG_BIN")
    return kept | {"ANSWERABLE_DATA_DIR": str(folder)} | ({"ANSWERABLE_PG_BIN": programs} if programs else {})
