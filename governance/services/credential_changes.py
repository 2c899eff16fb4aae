"""Changes of how somebody signs in, noted in the transaction that makes them: a sweep writes to their person."""

import uuid

from governance.models import CredentialChange
from governance.places import current_place
from ledger.entries import Actor

What = CredentialChange.What


def note_change(*, person_id: uuid.UUID, what: CredentialChange.What, actor: Actor, email: str = "") -> None:
    """Inside the transaction of the change: its person is to be told, with when and from where.

    `email`: where, if not at the address that they have now.
    """
    CredentialChange.objects.create(
        person_id=person_id, what=what, actor_type=actor.type, actor_id=actor.id, place=current_place(), email=email
    )
