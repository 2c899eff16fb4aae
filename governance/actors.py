"""Acts that a person must answer for."""

import uuid

from governance.errors import PersonNeeded
from ledger.entries import Actor


def person_id_of(actor: Actor) -> uuid.UUID:
    """Whoever is signed in. Errors: `PersonNeeded` for a service account, a command, the server itself."""
    if actor.type != "person" or actor.id is None:
        raise PersonNeeded()
    return actor.id
