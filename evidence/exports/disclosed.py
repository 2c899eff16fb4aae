"""Which entries an export discloses, as its plan and its places say."""

import uuid
from collections.abc import Collection, Iterator

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
        stated = {place: withheld for place, withheld, _ in self._stated(places)}
        return {place for place in places if not stated.get(place, not self._in_range(place))}

    def asked_for(self, places: Collection[Place]) -> set[Place]:
        """Of the places of decisions those whose contents are asked for: not of what only stands beside a range."""
        asked = {place for place, _, is_asked in self._stated(places) if is_asked}
        return {place for place in self.among(places) if place in asked or self._in_range(place)}

    def _stated(self, places: Collection[Place]) -> Iterator[tuple[Place, bool, bool]]:
        rows = ExportPlace.objects.filter(export_id=self.export_id, leaf_index__in=[index for _, index in places])
        for log, index, *said in rows.values_list("log_id", "leaf_index", "is_withheld", "is_asked_for"):
            yield (log, index), said[0], said[1]

    def _in_range(self, place: Place) -> bool:
        log = self.logs.get(place[0])
        return log is not None and log.range is not None and log.range[0] <= place[1] < log.range[1]
