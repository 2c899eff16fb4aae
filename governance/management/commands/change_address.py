"""`manage.py change_address`: for somebody whose address no administrator changes alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from config.errors import ServiceError
from governance.models import Person
from governance.models.people import plain_address
from governance.services.people import update_person
from ledger.entries import COMMAND


class Command(BaseCommand):
    help = "Change a person's e-mail address. They are told at the old one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", metavar="ADDRESS", dest="address", required=True, help="their address now")
        parser.add_argument("--to", metavar="ADDRESS", required=True, help="their address from now on")

    def handle(self, *args: Any, address: str, to: str, **options: Any) -> None:
        person = Person.objects.filter(email=plain_address(address), is_active=True).first()
        if person is None:
            raise CommandError(f"Nobody active in the register has the address {address!r}.")
        try:
            update_person(actor=COMMAND, person_id=person.pk, changes={"email": to})
        except ServiceError as error:
            raise CommandError(error.detail) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(
            "Changed. Their account of the sign-in provider, if one is linked, goes on opening theirs here."
        )
