"""What is to be told to the outside: events for webhooks and messages for people, as rows of the caller's transaction.

Nothing is sent here: sweeps of the rows do that, so that a lost broker or mail server loses nothing. What is urgent has
one come at once.
"""

import uuid
from typing import Any

from django.utils import timezone

from ledger.entries import require_clear
from notices.event_types import is_declared, is_urgent
from notices.models import Event, Message
from notices.nudging import nudge


def announce(
    *, event: str, system_id: uuid.UUID | None, about_id: uuid.UUID | None = None, facts: dict[str, Any] | None = None
) -> Event:
    """Say that something happened, to every webhook endpoint that asked for it. The type is a declared one.

    `facts`: clear values, ids and links only; no personal data leaves by this way. Call it inside the transaction of
    what happened. Errors: `NotAClearString`; `ValueError` for a type that nobody declared.
    """
    if not is_declared(event):
        raise ValueError(f"nobody declared the event type {event!r}")
    require_clear(facts or {})
    if is_urgent(event):
        nudge()
    return Event.objects.create(
        type=event, system_id=system_id, about_id=about_id, facts=facts or {}, occurred_at=timezone.now()
    )


def tell(
    *,
    person_id: uuid.UUID,
    kind: str,
    fingerprint: str,
    facts: dict[str, Any] | None = None,
    is_urgent: bool = False,
    address: str = "",
) -> Message | None:
    """Write to a person by e-mail, once for each fingerprint. `kind` names the words; `facts`: clear values.

    The words of a kind are declared with `notices.letters.letter`. What is urgent is not kept waiting by a flood of
    what is not. `address`: where to, if not where the person is written to now. Returns None where they were told
    already. Call it inside the transaction of what happened.
    """
    require_clear(facts or {})
    message, is_new = Message.objects.get_or_create(
        person_id=person_id,
        fingerprint=fingerprint,
        defaults={"kind": kind, "facts": facts or {}, "is_urgent": is_urgent, "address": address},
    )
    return message if is_new else None
