"""The logs of an AI system as they were when an export was asked for: what it may not end before."""

from typing import Any

import msgspec

from evidence.exports.anchors import reach_of
from evidence.exports.models import Export
from ledger.models import Entry, Log
from ledger.selectors import latest_head, root_at


def logs_as_asked(export: Export) -> dict[str, Any]:
    """What the entry of asking says of each log of the AI system; nothing of a question other than a range."""
    if export.question != Export.Question.RANGE:
        return {}
    logs = Log.objects.filter(system_id=export.system_id).order_by("sequence")
    return {"logs": [_as_it_is(log) for log in logs]}


def _as_it_is(log: Log) -> list[Any]:
    """Origin, size, root hash: of a closed log as far as it can be proven."""
    reach = reach_of(log)
    if reach is not None:
        return [log.origin, reach, root_at(log.pk, reach).hex()]
    head = latest_head(log.pk)
    return [log.origin, head.tree_size, head.root_hash.hex()]


class _Body(msgspec.Struct):
    logs: list[tuple[str, int, str]] = []


class _Asking(msgspec.Struct):
    body: _Body


def sizes_as_asked(asked: Entry) -> dict[str, int]:
    """By origin, how large the logs were, as the entry of asking says."""
    said = msgspec.json.decode(bytes(asked.data), type=_Asking)
    return {origin: size for origin, size, _ in said.body.logs}
