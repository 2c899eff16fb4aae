"""The decisions that an export by case, by decision or by subject is about, some at a time."""

import uuid
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from audit.case_access import readable_case
from audit.case_document import members
from audit.models import CaseDecision, Decision, Payload
from evidence.case_reports import seen_by
from evidence.exports.access import act_of, systems_within
from evidence.exports.models import Export
from ledger.entries import Actor
from overrides.selectors import hidden_from

AT_ONCE = 1_000


class Members:
    """Found as whoever asked may know of them now. `left_out`: why these are not all."""

    def __init__(self, export: Export, asker: Actor) -> None:
        self.export, self.asker = export, asker
        self.left_out: set[str] = set()

    def chunks(self) -> Iterator[list[uuid.UUID]]:
        """Errors: those of asking, where whoever asked may not know of them any more."""
        match self.export.question:
            case Export.Question.CASE if self.export.case_id:
                yield from self._of_case(self.export.case_id)
            case Export.Question.DECISION if self.export.decision_id:
                yield [self.export.decision_id]
            case Export.Question.SUBJECT:
                yield from self._of_subject(self.export.subject)

    def _of_case(self, case_id: uuid.UUID) -> Iterator[list[uuid.UUID]]:
        case = readable_case(self.asker, case_id)
        seen = seen_by(self.asker, case)
        rows = CaseDecision.current().filter(case_id=case.pk)
        if rows.filter(decision_id__in=seen.hidden).exists():
            self.left_out.add("judged_blind")
        if seen.systems is not None and rows.exclude(system_id__in=seen.systems).exists():
            self.left_out.add("beyond_reach")
        place: tuple[datetime, uuid.UUID] | None = None
        while True:
            further = members(case, seen).order_by("recorded_at", "decision_id")
            if place is not None:
                tie = Q(recorded_at=place[0], decision_id__gt=place[1])
                further = further.filter(Q(recorded_at__gte=place[0]) & (Q(recorded_at__gt=place[0]) | tie))
            found = list(further.values_list("recorded_at", "decision_id")[:AT_ONCE])
            if not found:
                return
            place = found[-1]
            yield list(dict.fromkeys(decision_id for _, decision_id in found))

    def _of_subject(self, subject: str) -> Iterator[list[uuid.UUID]]:
        within, hidden = systems_within(self.asker, act_of(self.export)), hidden_from(self.asker.id)
        if within.system_ids is not None:
            self.left_out.add("beyond_reach")
        last = uuid.UUID(int=0)
        while True:
            named = Payload.objects.filter(subject=subject, id__gt=last).order_by("id")
            found = list(named.values_list("id", flat=True)[:AT_ONCE])
            if not found:
                return
            last = found[-1]
            known = Decision.objects.filter(id__in=found)
            if within.system_ids is not None:
                known = known.filter(system_id__in=within.system_ids)
            seen = set(known.values_list("id", flat=True))
            if seen & hidden:
                self.left_out.add("judged_blind")
            if chunk := [each for each in found if each in seen - hidden]:
                yield chunk
