"""What a later version of a row repeats, word for word, of one that was found: it goes with it, where it names them.

Rows are changed column by column: who says that an action is done writes nothing of what it was, and the new version
says that again. Two people agreed that those words go; nobody has to find them twice.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from audit.models import ErasureFind, ErasureRequest
from evidence.erasure.finding import Pattern, plain
from ledger.models import Particulars
from ledger.rows import PARTICULARS_PART


def repeating(request: ErasureRequest, finds: Sequence[ErasureFind]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """By row the later versions that repeat something of these finds; without those that somebody looked at as finds
    of their own."""
    pattern, items = Pattern.of(request), {find.item_id for find in finds}
    rows = Particulars.objects.filter(row_id__in={find.row_id for find in finds}, part=PARTICULARS_PART)
    by_row: dict[uuid.UUID, list[Particulars]] = defaultdict(list)
    for version in rows.filter(data__isnull=False).order_by("pk"):
        by_row[version.row_id].append(version)
    seen = set(request.finds.filter(row_id__in=by_row).values_list("item_id", flat=True))
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row_id, versions in by_row.items():
        earlier: list[dict[str, Any]] = []
        for version in versions:
            said = json.loads(bytes(version.data or b"{}"))
            if version.pk in items:
                earlier.append(said)
            elif version.pk not in seen and _repeats(said, earlier, pattern):
                found.setdefault(row_id, []).append(version.pk)
    return found


def _repeats(said: dict[str, Any], earlier: Sequence[dict[str, Any]], pattern: Pattern) -> bool:
    again = {name: value for name, value in said.items() if value and any(each.get(name) == value for each in earlier)}
    return bool(again) and pattern.names_in([plain(json.dumps(again, ensure_ascii=False).encode())])
