"""People: registering, editing, first passwords, leaving."""

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.db.models import Q
from django.utils import timezone

from config.errors import FieldProblem
from governance import rights
from governance.acts import Act, Role
from governance.changes import write
from governance.credentials import MOVED, guard_credentials, said_of, said_of_link, secret_digest, take_two
from governance.errors import (
    LastAdministrator,
    PersonExists,
    PersonNotFound,
    SetupClosed,
    SuccessorNeeded,
)
from governance.kinds import (
    ADMINISTRATOR_BOOTSTRAPPED,
    ASSIGNMENT_ACCEPTED,
    ASSIGNMENT_ENDED,
    ASSIGNMENT_REFUSED,
    CREDENTIALS_SET,
    PERSON_DEACTIVATED,
    PERSON_REGISTERED,
    PERSON_UPDATED,
    SERVICE_ACCOUNT_UPDATED,
    SETUP_LINK_ISSUED,
)
from governance.locks import ADMINISTRATORS, hold
from governance.models import AISystem, Assignment, Person, ServiceAccount, SetupLink
from governance.models.people import plain_address
from governance.services.access import end_access
from governance.services.answering import carried_by, lock_systems, require_no_gap, settle_gaps
from governance.services.credential_changes import What, note_change
from governance.services.offers import OPEN, WAITING, write_assignment
from ledger.entries import SERVER, Actor, draft_entry, timestamp
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log

LINK_LIFE = timedelta(days=3)
EDITABLE = frozenset({"name", "email", "staff_number"})
ADDRESS_GUARDED = (
    "This person signs in here, and holds, or was asked to take, a role that takes two to give. Their address is "
    "changed at the host: manage.py change_address --for ADDRESS --to ADDRESS."
)


def register_person(*, actor: Actor, name: str, email: str, staff_number: str = "") -> Person:
    """Put a member of staff in the register. They cannot sign in before they used a set-up link.

    Errors: `Forbidden`, `PersonExists` (addresses are compared without regard to case), `ValidationError`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = new_person(name=name, email=email, staff_number=staff_number)
        write(seal, actor=actor, kind=PERSON_REGISTERED, row=person, facts=said_of(actor))
    return person


def person_for(*, actor: Actor, email: str, name: str = "") -> Person:
    """The active person with this address, registered where there is none. For scripts.

    Errors: `Forbidden`, `PersonNotFound` where somebody of this address has left.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing():
        hold(f"person:{plain_address(email)}")
        known = Person.objects.filter(email=plain_address(email)).first()
        if known is None:
            return register_person(actor=actor, name=name or email.split("@", 1)[0], email=email)
        if not known.is_active:
            raise PersonNotFound()
        return known


def update_person(*, actor: Actor, person_id: uuid.UUID, changes: Mapping[str, Any]) -> Person:
    """Change name, e-mail address or staff number. Of another address the old one is told.

    That of somebody who signs in and has a role that takes two to give no other administrator moves, but somebody at
    the host's command line does. Errors: `Forbidden`, `PersonNotFound`, `PersonExists`, `CredentialsGuarded`,
    `ValidationError` of an address that is none.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    if changes.keys() - EDITABLE:
        raise TypeError("only name, email and staff_number are edited")
    with sealing() as seal:
        person = locked_person(person_id)
        before = {name: getattr(person, name) for name in EDITABLE}
        for name, value in changes.items():
            setattr(person, name, plain_address(value or "") if name == "email" else value)
        if before == {name: getattr(person, name) for name in EDITABLE}:
            return person
        _refuse_known_address(person)
        has_moved = person.email != before["email"]
        if has_moved and actor.id != person_id:
            # whoever decides where a person's mail goes, and what the provider says who they are, can be them
            guard_credentials(actor, person, ADDRESS_GUARDED)
        facts = {MOVED: True, **said_of(actor)} if has_moved else None
        write(seal, actor=actor, kind=PERSON_UPDATED, row=person, facts=facts)
        if has_moved and before["email"]:
            note_change(person_id=person_id, what=What.ADDRESS_CHANGED, actor=actor, email=before["email"])
    return person


def issue_setup_link(*, actor: Actor, person_id: uuid.UUID) -> str:
    """A one-time token with which a person sets their password, valid for 3 days; earlier ones end.

    Returned once, stored as a hash. For somebody who signs in, by whatever way, and has a role that takes two to give
    it is made at the host's command line only. Errors: `Forbidden`, `PersonNotFound`, `CredentialsGuarded`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = locked_person(person_id)
        guard_credentials(actor, person)
        person.setup_links.filter(used_at=None).delete()
        link, token = _new_link(person=person, expires_at=timezone.now() + LINK_LIFE)
        _say(seal, actor, SETUP_LINK_ISSUED, person.pk, _said_of_link(link) | said_of(actor))
        note_change(person_id=person.pk, what=What.LINK_ISSUED, actor=actor)
    return token


def set_first_password(*, token: str, password: str) -> Person:
    """Use a set-up link: the person's password is set and the link is spent.

    Errors: `SetupClosed`, Django's `ValidationError` of the password validators.
    """
    with sealing() as seal:
        link = _open_link(token)
        if link.person_id is None:
            raise SetupClosed()
        person = locked_person(link.person_id)
        maker = said_of_link(person.pk, link.pk)
        if maker is None:
            raise SetupClosed()  # a row that no act put there
        if maker and take_two(person):
            raise SetupClosed()  # made by one administrator, before the role was given
        _set_password(person, password)
        end_access(seal, actor=Actor("person", person.pk), person=person)
        SetupLink.objects.filter(pk=link.pk).update(used_at=timezone.now())
        # a link is good for days: whoever made it may have used it, so their week starts anew
        _say(seal, Actor("person", person.pk), CREDENTIALS_SET, person.pk, maker | {"link": str(link.pk)})
        note_change(person_id=person.pk, what=What.PASSWORD_SET, actor=Actor("person", person.pk))
    return person


def change_own_password(*, actor: Actor, password: str) -> Person:
    """Change one's own password; every other session of theirs ends, and every token.

    The page has asked for the old one. Errors: `PersonNotFound`, Django's `ValidationError` of the validators.
    """
    if actor.type != "person" or actor.id is None:
        raise PersonNotFound()
    with sealing() as seal:
        person = locked_person(actor.id)
        _set_password(person, password)
        end_access(seal, actor=actor, person=person)
        _say(seal, actor, CREDENTIALS_SET, person.pk)
        note_change(person_id=person.pk, what=What.PASSWORD_SET, actor=actor)
    return person


def bootstrap_token() -> str | None:
    """A fresh one-time token for whoever becomes the first administrator; None once there is one.

    Any earlier one ends, so that what an old terminal shows opens nothing.
    """
    with sealing():
        hold(ADMINISTRATORS)
        if _was_bootstrapped():
            return None
        SetupLink.objects.filter(person=None, used_at=None).delete()
        return _new_link(person=None, expires_at=None)[1]


def bootstrap_administrator(*, token: str, name: str, email: str, password: str) -> Person:
    """Use the bootstrap link: the first person, administrator at once, sealed as such.

    Errors: `SetupClosed` (also when somebody else was faster), `PersonExists`, `ValidationError`.
    """
    with sealing() as seal:
        hold(ADMINISTRATORS)
        link = _open_link(token)
        if link.person_id is not None or _was_bootstrapped():
            raise SetupClosed()
        person = _person_of(name, email)
        actor = Actor("person", person.pk)
        validate_password(password, person)
        person.set_password(password)
        write(seal, actor=actor, kind=PERSON_REGISTERED if person._state.adding else PERSON_UPDATED, row=person)
        _first_assignment(seal, actor, person)
        SetupLink.objects.filter(pk=link.pk).update(used_at=timezone.now())
    return person


def setup_purpose(token: str) -> Person | None:
    """Whom a usable link is for; None for the bootstrap link. Errors: `SetupClosed`."""
    link = _find_link(token)
    if link.person_id is None and _was_bootstrapped():
        raise SetupClosed()
    return link.person


def deactivate_person(
    *,
    actor: Actor,
    person_id: uuid.UUID,
    successor: Person | None = None,
    reason: str = "",
    accepts_gap: bool = False,
) -> Person:
    """The register's part of leaving: sessions, tokens and password end, assignments end, proposals they made are void.

    `successor` takes over the service accounts they own. Where a live AI system would be left with nobody accountable
    it takes `accepts_gap` and a reason. What the floors above hold of somebody ends with `evidence.services.leaving`.
    Errors: `Forbidden`, `PersonNotFound`, `LastAdministrator`, `SuccessorNeeded`, `GapWouldOpen`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        hold(ADMINISTRATORS)
        person = lock_people(person_id, successor)
        refuse_last_administrator(person_id)
        left = _locked_left(person)
        require_no_gap(left, confirmed=accepts_gap, reason=reason)
        _hand_over_accounts(seal, actor, person, successor)
        _end_assignments(seal, actor, person)
        settle_gaps(seal, actor=actor, system_ids=[system.pk for system in left], at=timezone.now())
        end_access(seal, actor=actor, person=person)
        person.is_active = False
        person.set_unusable_password()  # also ends every session: their hash is derived from it
        person.setup_links.filter(used_at=None).delete()
        write(seal, actor=actor, kind=PERSON_DEACTIVATED, row=person, reason=reason)
    return person


def locked_person(person_id: uuid.UUID) -> Person:
    """An active person's row, locked. Errors: `PersonNotFound`."""
    person = Person.objects.select_for_update(no_key=True).filter(pk=person_id, is_active=True).first()
    if person is None:
        raise PersonNotFound()
    return person


def lock_people(person_id: uuid.UUID, *others: Person | None) -> Person:
    """Somebody's row, locked together with those of others in the order of their ids. Errors: `PersonNotFound`."""
    wanted = {person_id, *(each.pk for each in others if each)}
    rows = Person.objects.select_for_update(no_key=True).filter(pk__in=wanted, is_active=True)
    found = {each.pk: each for each in rows.order_by("pk")}
    if len(found) < len(wanted):
        raise PersonNotFound()
    return found[person_id]


def refuse_last_administrator(person_id: uuid.UUID) -> None:
    """Errors: `LastAdministrator` where nobody else would be one. Call under the lock `ADMINISTRATORS`."""
    admins = rights.administrators()
    if admins.filter(person_id=person_id).exists() and not admins.exclude(person_id=person_id).exists():
        raise LastAdministrator()


def new_person(*, name: str, email: str, staff_number: str = "") -> Person:
    person = Person(name=name.strip(), email=plain_address(email), staff_number=staff_number)
    person.set_unusable_password()
    _refuse_known_address(person)
    return person


def _refuse_known_address(person: Person) -> None:
    hold(f"person:{person.email}")  # of two who register the same address at once, the second finds the first
    if Person.objects.filter(email=person.email).exclude(pk=person.pk).exists():
        raise PersonExists(errors=[FieldProblem(pointer="/email", detail="Somebody has this address already.")])


def _new_link(*, person: Person | None, expires_at: Any) -> tuple[SetupLink, str]:
    token = secrets.token_urlsafe(32)
    return SetupLink.objects.create(person=person, secret_hash=_digest(token), expires_at=expires_at), token


def _said_of_link(link: SetupLink) -> dict[str, str]:
    said = {"link": str(link.pk), "secret": secret_digest(bytes(link.secret_hash))}
    return said | ({"expires_at": timestamp(link.expires_at)} if link.expires_at else {})


def _digest(token: str) -> bytes:
    # 256 random bits: a plain hash is enough, and looking it up by value tells nothing by its time
    return hashlib.sha256(token.encode()).digest()


def _find_link(token: str) -> SetupLink:
    link = SetupLink.objects.select_related("person").filter(secret_hash=_digest(token), used_at=None).first()
    if link is None or (link.expires_at and link.expires_at <= timezone.now()):
        raise SetupClosed()
    return link


def _open_link(token: str) -> SetupLink:
    """The link, its row locked: of two people who use one at once, the second finds it spent."""
    found = _find_link(token)
    locked = SetupLink.objects.select_for_update().filter(pk=found.pk, used_at=None).first()
    if locked is None:
        raise SetupClosed()
    return locked


def _was_bootstrapped() -> bool:
    """An installation has one first administrator ever, even if all should be gone by whatever means."""
    return Assignment.objects.filter(role=Role.ADMINISTRATOR, accepted_at__isnull=False).exists()


def _person_of(name: str, email: str) -> Person:
    """Somebody whom a script registered before, or a new person."""
    known = Person.objects.select_for_update(no_key=True).filter(email=plain_address(email), is_active=True).first()
    if known is None:
        return new_person(name=name, email=email)
    known.name = name.strip()
    return known


def _set_password(person: Person, password: str) -> None:
    validate_password(password, person)
    person.set_password(password)
    # neither history nor state holds a password hash, so this is no change of a governed row
    Person.objects.filter(pk=person.pk).update(password=person.password)


def _first_assignment(seal: Seal, actor: Actor, person: Person) -> None:
    now = timezone.now()
    assignment = Assignment(
        person=person,
        role=Role.ADMINISTRATOR,
        scope=Assignment.Scope.ORGANISATION,
        status=Assignment.Status.ACCEPTED,
        requested_by_id=person.pk,
        offered_at=now,
        accepted_at=now,
    )
    write_assignment(seal, actor=actor, kind=ASSIGNMENT_ACCEPTED, assignment=assignment)
    _say(seal, SERVER, ADMINISTRATOR_BOOTSTRAPPED, person.pk)


def _hand_over_accounts(seal: Seal, actor: Actor, person: Person, successor: Person | None) -> None:
    owned = list(ServiceAccount.objects.select_for_update(no_key=True).filter(owner=person).order_by("pk"))
    if not owned:
        return
    if successor is None or successor.pk == person.pk:
        raise SuccessorNeeded(errors=[FieldProblem(pointer="/successor", detail="Choose who takes them over.")])
    heir = locked_person(successor.pk)
    for account in owned:
        account.owner = heir
        write(seal, actor=actor, kind=SERVICE_ACCOUNT_UPDATED, row=account, facts={"owner": str(heir.pk)})


def _locked_left(person: Person) -> list[AISystem]:
    """The live AI systems that this person alone answers for, locked."""
    held = person.assignments.filter(status=Assignment.Status.ACCEPTED)
    lock_systems(held.values_list("system_id", flat=True))
    return carried_by(list(held))


def _end_assignments(seal: Seal, actor: Actor, person: Person) -> None:
    """Theirs, whatever state they are in, what they delegated or hand over, and the proposals they made for others."""
    now = timezone.now()
    rows = Assignment.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
    drawn = Q(delegated_from__person=person) | Q(succeeds__person=person, status__in=WAITING)
    for assignment in rows.filter(Q(person=person) | drawn, status__in=OPEN):
        end_now(seal, actor, assignment, now)
    for proposal in rows.filter(requested_by_id=person.pk, status=Assignment.Status.PROPOSED):
        proposal.status = Assignment.Status.REFUSED
        write_assignment(seal, actor=actor, kind=ASSIGNMENT_REFUSED, assignment=proposal)


def end_now(seal: Seal, actor: Actor, assignment: Assignment, at: Any, reason: str = "") -> None:
    """Inside a service that has locked the row: the assignment ends."""
    assignment.status = Assignment.Status.ENDED
    assignment.ends_at = min(assignment.ends_at, at) if assignment.ends_at else at
    write_assignment(seal, actor=actor, kind=ASSIGNMENT_ENDED, assignment=assignment, reason=reason)


def _say(seal: Seal, actor: Actor, kind: Kind, person_id: uuid.UUID, facts: Mapping[str, str] | None = None) -> None:
    body = {"person": str(person_id), **(facts or {})}
    seal.add(registry_log().id, draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=person_id))
