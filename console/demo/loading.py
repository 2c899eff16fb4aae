"""Setting the demonstration up: by the same services as everything else, each act by whom it asks for."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from console.demo.cast import (
    ADMINISTRATOR,
    COLLEAGUE,
    ENGINEER,
    EVERYBODY,
    OPERATOR,
    REVIEWERS,
    SECOND_ADMINISTRATOR,
    STAFF,
    SYSTEMS,
    Member,
    System,
)
from console.demo.control import Crew, set_up
from governance.acts import Role
from governance.models import AISystem, Assignment, Person, ServiceAccount, ServiceKey
from governance.rights import as_actor
from governance.scopes import ORGANISATION, Scope
from governance.services.accounts import register_account
from governance.services.assignments import accept_assignments, approve_proposal, offer_assignment
from governance.services.keys import create_service_key
from governance.services.people import (
    bootstrap_administrator,
    bootstrap_token,
    issue_setup_link,
    register_person,
    set_first_password,
)
from governance.services.systems import register_system, take_live
from governance.services.versions import approve_version, register_version
from ledger.entries import COMMAND
from ledger.sealing import sealing

KeyScope = ServiceKey.Scope
PLAIN_SCOPES = (KeyScope.DECISIONS_WRITE, KeyScope.DECISIONS_READ, KeyScope.LEDGER_READ, KeyScope.FEEDBACK_WRITE)
"""Of what was there before: it asks nobody, so a stop cannot reach it."""
ASKING_SCOPES = (KeyScope.DECISIONS_WRITE, KeyScope.DECISIONS_READ, KeyScope.CONTROL_READ)


class NotADemonstration(Exception):
    """This installation has an administrator of its own: made-up content would be sealed into its logs for ever."""


class OldDemonstration(NotADemonstration):
    """One that an earlier release made: it lacks people or keys that this release's demonstration goes on with."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one needs to look around. Kept in the data folder, readable by its owner alone, to be shown again."""

    email: str
    password: str
    key: str
    service_key: str
    """Of the service that asks before it acts."""

    def save(self) -> None:
        path = _file()
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(asdict(self)))


def load() -> Credentials:
    """Set the demonstration up, once; later calls return the same credentials.

    Errors: `NotADemonstration`, also as `OldDemonstration`.
    """
    if Person.objects.filter(email=ADMINISTRATOR.email).exists():
        _require_everybody()
        return stored()
    with sealing():  # all of it or nothing
        token = bootstrap_token()
        if token is None:
            raise NotADemonstration()
        password = secrets.token_urlsafe(12)
        people = _hire(token, password)
        systems = {system.slug: _register(system, people) for system in SYSTEMS}
        set_up(_crew(people), systems, {system.slug: people[system.accountable] for system in SYSTEMS})
        credentials = Credentials(ADMINISTRATOR.email, password, *_keys(systems, people[ENGINEER]))
        credentials.save()
    return credentials


def _require_everybody() -> None:
    if Person.objects.filter(email__in=[each.email for each in EVERYBODY]).count() < len(EVERYBODY):
        raise OldDemonstration()


def stored() -> Credentials:
    """The credentials of an earlier load. Errors: `NotADemonstration` where their file is gone, `OldDemonstration`."""
    try:
        return Credentials(**json.loads(_file().read_text()))
    except FileNotFoundError as error:
        raise NotADemonstration() from error
    except TypeError as error:
        raise OldDemonstration() from error


def _file() -> Path:
    return Path(settings.DATA_DIR) / "demo.json"


def _hire(token: str, password: str) -> dict[str, Person]:
    first = bootstrap_administrator(token=token, name=ADMINISTRATOR.name, email=ADMINISTRATOR.email, password=password)
    second = _join(SECOND_ADMINISTRATOR, password)
    _accepted(first, second, Role.ADMINISTRATOR, ORGANISATION)
    people = {member.mailbox: _join(member, password) for member in STAFF}
    people |= {ADMINISTRATOR.mailbox: first, SECOND_ADMINISTRATOR.mailbox: second}
    for member in (ADMINISTRATOR, *STAFF):
        for role in member.everywhere:
            by, agrees = (second, first) if member is ADMINISTRATOR else (first, second)
            _accepted(by, people[member.mailbox], role, ORGANISATION, agrees)
    return people


def _join(member: Member, password: str) -> Person:
    person = register_person(actor=COMMAND, name=member.name, email=member.email)
    link = issue_setup_link(actor=COMMAND, person_id=person.pk)
    return set_first_password(token=link, password=password)


def _accepted(
    by: Person, person: Person, role: Assignment.Role, scope: Scope, second: Person | None = None
) -> Assignment:
    offer = offer_assignment(actor=as_actor(by), person=person, role=role, scope=scope)
    if offer.status == Assignment.Status.PROPOSED and second is not None:
        approve_proposal(actor=as_actor(second), assignment_id=offer.pk)
    return accept_assignments(actor=as_actor(person), assignment_ids=[offer.pk])[0]


def _register(system: System, people: dict[str, Person]) -> AISystem:
    first, engineer, owner = people[ADMINISTRATOR.mailbox], people[ENGINEER], people[system.accountable]
    row = register_system(
        actor=as_actor(first),
        slug=system.slug,
        name=system.name,
        accountable=owner,
        environments=("production", "staging"),
        **system.described,
    )
    offer = Assignment.objects.get(system=row, role=Role.ACCOUNTABLE)
    accept_assignments(actor=as_actor(owner), assignment_ids=[offer.pk])
    for member in (ADMINISTRATOR, *STAFF):
        for role in member.on_each_system:
            # nobody offers a role to themself
            by = people[SECOND_ADMINISTRATOR.mailbox] if member is ADMINISTRATOR else first
            _accepted(by, people[member.mailbox], role, Scope.system(row.pk))
    for version in system.versions:
        made = register_version(actor=as_actor(engineer), system_id=row.pk, **version)
        approve_version(actor=as_actor(owner), version_id=made.pk)
    return take_live(actor=as_actor(owner), system_id=row.pk)


def _crew(people: dict[str, Person]) -> Crew:
    reviewers = tuple(people[name] for name in (*REVIEWERS, COLLEAGUE))
    return Crew(people[ADMINISTRATOR.mailbox], people[ENGINEER], people[OPERATOR], reviewers)


def _keys(systems: dict[str, AISystem], owner: Person) -> tuple[str, str]:
    """Of two service accounts: who obeys a stop is told by account."""
    plain = register_account(
        actor=COMMAND, slug="demo-plain-sender", name="Branch systems", owner=owner, description="Ask nobody."
    )
    asking = register_account(
        actor=COMMAND, slug="demo-service", name="Card app", owner=owner, description="Asks before it acts."
    )
    return (
        _key(plain, list(systems.values()), PLAIN_SCOPES),
        _key(asking, [systems["credit-limits"]], ASKING_SCOPES),
    )


def _key(account: ServiceAccount, systems: list[AISystem], scopes: Iterable[str]) -> str:
    return create_service_key(actor=COMMAND, account=account, systems=systems, scopes=scopes).text
