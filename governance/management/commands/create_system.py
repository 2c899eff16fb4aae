"""`manage.py create_system`: put an AI system in the register, from a script."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from config.errors import ServiceError
from config.problems import in_words
from governance.services.people import person_for
from governance.services.systems import register_system
from ledger.entries import COMMAND
from ledger.sealing import sealing


class Command(BaseCommand):
    help = (
        "Register an AI system and offer somebody the responsibility for it. Until that person accepts, decisions are "
        "recorded and flagged. A person who is not known is registered."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--slug", required=True, help="its name in API calls: a-z, 0-9 and '-'")
        parser.add_argument("--name", required=True)
        parser.add_argument("--accountable", required=True, metavar="EMAIL", help="who is to answer for it")
        parser.add_argument("--environment", action="append", metavar="SLUG", help="default: production; repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_address(options["accountable"])
        try:
            with sealing():
                register_system(
                    actor=COMMAND,
                    slug=options["slug"],
                    name=options["name"],
                    accountable=person_for(actor=COMMAND, email=options["accountable"]),
                    environments=options["environment"] or ["production"],
                )
        except (ServiceError, ValidationError) as refusal:
            raise CommandError(in_words(refusal)) from refusal
        self.stderr.write(f"Registered {options['slug']}. {options['accountable']} has not accepted yet.")


def _check_address(address: str) -> None:
    try:
        validate_email(address)
    except ValidationError as wrong:
        raise CommandError(f"--accountable: {' '.join(wrong.messages)}") from wrong
