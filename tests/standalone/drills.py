"""What the drills share: people who sign in, a caller that sends on and on, commands as operators type them."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp

from config.ids import new_id
from tests.factories.sign_in import PASSWORD
from tests.running import PROJECT, Product, plain_environment

ANNA, BEN = "anna@example.org", "ben@example.org"
SYSTEM = "credit"
PEOPLE = f"""
import json
from tests.factories.register import make_person
from tests.factories.sign_in import with_app, with_password
secrets = {{}}
for email in ("{ANNA}", "{BEN}"):
    person = with_password(make_person(name=email.partition("@")[0].title(), email=email, administrator=True))
    secrets[email] = with_app(person).secret
print(json.dumps(secrets))
"""
STEP = 30
"""Seconds that a code of an authenticator app holds."""
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass
class Installation:
    """A product that runs, and who uses it."""

    product: Product
    key: str
    secrets: dict[str, str]
    used: dict[str, int] = field(default_factory=dict)
    """Of each person the step of the code that they gave last: it is good for once."""


def set_up(product: Product) -> Installation:
    """Two administrators with a second factor, an AI system, a key of the service that decides."""
    secrets = json.loads(product.manage("shell", "--no-imports", "-c", PEOPLE).splitlines()[-1])
    product.manage("create_system", "--slug", SYSTEM, "--name", "Credit", "--accountable", "carla@example.org")
    scopes = ("decisions:write", "decisions:read", "control:read", "ledger:read")
    words = [word for each in scopes for word in ("--scope", each)]
    key = product.manage("create_service_key", "--system", SYSTEM, *words).strip()
    return Installation(product, key, secrets)


def record(**changes: Any) -> dict[str, Any]:
    """A decision, known by an id that its caller made, unless the caller has a key of its own for it."""
    own = {} if "external_id" in changes else {"id": str(new_id())}
    return own | {
        "system": SYSTEM, "model_version": "1", "occurred_at": "2026-11-21T07:00:00Z",
        "input": {"income": 41000}, "output": {"limit": 5000}, "outcome": "approved",
    } | changes  # fmt: skip


_clients: list[httpx.Client] = []


def _client(**how: Any) -> httpx.Client:
    _clients.append(httpx.Client(timeout=40, trust_env=False, **how))
    return _clients[-1]


def close_clients() -> None:
    """Of all callers and all who signed in."""
    while _clients:
        _clients.pop().close()


@dataclass
class Caller:
    """Posts decisions, and keeps what it sent with the receipt that it got."""

    url: str
    key: str
    acknowledged: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        self.http = _client(base_url=self.url, headers=headers)

    def try_once(self, decision: dict[str, Any]) -> httpx.Response:
        return self.http.post("/api/v1/decisions", json=decision)

    def post(self, decision: dict[str, Any], *, patience: float = 30.0) -> dict[str, Any]:
        """Until it is acknowledged, as callers do."""
        until = time.monotonic() + patience
        while (answer := self.try_once(decision)).status_code not in (200, 201):
            self.refused.append(answer.status_code)
            assert answer.status_code in (401, 503) and time.monotonic() < until, answer.text
            time.sleep(0.2)  # a new key is known within a second
        receipt: dict[str, Any] = answer.json()
        self.acknowledged.append((decision, receipt))
        return receipt

    @contextmanager
    def sending(self) -> Iterator[None]:
        """While the block lasts, one after another."""
        ended = threading.Event()

        def send() -> None:
            while not ended.is_set():
                self.post(record())

        with ThreadPoolExecutor(1) as pool:
            sender = pool.submit(send)
            try:
                yield
            finally:
                ended.set()
            sender.result()

    def checkpoint(self, log: str) -> str:
        answer = self.http.get(f"/logs/{log.rpartition('/')[2]}/checkpoint")
        answer.raise_for_status()
        return answer.text


def manage(data_dir: Path, *arguments: object, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """A command of manage.py, with what somebody types at it."""
    command = [sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)]
    return subprocess.run(
        command, env=plain_environment(data_dir), cwd=PROJECT, input=typed, capture_output=True, text=True, check=False
    )


def done(data_dir: Path, *arguments: object, typed: str = "", code: int = 0) -> str:
    """What a command says that ends with this exit code."""
    found = manage(data_dir, *arguments, typed=typed)
    assert found.returncode == code, found.stdout + found.stderr
    return found.stdout + found.stderr


def one_backup(target: Path) -> Path:
    [folder] = [path for path in target.iterdir() if path.name.startswith("answerable-")]
    return folder


# --- people -----------------------------------------------------------------------------------------------------------
def signed_in(installation: Installation, email: str) -> httpx.Client:
    """In the web admin, by password and authenticator app."""
    client = _client(base_url=installation.product.url, follow_redirects=True)
    page = client.get("/admin/login/")
    page = _send(client, page, username=email, password=PASSWORD)
    assert "Second factor" in page.text
    page = _send(client, page, code=_code(installation, email))
    assert page.url.path == "/admin/", page.text
    return client


def _send(client: httpx.Client, page: httpx.Response, **form: str) -> httpx.Response:
    token = TOKEN.search(page.text)
    assert token is not None, page.text
    headers = {"Referer": str(page.url)}
    answer = client.post(str(page.url), data=form | {"csrfmiddlewaretoken": token[1]}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def _code(installation: Installation, email: str) -> str:
    while (step := int(time.time()) // STEP) <= installation.used.get(email, 0):
        time.sleep(0.5)
    installation.used[email] = step
    return pyotp.TOTP(installation.secrets[email]).at(step * STEP)


def by_two(installation: Installation, *command: str) -> str:
    """An act of custody: Anna asks at the host, Ben signs in and agrees, the command that waited goes on."""
    arguments = [*command, "--by", ANNA, "--reason", "The disk failed; there is no replica.", "--wait", "120"]
    process = subprocess.Popen(
        [sys.executable, "-u", str(PROJECT / "manage.py"), *arguments],
        env=installation.product.environment, cwd=PROJECT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{PASSWORD}\n{_code(installation, ANNA)}\n")
    process.stdin.flush()
    said = []
    for line in process.stdout:
        said.append(line)
        if page := re.search(r"(/admin/logs/custody/[0-9a-f-]+/)", line):
            _agree(installation, page[1])
    _, errors = process.communicate()
    assert process.returncode == 0, "".join(said) + errors
    return "".join(said)


def _agree(installation: Installation, path: str) -> None:
    client = signed_in(installation, BEN)
    page = client.get(path)
    assert "The disk failed; there is no replica." in page.text and "Agree</button>" in page.text
    token = TOKEN.search(page.text)
    assert token is not None
    form, headers = {"csrfmiddlewaretoken": token[1]}, {"Referer": str(page.url)}
    answer = client.post(f"{path}approve", data=form, headers=headers)
    assert "Agreed to, waits to be carried out" in answer.text, answer.text
    client.close()


def typed_passwords() -> str:
    """Both, at one terminal."""
    return f"{PASSWORD}\n{PASSWORD}\n"
