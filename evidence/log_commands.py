"""What the commands of custody share: one administrator asks, another agrees in the web admin, the command does it.

Where nobody can sign in, both type their passwords at one terminal; every administrator is told.
"""

import getpass
import sys
import time
import uuid
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from config.errors import ServiceError
from evidence.errors import HeadAlreadyKnown, LogStillContinues
from evidence.models import CustodyRequest
from evidence.services.custody_requests import ask_custody, carry_out, tell_of_passwords
from evidence.services.key_rotation import Rotated
from governance import rights
from governance.enrolment import has_factor, takes_codes
from governance.models import Person
from governance.services.factors import use_code
from ledger.entries import COMMAND
from ledger.models import Log

NOTHING_TO_DO = (HeadAlreadyKnown, LogStillContinues)
"""What is said of a log that needs none of it; where all logs were named, the others are gone on with."""
LOOKS_EVERY = 2.0
NOT_YET = 3
PATIENCE = 900
Status, What = CustodyRequest.Status, CustodyRequest.What


class TwoAdministratorsCommand(BaseCommand):
    """Asks, waits and carries out; or takes two passwords. A subclass says `what` it is, and does it `together`."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_argument_group("who agrees to it")
        who.add_argument("--by", metavar="EMAIL", help="the administrator who asks")
        who.add_argument(
            "--with",
            metavar="EMAIL",
            dest="approved_by",
            help="in an emergency, where nobody can sign in: the second administrator, who types their password here"
            " too; every administrator is told",
        )
        who.add_argument("--reason", default="", help="why, for the one who agrees")
        who.add_argument(
            "--wait", type=int, default=PATIENCE, metavar="SECONDS", help=f"for the second one to agree ({PATIENCE})"
        )
        who.add_argument("--approved", action="store_true", help="carry out what was asked for and agreed to")

    def what(self, options: dict[str, Any]) -> CustodyRequest.What:
        """Which act of custody this is. Errors: `CommandError`."""
        raise TypeError("a command of custody says what it is")

    def together(self, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> None:
        """Do it, for two who typed their passwords here."""
        raise TypeError("a command of custody does it")

    def said(self, rotated: Rotated | None) -> None:
        """What there is to say when it was carried out."""

    def log_ids(self, options: dict[str, Any]) -> list[uuid.UUID] | None:
        """Which logs were named; None where all that need it are meant."""
        return None

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            what = self.what(options)
        except ServiceError as error:
            raise CommandError(in_words(error)) from error
        if options["approved"]:
            self._carry_out(what)
        elif not options["by"]:
            raise CommandError("Say who asks (--by EMAIL), or carry out what was agreed to (--approved).")
        elif options["approved_by"]:
            self._together(what, options)
        else:
            self._ask(what, options)

    # --- two steps ----------------------------------------------------------------------------------------------------
    def _ask(self, what: CustodyRequest.What, options: dict[str, Any]) -> None:
        person = sign_in(options["by"], with_code=True)
        reason = options["reason"] or _asked_why()
        try:
            request = ask_custody(
                actor=rights.as_actor(person), what=what, reason=reason, log_ids=self.log_ids(options)
            )
        except ServiceError as error:
            raise CommandError(in_words(error)) from error
        page = settings.BASE_URL.rstrip("/") + reverse("admin:custody_request", args=[request.pk])
        self.stdout.write(
            f"Asked. A second administrator signs in and agrees here, until {request.expires_at:%Y-%m-%d %H:%M} UTC:\n"
            f"  {page}\n"
            f"Waiting for {options['wait']} s; Ctrl-C only ends the waiting. Later: the same command with --approved."
        )
        self.stdout.flush()
        if not self._is_approved(request.pk, options["wait"]):
            sys.exit(NOT_YET)
        self._carry_out(what)

    def _is_approved(self, request_id: uuid.UUID, seconds: int) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            request = CustodyRequest.objects.get(pk=request_id)
            if request.status == Status.APPROVED:
                return True
            if not request.is_live:
                raise CommandError(f"Not carried out: {request.get_status_display()}. {request.answer}".strip())
            time.sleep(LOOKS_EVERY)
        self.stdout.write("Nobody has agreed yet. When somebody has: the same command with --approved.")
        return False

    def _carry_out(self, what: CustodyRequest.What) -> None:
        request = CustodyRequest.objects.filter(what=what, status=Status.APPROVED).first()
        if request is None or not request.is_live:
            raise CommandError(f"Nobody has agreed to a request to {what.label} within the last day.")
        try:
            rotated = carry_out(actor=COMMAND, request_id=request.pk, say=self.stdout.write)
        except ServiceError as error:
            raise CommandError(in_words(error)) from error
        self.said(rotated)

    # --- an emergency -------------------------------------------------------------------------------------------------
    def _together(self, what: CustodyRequest.What, options: dict[str, Any]) -> None:
        people = sign_in(options["by"]), sign_in(options["approved_by"])
        tell_of_passwords(actor=COMMAND, what=what, asked_by=people[0], approved_by=people[1])
        self.together(*people, options)


class CustodyCommand(TwoAdministratorsCommand):
    """About logs: `act` does it for each log named, where two typed their passwords."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "log", nargs="?", default="all", help="the log's origin or uuid, 'registry', or 'all' (those that need it)"
        )
        super().add_arguments(parser)

    def log_ids(self, options: dict[str, Any]) -> list[uuid.UUID] | None:
        return None if options["log"] == "all" else [log.id for log in named_logs(options["log"])]

    def together(self, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> None:
        for log in named_logs(options["log"]):
            try:
                self.stdout.write(self.act(log, asked_by, approved_by, options))
            except NOTHING_TO_DO as error:
                if options["log"] != "all":
                    raise CommandError(in_words(error)) from error
                self.stdout.write(f"{log.origin}: left as it is. {error.title}.")
            except ServiceError as error:
                raise CommandError(in_words(error)) from error

    def act(self, log: Log, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> str:
        """Do it for one log; returns the line to print."""
        raise TypeError("a custody command says what it does")


def sign_in(email: str, *, with_code: bool = False) -> Person:
    """Somebody at a terminal, by password; `with_code` where they have a second factor. Errors: `CommandError`."""
    password = getpass.getpass(f"Password of {email}: ")
    person = Person.objects.filter(email__iexact=email, is_active=True).first()
    # hashing also where nobody is found: the time must not tell who exists
    if not check_password(password, person.password if person else "!") or person is None:
        raise CommandError("That e-mail address and password do not belong together.")
    if with_code and has_factor(person):
        _take_code(person)
    return person


def _take_code(person: Person) -> None:
    if not takes_codes(person):
        raise CommandError("You sign in with a passkey, which no terminal asks for: do it in the web admin.")
    try:
        use_code(person=person, code=getpass.getpass("Code of the authenticator app, or a recovery code: "))
    except ServiceError as error:
        raise CommandError(in_words(error)) from error


def _asked_why() -> str:
    try:
        return input("Why (for the administrator who is asked to agree): ")
    except EOFError:
        raise CommandError("Say why, for the administrator who is asked to agree: --reason.") from None


def in_words(error: ServiceError) -> str:
    return f"{error.title}: {error.detail}"


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
