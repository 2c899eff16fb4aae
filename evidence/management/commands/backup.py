"""`manage.py backup`: one folder with everything that is needed to go on elsewhere, made while the service runs."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from evidence.backup_commands import BackupCommand
from evidence.backups.making import Made, make_backup
from evidence.backups.manifest import EXIT_LOOK
from ledger.entries import COMMAND


class Command(BackupCommand):
    help = (
        "Write a backup into a new folder below FOLDER, while the service runs: the database, the head store, the keys,"
        " the origin, and a signed manifest. Whole or not at all. Exit code 0: made. 1: nothing was made. 3: made, and"
        " something must be looked at (a log in trouble is backed up too, and said)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path, help="where backups go, outside the data folder")
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument("--without-keys", action="store_true", help="leave signing.key and digest.key out of it")
        keys.add_argument("--keys-to", type=Path, metavar="FOLDER", help="put the keys into another folder instead")
        parser.add_argument(
            "--keep-days",
            type=int,
            metavar="N",
            help="afterwards remove backups there that were made more than N days before this one"
            " (ANSWERABLE_BACKUP_DAYS, where it is set)",
        )

    def act(self, options: dict[str, Any]) -> None:
        made = make_backup(
            actor=COMMAND,
            target=options["folder"],
            with_keys=not options["without_keys"],
            keys_target=options["keys_to"],
            keep_days=_days(options["keep_days"]),
            progress=self.progress,
        )
        self.end_progress()
        self._say(made)
        if made.troubles:
            sys.exit(EXIT_LOOK)

    def _say(self, made: Made) -> None:
        size = sum(mark.size for mark in made.manifest.files)
        self.stdout.write(
            f"{made.folder}\n{len(made.manifest.logs)} logs, {made.manifest.entries:,} entries, {size:,} bytes."
        )
        if made.keys_folder:
            self.stdout.write(f"The keys: {made.keys_folder}")
        elif not made.manifest.has_keys:
            self.stdout.write("Without keys: keep signing.key and digest.key elsewhere, it is no use without them.")
        for name in made.removed:
            self.stdout.write(f"Removed: {name}")
        for trouble in made.troubles:
            self.stderr.write(self.style.ERROR(trouble))


def _days(given: int | None) -> int | None:
    """Errors: `CommandError` where backups would be kept for longer than was promised of erasures."""
    promised = settings.BACKUP_DAYS or None
    if given is not None and given < 1:
        raise CommandError("--keep-days is a whole number above 0.")
    if given is not None and promised is not None and given > promised:
        raise CommandError(f"ANSWERABLE_BACKUP_DAYS says {promised}: erased data would be kept in backups for longer.")
    return given if given is not None else promised
