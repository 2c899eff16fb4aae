"""What `python -m config.standalone` was asked for, by its arguments and the environment."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.standalone import layout
from config.standalone.processes import StandaloneError

PROJECT = Path(__file__).resolve().parents[2]
DATA_FOLDERS = {"run": PROJECT / ".data", "demo": PROJECT / ".demo", "database": PROJECT / ".data"}
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Options:
    """One installation on this machine."""

    what: str
    data_dir: Path
    port: int
    host: str
    web_workers: int
    database_url: str | None
    admin_database_url: str | None
    broker_url: str | None
    origin: str | None = None
    control_port: int = layout.DEFAULT_PORT + 1

    @property
    def control_url(self) -> str:
        return f"http://localhost:{self.control_port}"

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}"


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Arguments win over the environment; a data folder remembers the port it was last started on."""
    given = _parser().parse_args(arguments)
    data_dir = Path(given.data_dir or environment.get("ANSWERABLE_DATA_DIR") or DATA_FOLDERS[given.what]).absolute()
    if data_dir.resolve() == layout.PROGRAM:
        raise StandaloneError(layout.AMONG_THE_SOURCES)
    port = _port("PORT", given.port or environment.get("ANSWERABLE_PORT") or str(layout.port(data_dir)))
    options = Options(
        what=given.what,
        data_dir=data_dir,
        port=port,
        control_port=_control_port(port, given.control_port or environment.get("ANSWERABLE_CONTROL_PORT"), data_dir),
        host=environment.get("ANSWERABLE_HOST") or "127.0.0.1",
        web_workers=_positive("ANSWERABLE_WEB_WORKERS", environment.get("ANSWERABLE_WEB_WORKERS") or "2"),
        database_url=_secret("ANSWERABLE_DATABASE_URL", environment),
        admin_database_url=_secret("ANSWERABLE_ADMIN_DATABASE_URL", environment),
        broker_url=_secret("ANSWERABLE_BROKER_URL", environment),
        origin=_secret("ANSWERABLE_ORIGIN", environment),
    )
    if options.admin_database_url and not options.database_url:
        raise StandaloneError("ANSWERABLE_ADMIN_DATABASE_URL is set, but ANSWERABLE_DATABASE_URL is not.")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.standalone", description="Run Answerable on this machine.")
    parser.add_argument(
        "what",
        choices=tuple(DATA_FOLDERS),
        help="demo: with made-up content; database: PostgreSQL alone, to restore into",
    )
    parser.add_argument("--port", help="port of the web server (ANSWERABLE_PORT)")
    parser.add_argument("--control-port", help="port of the control process (ANSWERABLE_CONTROL_PORT)")
    parser.add_argument("--data-dir", help="folder of all data (ANSWERABLE_DATA_DIR)")
    return parser


def _secret(name: str, environment: Mapping[str, str]) -> str | None:
    """A variable, or the content of the file that `<name>_FILE` names, as Django's settings read it."""
    if not (file := environment.get(f"{name}_FILE")):
        return environment.get(name) or None
    try:
        return Path(file).read_text().strip() or None
    except OSError as error:
        raise StandaloneError(f"{name}_FILE is {file}, which cannot be read: {error.strerror}.") from None


def _port(name: str, text: str) -> int:
    number = _positive(name, text)
    if number > HIGHEST_PORT:
        raise StandaloneError(f"{name} must be at most {HIGHEST_PORT}, not {text}.")
    return number


def _control_port(web_port: int, given: str | None, data_dir: Path) -> int:
    """The one that was given; else that of the last start, where the web server has stayed where it was then."""
    remembered = layout.control_port(data_dir, web_port) if layout.port(data_dir) == web_port else web_port + 1
    number = _port("CONTROL_PORT", given or str(remembered))
    if number == web_port:
        raise StandaloneError(f"PORT and CONTROL_PORT are both {number}; two processes need two ports.")
    return number


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise StandaloneError(f"{name} must be a whole number above 0, not {text!r}.")
    return int(text)


def child_environment(options: Options) -> dict[str, str]:
    """The environment of everything that runs as `app`: it never sees the keeper's address."""
    own = {
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings"),
        "PYTHONUNBUFFERED": "1",
        "ANSWERABLE_DATA_DIR": str(options.data_dir),
        "ANSWERABLE_PORT": str(options.port),
        "ANSWERABLE_CONTROL_PORT": str(options.control_port),
        "ANSWERABLE_SUPERVISED": str(options.data_dir),
        "ANSWERABLE_DEMO": str(options.what == "demo" and layout.is_demonstration(options.data_dir)).lower(),
    }
    environment = {**os.environ, **own}
    for name in ("ANSWERABLE_ADMIN_DATABASE_URL", "ANSWERABLE_ADMIN_DATABASE_URL_FILE"):
        environment.pop(name, None)
    return environment


def keeper_environment(options: Options) -> dict[str, str]:
    """The environment of the one command that may make and change tables."""
    url = options.admin_database_url or layout.database_url(options.data_dir, role="keeper")
    return child_environment(options) | {"ANSWERABLE_ADMIN_DATABASE_URL": url}
