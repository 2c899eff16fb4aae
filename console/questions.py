"""A filter between the fields of the page's form, the clear values that are kept of it, and words."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from audit.models import Case, SearchRun
from console.decision_rows import AI_ROLES, FLAG_WORDS
from console.forms import OVERRIDDEN_WORDS, FilterForm, SearchForm
from evidence.questions import PERIODS
from governance.models import AISystem, Person

FIELD_OF = {
    "from": "since",
    "to": "until",
    "error_type": "error",
    "ai_role": "role",
    "accountable_id": "accountable",
    "case_id": "case",
    "parent_id": "parent",
    "system_id": "system",
    "flag": "flagged",
}
"""Where the form calls a field otherwise than the API."""
ORDER = list(SearchForm.base_fields)
TERM_OF = {"conversation_id": "conversation", "trace_id": "trace"}
AT_ONCE = timedelta(seconds=10)
YES_NO = {True: "yes", False: "no"}


def conditions_of(form: FilterForm) -> dict[str, Any]:
    """What is kept of a valid form: clear values by the names of the API, and the period as it was chosen."""
    said, data = form.filter().said(), form.cleaned_data
    if data["period"] and not (data["since"] or data["until"]):
        del said["from"]
        said["period"] = data["period"]
    if said.pop("system_id", None):
        said["system"] = data["system"].slug
    return said


def fields_of(conditions: Mapping[str, Any]) -> dict[str, str]:
    """The same as the form asks for it, times in the viewer's zone. What names nothing any more is left out."""
    found = {FIELD_OF.get(name, name): _field(name, value) for name, value in conditions.items()}
    return {name: text for name, text in found.items() if text}


def fields_of_terms(terms: Mapping[str, Any]) -> dict[str, str]:
    """What is searched for, as the form asks for it."""
    plain = {TERM_OF.get(name, name): str(value) for name, value in terms.items() if name != "labels"}
    label = next(iter(terms.get("labels", {}).items()), None)
    return plain | ({"label_name": label[0], "label_value": label[1]} if label else {})


def fields_of_run(run: SearchRun) -> dict[str, str]:
    """A search as the form asks for it. One of the last so many days asks for these again, not for the same ones."""
    asked = fields_of(run.question) | fields_of_terms(run.terms)
    period = _period(run)
    if period is None:
        return asked
    return {name: value for name, value in asked.items() if name not in ("since", "until")} | {"period": period}


def _period(run: SearchRun) -> str | None:
    if run.since is None or run.until is None or abs(run.started_at - run.until) > AT_ONCE:
        return None
    return next((name for name, span in PERIODS.items() if abs(run.until - run.since - span) < AT_ONCE), None)


def _field(name: str, value: Any) -> str:
    if name in ("from", "to"):
        return localtime(_moment(value)).strftime("%Y-%m-%dT%H:%M")
    if name == "system_id":
        return AISystem.objects.filter(pk=value).values_list("slug", flat=True).first() or ""
    if name == "case_id":
        case = Case.objects.filter(pk=value).first()
        return case.reference if case else ""
    return YES_NO[value] if isinstance(value, bool) else str(value)


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


# --- in words ---------------------------------------------------------------------------------------------------------
def in_words(questions: Iterable[Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Each filter as labels and values. Three queries, whatever their number."""
    asked = list(questions)
    names = _names(asked)
    return [[(_label(name), _words(name, each[name], names)) for name in sorted(each, key=_place)] for each in asked]


def _place(name: str) -> int:
    """The order of the form; the database keeps none."""
    field = FIELD_OF.get(name, name)
    return ORDER.index(field) if field in ORDER else len(ORDER)


def _label(name: str) -> str:
    field = SearchForm.base_fields.get(FIELD_OF.get(name, name))
    return str(field.label) if field and field.label else name.replace("_", " ").capitalize()


def _words(name: str, value: Any, names: Mapping[str, str]) -> str:
    if name in ("from", "to"):
        return f"{date_format(localtime(_moment(value)), 'j M Y, H:i')} {timezone.localtime().tzname()}"
    choices = CHOICES.get(name)
    if choices is not None:
        return choices.get(value if isinstance(value, str) else YES_NO.get(value, ""), str(value))
    return names.get(str(value), str(value))


def _choices(field: str) -> dict[str, str]:
    return {value: str(words).lower() for value, words in FilterForm.base_fields[field].choices if value}  # type: ignore[attr-defined]


CHOICES: dict[str, dict[str, str]] = {
    "adverse": _choices("adverse"),
    "flagged": _choices("flagged"),
    "flag": {flag.value: words for flag, words in FLAG_WORDS.items()},
    "directive": _choices("directive"),
    "period": _choices("period"),
    "overridden": {value: words.lower() for value, words in OVERRIDDEN_WORDS.items()},
    "ai_role": AI_ROLES,
}


def _names(questions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What ids and slugs stand for."""
    asked = {name: {str(each[name]) for each in questions if name in each} for name in NAMED}
    systems = AISystem.objects.filter(pk__in=_ids(asked["system_id"]))
    systems |= AISystem.objects.filter(slug__in=asked["system"])
    found = {str(key): str(system) for system in systems for key in (system.pk, system.slug)}
    found |= {str(each.pk): str(each) for each in Person.objects.filter(pk__in=_ids(asked["accountable_id"]))}
    return found | {str(each.pk): each.reference for each in Case.objects.filter(pk__in=_ids(asked["case_id"]))}


NAMED = ("system", "system_id", "accountable_id", "case_id")


def _ids(texts: Iterable[str]) -> list[uuid.UUID]:
    return [uuid.UUID(text) for text in texts]
