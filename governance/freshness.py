"""How long a factor that somebody proved stands for who they are."""

from datetime import datetime, timedelta

from django.utils import timezone

FRESH_FOR = timedelta(minutes=10)


def is_fresh(proven_at: datetime | None, within: timedelta = FRESH_FOR) -> bool:
    """Whether a factor was proven in the last minutes. A time in the future proves nothing: clocks were set."""
    return proven_at is not None and timedelta(0) <= timezone.now() - proven_at <= within
