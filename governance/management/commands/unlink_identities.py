"""`manage.py unlink_identities`: for somebody whom no administrator unlinks from the sign-in provider alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.models import Person
from governance.models.people import plain_address
from governance.services.identities import unlink_identities
from ledger.entries import COMMAND


class Command(BaseCommand):
    help = "End what links a person to accounts of the sign-in provider; they are signed out everywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", metavar="ADDRESS", dest="address", required=True, help="their e-mail address")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        person = Person.objects.filter(email=plain_address(address), is_active=True).first()
        if person is None:
            raise CommandError(f"Nobody active in the register has the address {address!r}.")
        ended = unlink_identities(actor=COMMAND, person_id=person.pk)
        self.stdout.write(f"Unlinked: {ended}. The next account with their verified address is linked anew.")
