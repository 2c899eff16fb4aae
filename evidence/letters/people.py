"""What people had to do with a decision, in a letter's words: roles, and names only where the template says so."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from audit.models import Decision
from audit.selectors import SealedDecision
from config.days import day_of
from governance.acts import Role
from governance.letter_templates.languages import day_words, phrase
from governance.letter_templates.wording import Wording
from governance.letter_templates.words import OUTCOME
from governance.models import Assignment, Person
from overrides.effective import Effective
from overrides.models import OPEN, Appeal, Override, ReportedOverride, Review

ANSWERING = (Role.ACCOUNTABLE, Role.DEPUTY)
VERDICTS = {
    Review.Verdict.CONFIRM: "by.confirmed",
    Review.Verdict.MODIFY: "by.modified",
    Review.Verdict.REJECT: "by.rejected",
}
NOBODY_IN_TIME = (Review.Status.TIMED_OUT, Review.Status.OVERFLOWED)


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells what people did with one decision, in the words of one template. Errors of all: `NoPhrase`."""

    decision: SealedDecision
    wording: Wording

    def say(self, name: str, /, **values: str) -> str:
        return phrase(name, self.wording.language, self.wording.words, **values)

    def outcome(self, name: str | None) -> str:
        """In the template's words, else as it was sent."""
        return self.wording.words.get(f"{OUTCOME}{name}", name) if name else self.say("outcome.none")

    def who_decided(self, holds: Effective) -> str:
        """Whether a person took part before it took effect, and what they said."""
        review, now = holds.review, timezone.now()
        if review is None or review.status in (Review.Status.WITHDRAWN, Review.Status.SUPERSEDED):
            is_alone = self.decision.body.ai_role == Decision.AIRole.SOLE
            return self.say("by.system" if is_alone else "by.elsewhere")
        if review.status in OPEN or review.visible_at is None or review.visible_at > now:
            return self.say("by.waiting")
        if review.status in NOBODY_IN_TIME:
            return self.say("by.nobody_in_time")
        return self._reviewed(review)

    def outcome_now(self, holds: Effective) -> str:
        return self.say("by.waiting") if holds.status == "pending" else self.outcome(holds.effective_outcome)

    def what_followed(self) -> list[str]:
        """Overrides, appeals, and what was reported of another tool, in the order of time."""
        found = [*self._overrides(), *self._appeals(), *self._reported()]
        return [said for _, said in sorted(found, key=lambda each: each[0])]

    # --- parts of the above -------------------------------------------------------------------------------------------
    def _reviewed(self, review: Review) -> str:
        decisive = review.assignments.filter(pk=review.decisive_id or review.pk).first()
        at, kind = review.closed_at or review.opened_at, VERDICTS[Review.Verdict(review.verdict)]
        who = self._who(decisive.person_id if decisive else None, at)
        return self.say(kind, who=who, day=self._day(at), outcome=self.outcome(review.outcome or None))

    def _overrides(self) -> Iterator[tuple[datetime, str]]:
        rows = Override.objects.filter(decision_id=self.decision.id, status=Override.Status.IN_FORCE)
        for each in rows.filter(source=Override.Source.OVERRIDE):
            who, outcome = self._who(each.person_id, each.at), self.outcome(each.outcome)
            yield each.at, self.say("by.overridden", who=who, day=self._day(each.at), outcome=outcome)

    def _appeals(self) -> Iterator[tuple[datetime, str]]:
        for each in Appeal.objects.filter(decision_id=self.decision.id).select_related("override"):
            at = each.decided_at or each.received_at
            if each.status == Appeal.Status.OPEN:
                yield at, self.say("appeal.open", day=self._day(at))
                continue
            kind = "appeal.upheld" if each.status == Appeal.Status.UPHELD else "appeal.overturned"
            outcome = self.outcome(each.override.outcome if each.override else None)
            yield at, self.say(kind, who=self._who(each.decided_by_id, at), day=self._day(at), outcome=outcome)

    def _reported(self) -> Iterator[tuple[datetime, str]]:
        for each in ReportedOverride.objects.filter(decision_id=self.decision.id):
            day, outcome = self._day(each.occurred_at), self.outcome(each.outcome)
            yield each.occurred_at, self.say("by.reported", day=day, outcome=outcome)

    def _who(self, person_id: uuid.UUID | None, at: datetime) -> str:
        """In which role somebody acted; their name only where the template names staff and they are still known."""
        role = self.say(f"who.{self._role(person_id, at)}")
        person = Person.objects.filter(pk=person_id).first() if person_id and self.wording.names_staff else None
        return self.say("who.named", name=person.name, role=role) if person and person.name else role

    def _role(self, person_id: uuid.UUID | None, at: datetime) -> str:
        if person_id is None:
            return Role.REVIEWER
        held = Assignment.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=at),
            person_id=person_id,
            system_id=self.decision.system_id,
            role__in=ANSWERING,
            accepted_at__lte=at,
        )
        return str(held.order_by("role").values_list("role", flat=True).first() or Role.REVIEWER)

    def _day(self, at: datetime) -> str:
        return day_words(day_of(at), self.wording.language)
