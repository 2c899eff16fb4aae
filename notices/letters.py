"""The words of e-mails: a subject, a few lines, one link. Never what a decision says, never who it is about.

A floor above declares the words of its own kinds with `letter`; a kind that nobody declared is told in plain figures.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import localtime

from governance.models import AISystem
from notices.alert_kinds import ALERT_KINDS, LOST_SYSTEM, alert_title
from notices.kinds import kind_words
from notices.models import Alert, Message, WebhookEndpoint

MOST_NAMED = 50
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """What one e-mail says. `page`: a path of this site."""

    subject: str
    lines: list[str] = field(default_factory=list)
    page: str = ""


Writer = Callable[[Facts], Letter]
_writers: dict[str, Writer] = {}


def letter(kind: str) -> Callable[[Writer], Writer]:
    """Declares the words of a kind of message, made of its facts at the moment of sending."""

    def declare(writer: Writer) -> Writer:
        if kind in _writers:
            raise ValueError(f"the words of {kind!r} are declared twice")
        _writers[kind] = writer
        return writer

    return declare


def has_words(kind: str) -> bool:
    """Whether somebody declared what a letter of a kind says."""
    return kind in _writers


def letter_for(message: Message) -> Letter:
    """The words of a message."""
    writer = _writers.get(message.kind)
    return writer(message.facts) if writer else _plain(message)


def _plain(message: Message) -> Letter:
    named = [f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in _shown(message.facts)]
    return Letter(kind_words(message.kind), named, str(message.facts.get("page", "")))


def _shown(facts: Facts) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in facts.items() if value not in (None, "") and name != "page"]


def digest(letters: Sequence[Letter]) -> Letter:
    """Many letters as one: what they are about, each subject once."""
    counted = Counter(each.subject for each in letters)
    lines = [f"{subject} ({number} times)" if number > 1 else subject for subject, number in counted.items()]
    if len(lines) > MOST_NAMED:
        lines[MOST_NAMED:] = [f"... and {len(lines) - MOST_NAMED} more"]
    return Letter(f"{len(letters)} notices", lines, reverse("admin:notices_alert_changelist"))


def as_text(letter: Letter) -> str:
    return render_to_string("notices/letter.txt", _context(letter))


def as_html(letter: Letter) -> str:
    return render_to_string("notices/letter.html", _context(letter))


def _context(letter: Letter) -> dict[str, Any]:
    page = letter.page if letter.page.startswith("/") else reverse("admin:index")
    return {"letter": letter, "link": settings.BASE_URL.rstrip("/") + page, "site": settings.BASE_URL}


@letter("alert.opened")
def _opened(facts: Facts) -> Letter:
    return _alert(facts, "You answer for it, or nobody does and you are an administrator.")


@letter("alert.escalated")
def _escalated(facts: Facts) -> Letter:
    return _alert(facts, "Nobody has acknowledged it, so deputies and administrators are told as well.", "Still open: ")


def _alert(facts: Facts, why: str, before: str = "") -> Letter:
    alert = Alert.objects.get(pk=uuid.UUID(facts["alert"]))
    system = AISystem.objects.filter(pk=alert.system_id).first() if alert.system_id else None
    # of what is gone from the database the fact alone says whose it was
    whose = system or alert.facts.get(LOST_SYSTEM)
    what = f"{alert_title(alert.kind)}{f' ({whose})' if whose else ''}"
    lines = [
        *([ALERT_KINDS[alert.kind].meaning] if alert.kind in ALERT_KINDS else []),
        f"Severity: {alert.get_severity_display()}",
        f"Opened: {localtime(alert.opened_at).strftime('%Y-%m-%d %H:%M %Z')}",
        f"Now: {alert.get_status_display()}" + (f", {alert.occurrences} times" if alert.occurrences > 1 else ""),
        why,
    ]
    return Letter(f"{before}{what}", lines, reverse("admin:notices_alert_change", args=[alert.pk]))


@letter("webhook.disabled")
def _disabled(facts: Facts) -> Letter:
    why = WebhookEndpoint.Why(facts["why"]).label
    why = f"It was disabled: {why}. Nothing more is sent to it; what waited was dropped."
    return _endpoint(facts, "Webhook endpoint disabled", why)


@letter("webhook.delivery_failed")
def _delivery_failed(facts: Facts) -> Letter:
    why = f"One delivery ({facts['event']}) was given up. Others arrive, so the endpoint stays enabled."
    return _endpoint(facts, "Webhook delivery given up", why)


def _endpoint(facts: Facts, subject: str, why: str) -> Letter:
    endpoint = WebhookEndpoint.objects.get(pk=uuid.UUID(facts["endpoint"]))
    lines = [why, "The log of its deliveries says what was answered; each can be sent again there."]
    page = reverse("admin:notices_webhookendpoint_change", args=[endpoint.pk])
    return Letter(f"{subject}: {endpoint}", lines, page)
