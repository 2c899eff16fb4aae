"""Which state stock clients hold, by the ETag they ask with: seen, never confirmed. Noted in memory, written soon."""

import re
import threading
import uuid

from governance.register import KeyGrant
from overrides.services.acknowledging import note_seen
from overrides.standing import Epoch

ETAG = re.compile(r'"([0-9]+\.[0-9]+)-[0-9a-f]{16}"', re.ASCII)
MAX_NOTED = 1_000

_noted: dict[uuid.UUID, tuple[KeyGrant, Epoch]] = {}
_lock = threading.Lock()


def note(grant: KeyGrant, if_none_match: str, newest: Epoch) -> None:
    """The newest state that this ETag, or one of several, stands for. One beyond ours was never given out by us."""
    found = [Epoch.parse(each) for each in ETAG.findall(if_none_match[:1000])]
    known = [each for each in found if each is not None and each <= newest]
    if known and (grant.key.id in _noted or len(_noted) < MAX_NOTED):
        with _lock:
            _noted[grant.key.id] = (grant, max(known))


def write() -> None:
    """Write down what was noted since the last time. Errors: those of the database; clients say it again."""
    global _noted
    with _lock:
        taken, _noted = _noted, {}
    for grant, epoch in taken.values():
        # one row a key: a stock client says nothing that would tell two of its processes apart
        note_seen(grant=grant, instance=f"ofrep-{grant.key.key_id}", epoch=epoch)
