"""What the register holds of somebody who has left, and ends when their name is erased. An inner step of
`evidence.services.erasure_runs`, which has asked for the right and holds the seal."""

import uuid
from collections.abc import Mapping

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from governance.changes import write
from governance.kinds import FACTOR_REMOVED, FACTORS_RESET
from governance.models import (
    Assignment,
    CredentialChange,
    ExternalIdentity,
    Passkey,
    Person,
    PersonToken,
    RecoveryCode,
    SetupLink,
    StaffSession,
    TotpFactor,
)
from ledger.entries import Actor, draft_entry
from ledger.rows import GovernedRow
from ledger.sealing import Seal
from ledger.selectors import registry_log

NAMING: Mapping[type[GovernedRow], str] = {
    Person: "pk",
    Assignment: "person_id",
    TotpFactor: "person_id",
    Passkey: "person_id",
    PersonToken: "person_id",
    ExternalIdentity: "person_id",
}
"""The governed rows that say who somebody is, each with the column by which they are theirs."""


def rows_naming(person_id: uuid.UUID) -> dict[type[GovernedRow], list[uuid.UUID]]:
    """The ids of those rows."""
    found = ((model, model._base_manager.filter(**{column: person_id})) for model, column in NAMING.items())
    return {model: list(rows.order_by("pk").values_list("pk", flat=True)) for model, rows in found}


def end_factors(seal: Seal, actor: Actor, person: Person) -> int:
    """Second factors and recovery codes end: nobody can show them any more. Returns how many there were."""
    ended = 0
    for kind in (TotpFactor, Passkey):
        for factor in kind.objects.select_for_update().filter(person=person, removed_at=None).order_by("pk"):
            factor.removed_at = timezone.now()
            if isinstance(factor, TotpFactor):
                factor.sealed_secret = b""
            sort = "totp" if isinstance(factor, TotpFactor) else "passkey"
            facts = {"person": str(person.pk), "factor": sort}
            write(seal, actor=actor, kind=FACTOR_REMOVED, row=factor, facts=facts)
            ended += 1
    codes, _ = RecoveryCode.objects.filter(person=person).delete()
    if codes:
        said = {"person": str(person.pk)}
        draft = draft_entry(kind=FACTORS_RESET, actor=actor, at=timezone.now(), body=said, about_id=person.pk)
        seal.add(registry_log().id, draft)
    return ended + codes


def forget_person(person: Person) -> int:
    """Sessions, links and what was to be told of their credentials; how they signed in. Returns how many rows."""
    gone = [
        StaffSession.objects.filter(person_id=person.pk).delete()[0],
        SetupLink.objects.filter(person=person).delete()[0],
        CredentialChange.objects.filter(person_id=person.pk).delete()[0],
    ]
    # in neither history nor state, so this is no change of a governed row
    Person.objects.filter(pk=person.pk).update(password=make_password(None), last_login=None, time_zone="")
    return sum(gone)
