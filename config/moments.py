"""A moment as pages say it: in the viewer's zone and never without it, with full UTC on hover."""

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString


def moment(at: datetime | None, form: str = "DATETIME_FORMAT", none: str = "never") -> SafeString | str:
    """A time element: `form` is a name or a pattern of Django's date formats, in the active zone."""
    return none if at is None else timed(at, date_format(timezone.localtime(at), form))


def timed(at: datetime, words: str, *, ages: bool = False) -> SafeString:
    """Words for a moment ("3 min ago"), with the moment itself for machines and, in UTC, on hover.

    `ages`: the browser adds how long ago that is, and keeps it right.
    """
    utc = at.astimezone(UTC)
    shown = utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M:%S.%f"), words
    if ages:
        return format_html('<time datetime="{}" title="{} UTC" data-age>{}</time>', *shown)
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', *shown)
