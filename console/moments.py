"""Moments that people choose: typed in their zone; in links in UTC, which says which of two like hours is meant."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, localtime


def moment_text(at: datetime) -> str:
    """For an address."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


class LocalMoment(forms.DateTimeInput):
    """In the viewer's zone, to the minute."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M", attrs={"step": "60"})

    def format_value(self, value: Any) -> str | None:
        """What an address says in UTC is shown in the viewer's zone: the browser shows nothing else."""
        found = _parsed(value) if isinstance(value, str) else None
        return super().format_value(localtime(found) if found and not is_naive(found) else value)


class MomentField(forms.DateTimeField):
    """Typed in the viewer's zone, or with an offset. Of an hour that comes twice the beginning means the first, the end
    the second, so that nothing that was meant is left out."""

    def __init__(self, *, label: str, is_end: bool = False) -> None:
        super().__init__(required=False, label=label, widget=LocalMoment())
        self.is_end = is_end

    def to_python(self, value: Any) -> datetime | None:
        found = _parsed(value) if isinstance(value, str) else None
        if found is None or not is_naive(found):
            return super().to_python(value)
        return found.replace(tzinfo=get_current_timezone(), fold=int(self.is_end))


def _parsed(text: str) -> datetime | None:
    try:
        return parse_datetime(text.strip())
    except ValueError:
        return None
