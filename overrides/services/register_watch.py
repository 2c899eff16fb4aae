"""What clients read of the register is a control too: slugs, statuses, environments, retired versions, fail policies.

The register stands on a lower floor and cannot know of epochs, so who keeps controls in memory looks down: whenever the
register's snapshot in this process changed, a digest of what clients read of it is compared with the one beside the
epoch. Another digest is another epoch. Of several processes that notice, the first advances it.
"""

from hashlib import sha256

import msgspec
from django.db import connection, transaction

from governance.register import Register
from overrides.clock import advance_epoch, hold_clock

_encode = msgspec.json.Encoder(order="sorted").encode


def digest_of(register: Register) -> bytes:
    """Of everything in the register that a state document or a directive depends on."""
    said = [
        [
            system.id,
            system.slug,
            system.status,
            sorted(system.environments),
            sorted(each.version for each in system.versions.values() if each.status == "retired"),
            [system.fail_policy.max_staleness_s, system.fail_policy.safe_mode],
            [system.fallback_kind, system.fallback],
        ]
        for _, system in sorted(register.systems_by_id.items())
    ]
    return sha256(_encode(said)).digest()


def note_register(digest: bytes) -> bool:
    """Advance the epoch where the digest is not the one beside it. Returns whether it did."""
    if _stored() == digest:
        return False
    with transaction.atomic():
        hold_clock()
        if _stored() == digest:
            return False
        advance_epoch()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE overrides_controlclock SET register_digest = %s WHERE id = 1", [digest])
    return True


def _stored() -> bytes | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT register_digest FROM overrides_controlclock WHERE id = 1")
        found = cursor.fetchone()
    return bytes(found[0]) if found and found[0] is not None else None
