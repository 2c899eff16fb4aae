"""`manage.py reset_factors`: for somebody who lost all their second factors, and whom no administrator resets alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.models import Person
from governance.models.people import plain_address
from governance.services.factors import reset_factors
from ledger.entries import COMMAND


class Command(BaseCommand):
    help = "Remove a person's second factors and recovery codes; they are signed out everywhere. Their password stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", metavar="ADDRESS", dest="address", required=True, help="their e-mail address")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        person = Person.objects.filter(email=plain_address(address), is_active=True).first()
        if person is None:
            raise CommandError(f"Nobody active in the register has the address {address!r}.")
        reset_factors(actor=COMMAND, person_id=person.pk)
        self.stdout.write("Removed. At their next sign-in a role that asks for a second factor asks for a new one.")
