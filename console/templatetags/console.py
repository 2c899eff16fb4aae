"""Small things that pages say: moments, shares, people."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString

from config import moments
from config.origins import beside
from console.decision_rows import AI_ROLES
from console.parts import TITLES
from console.sayings import PHASES, SOURCE_WORDS
from governance.letter_templates.languages import language_words
from governance.models import Person
from governance.selectors import waiting_for
from notices.kinds import kind_words
from overrides.reasons import reason_in_words

register = template.Library()
SHOWN_OFFERS = 3
OFFERS_SHOWN_ON = frozenset({"mine", "accountability"})
"""Pages on which offers are answered, several at once."""
VERSION_TONES = {"live": "ok", "approved": "info", "proposed": "info", "unverified": "warn"}


register.simple_tag(moments.moment, name="moment")


@register.simple_tag
def is_demonstration() -> bool:
    return bool(settings.DEMO)


@register.simple_tag(takes_context=True)
def control_url(context: Any, view: str, *args: Any) -> str:
    """Of a page of the switchboard: at the control process, which no flood of decisions slows."""
    return beside(context["request"], reverse(view, args=args), in_control=True)


@register.simple_tag
def readonly_value(field: Any) -> Any:
    """What a read-only field of the admin shows; a moment as everywhere else."""
    found = field.resolved_field
    value = found[2] if found else None
    return moments.moment(value) if isinstance(value, datetime) else field.contents()


@register.inclusion_tag("console/pending_offers.html", takes_context=True)
def pending_offers(context: Any) -> dict[str, Any]:
    """What is offered to whoever looks, oldest first."""
    request = context.get("request")
    person = getattr(request, "user", None)
    match = getattr(request, "resolver_match", None)
    if not isinstance(person, Person) or (match and match.url_name in OFFERS_SHOWN_ON):
        return {}
    offers = list(waiting_for(person).order_by("id")[: SHOWN_OFFERS + 1])
    return {"offers": offers[:SHOWN_OFFERS], "more": len(offers) > SHOWN_OFFERS}


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, in one unit; when exactly on hover."""
    return "never" if at is None else moments.timed(at, span(timezone.now() - at) + " ago")


@register.filter
def clock(at: datetime) -> SafeString:
    """A moment to the second, in words that stay the same; live pages add how long ago that is (data-age)."""
    local = timezone.localtime(at)
    form = "H:i:s" if local.date() == timezone.localtime().date() else "j M H:i:s"
    return moments.timed(at, date_format(local, form), ages=True)


def span(length: timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:,} {word}"
    return f"{seconds} s"


@register.filter
def percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.0f}%"


@register.filter
def hex_of(value: bytes | memoryview | None) -> str:
    return bytes(value).hex() if value else ""


@register.filter
def item(mapping: Any, key: Any) -> Any:
    return mapping.get(key)


@register.filter
def version_tone(status: str) -> str:
    return VERSION_TONES.get(status, "neutral")


@register.filter
def shortest(value: float) -> str:
    """As the entry writes it: the shortest double."""
    return repr(value)


@register.filter
def spelt(code: str) -> str:
    """A short code as the timeline reads it: "wrong-input" is "wrong input"."""
    return code.replace("-", " ")


@register.filter
def reason_among(code: str, reasons: list[dict[str, Any]]) -> str:
    """A reason code in the words of the list it was chosen from."""
    return reason_in_words(code, reasons)


@register.filter
def role_words(role: str) -> str:
    """What part the AI has in a decision."""
    return AI_ROLES.get(role, role)


@register.filter
def phase_words(phase: str) -> str:
    return PHASES.get(phase, phase)


@register.filter
def source_words(source: str) -> str:
    """Whose word holds."""
    return SOURCE_WORDS[source]


@register.filter
def part_title(name: str) -> str:
    """Of a part of a payload."""
    return TITLES[name]


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def share(value: float) -> str:
    """A part of a whole as CSS takes it."""
    return f"{value * 100:.2f}%"


register.filter(kind_words)
register.filter(language_words)
