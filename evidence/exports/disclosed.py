"""Which entries an export discloses, as its plan and its places say."""

import uuid
from collections.abc import Collection

from evidence.exports.models import ExportPlace
from evidence.exports.plans import Plan
from evidence.exports.trails import Place


class Disclosed:
    """Asked of places some at a time, each time with one query."""

    def __init__(self, export_id: uuid.UUID, plan: Plan) -> None:
        self.export_id = export_id
        self.logs = {log.id: log for log in plan.logs}

    def among(self, places: Collection[Place]) -> set[Place]:
        """Of these places those that are disclosed."""
        rows = ExportPlace.objects.filter(export_id=self.export_id, leaf_index__in=[index for _, index in places])
        stated = {
            (log, index): withheld for log, index, withheld in rows.values_list("log_id", "leaf_index", "is_withheld")
        }
        return {place for place in places if not stated.get(place, not self._in_range(place))}

    def _in_range(self, place: Place) -> bool:
        log = self.logs.get(place[0])
        return log is not None and log.range is not None and log.range[0] <= place[1] < log.range[1]
