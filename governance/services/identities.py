"""Accounts of the sign-in provider: whose they are, and who may come in by one."""

import uuid
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone

from governance import rights
from governance.acts import Act, Role
from governance.changes import write
from governance.credentials import CREDENTIALS_BY, MOVED, guard_credentials, said_of, said_of_address, take_two
from governance.enrolment import has_factor
from governance.errors import ProviderRefused
from governance.kinds import PERSON_LINKED, PERSON_REGISTERED, PERSON_UNLINKED
from governance.locks import hold
from governance.models import ExternalIdentity, Person
from governance.models.people import plain_address
from governance.scopes import ORGANISATION
from governance.services.access import end_access
from governance.services.credential_changes import What, note_change
from governance.services.offers import offer_to
from governance.services.people import locked_person, new_person
from governance.sign_in.oidc.id_tokens import Claims
from governance.sign_in.secrets import keyed_hash
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing

GONE = "Your account here has ended. Ask an administrator."
MOVED_BY_ONE = (
    "An administrator changed your e-mail address here, and you hold a role that takes two to give: the address alone "
    "opens nothing. Sign in with your password, add a second factor, and then come this way."
)


UNLINK_GUARDED = (
    "This person holds, or was asked to take, a role that takes two to give. Their account of the provider is unlinked "
    "at the host: manage.py unlink_identities --for ADDRESS."
)


@dataclass(frozen=True, slots=True)
class Link:
    """An account of the provider that may become somebody's: all that is kept of it until they proved their factor."""

    issuer: str
    digest: str
    address: str

    @classmethod
    def of(cls, claims: Claims) -> Self:
        digest = keyed_hash(f"{claims.issuer}\0{claims.subject}", "identity").hex()
        return cls(claims.issuer, digest, plain_address(claims.email))


@dataclass(frozen=True, slots=True)
class Identified:
    """Who came from the provider. `link`: what becomes theirs once they have proven a factor of ours."""

    person: Person
    link: Link | None = None


def person_of_identity(claims: Claims) -> Identified:
    """Whose account of the provider this is. The first time it is linked, by an address that the provider verified.

    Somebody registered here needs nothing else, but for their second factor where they have one: then nothing is
    written yet (`link_identity`). Somebody unknown needs a group that is let in, is registered, and is offered `viewer`
    at most. Errors: `ProviderRefused` with what to do.
    """
    link = Link.of(claims)
    with sealing() as seal:
        hold(f"identity:{link.digest}")
        known = _linked(link)
        if known:
            return Identified(_still_welcome(known, claims))
        _refuse_unverified(claims)
        hold(f"person:{link.address}")
        person = _registered(link.address)
        if person is None:
            return Identified(_newcomer(seal, claims, link))
        if has_factor(person):
            _refuse_second(person, link)
            return Identified(person, link)
        _put_link(seal, person, link)
    return Identified(person)


def is_account_of(person: Person, claims: Claims) -> bool:
    """Whether this account of the provider is linked to them."""
    known = _linked(Link.of(claims))
    return known is not None and known.person_id == person.pk


def link_identity(*, person: Person, link: Link) -> None:
    """After their second factor: the account is theirs from here on. Errors: `ProviderRefused`."""
    with sealing() as seal:
        hold(f"identity:{link.digest}")
        hold(f"person:{link.address}")
        if _registered(link.address) != person or _linked(link):
            raise ProviderRefused()
        _put_link(seal, person, link, is_proven=True)


def unlink_identities(*, actor: Actor, person_id: uuid.UUID) -> int:
    """End what links somebody to accounts of the provider, and their sessions: as when an account got another holder.

    Of somebody with a role that takes two to give at the host's command line only. Returns how many there were. Errors:
    `Forbidden`, `PersonNotFound`, `CredentialsGuarded`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = locked_person(person_id)
        guard_credentials(actor, person, UNLINK_GUARDED)
        linked = list(person.identities.select_for_update(no_key=True, of=("self",)).filter(ended_at=None))
        for identity in linked:
            identity.ended_at = timezone.now()
            facts = {"person": str(person_id), **said_of(actor)}
            write(seal, actor=actor, kind=PERSON_UNLINKED, row=identity, facts=facts)
        if linked:
            end_access(seal, actor=actor, person=person)
            note_change(person_id=person_id, what=What.UNLINKED, actor=actor)
    return len(linked)


def _linked(link: Link) -> ExternalIdentity | None:
    held = ExternalIdentity.objects.select_related("person")
    return held.filter(subject_digest=link.digest, ended_at=None).first()


def _still_welcome(known: ExternalIdentity, claims: Claims) -> Person:
    if not known.person.is_active:
        raise ProviderRefused(GONE)
    if known.by_group and not _is_let_in(claims):
        raise ProviderRefused("You are in no group any more that may sign in here. Ask whoever manages your groups.")
    return known.person


def _refuse_second(person: Person, link: Link) -> None:
    if person.identities.filter(issuer=link.issuer, ended_at=None).exists():
        raise ProviderRefused(
            "Another account of the provider is linked to this e-mail address. An administrator unlinks it, if it is "
            "yours no more."
        )


def _put_link(seal: Seal, person: Person, link: Link, *, is_proven: bool = False, by_group: bool = False) -> None:
    """The account becomes theirs. Whoever decided on their address may be who came, unless a factor says otherwise."""
    _refuse_second(person, link)
    maker = {} if is_proven else said_of_address(person.pk)
    if maker.keys() == {CREDENTIALS_BY, MOVED} and take_two(person):
        raise ProviderRefused(MOVED_BY_ONE)
    identity = ExternalIdentity(person=person, issuer=link.issuer, subject_digest=link.digest, by_group=by_group)
    facts = {"person": str(person.pk), **{name: value for name, value in maker.items() if name == CREDENTIALS_BY}}
    actor = Actor("person", person.pk)
    write(seal, actor=actor, kind=PERSON_LINKED, row=identity, facts=facts)
    note_change(person_id=person.pk, what=What.LINKED, actor=actor)


def _refuse_unverified(claims: Claims) -> None:
    try:
        validate_email(plain_address(claims.email))
    except ValidationError as error:
        raise ProviderRefused("The provider does not tell us your e-mail address.") from error
    if not claims.email_verified:
        raise ProviderRefused("The provider does not vouch for your e-mail address, so it opens no account here.")


def _registered(address: str) -> Person | None:
    person = Person.objects.select_for_update(no_key=True).filter(email=address).first()
    if person is not None and not person.is_active:
        raise ProviderRefused(GONE)
    return person


def _newcomer(seal: Seal, claims: Claims, link: Link) -> Person:
    if not _is_let_in(claims):
        raise ProviderRefused("You are not registered here. An administrator registers you first.")
    person = new_person(name=claims.name or link.address.split("@", 1)[0], email=link.address)
    write(seal, actor=SERVER, kind=PERSON_REGISTERED, row=person)
    if claims.groups & set(settings.OIDC_VIEWER_GROUPS):
        offer_to(seal, actor=SERVER, person=person, role=Role.VIEWER, scope=ORGANISATION)
    _put_link(seal, person, link, by_group=True)
    return person


def _is_let_in(claims: Claims) -> bool:
    return bool(claims.groups & {*settings.OIDC_GROUPS, *settings.OIDC_VIEWER_GROUPS})
