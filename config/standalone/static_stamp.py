"""Whether the collected static files are still those of the installed packages and the project."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.standalone.options import PROJECT

STAMP = ".sources"


@contextmanager
def stale(collected: Path) -> Iterator[bool]:
    """Whether they must be collected again; marked as fresh when the block ends without an error.

    Several installations may share one folder: the first collects, the others wait for it here.
    """
    collected.mkdir(parents=True, exist_ok=True)
    with (collected / f"{STAMP}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, now = collected / STAMP, _digest_of_sources()
        is_stale = not stamp.exists() or stamp.read_text() != now
        yield is_stale
        stamp.write_text(now)


def _digest_of_sources() -> str:
    digest = hashlib.sha256((PROJECT / "requirements.lock").read_bytes())
    ours = [app.parent / "static" for app in sorted(PROJECT.glob("*/apps.py"))]  # and no data folder's collected ones
    for folder in [PROJECT / "static", *ours]:
        for path in sorted(folder.rglob("*")):
            found = path.stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
