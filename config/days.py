"""Days that are written down, in entries, letters and deadlines: in the organisation's one zone, whoever looks.

What a page shows is in its viewer's zone (`config.moments`). A day that is sealed, or compared with one that was, must
not depend on where somebody sits.
"""

import zoneinfo
from datetime import date, datetime

from django.conf import settings
from django.utils import timezone
from environs import ValidationError


def zone() -> zoneinfo.ZoneInfo:
    """The organisation's."""
    return zoneinfo.ZoneInfo(settings.WRITTEN_ZONE)


def day_of(moment: datetime) -> date:
    """On which day something was, as the organisation counts."""
    return timezone.localtime(moment, zone()).date()


def today() -> date:
    return day_of(timezone.now())


def is_zone(name: str) -> None:
    """Of a setting. Errors: `ValidationError`."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValidationError(f"{name} is no time zone, as Europe/Paris is.") from error
