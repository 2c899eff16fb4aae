"""`manage.py verify_logs`: derive everything again from the sealed bytes and compare."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from evidence.log_commands import named_logs
from evidence.verification import Finding, verify_everything
from ledger.models import Log

EXIT_TAMPERED = 1


class Command(BaseCommand):
    help = (
        "Verify every log against its entries: leaf hashes, tiles, heads, decisions, payloads, register and history."
        " Exit code 0: everything fits. 1: something does not; each finding is a line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--log", help="one log only: its uuid, its origin, or 'registry'")
        parser.add_argument("--json", action="store_true", help="findings as one JSON object a line")
        parser.add_argument("--quiet", action="store_true", help="no progress")

    def handle(self, *args: Any, **options: Any) -> None:
        only = named_logs(options["log"], closed=True)[0].id if options["log"] else None
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        findings = 0
        progress = (lambda log, done, size: None) if options["quiet"] else self._progress
        for finding in verify_everything(only=only, progress=progress):
            findings += 1
            self._print(finding, as_json=options["json"])
        self._end_line()
        if findings:
            self.stderr.write(self.style.ERROR(f"{findings} finding(s): the database is not what was sealed."))
            sys.exit(EXIT_TAMPERED)
        if not options["json"]:
            self.stdout.write(self.style.SUCCESS("Verified: the database holds what was sealed, no more and no less."))

    def _progress(self, log: Log, done: int, size: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{log.origin}: {done:,} of {size:,} entries", ending="")

    def _end_line(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("")

    def _print(self, finding: Finding, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(finding.as_json()) if as_json else str(finding))
