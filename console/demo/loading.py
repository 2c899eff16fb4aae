"""Setting the demonstration up: by the same services as everything else, each act by whom it asks for."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from console.demo.cards import CARDS
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
from console.demo.letters import LETTER_TEMPLATES
from console.demo.terms import terms_of
from console.demo.versions import bring_into_use, register_sources
from governance.acts import Role
from governance.models import AISystem, Assignment, Person, ServiceAccount, ServiceKey
from governance.rights import as_actor
from governance.scopes import ORGANISATION, Scope
from governance.services.accounts import register_account
from governance.services.cards import publish_card, save_draft, start_card, submit_card
from governance.services.keys import create_service_key
from governance.services.letter_templates import (
    publish_letter_template,
    save_letter_template,
    submit_letter_template,
)
from governance.services.people import (
    bootstrap_administrator,
    bootstrap_token,
    issue_setup_link,
    register_person,
    set_first_password,
)
from governance.services.systems import register_system, take_live
from governance.services.terms import update_terms
from ledger.entries import COMMAND
from ledger.sealing import sealing
from overrides.services.appointing import accept_assignments, approve_proposal, offer_role

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
        register_sources(people, people[ADMINISTRATOR.mailbox])
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
    offer = offer_role(actor=as_actor(by), person=person, role=role, scope=scope, terms=terms_of(role))
    if offer.status == Assignment.Status.PROPOSED and second is not None:
        offer = approve_proposal(actor=as_actor(second), assignment_id=offer.pk, revision=offer.revision)
    return _taken(offer, person)


def _taken(offer: Assignment, person: Person) -> Assignment:
    revisions = {offer.pk: offer.revision}
    return accept_assignments(actor=as_actor(person), assignment_ids=[offer.pk], revisions=revisions)[0]


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
    terms = asdict(terms_of(Role.ACCOUNTABLE))
    changed = update_terms(actor=as_actor(first), assignment_id=offer.pk, revision=offer.revision, changes=terms)
    _taken(changed, owner)
    for member in (ADMINISTRATOR, *STAFF):
        for role in member.on_each_system:
            # nobody offers a role to themself
            by = people[SECOND_ADMINISTRATOR.mailbox] if member is ADMINISTRATOR else first
            _accepted(by, people[member.mailbox], role, Scope.system(row.pk))
    _publish_card(row, engineer, owner)
    _publish_letters(row, engineer, owner)
    for version in system.versions:
        bring_into_use(row, version, engineer, owner)
    return take_live(actor=as_actor(owner), system_id=row.pk)


def _publish_card(row: AISystem, engineer: Person, owner: Person) -> None:
    by = as_actor(engineer)
    first = start_card(actor=by, system_id=row.pk)
    save = save_draft(actor=by, system_id=row.pk, content=CARDS[row.slug], base=first.number)
    card = submit_card(actor=by, system_id=row.pk, base=save.number, note="The first card.")
    publish_card(actor=as_actor(owner), system_id=row.pk, content_digest=card.content_digest)


def _publish_letters(row: AISystem, engineer: Person, owner: Person) -> None:
    for language, content in LETTER_TEMPLATES.get(row.slug, {}).items():
        place: dict[str, Any] = {"system_id": row.pk, "language": language}
        draft = save_letter_template(actor=as_actor(engineer), content=content, **place)
        draft = submit_letter_template(actor=as_actor(engineer), base=draft.revision, **place)
        publish_letter_template(actor=as_actor(owner), base=draft.revision, **place)


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
