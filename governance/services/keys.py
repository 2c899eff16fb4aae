"""Service keys: `ans_<id>_<secret>`, shown once, stored as a hash."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.errors import KeyEnded, KeyNotFound, SystemNotFound
from governance.kinds import SERVICE_KEY_CREATED, SERVICE_KEY_REVOKED, SERVICE_KEY_ROTATED, SERVICE_KEY_UPDATED
from governance.models import AISystem, ServiceAccount, ServiceKey
from governance.services.accounts import locked_account
from governance.services.systems import put_environment
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

PREFIX = "ans"
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 12
LIFE = timedelta(days=365)
LONGEST_LIFE = timedelta(days=2 * 365)
OVERLAP = timedelta(days=7)
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's row, and the text that is shown this one time."""

    row: ServiceKey
    text: str


def create_service_key(
    *,
    actor: Actor,
    account: ServiceAccount,
    systems: Sequence[AISystem],
    scopes: Iterable[str],
    environment: str = "production",
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key for one environment, named AI systems and named acts. It expires in a year unless told otherwise.

    The environment is registered for systems that do not have it, or have ended it. Errors: `Forbidden`,
    `InvalidInput`, `AccountNotFound`, `SystemNotFound`.
    """
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    wanted = _checked_scopes(scopes)
    ends = _checked_end(expires_at)
    with sealing() as seal:
        account = locked_account(account.pk)
        reached = _locked_systems(systems)
        for system in reached:
            put_environment(seal, actor=actor, system=system, slug=environment)
        key, text = _new_key(account, environment, [system.pk for system in reached], wanted, ends)
        _write(seal, actor, SERVICE_KEY_CREATED, key)
    return NewKey(key, text)


def rotate_service_key(*, actor: Actor, key_id: uuid.UUID, overlap: timedelta = OVERLAP) -> NewKey:
    """Make a successor with the same reach; the old key goes on for `overlap` (at most 30 days), then expires.

    Errors: `Forbidden`, `KeyNotFound`, `KeyEnded`.
    """
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput(errors=[FieldProblem(pointer="/overlap", detail="Between 0 and 30 days.")])
    with sealing() as seal:
        old = _locked_key(key_id)
        _refuse_ended(old)
        new, text = _new_key(old.account, old.environment, old.system_ids, old.scopes, timezone.now() + LIFE)
        _write(seal, actor, SERVICE_KEY_CREATED, new)
        old.replaced_by = new
        last = timezone.now() + overlap
        old.expires_at = min(old.expires_at, last) if old.expires_at else last
        _write(seal, actor, SERVICE_KEY_ROTATED, old, {"successor": str(new.pk)})
    return NewKey(new, text)


def revoke_service_key(*, actor: Actor, key_id: uuid.UUID, reason: str = "") -> ServiceKey:
    """End a key; within 5 seconds no process accepts it. A revoked one stays so. Errors: `Forbidden`, `KeyNotFound`."""
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    with sealing() as seal:
        key = _locked_key(key_id)
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            _write(seal, actor, SERVICE_KEY_REVOKED, key, reason=reason)
    return key


def reach_system(seal: Seal, *, actor: Actor, key_id: uuid.UUID, system_id: uuid.UUID) -> None:
    """Inside the registration of an AI system by a key: the key reaches what it registered.

    Errors: `KeyNotFound`, `KeyEnded` where it was revoked meanwhile.
    """
    key = _locked_key(key_id)
    _refuse_ended(key)
    key.system_ids = [*key.system_ids, system_id]
    _write(seal, actor, SERVICE_KEY_UPDATED, key)


def hash_secret(secret: str) -> bytes:
    """What is stored of a key: its secret has 256 random bits, so a plain SHA-256 is enough and is fast."""
    return hashlib.sha256(secret.encode()).digest()


def _new_key(
    account: ServiceAccount, environment: str, system_ids: Sequence[uuid.UUID], scopes: Sequence[str], ends: datetime
) -> tuple[ServiceKey, str]:
    public = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = secrets.token_hex(32)
    key = ServiceKey(
        account=account,
        key_id=public,
        secret_hash=hash_secret(secret),
        environment=environment,
        system_ids=list(system_ids),
        scopes=list(scopes),
        expires_at=ends,
    )
    return key, f"{PREFIX}_{public}_{secret}"


def _write(
    seal: Seal, actor: Actor, kind: Kind, key: ServiceKey, facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    """A key for one AI system is that system's affair; one for several, or none, is the organisation's."""
    only = key.system_ids[0] if len(key.system_ids) == 1 else None
    said: dict[str, Any] = {
        "account": str(key.account_id),
        "environment": key.environment,
        "scopes": list(key.scopes),
        "systems": [str(each) for each in key.system_ids],
    }
    write(seal, actor=actor, kind=kind, row=key, system_id=only, facts=said | (facts or {}), reason=reason)


def _locked_key(key_id: uuid.UUID) -> ServiceKey:
    key = ServiceKey.objects.select_for_update(no_key=True, of=("self",)).filter(pk=key_id).first()
    if key is None:
        raise KeyNotFound()
    return key


def _refuse_ended(key: ServiceKey) -> None:
    if key.revoked_at or (key.expires_at and key.expires_at <= timezone.now()):
        raise KeyEnded()


def _locked_systems(systems: Sequence[AISystem]) -> list[AISystem]:
    wanted = {system.pk for system in systems}
    found = list(AISystem.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))
    if len(found) != len(wanted):
        raise SystemNotFound()
    return found


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(scopes))
    if not wanted or not set(wanted) <= set(ServiceKey.Scope.values):
        problem = FieldProblem(
            pointer="/scopes",
            detail="Name at least one, and only known ones.",
            expected=", ".join(ServiceKey.Scope.values),
        )
        raise InvalidInput(errors=[problem])
    return wanted


def _checked_end(expires_at: datetime | None) -> datetime:
    now = timezone.now()
    if expires_at is None:
        return now + LIFE
    if not now < expires_at <= now + LONGEST_LIFE:
        raise InvalidInput(errors=[FieldProblem(pointer="/expires_at", detail="Within the next two years.")])
    return expires_at
