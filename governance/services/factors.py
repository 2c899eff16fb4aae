"""Second factors: adding, using, renaming and removing one's own; resetting somebody's who lost theirs."""

import secrets
import uuid
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.credentials import codes_digest, guard_credentials, said_of, secret_digest
from governance.enrolment import has_factor, role_asks
from governance.errors import CodeRefused, FactorNotFound, LastFactor
from governance.kinds import (
    FACTOR_ENROLLED,
    FACTOR_REMOVED,
    FACTOR_RENAMED,
    FACTORS_RESET,
    RECOVERY_CODE_USED,
    RECOVERY_CODES_MADE,
)
from governance.models import Passkey, Person, RecoveryCode, TotpFactor
from governance.services.access import end_access, end_tokens
from governance.services.credential_changes import What, note_change
from governance.services.people import locked_person
from governance.sign_in.passkeys import NewCredential
from governance.sign_in.secrets import keyed_hash, open_secret, seal_secret
from governance.sign_in.totp import matching_step
from ledger.entries import Actor, draft_entry
from ledger.kinds import Kind
from ledger.rows import GovernedRow
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log

CODES = 10
CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
CODE_GROUPS, GROUP_LENGTH = 3, 4


def enrol_totp(*, actor: Actor, secret: str, code: str) -> TotpFactor:
    """Add an authenticator app, which has shown that it knows the secret; it takes the place of an earlier one.

    With a first factor the tokens that were made without one end.

    Errors: `PersonNeeded`, `PersonNotFound`, `CodeRefused`, `FactorKeyUnavailable`.
    """
    step = matching_step(secret, _plain(code))
    if step is None:
        raise CodeRefused()
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        _end_tokens_without_factor(seal, actor, person)
        for earlier in TotpFactor.objects.select_for_update().filter(person=person, removed_at=None):
            _remove(seal, actor, earlier)
        factor = TotpFactor(person=person, last_step=step)
        factor.sealed_secret = seal_secret(secret.encode(), str(factor.pk))
        _write(seal, actor, FACTOR_ENROLLED, factor, {"secret": secret_digest(factor.sealed_secret)})
        note_change(person_id=person.pk, what=What.APP_ADDED, actor=actor)
    return factor


def enrol_passkey(*, actor: Actor, name: str, credential: NewCredential) -> Passkey:
    """Add a passkey whose registration was verified. Errors: `PersonNeeded`, `PersonNotFound`, `ValidationError`."""
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        _end_tokens_without_factor(seal, actor, person)
        passkey = Passkey(
            person=person,
            name=name.strip() or "Passkey",
            credential_id=credential.credential_id,
            public_key=credential.public_key,
            sign_count=credential.sign_count,
            is_synced=credential.is_synced,
        )
        _write(seal, actor, FACTOR_ENROLLED, passkey)
        note_change(person_id=person.pk, what=What.PASSKEY_ADDED, actor=actor)
    return passkey


def rename_passkey(*, actor: Actor, passkey_id: uuid.UUID, name: str) -> Passkey:
    """Call one of one's passkeys something else. Errors: `PersonNeeded`, `FactorNotFound`, `ValidationError`."""
    with sealing() as seal:
        passkey: Passkey = _own(actor, Passkey, passkey_id)
        if name.strip() != passkey.name:
            passkey.name = name.strip()
            _write(seal, actor, FACTOR_RENAMED, passkey)
    return passkey


def remove_factor(*, actor: Actor, kind: type[Passkey] | type[TotpFactor], factor_id: uuid.UUID) -> None:
    """Remove one of one's own. The last one stays while a role asks for it; recovery codes end with the last.

    Errors: `PersonNeeded`, `FactorNotFound`, `LastFactor`.
    """
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        factor = _own(actor, kind, factor_id)
        is_last = _is_last(person, factor)
        if is_last and role_asks(person):
            raise LastFactor()
        _remove(seal, actor, factor, ends_codes=is_last)
        if is_last:
            RecoveryCode.objects.filter(person=person).delete()
        what = What.PASSKEY_REMOVED if isinstance(factor, Passkey) else What.APP_REMOVED
        note_change(person_id=person.pk, what=what, actor=actor)


def make_recovery_codes(*, actor: Actor) -> list[str]:
    """Ten new codes, returned once; earlier ones end. Errors: `PersonNeeded`, `FactorKeyUnavailable`."""
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        codes = [_new_code() for _ in range(CODES)]
        RecoveryCode.objects.filter(person=person).delete()
        hashes = [RecoveryCode(person=person, code_hash=_code_hash(person, each)) for each in codes]
        RecoveryCode.objects.bulk_create(hashes)
        digest = codes_digest(bytes(each.code_hash) for each in hashes)
        _say(seal, actor, RECOVERY_CODES_MADE, person, {"codes": digest})
        note_change(person_id=person.pk, what=What.CODES_MADE, actor=actor)
    return codes


def use_code(*, person: Person, code: str) -> None:
    """Take a code of the authenticator app, or a recovery code: once. Errors: `CodeRefused`, `FactorKeyUnavailable`."""
    given = _plain(code)
    if given.isdigit() and _use_totp(person, given):
        return
    if not given.isdigit() and _use_recovery_code(person, given):
        return
    raise CodeRefused()


def use_passkey(*, passkey: Passkey, sign_count: int) -> None:
    """Note that a passkey was verified. Its counter is in neither history nor state."""
    count = Greatest(F("sign_count"), sign_count)  # of two at once, the slower one does not set it back
    Passkey.objects.filter(pk=passkey.pk).update(sign_count=count, last_used_at=timezone.now())


def reset_factors(*, actor: Actor, person_id: uuid.UUID) -> Person:
    """For somebody who lost theirs: all factors and recovery codes, sessions and tokens end.

    The password stays, so who resets cannot sign in by it; still it counts as setting their credentials. For a
    privileged person only at the host. Errors: `Forbidden`, `PersonNotFound`, `CredentialsGuarded`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = locked_person(person_id)
        guard_credentials(
            actor,
            person,
            "This person holds, or was asked to take, a role that takes two to give. Their factors are reset at the "
            "host: manage.py reset_factors --for ADDRESS.",
        )
        for kind in (TotpFactor, Passkey):
            for factor in kind.objects.select_for_update().filter(person=person, removed_at=None).order_by("pk"):
                _remove(seal, actor, factor)
        RecoveryCode.objects.filter(person=person).delete()
        end_access(seal, actor=actor, person=person)
        _say(seal, actor, FACTORS_RESET, person, said_of(actor))
        note_change(person_id=person.pk, what=What.FACTORS_RESET, actor=actor)
    return person


def _end_tokens_without_factor(seal: Seal, actor: Actor, person: Person) -> None:
    """Before a first factor: behind the tokens there are stands a password alone."""
    if not has_factor(person):
        end_tokens(seal, actor=actor, person=person)


def _use_totp(person: Person, code: str) -> bool:
    factor = TotpFactor.objects.filter(person=person, removed_at=None).first()
    if factor is None:
        return False
    secret = open_secret(bytes(factor.sealed_secret), str(factor.pk)).decode()
    step = matching_step(secret, code, after=factor.last_step)
    if step is None:
        return False
    # of two requests with the same code, the second finds its step taken
    mine = TotpFactor.objects.filter(pk=factor.pk, last_step__lt=step)
    return bool(mine.update(last_step=step, last_used_at=timezone.now()))


def _use_recovery_code(person: Person, code: str) -> bool:
    with sealing() as seal:
        mine = RecoveryCode.objects.select_for_update().filter(person=person, code_hash=_code_hash(person, code))
        found = mine.filter(used_at=None).first()
        if found is None:
            return False
        found.used_at = timezone.now()
        found.save(update_fields=["used_at"])
        actor = Actor("person", person.pk)
        _say(seal, actor, RECOVERY_CODE_USED, person, {"code": str(found.pk)})
        note_change(person_id=person.pk, what=What.CODE_USED, actor=actor)
    return True


def _new_code() -> str:
    groups = ("".join(secrets.choice(CODE_ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(CODE_GROUPS))
    return "-".join(groups)


def _code_hash(person: Person, code: str) -> bytes:
    return keyed_hash(f"{person.pk} {_plain(code)}", "recovery")


def _plain(code: str) -> str:
    """As it is compared: people type spaces, dashes and capitals."""
    return "".join(code.split()).replace("-", "").lower()[:64]


def _own(actor: Actor, kind: Any, factor_id: uuid.UUID) -> Any:
    rows = kind.objects.select_for_update(no_key=True, of=("self",))
    found = rows.filter(pk=factor_id, person_id=person_id_of(actor), removed_at=None).first()
    if found is None:
        raise FactorNotFound()
    return found


def _is_last(person: Person, factor: Passkey | TotpFactor) -> bool:
    mine = (kind.objects.filter(person=person, removed_at=None) for kind in (TotpFactor, Passkey))
    return not any(each.exclude(pk=factor.pk).exists() for each in mine)


def _remove(seal: Seal, actor: Actor, factor: Passkey | TotpFactor, *, ends_codes: bool = False) -> None:
    factor.removed_at = timezone.now()
    if isinstance(factor, TotpFactor):
        factor.sealed_secret = b""
    _write(seal, actor, FACTOR_REMOVED, factor, {"codes_ended": True} if ends_codes else None)


def _write(
    seal: Seal, actor: Actor, kind: Kind, factor: Passkey | TotpFactor, facts: dict[str, Any] | None = None
) -> None:
    row: GovernedRow = factor
    sort = "passkey" if isinstance(factor, Passkey) else "totp"
    said = {"person": str(factor.person_id), "factor": sort, **(facts or {})}
    write(seal, actor=actor, kind=kind, row=row, facts=said)


def _say(seal: Seal, actor: Actor, kind: Kind, person: Person, facts: dict[str, str] | None = None) -> None:
    body = {"person": str(person.pk), **(facts or {})}
    seal.add(registry_log().id, draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=person.pk))
