"""A small organisation with a register, a log of decisions and everything sealed as the product seals it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from audit.entries import Holder, SealedDirective
from audit.services.preparing import FacetValues, PreparedDecision, Receipt, Refs, encode_facets, prepare
from audit.services.recording import record_decisions
from config.ids import new_id
from config.standalone import layout
from governance import memory as register
from governance.models import AISystem, Person, ServiceAccount
from governance.services import accounts, keys, people, systems, versions
from ledger import signing
from ledger.entries import COMMAND
from ledger.models import Log
from ledger.sealing import sealing
from ledger.selectors import open_log
from overrides import memory as control
from tests import databases
from tests.environment import INSTALLATION
from tests.evidence.backups import backup_to
from tests.factories.register import make_person


@dataclass(frozen=True)
class Organisation:
    system: AISystem
    account: ServiceAccount
    log: Log
    decisions: list[str]


def prepared(
    log: Log,
    account: ServiceAccount,
    number: int,
    holder: Holder | None = None,
    *,
    branch: str = "north",
    limit: int = 0,
) -> PreparedDecision:
    values = FacetValues(
        log_id=log.id,
        system_id=log.system_id or new_id(),
        account_id=account.id,
        environment="production",
        model_version="2026-11-01",
        outcome="refused" if number % 3 else "approved",
        capability="limit-increase",
        accountable=holder,
        directive=SealedDirective(action="proceed", mode="run", epoch="0"),
        flags=("not_live",),
    )
    now = timezone.now()
    return prepare(
        encode_facets(values),
        decision_id=str(new_id()),
        is_own_id=True,
        received=Receipt.of(now),
        occurred_at=now,
        secret=os.urandom(32),
        parts=[("input", b'{"income": %d}' % number), ("output", b'{"limit": %d}' % limit)],
        refs=Refs(subject=f"subject-{number}", labels={"branch": branch}),
        confidence=0.25,
        source_seq=number,
    )


def record(log: Log, account: ServiceAccount, count: int, holder: Holder | None = None) -> list[str]:
    decisions = [prepared(log, account, number, holder) for number in range(count)]
    with sealing() as seal:
        record_decisions(seal, log_id=log.id, decisions=decisions)
    return [decision.id for decision in decisions]


def found_organisation(decisions: int = 300) -> Organisation:
    owner = people.register_person(actor=COMMAND, name="Accountable Person", email="owner@example.org")
    system = systems.register_system(actor=COMMAND, slug="credit-limits", name="Credit limits", accountable=owner)
    versions.register_version(actor=COMMAND, system_id=system.id, version="2026-11-01", name="Limits")
    account = accounts.register_account(actor=COMMAND, slug="limits", name="Limit service", owner=owner)
    keys.create_service_key(
        actor=COMMAND, account=account, systems=[system], environment="production", scopes=["decisions:write"]
    )
    systems.update_system(actor=COMMAND, system_id=system.id, changes={"risk_class": "high"}, reason="Annex III, 5(b)")
    assignment = system.assignments.get()
    log = open_log(system.id)
    holder = Holder(person=str(owner.id), assignment=str(assignment.id), accepted=False)
    return Organisation(system, account, log, record(log, account, decisions, holder))


@pytest.fixture
def organisation(db: None) -> Organisation:
    return found_organisation()


@pytest.fixture
def first(organisation: Organisation) -> Person:
    return make_person(administrator=True)


@pytest.fixture
def second(organisation: Organisation) -> Person:
    return make_person(administrator=True)


@pytest.fixture
def key_file(tmp_path: Path) -> Iterator[Path]:
    """A copy of the installation's key file for this test to change."""
    before = Path(settings.SIGNING_KEY_FILE)
    copy = tmp_path / "keys" / "signing.key"
    copy.parent.mkdir()
    copy.write_bytes(before.read_bytes())
    copy.chmod(0o640)
    settings.SIGNING_KEY_FILE = copy
    signing.forget()
    yield copy
    settings.SIGNING_KEY_FILE = before
    signing.forget()


@pytest.fixture(name="people")
def who_rotates(key_file: Path, organisation: Organisation) -> dict[str, Any]:
    first, second = (make_person(administrator=True) for _ in range(2))
    return {"actor": COMMAND, "asked_by": first, "approved_by": second}


# --- backups ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def source(transactional_db: None, keeper_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Organisation:
    """An organisation with records, whose database a backup reads as its owner."""
    monkeypatch.setattr(settings, "DATABASE_URL", database_url)
    monkeypatch.setattr(settings, "ADMIN_DATABASE_URL", keeper_url)
    return found_organisation(300)


@pytest.fixture(scope="session")
def sound_backup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A backup of such an organisation, made once: its database is gone. Nobody changes it; see `backup_alone`."""
    folder = tmp_path_factory.mktemp("sound")
    with (
        django_db_blocker.unblock(),
        databases.own_head_store(folder),
        databases.clone() as name,
        databases.connected_to(name),
        pytest.MonkeyPatch.context() as patch,
    ):
        for memory in (register, control):
            patch.setattr(memory, "polling", False)
            memory.forget()
        for setting, role in (("DATABASE_URL", "app"), ("ADMIN_DATABASE_URL", "keeper")):
            patch.setattr(settings, setting, layout.database_url(INSTALLATION, role=role, name=name))
        found_organisation(300)
        made = backup_to(folder / "backups").folder
    for memory in (register, control):
        memory.forget()
    return made


@pytest.fixture(scope="session")
def world(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A record with everything in it, for damages that are undone (tests.evidence.damaging)."""
    from tests.evidence.damaging import build

    with django_db_blocker.unblock():
        yield from build(tmp_path_factory.mktemp("world"))


@pytest.fixture
def backup_alone(sound_backup: Path, tmp_path: Path) -> Path:
    """The test's own copy of a backup whose database is gone."""
    return Path(shutil.copytree(sound_backup, tmp_path / "backups" / sound_backup.name))


@pytest.fixture
def app(system: Any, database_url: str) -> Iterator[psycopg.Connection]:
    """Somebody with the password of the role that the service runs as, once the test's AI system is there."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
