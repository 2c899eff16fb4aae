"""What the commands of custody share: two administrators sign in at one terminal."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.hashers import check_password
from django.core.management.base import BaseCommand, CommandError

from config.errors import ServiceError
from evidence.errors import HeadAlreadyKnown, LogStillContinues
from governance.models import Person
from ledger.models import Log

NOTHING_TO_DO = (HeadAlreadyKnown, LogStillContinues)
"""What is said of a log that needs none of it; where all logs were named, the others are gone on with."""


class TwoAdministratorsCommand(BaseCommand):
    """Names two people, and asks both for their passwords."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", required=True, metavar="EMAIL", help="the administrator who asks")
        parser.add_argument("--with", required=True, metavar="EMAIL", dest="approved_by", help="the one who approves")

    def sign_in_both(self, options: dict[str, Any]) -> tuple[Person, Person]:
        """The one who asks and the one who approves. Errors: `CommandError`."""
        return sign_in(options["by"]), sign_in(options["approved_by"])


def sign_in(email: str) -> Person:
    """Somebody at this terminal, by their password. Errors: `CommandError`."""
    password = getpass.getpass(f"Password of {email}: ")
    person = Person.objects.filter(email__iexact=email, is_active=True).first()
    # hashing also where nobody is found: the time must not tell who exists
    if not check_password(password, person.password if person else "!") or person is None:
        raise CommandError("That e-mail address and password do not belong together.")
    return person


class CustodyCommand(TwoAdministratorsCommand):
    """Lets both sign in, then calls `act` for each log named."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("log", help="the log's origin or uuid, 'registry', or 'all'")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        asked_by, approved_by = self.sign_in_both(options)
        for log in named_logs(options["log"]):
            try:
                self.stdout.write(self.act(log, asked_by, approved_by))
            except NOTHING_TO_DO as error:
                if options["log"] != "all":
                    raise CommandError(f"{error.title}: {error.detail}") from error
                self.stdout.write(f"{log.origin}: left as it is. {error.title}.")
            except ServiceError as error:
                raise CommandError(f"{error.title}: {error.detail}") from error

    def act(self, log: Log, asked_by: Person, approved_by: Person) -> str:
        """Do it for one log; returns the line to print."""
        raise TypeError("a custody command says what it does")


def named_logs(name: str, *, closed: bool = False) -> list[Log]:
    """The logs that a command's argument names, closed ones if asked. Errors: `CommandError` where there is none."""
    logs = Log.objects.all() if closed else Log.objects.filter(closure=None)
    logs = logs.order_by("kind", "id")
    by_name = {str(log.id): log for log in logs} | {log.origin: log for log in logs}
    if name == "all":
        return list(logs)
    found = logs.filter(kind=Log.Kind.REGISTRY).last() if name == "registry" else by_name.get(name)
    if found is None:
        raise CommandError(f"There is no log {name!r} here. Name one by uuid or origin, or 'registry', or 'all'.")
    return [found]
