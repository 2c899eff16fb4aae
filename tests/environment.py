"""The environment of the tests, loaded as a pytest plugin before Django reads its settings.

The settings then point at a throwaway installation in a folder of its own; nothing of the developer's shell matters.
"""

import os
import tempfile
from pathlib import Path

KEPT = {"ANSWERABLE_PG_BIN"}
FOLDER, OWNER = "TEST_INSTALLATION", "TEST_INSTALLATION_OF"  # how the processes of one pytest run find each other
MEMORY = Path("/dev/shm")
ROOM_NEEDED = 2 * 2**30


def _base() -> Path | None:
    """Memory where there is plenty, and where programs may be run; else the usual place for temporary files."""
    if not MEMORY.is_dir():
        return None
    found = os.statvfs(MEMORY)
    roomy = found.f_bavail * found.f_frsize >= ROOM_NEEDED and not found.f_flag & os.ST_NOEXEC
    return MEMORY if roomy and os.access(MEMORY, os.W_OK) else None


def _is_worker() -> bool:
    """Whether this is a part of another process's run. What a worker starts is none, though it inherits the names."""
    return "PYTEST_XDIST_WORKER" in os.environ and os.environ.get(OWNER) == str(os.getppid())


def _take_over() -> Path:
    for name in [name for name in os.environ if name.startswith("ANSWERABLE_") and name not in KEPT]:
        del os.environ[name]
    if not _is_worker():
        os.environ[OWNER] = str(os.getpid())
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="answerable-test-", dir=_base())
        Path(os.environ[FOLDER]).chmod(0o755)  # as root, another user runs PostgreSQL and must get in
    folder = Path(os.environ[FOLDER])
    os.environ["ANSWERABLE_DATA_DIR"] = str(folder)
    os.environ["ANSWERABLE_STATIC_DIR"] = str(folder / "static")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's synchronous interface runs an event loop
    (folder / "static").mkdir(exist_ok=True)
    (folder / "digest.key").write_text(64 * "d")
    return folder


INSTALLATION = _take_over()
"""The data folder of the throwaway installation."""
