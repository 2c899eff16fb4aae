"""The filter of decisions, with what floors above the record add to it: one shape for lists, counts, searches, cases
and what people save."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from rest_framework import serializers

from audit.api.questions import Conditions, SystemOf, checked, filter_of
from audit.case_access import readable_case
from audit.filters import Also, DecisionFilter
from audit.models import SearchRun
from audit.reach import Reach
from governance.api.strict import StrictCharField, StrictSerializer
from governance.errors import SystemNotFound
from governance.models import AISystem
from ledger.entries import Actor
from overrides.selectors import ends_otherwise, is_overridden, is_overridden_elsewhere

OVERRIDDEN: dict[str, Callable[[], Q]] = {
    "yes": is_overridden,
    "no": lambda: ~is_overridden(),
    "differs": ends_otherwise,
    "reported": is_overridden_elsewhere,
}
OVERRIDDEN_WORDS = "Whether people put another outcome in its place; `differs`: not the model's; `reported`: elsewhere."
PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class ByPeople(serializers.Serializer[Any]):
    """What a floor above the record adds to its filters."""

    overridden = serializers.ChoiceField(choices=list(OVERRIDDEN), required=False, help_text=OVERRIDDEN_WORDS)
    case_id = serializers.UUIDField(required=False, help_text="What is in this case now. For people who may read it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = super().validate(attrs)
        asked = found.pop("overridden", None)
        return found | ({"also": by_people(asked)} if asked else {})


class FilterFields(ByPeople, Conditions):
    """The filter of the list of decisions; times are by `recorded_at`."""


class KeptConditions(FilterFields):
    """A filter that somebody keeps: `period` is the time back from whenever it is used."""

    period = serializers.ChoiceField(choices=list(PERIODS), required=False)


class KeptTerms(StrictSerializer):
    """What a kept search is for. Its owner's alone."""

    subject = StrictCharField(required=False, max_length=200, trim_whitespace=False)
    labels = serializers.DictField(
        child=StrictCharField(max_length=500, allow_blank=True, trim_whitespace=False), required=False
    )
    conversation_id = StrictCharField(required=False, max_length=200, trim_whitespace=False)
    trace_id = StrictCharField(required=False, max_length=32, trim_whitespace=False)
    text = StrictCharField(required=False, min_length=2, max_length=200, trim_whitespace=False)


def by_people(asked: str) -> Also:
    return Also("overridden", asked, OVERRIDDEN[asked]())


def system_within(reach: Reach) -> SystemOf:
    """Errors: `SystemNotFound`, the same for one out of sight and for none."""

    def found(slug: str) -> uuid.UUID:
        key, visible = AISystem.objects.filter(slug=slug).values_list("pk", flat=True).first(), reach.systems()
        if key is None or (visible is not None and key not in visible):
            raise SystemNotFound(f"No AI system has the slug '{slug}'.")
        return key

    return found


def filter_of_search(actor: Actor, run: SearchRun) -> DecisionFilter:
    """The filter that a search was begun with. Errors: `CaseNotFound`, `Forbidden` where its case is not read now."""
    said = dict(run.question)
    system_id = said.pop("system_id", None)
    asked = filter_of(checked(FilterFields(data=said)), system_within(Reach(system_ids=None)))
    return _may_ask(actor, replace(asked, system_id=uuid.UUID(system_id) if system_id else None))


def filter_of_kept(actor: Actor, reach: Reach, conditions: dict[str, Any]) -> DecisionFilter:
    """A kept filter as it is asked now. Errors: `SystemNotFound`, `CaseNotFound`, `Forbidden`."""
    given = checked(KeptConditions(data=conditions))
    period = given.pop("period", None)
    asked = filter_of(given, system_within(reach))
    if period and not (asked.since or asked.until):
        asked = replace(asked, since=timezone.now() - PERIODS[period])
    return _may_ask(actor, asked)


def _may_ask(actor: Actor, asked: DecisionFilter) -> DecisionFilter:
    if asked.case_id:
        readable_case(actor, asked.case_id)
    return asked


def kept_conditions(given: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a filter that was checked: clear values by the names of the API, the AI system by its slug."""
    asked = dict(given)
    named = {name: value for name in ("system", "period") if (value := asked.pop(name, None))}
    return named | DecisionFilter(**asked).said()
