"""`manage.py setup_link`: the one-time link with which the first administrator, or a person named, sets a password."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from governance.models import Person
from governance.models.people import plain_address
from governance.services.people import bootstrap_token, issue_setup_link
from ledger.entries import COMMAND


class Command(BaseCommand):
    help = (
        "Print a one-time set-up link for the first administrator, or nothing once there is one. With --for: a link for"
        " somebody in the register, also for those whose password no administrator resets alone. Each call ends the"
        " link before."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", metavar="ADDRESS", dest="address", help="e-mail address of a person who is here")

    def handle(self, *args: Any, address: str | None = None, **options: Any) -> None:
        token = _token_for(address) if address else bootstrap_token()
        if token is not None:
            self.stdout.write(f"{settings.BASE_URL.rstrip('/')}/setup/{token}")


def _token_for(address: str) -> str:
    person = Person.objects.filter(email=plain_address(address), is_active=True).first()
    if person is None:
        raise CommandError(f"Nobody active in the register has the address {address!r}.")
    return issue_setup_link(actor=COMMAND, person_id=person.pk)
