"""One durable installation for all fault tests, and AI systems with keys in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from governance import memory
from governance.models import Person
from tests import running
from tests.factories.register import make_account, make_key, make_person, make_system
from tests.faults.client import RetryingClient, record
from tests.faults.installation import Installation, Web

SCOPES = ("decisions:write", "ledger:read")


@pytest.fixture(scope="session")
def installation(
    throwaway_cluster: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    """PostgreSQL with fsync on, the product's database in it, and this process's Django connected to it."""
    with running.data_folder(installed=True) as folder, django_db_blocker.unblock():
        found = Installation(folder)
        try:
            found.start()
            with found.connected():
                yield found
        finally:
            found.stop()


@dataclass(frozen=True)
class Sender:
    """An AI system and the key of the service that decides for it."""

    system: str
    key: str

    def record(self, **changes: Any) -> dict[str, Any]:
        return record(self.system, **changes)


@pytest.fixture
def sender(installation: Installation) -> Sender:
    """A new AI system with a log of its own."""
    return new_sender()


def new_sender(owner: Person | None = None) -> Sender:
    memory.forget()
    connections.close_all()  # the server may have been away
    system = make_system(accountable=owner or make_person())
    return Sender(system.slug, make_key(system, scopes=SCOPES, account=make_account()).text)


NewClient = Callable[[Web, Sender], RetryingClient]


@pytest.fixture
def new_client() -> Iterator[NewClient]:
    """Clients that are closed in the end."""
    made: list[RetryingClient] = []

    def make(web: Web, sender: Sender) -> RetryingClient:
        made.append(RetryingClient(web.url, sender.key))
        return made[-1]

    yield make
    for client in made:
        client.close()
