"""Facets as pages show them: each count a link that narrows the list."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone, localtime

from audit.facets import Facets, Span
from console.decision_rows import flag_words
from console.filtering import question_of
from console.moments import moment_text
from governance.models import AISystem

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Count:
    """One value, how many have it, its share of the most, and the question narrowed to it."""

    words: str
    number: int
    share: str
    question: str


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    counts: list[Count]
    others: int
    """Further values that are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFacets:
    counted: Facets
    facets: list[Facet]
    times: list[Count]
    step: str


def shown_facets(counted: Facets, asked: QueryDict) -> ShownFacets:
    """One query, for the names of AI systems."""
    systems = AISystem.objects.in_bulk(list(counted.systems))
    slugs = {system.slug: counted.systems[key] for key, system in systems.items()}
    names = {system.slug: str(system) for system in systems.values()}
    found = [
        _facet("Outcome", counted.outcomes, "outcome", asked),
        _facet("AI system", slugs, "system", asked, lambda slug: names[slug]),
        _facet("Model version", counted.model_versions, "model_version", asked),
        _facet("Environment", counted.environments, "environment", asked),
        _facet("Directive", counted.directives, "directive", asked),
        _facet("Flag", counted.flags, "flagged", asked, lambda flag: flag_words([flag])[0]),
    ]
    step, times = counted.by_time(get_current_timezone())
    return ShownFacets(
        counted=counted,
        facets=[each for each in found if each.counts],
        times=_times(step, times, asked),
        step=step,
    )


def _facet(
    name: str, counts: Mapping[str, int], field: str, asked: QueryDict, words: Callable[[str], str] = str
) -> Facet:
    most = Counter(counts).most_common(SHOWN)
    highest = most[0][1] if most else 1
    shown = [
        Count(words(key), number, _share(number, highest), _narrowed(asked, **{field: key})) for key, number in most
    ]
    return Facet(name, shown, max(0, len(counts) - SHOWN))


def _narrowed(asked: QueryDict, **put: Any) -> str:
    return question_of(asked, **put)


def _times(step: str, times: list[Span], asked: QueryDict) -> list[Count]:
    highest = max((each.number for each in times), default=1) or 1
    form = "j M" if step == "day" else "j M, H:i"
    return [
        Count(
            date_format(localtime(each.at), form),
            each.number,
            _share(each.number, highest),
            question_of(asked, without=["period"], since=moment_text(each.at), until=moment_text(each.until)),
        )
        for each in times
    ]


def _share(number: int, highest: int) -> str:
    return f"{100 * number / highest:.1f}%"
