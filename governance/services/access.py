"""The inner steps of ending somebody's access, inside services that have asked for the right and hold the seal."""

from django.utils import timezone

from governance.changes import write
from governance.kinds import TOKEN_REVOKED
from governance.models import Person, PersonToken
from governance.sessions import end_sessions
from ledger.entries import Actor
from ledger.sealing import Seal


def end_token(seal: Seal, *, actor: Actor, token: PersonToken) -> None:
    """A locked token is not accepted any more. One that was revoked stays as it is."""
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        write(seal, actor=actor, kind=TOKEN_REVOKED, row=token, facts=whose(token))


def end_tokens(seal: Seal, *, actor: Actor, person: Person) -> None:
    """Nobody goes on as this person by a token made before now."""
    rows = PersonToken.objects.select_for_update(no_key=True, of=("self",)).order_by("pk")
    for token in rows.filter(person=person, revoked_at=None, expires_at__gt=timezone.now()):
        end_token(seal, actor=actor, token=token)


def end_access(seal: Seal, *, actor: Actor, person: Person) -> None:
    """Nobody goes on as this person: sessions and tokens end, everywhere and at once."""
    end_tokens(seal, actor=actor, person=person)
    end_sessions(person)


def whose(token: PersonToken) -> dict[str, str]:
    """What entries about a token say in clear."""
    return {"person": str(token.person_id)}
