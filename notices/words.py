"""The facts of alerts in words: as names that lead to what they name.

Each floor says how its own facts are shown; one that nobody knows stands as it is.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from governance.admin.pages import page_link
from governance.models import AISystem, Person, ServiceKey, SystemCard
from ledger.models import Log
from notices.alert_kinds import ALERT_KINDS
from notices.models import Alert

GATHERED = "gathered"
GATHERED_SHOWN = 50
Shown = str | SafeString
Showing = Callable[[Any], Shown | None]
_showings: dict[str, tuple[str, Showing]] = {}


def shows(name: str, label: str) -> Callable[[Showing], Showing]:
    """Declares how a fact is shown; None where what it names is not there (then its value is)."""

    def declare(showing: Showing) -> Showing:
        if name in _showings:
            raise ValueError(f"how the fact {name!r} is shown is declared twice")
        _showings[name] = (label, showing)
        return showing

    return declare


def in_words(alert: Alert) -> Iterator[tuple[str, Shown]]:
    """What it means; then label and value of each fact that says something; of one about a log, the log first."""
    if alert.kind in ALERT_KINDS:
        yield "What it means", ALERT_KINDS[alert.kind].meaning
    log = Log.objects.filter(pk=alert.about_id).first() if alert.about_id else None
    if log is not None:
        yield "Log", format_html('<a href="{}">{}</a>', reverse("admin:logs"), log.origin)
    if alert.facts.get(GATHERED):
        yield from _gathered(alert)
    for name in sorted(alert.facts, key=_place):
        value = alert.facts[name]
        if value is None or value == "" or name == GATHERED:
            continue
        label, showing = _showings.get(name, (name.replace("_", " ").capitalize(), str))
        yield label, showing(value) or str(value)


def _place(name: str) -> int:
    """Facts are read in the order in which they are declared: the database keeps none."""
    declared = list(_showings)
    return declared.index(name) if name in _showings else len(declared)


def _gathered(alert: Alert) -> Iterator[tuple[str, Shown]]:
    """Of an alert that stands for many: how many, and the newest of them."""
    yield "Many at once", f"{alert.occurrences} of this kind came within an hour, so this one stands for all of them"
    newest = alert.gathered.order_by("-gathered_at")[:GATHERED_SHOWN]
    rows = ((each.fingerprint,) for each in newest)
    yield "The newest", format_html_join("", '<div class="a-hash">{}</div>', rows)


def moment(text: str) -> SafeString | None:
    """A time as entries write it, in the viewer's zone, with UTC on hover."""
    at = parse_datetime(text)
    if at is None:
        return None
    utc, here = at.astimezone(UTC), date_format(timezone.localtime(at), "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>', utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M:%S.%f"), here
    )


@shows("decision", "Decision")
def _decision(value: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:decision", args=[UUID(value)]), value)


@shows("key", "Key")
def _key(value: str) -> SafeString | None:
    key = ServiceKey.objects.select_related("account").filter(pk=value).first()
    return page_link(key, f"{key} of {key.account}") if key else None


@shows("system", "AI system")
def _system(value: str) -> SafeString | None:
    system = AISystem.objects.filter(pk=value).first()
    return page_link(system) if system else None


@shows("person", "Person")
def _person(value: str) -> SafeString | None:
    person = Person.objects.filter(pk=value).first()
    return page_link(person) if person else None


@shows("card", "System card")
def _card(value: str) -> SafeString | None:
    card = SystemCard.objects.filter(pk=value).first()
    page = reverse("admin:card", args=[card.system_id, card.number]) if card else ""
    return format_html('<a href="{}">{}</a>', page, card) if card else None


@shows("by", "Locked")
def _by(value: str) -> str | None:
    words = {"account": "the account", "address": "a network address", "factor": "the second factor of the account"}
    return words.get(value)


shows("last_heard_at", "Last heard")(moment)
shows("ends_at", "Ends")(moment)
shows("card_day", "What was due")({"review": "Next review", "retirement": "Planned retirement"}.get)
shows("due_on", "On")(lambda value: date_format(date.fromisoformat(value)))
shows("index", "First at entry")(str)
shows("findings", "Findings in all")(str)
