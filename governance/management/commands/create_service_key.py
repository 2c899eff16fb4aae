"""`manage.py create_service_key`: make a key for a service, from a script. The key alone goes to standard output."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F
from django.utils import timezone

from config.errors import ServiceError
from config.problems import in_words
from governance.acts import Role
from governance.models import AISystem, Assignment, Person, ServiceKey
from governance.services.accounts import account_for
from governance.services.keys import create_service_key
from governance.services.offers import OPEN
from governance.services.systems import system_by_slug
from ledger.entries import COMMAND
from ledger.sealing import sealing


class Command(BaseCommand):
    help = "Make a service key and print it, once. It is for one environment, the named AI systems and the named acts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--system", action="append", default=[], metavar="SLUG", help="repeatable")
        parser.add_argument("--scope", action="append", required=True, choices=ServiceKey.Scope.values)
        parser.add_argument("--environment", default="production", metavar="SLUG")
        parser.add_argument(
            "--account", metavar="SLUG", help="service account, made if unknown; default: the system's slug"
        )
        parser.add_argument("--days", type=int, default=365, help="days until it expires; at most 730")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["system"] and not options["account"]:
            raise CommandError("Name a --system, or the --account of a key that reaches none yet.")
        try:
            self.stdout.write(_make(options))
        except (ServiceError, ValidationError) as refusal:
            raise CommandError(in_words(refusal)) from refusal


def _make(options: dict[str, Any]) -> str:
    with sealing():
        systems = [system_by_slug(slug) for slug in dict.fromkeys(options["system"])]
        slug = options["account"] or systems[0].slug
        account = account_for(actor=COMMAND, slug=slug, name=slug, owner=_owner(systems))
        made = create_service_key(
            actor=COMMAND,
            account=account,
            systems=systems,
            scopes=options["scope"],
            environment=options["environment"],
            expires_at=timezone.now() + timedelta(days=options["days"]),
        )
    return made.text


def _owner(systems: list[AISystem]) -> Person | None:
    """A new account belongs to whoever answers, or was asked to answer, for the first system."""
    offers = Assignment.objects.filter(
        system__in=systems[:1],
        role=Role.ACCOUNTABLE,
        scope=Assignment.Scope.SYSTEM,
        status__in=OPEN,
        person__is_active=True,
    )
    newest = offers.order_by(F("accepted_at").desc(nulls_last=True), "-id").first()
    return newest.person if newest else None
