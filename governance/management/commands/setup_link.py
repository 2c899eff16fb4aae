"""`manage.py setup_link`: the one-time link with which the first administrator makes themself."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from governance.services.people import bootstrap_token


class Command(BaseCommand):
    help = "Print a one-time set-up link, or nothing once there is an administrator. Each call ends the link before."

    def handle(self, *args: Any, **options: Any) -> None:
        token = bootstrap_token()
        if token is not None:
            self.stdout.write(f"{settings.BASE_URL.rstrip('/')}/setup/{token}")
