"""The web server and the control process, as the product starts them, on the test's own database."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from django.conf import settings

from config.standalone.options import Options
from config.standalone.supervisor import control_module, web_module
from tests.environment import INSTALLATION
from tests.running import PROJECT, free_port


@dataclass
class Servers:
    """Where both listen, and the control process itself."""

    web: str
    control: str
    control_process: "subprocess.Popen[bytes]"


@contextmanager
def serving(
    database_url: str, extra: Mapping[str, str] | None = None, *, control: str = "config.asgi:application"
) -> Iterator[Servers]:
    """Both processes, the control process with an application of the test's own if it likes; ends with both."""
    options = Options("run", INSTALLATION, free_port(), "127.0.0.1", 1, None, None, None, control_port=free_port())
    env = environment(options, database_url) | dict(extra or {})
    commands = (web_module(options), [*control_module(options)[:-1], control])
    started = [subprocess.Popen([sys.executable, *each], env=env, cwd=PROJECT) for each in commands]
    servers = Servers(
        f"http://localhost:{options.port}", f"http://localhost:{options.control_port}", control_process=started[1]
    )
    try:
        wait_until_open(servers.web)
        wait_until_open(servers.control)
        yield servers
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def environment(options: Options, database_url: str) -> dict[str, str]:
    return os.environ | {
        "ANSWERABLE_DATABASE_URL": database_url,
        "ANSWERABLE_HEAD_STORE": str(settings.HEAD_STORE),
        "ANSWERABLE_SIGNING_KEY_FILE": str(settings.SIGNING_KEY_FILE),
        "ANSWERABLE_DATA_DIR": str(INSTALLATION),
        "ANSWERABLE_PORT": str(options.port),
        "ANSWERABLE_CONTROL_PORT": str(options.control_port),
    }


def wait_until_open(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/healthz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")
