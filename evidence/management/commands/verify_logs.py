"""`manage.py verify_logs`: derive everything again from the sealed bytes and compare."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from evidence.log_commands import named_logs
from evidence.verification import Finding, verify_everything
from evidence.verification.engine import Marks
from evidence.verification.resuming import DoesNotFit, load, save

EXIT_TAMPERED = 1
SAID_EVERY = 5.0
KEPT_EVERY = 5.0


class Command(BaseCommand):
    help = (
        "Verify every log against its entries: leaf hashes, tiles, heads, decisions, payloads, register and history."
        " Exit code 0: everything fits. 1: something does not; each finding is a line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--log", help="one log only: its uuid, its origin, or 'registry'")
        parser.add_argument("--json", action="store_true", help="findings as one JSON object a line")
        parser.add_argument("--quiet", action="store_true", help="no progress")
        parser.add_argument(
            "--resume",
            metavar="FILE",
            type=Path,
            help="keep in this file how far it has come, and go on from there when called again after an interruption;"
            " removed at the end. What the file says was verified is not verified again, so keep it where nobody else"
            " can write",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.quiet: bool = options["quiet"]
        self.as_json: bool = options["json"]
        self.file: Path | None = options["resume"]
        self.only = named_logs(options["log"], closed=True)[0].id if options["log"] else None
        self.findings: list[Finding] = []
        self.marks = Marks()
        self.said_at = self.kept_at = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        self._take_up()
        said = set(self.findings)
        for finding in verify_everything(only=self.only, progress=self._progress, marks=self.marks):
            if finding not in said:  # the guard is looked at each time
                self.findings.append(finding)
                self._print(finding)
        if self.file:
            self.file.unlink(missing_ok=True)
        self._end_line()
        if self.findings:
            self.stderr.write(
                self.style.ERROR(f"{len(self.findings)} finding(s): the database is not what was sealed.")
            )
            sys.exit(EXIT_TAMPERED)
        if not self.as_json:
            self.stdout.write(self.style.SUCCESS("Verified: the database holds what was sealed, no more and no less."))

    def _take_up(self) -> None:
        """Go on from the file, or say why not; and find out now whether it can be written."""
        if self.file is None:
            return
        try:
            self.marks, self.findings, forgotten = load(self.file, only=self.only)
        except FileNotFoundError:
            pass
        except DoesNotFit as error:
            self.stderr.write(f"{self.file} is ignored, and everything verified from its beginning: {error}.")
        except OSError as error:
            raise CommandError(f"{self.file} cannot be read: {error.strerror}") from error
        else:
            self._say_taken_up(forgotten)
        self._keep()

    def _say_taken_up(self, forgotten: list[str]) -> None:
        verified = sum(frontier.size for frontier in self.marks.frontiers.values())
        self.stderr.write(
            f"Going on from {self.file}: {verified:,} entries were verified, with {len(self.findings)} finding(s)."
        )
        for origin in forgotten:
            self.stderr.write(f"{origin} is not the log that was verified then: it is verified from its beginning.")
        for finding in self.findings:
            self._print(finding)

    def _keep(self) -> None:
        if self.file is None:
            return
        try:
            save(self.file, self.marks, self.findings, only=self.only)
        except OSError as error:
            raise CommandError(f"{self.file} cannot be written: {error.strerror}") from error
        self.kept_at = time.monotonic()

    def _progress(self, what: str, done: int, size: int | None) -> None:
        now = time.monotonic()
        if now - self.kept_at >= KEPT_EVERY:
            self._keep()
        if self.quiet:
            return
        line = f"{what}: {done:,} of {size:,} entries" if size is not None else f"{what}: {done:,} rows"
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{line}", ending="")
        elif now - self.said_at >= SAID_EVERY:
            self.stderr.write(line)
            self.said_at = now

    def _end_line(self) -> None:
        if self.stderr.isatty() and not self.quiet:
            self.stderr.write("")

    def _print(self, finding: Finding) -> None:
        self.stdout.write(json.dumps(finding.as_json()) if self.as_json else str(finding))
