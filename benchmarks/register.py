"""The organisation that the decisions belong to, made by the services that make it in the product."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connections

from benchmarks.installation import Installation
from benchmarks.workload import SYSTEM, VERSION
from config.standalone import layout
from governance.models import Assignment, Person
from governance.services.accounts import register_account
from governance.services.assignments import accept_assignments
from governance.services.keys import create_service_key
from governance.services.people import register_person
from governance.services.systems import register_system
from governance.services.versions import register_version
from intake.digests import check_digest_key
from ledger.entries import COMMAND, Actor
from ledger.selectors import open_log

SCOPES = ("decisions:write", "decisions:read", "payloads:read", "ledger:read")


@dataclass(frozen=True)
class Organisation:
    key: str
    log_id: uuid.UUID
    person: Person
    """Accountable for the system, so they see its decisions."""


def found() -> Organisation:
    check_digest_key()  # as readiness of the running product makes it: payloads have digests of their inputs by it
    owner = register_person(actor=COMMAND, name="Accountable Person", email="owner@example.org")
    system = register_system(actor=COMMAND, slug=SYSTEM, name="Credit limits", accountable=owner)
    register_version(actor=COMMAND, system_id=system.pk, version=VERSION, name="Limits")
    offered = Assignment.objects.filter(person=owner).values_list("pk", flat=True)
    accept_assignments(actor=Actor("person", owner.pk), assignment_ids=list(offered))
    account = register_account(actor=COMMAND, slug=SYSTEM, name="Limit service", owner=owner)
    key = create_service_key(actor=COMMAND, account=account, systems=[system], scopes=SCOPES)
    return Organisation(key.text, open_log(system.pk).pk, owner)


@contextmanager
def connected_to(installation: Installation, database: str) -> Iterator[None]:
    """Point this thread's connection and the head store at a database of the installation."""
    configured = connections["default"].settings_dict
    connections["default"].close()
    configured["NAME"], settings.HEAD_STORE = database, installation.heads(database)
    try:
        yield
    finally:
        connections["default"].close()
        configured["NAME"], settings.HEAD_STORE = layout.DATABASE, Path(installation.heads())
