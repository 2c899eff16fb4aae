"""What a later version of a row repeats, word for word, of one that was found: it goes with it, where it names them.

Rows are changed column by column: who says that an action is done writes nothing of what it was, and the new version
says that again. Two people agreed that those words go; nobody has to find them twice. The database says which they
are, the same that lets them go.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence

from audit.erasing import repeating_versions
from audit.models import ErasureFind, ErasureRequest


def repeating(request: ErasureRequest, finds: Sequence[ErasureFind]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """By row the later versions that repeat something of these finds that names them; without those that somebody
    looked at as finds of their own."""
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for version_id, row_id in repeating_versions(request.pk, [find.item_id for find in finds]):
        found[row_id].append(version_id)
    return dict(found)
