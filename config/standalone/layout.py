"""Where the one-machine installation keeps its things, below its data folder."""

import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

DATABASE = "answerable"
DEFAULT_PORT = 8000
DEMONSTRATION = "demonstration"
OF_DEMONSTRATION = frozenset({DEMONSTRATION, "demo.json", "demo-backfilled", "demo-acted", "demo-service"})
"""What a demonstration keeps beside the rest."""
MADE_UP_ORIGIN = re.compile(r"answerable-[0-9a-f]{8}\.local")
RESTORING = "restoring"
"""Stands in a data folder while a backup is being restored into it; says in words that this was not finished."""
PROGRAM = Path(__file__).resolve().parents[2]
AMONG_THE_SOURCES = (
    "ANSWERABLE_DATA_DIR is the folder of the program itself: keys and records would stand among its sources. "
    "Name another folder."
)
SOCKET_PATH_LIMIT = 80  # a socket's path has 107 bytes at most, and names are added to the folder


def socket_dir(data_dir: Path, name: str) -> Path:
    """The folder of a server's socket: inside the data folder, or a short one beside when its path is too long."""
    inside = data_dir / name / "s"
    if len(os.fsencode(inside)) < SOCKET_PATH_LIMIT:
        return inside
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir(), f"answerable-{name}-{digest}")


def database_url(data_dir: Path, *, role: str, name: str = DATABASE) -> str:
    """The address of the private PostgreSQL for `app` or `keeper`: its socket, signed in by operating-system user."""
    return f"postgresql://{role}@/{name}?host={quote(str(socket_dir(data_dir, 'pg')), safe='')}"


def broker_url(data_dir: Path) -> str:
    """The address of the private broker."""
    return f"redis+socket://{quote(str(socket_dir(data_dir, 'broker')))}/s"


def secret_key(data_dir: Path) -> str:
    """Django's secret key: made once, readable by its owner alone."""
    path = data_dir / "secret.key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        write_once(path, secrets.token_urlsafe(50))
    return path.read_text()


def origin(data_dir: Path) -> str:
    """What starts the names of this installation's logs, unless it was told: made once, unlike any other's."""
    path = data_dir / "origin"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        write_once(path, f"answerable-{secrets.token_hex(4)}.local")
    return path.read_text().strip()


def keep_origin(data_dir: Path, name: str) -> None:
    """Go by another name from now on: that of the logs which a restored database brought."""
    new = data_dir / ".origin.new"
    new.write_text(name)
    new.replace(data_dir / "origin")


def mark_demonstration(data_dir: Path) -> None:
    """Say that what is in this folder is made up: an empty one, or one with a demonstration in it, no other.

    Without the mark `ANSWERABLE_DEMO` is refused (config/checks.py).
    """
    if (data_dir / "demo.json").exists() or not (data_dir / "signing.key").exists():
        (data_dir / DEMONSTRATION).touch(mode=0o600)


def is_demonstration(data_dir: Path) -> bool:
    return (data_dir / DEMONSTRATION).exists()


def write_once(path: Path, text: str) -> None:
    """Make a file that only its owner may read, unless it is there already."""
    # linked when whole: of two processes that start together both read the same key, and never half of one
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    new.touch(mode=0o600)
    new.write_text(text)
    try:
        os.link(new, path)
    except FileExistsError:
        return  # the other one was first, and its key holds
    finally:
        new.unlink()


def port(data_dir: Path) -> int:
    """The port this installation was started on last, so that `manage.py` knows its address; 8000 before that."""
    path = data_dir / "port"
    return int(path.read_text()) if path.exists() else DEFAULT_PORT


def control_port(data_dir: Path, web_port: int) -> int:
    """The port of the control process, likewise; the one after the web server's before that."""
    path = data_dir / "control-port"
    return int(path.read_text()) if path.exists() else min(web_port + 1, 65535)


def control_url(base_url: str, web_port: int, control_port: int) -> str:
    """Where clients reach the control process, unless they are told: beside a web server that is reached directly; at
    the site's own address where a proxy stands in front, which routes the paths of controls."""
    return re.sub(rf":{web_port}$", f":{control_port}", base_url.rstrip("/"))


def remember_ports(data_dir: Path, web_port: int, control_port: int) -> None:
    """Keep the ports for the next start and for `manage.py`."""
    for name, number in (("port", web_port), ("control-port", control_port)):
        new = data_dir / f".{name}.new"
        new.write_text(f"{number}\n")
        new.replace(data_dir / name)
