"""Service accounts: the programs that talk to the API."""

import uuid
from collections.abc import Mapping
from typing import Any

from config.errors import FieldProblem
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.errors import AccountExists, AccountNotFound
from governance.kinds import SERVICE_ACCOUNT_REGISTERED, SERVICE_ACCOUNT_UPDATED
from governance.locks import hold
from governance.models import Person, ServiceAccount
from governance.services.people import locked_person
from ledger.entries import Actor
from ledger.sealing import sealing

EDITABLE = frozenset({"name", "description", "owner", "is_active"})


def register_account(
    *, actor: Actor, slug: str, name: str, owner: Person | None, description: str = ""
) -> ServiceAccount:
    """Register a program and the person who answers for it.

    Errors: `Forbidden`, `AccountExists`, `PersonNotFound` of an owner who left, `ValidationError`.
    """
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    with sealing() as seal:
        hold(f"account:{slug}")
        if ServiceAccount.objects.filter(slug=slug).exists():
            raise AccountExists(errors=[FieldProblem(pointer="/slug", detail="There is an account of this slug.")])
        if owner is not None:
            owner = locked_person(owner.pk)
        account = ServiceAccount(slug=slug, name=name, owner=owner, description=description)
        write(seal, actor=actor, kind=SERVICE_ACCOUNT_REGISTERED, row=account, facts=_owner_fact(account))
    return account


def update_account(*, actor: Actor, account_id: uuid.UUID, changes: Mapping[str, Any]) -> ServiceAccount:
    """Change name, description, owner or activity; the keys of an inactive account are not accepted.

    Errors: `Forbidden`, `AccountNotFound`, `PersonNotFound` of an owner who left.
    """
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    if changes.keys() - EDITABLE:
        raise TypeError(f"only {', '.join(sorted(EDITABLE))} are edited")
    with sealing() as seal:
        if changes.get("owner"):
            locked_person(changes["owner"].pk)
        account = locked_account(account_id)
        if all(getattr(account, name) == value for name, value in changes.items()):
            return account
        for name, value in changes.items():
            setattr(account, name, value)
        facts = _owner_fact(account) | {"active": account.is_active}
        write(seal, actor=actor, kind=SERVICE_ACCOUNT_UPDATED, row=account, facts=facts)
    return account


def account_for(*, actor: Actor, slug: str, name: str, owner: Person | None) -> ServiceAccount:
    """The account of this slug, registered where there is none. For scripts. Errors: as `register_account`."""
    rights.require(actor, Act.ACCOUNTS_MANAGE)
    known = ServiceAccount.objects.filter(slug=slug).first()
    return known or register_account(actor=actor, slug=slug, name=name, owner=owner)


def locked_account(account_id: uuid.UUID) -> ServiceAccount:
    """An account's row, locked. Errors: `AccountNotFound`."""
    account = ServiceAccount.objects.select_for_update(no_key=True, of=("self",)).filter(pk=account_id).first()
    if account is None:
        raise AccountNotFound()
    return account


def _owner_fact(account: ServiceAccount) -> dict[str, Any]:
    return {"owner": str(account.owner_id)} if account.owner_id else {}
