"""Offer the role administrator, where one administrator is left and so nobody could agree to a second."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.errors import ServiceError
from governance.acts import Role
from governance.models import Assignment, Person
from governance.models.people import plain_address
from governance.scopes import ORGANISATION
from governance.services.assignments import offer_assignment
from ledger.entries import COMMAND
from ledger.sealing import sealing


class Command(BaseCommand):
    help = "Offer the role administrator to a registered person, while there is only one administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        person = Person.objects.filter(email=plain_address(options["email"]), is_active=True).first()
        if person is None:
            raise CommandError("Nobody active in the register has this address. An administrator registers people.")
        try:
            _offer(person)
        except ServiceError as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"Offered. {person} accepts it in the console.")


def _offer(person: Person) -> None:
    with sealing():
        offer = offer_assignment(actor=COMMAND, person=person, role=Role.ADMINISTRATOR, scope=ORGANISATION)
        if offer.status == Assignment.Status.PROPOSED:
            # undone with the transaction
            raise CommandError("There is a second administrator, or somebody was asked already. Administrators agree.")
