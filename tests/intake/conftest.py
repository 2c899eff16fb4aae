"""A service that sends decisions."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from config.ids import new_id
from governance.models import AISystem, Person, ServiceAccount
from tests.factories.register import make_account, make_key, make_system


def record(**changes: Any) -> dict[str, Any]:
    """A valid decision record; `None` leaves a field out."""
    fields = {
        "id": str(new_id()),
        "system": "credit",
        "model_version": "2026.11",
        "occurred_at": "2026-11-21T07:00:00.5+01:00",
        "input": {"income": 52000.0, "age": 41},
        "output": {"limit": 12000},
        "outcome": "approved",
        "confidence": 0.93,
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


@dataclass
class Sender:
    """A service account with a key for some AI systems."""

    systems: list[AISystem]
    account: ServiceAccount
    key: str
    client: Client = field(default_factory=lambda: Client(SERVER_NAME="localhost"))

    @property
    def header(self) -> str:
        return f"Bearer {self.key}"

    def raw(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        sent: dict[str, Any] = {"HTTP_AUTHORIZATION": self.header} | headers
        return self.client.post(path, body, content_type=content_type, **sent)

    def post(self, body: dict[str, Any] | bytes, **headers: str) -> Any:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.raw("/api/v1/decisions", sent, **headers)

    def batch(self, records: list[dict[str, Any]], query: str = "", **headers: str) -> Any:
        return self.raw(f"/api/v1/decisions/batch{query}", json.dumps(records).encode(), **headers)

    def record(self, **changes: Any) -> dict[str, Any]:
        return record(**({"system": self.systems[0].slug} | changes))


def make_sender(*slugs: str, accountable: Person | None = None, **rest: Any) -> Sender:
    systems = [make_system(slug=slug, accountable=accountable) for slug in slugs]
    account = make_account(slug=f"sender-{uuid.uuid4().hex[:10]}")
    return Sender(systems, account, make_key(*systems, account=account, **rest).text)


@pytest.fixture
def sender(committed_db: None) -> Sender:
    return make_sender("credit")


@pytest.fixture
def senders(committed_db: None) -> Callable[..., Sender]:
    return make_sender
