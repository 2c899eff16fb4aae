"""Personal tokens: `anp_<id>_<secret>`, shown once, stored as a hash. One makes and ends one's own."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance.actors import person_id_of
from governance.changes import write
from governance.enrolment import must_enrol
from governance.errors import FactorNeeded, FactorNotFresh, TokenNotFound
from governance.freshness import is_fresh
from governance.kinds import TOKEN_CREATED
from governance.models import Person, PersonToken
from governance.models.tokens import LONGEST_LIFE
from governance.services.access import end_token, whose
from governance.services.credential_changes import What, note_change
from governance.services.keys import ID_ALPHABET, ID_LENGTH, hash_secret
from governance.services.people import locked_person
from ledger.entries import Actor, timestamp
from ledger.sealing import sealing

PREFIX = "anp"
LIFE = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token's row, and the text that is shown this one time."""

    row: PersonToken
    text: str


def create_token(*, actor: Actor, name: str, proven_at: datetime, life: timedelta = LIFE) -> NewToken:
    """Make a token for oneself, for 8 hours unless told otherwise and 30 days at most.

    `proven_at`: when the page last saw a factor of theirs. Errors: `PersonNeeded`, `PersonNotFound`,
    `FactorNotFresh`, `FactorNeeded`, `InvalidInput`.
    """
    person_id = person_id_of(actor)
    if not is_fresh(proven_at):
        raise FactorNotFresh()
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise InvalidInput(errors=[FieldProblem(pointer="/life", detail="More than nothing, and at most 30 days.")])
    with sealing() as seal:
        person = locked_person(person_id)
        if must_enrol(person):
            raise FactorNeeded()
        token, text = _new_token(person, name.strip(), proven_at, life)
        facts = {"expires_at": timestamp(token.expires_at)} | whose(token)
        write(seal, actor=actor, kind=TOKEN_CREATED, row=token, facts=facts)
        note_change(person_id=person.pk, what=What.TOKEN_MADE, actor=actor)
    return NewToken(token, text)


def revoke_token(*, actor: Actor, token_id: uuid.UUID) -> PersonToken:
    """End one of one's own tokens; it is refused everywhere at once. A revoked one stays so.

    Errors: `PersonNeeded`, `TokenNotFound`.
    """
    person_id = person_id_of(actor)
    with sealing() as seal:
        rows = PersonToken.objects.select_for_update(no_key=True, of=("self",))
        token = rows.filter(pk=token_id, person_id=person_id).first()
        if token is None:
            raise TokenNotFound()
        end_token(seal, actor=actor, token=token)
    return token


def _new_token(person: Person, name: str, proven_at: datetime, life: timedelta) -> tuple[PersonToken, str]:
    now = timezone.now()
    public = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = secrets.token_hex(32)
    token = PersonToken(
        person=person,
        name=name,
        token_id=public,
        secret_hash=hash_secret(secret),
        proven_at=min(proven_at, now),
        created_at=now,
        expires_at=now + life,
    )
    return token, f"{PREFIX}_{public}_{secret}"
