"""What the commands of backups share: how far they are, how they end, and that nothing half done is left behind."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.standalone.stopping import StopAsked, StopRequest, stop_signals
from evidence.backups.manifest import BackupError

SAID_EVERY = 5.0
MEGABYTE = 1_000_000


class BackupCommand(BaseCommand):
    """Ends with what went wrong in words; a signal that asks it to stop takes back what it has done."""

    requires_system_checks: list[str] = []  # a check may look for the database that is to be restored

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress")

    def add_vkey(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--vkey",
            action="append",
            default=[],
            metavar="KEY",
            help="a verifier key of one of its logs, from elsewhere, that must have signed it; may be given again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.quiet: bool = options["quiet"]
        self.said_at = time.monotonic()
        self.is_in_line = False
        try:
            with stop_signals(StopRequest()):
                self.act(options)
        except BackupError as error:
            self.end_progress()
            raise CommandError(str(error)) from error
        except StopAsked:
            self.end_progress()
            raise CommandError("Stopped. What was not finished was taken back.", returncode=1) from None

    def act(self, options: dict[str, Any]) -> None:
        raise TypeError("a command of backups says what it does")

    def progress(self, what: str, done: int, size: int | None) -> None:
        """How far it is: a line that is written over at a terminal, a line every few seconds elsewhere."""
        now = time.monotonic()
        is_terminal = self.stderr.isatty()
        if self.quiet or now - self.said_at < (0.2 if is_terminal else SAID_EVERY):
            return
        self.said_at, self.is_in_line = now, is_terminal
        of = f" of {size / MEGABYTE:,.1f}" if size else ""
        line = f"{what}: {done / MEGABYTE:,.1f}{of} MB" if done else what
        self.stderr.write(f"\r\x1b[K{line}" if is_terminal else line, ending="" if is_terminal else "\n")

    def end_progress(self) -> None:
        if self.is_in_line:
            self.stderr.write("")
            self.is_in_line = False
