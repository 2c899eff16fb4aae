"""`manage.py recount_case`: for a case whose page counts something else than what is in it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.models import Case
from audit.services.recounting import recount_case
from ledger.entries import COMMAND


class Command(BaseCommand):
    help = (
        "Derive the counts of a case anew from the decisions in it, where verify_logs finds them wrong"
        " (case-mistallied). Changes no evidence; sealed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("case", help="its reference, as 2026-0001, or its uuid, as verify_logs names it")

    def handle(self, *args: Any, case: str, **options: Any) -> None:
        found = next((each for each in Case.objects.all() if case in (each.reference, str(each.pk))), None)
        if found is None:
            raise CommandError(f"There is no case {case!r}.")
        done = recount_case(actor=COMMAND, case_id=found.pk)
        if not done.is_changed:
            self.stdout.write(f"{found}: the counts are right. Nothing was changed.")
            return
        self.stdout.write(f"{found}: counted again. {done.count} decisions are in it; the counts said {done.was}.")
