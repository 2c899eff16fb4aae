"""A witness's folder: `witness.key`, `memory.sqlite3`, and `logs`, the list that its operator writes.

Key and memory are made together and belong together. A key whose memory was lost, or put back from a backup, could be
made to sign what contradicts its earlier word: such a witness is given up, and another one made.
"""

import os
import secrets
from pathlib import Path

from ledger.tlog import Cosigner, MalformedKey
from ledger.witness.memory import Memory

SEED_BYTES = 32
LIST = """\
# The logs that this witness watches, one a line; read again at each start.
#   log <vkey> [<url>]             one log
#   installation <vkey> [<url>]    all logs of an Answerable installation: the vkey of any of them, its site's address
"""


class FolderUnusable(Exception):
    """The message says what is wrong with the folder."""


class WitnessFolder:
    """The files of one witness."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key_file, self.memory_file, self.list_file = (
            path / name for name in ("witness.key", "memory.sqlite3", "logs")
        )

    def create(self, name: str) -> Cosigner:
        """Make a new witness. Errors: `FolderUnusable` where there is one already, or the name cannot name a key."""
        try:
            cosigner = Cosigner(name, seed := secrets.token_bytes(SEED_BYTES))
        except MalformedKey as error:
            raise FolderUnusable(f"{name!r}: {error}") from error
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # the memory first: a key without one is refused, a memory without a key signs nothing
            Memory.create(self.memory_file, vkey=cosigner.verifier.vkey)
            _write(self.key_file, f"{name}\n{seed.hex()}\n")
            if not self.list_file.exists():
                _write(self.list_file, LIST)
            _sync(self.path)
        except FileExistsError as error:
            raise FolderUnusable(f"{error.filename} is there already: one folder, one witness.") from error
        except OSError as error:
            raise FolderUnusable(f"{error.filename or self.path}: {error.strerror}") from error
        return cosigner

    def cosigner(self) -> Cosigner:
        """The key. Errors: `FolderUnusable`."""
        try:
            name, seed = self.key_file.read_text("utf-8").split()
            if self.key_file.stat().st_mode & 0o077:
                raise FolderUnusable(f"{self.key_file} can be read by others: chmod 600 it.")
            return Cosigner(name, bytes.fromhex(seed))
        except OSError as error:
            raise FolderUnusable(f"{self.key_file}: {error.strerror}. `init` makes a witness.") from error
        except (ValueError, MalformedKey) as error:
            raise FolderUnusable(f"{self.key_file} does not hold a name and a key of 32 bytes in hex") from error


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
