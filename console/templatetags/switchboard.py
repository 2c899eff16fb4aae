"""What the switchboard's templates say."""

from typing import Any

from django import template

from console.switchboard import words
from overrides.standing import Mode

register = template.Library()


register.filter("reason_words", words.reason)


@register.filter
def mode_words(mode: Any) -> words.ModeWords:
    return words.MODES[Mode(mode)]


@register.filter
def action_words(action: str) -> str:
    """What a directive asks of the caller."""
    return words.ACTIONS.get(action, "")


@register.filter
def seconds(value: float | None) -> str:
    """Precise where it is short."""
    if value is None:
        return "not known"
    return f"{value:.2f} s" if value < 10 else duration(value)


@register.filter
def duration(value: float) -> str:
    if value < 100:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 100 * 60 else f"{value / 3600:.0f} h"
