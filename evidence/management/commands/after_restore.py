"""`manage.py after_restore`: what a restored database does not know: files of exports of which it has no row, or cannot
tell what was erased since; and what was erased after the backup was made."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.errors import ServiceError
from evidence.backups.manifest import EXIT_LOOK
from evidence.erasure.memory import erasure_memory
from evidence.exports.storage import StorageAway
from evidence.exports.sweeping import forget_of_before_a_restore, forget_unknown, kept_elsewhere
from evidence.services.erased_again import Returned, returned

AGAIN = """
{number} that were erased are back, of {erasures}: the database is older than that. A data protection officer prepares
them again on the page Erasures (Prepare again), somebody accountable agrees again, and a day later they go again.
Until then whoever may read them can: do not let anybody else in before.
"""
ELSEWHERE = """\
{number} of exports in places that are not this host's: the exports worker of the host that has them deletes them when
their time is over, and no erasure of what is in them is done before. If no host has them any more: after_restore
--places-are-gone."""
FORGOTTEN = "{number} of exports in places that are not this host's: taken for gone, as you say."
NOBODY = "There is no {path}: nobody knows here what was erased after the backup was made."


class Command(BaseCommand):
    help = (
        "After a restore, by whichever means: delete the files of exports that the database knows nothing of, and say"
        " what was erased after the backup was made and is back. `manage.py restore` runs it by itself. Exit code 0:"
        " nothing is back. 3: people have to look."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--places-are-gone",
            action="store_true",
            help="other places of exports than this host's (another host's folder, a former disk) are no more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            gone, older = forget_unknown(), forget_of_before_a_restore()
            are_gone: bool = options["places_are_gone"]
            elsewhere = kept_elsewhere(are_gone=are_gone)
            is_known, found = erasure_memory().path.exists(), returned()
        except ServiceError as error:
            self.stderr.write(self.style.ERROR(f"{error.title}: {error.detail}"))
            sys.exit(EXIT_LOOK)
        except StorageAway as error:
            self.stderr.write(self.style.ERROR(f"The folder of exports cannot be read or written: {error}"))
            sys.exit(EXIT_LOOK)
        if gone:
            self.stdout.write(f"Deleted: {_many(gone, 'file')} of exports that this database knows nothing of.")
        if older:
            self.stdout.write(f"Deleted: {_many(older, 'file')} of exports with contents, made before the restore.")
        if elsewhere:
            self.stdout.write((FORGOTTEN if are_gone else ELSEWHERE).format(number=_many(elsewhere, "file")))
        if not is_known:
            self.stdout.write(NOBODY.format(path=erasure_memory().path))
        if not found:
            self.stdout.write("Nothing of what was erased, as far as this host remembers, is back.")
            return
        for each in found:
            self.stdout.write(_line(each))
        number = sum(len(each.back) for each in found)
        self.stdout.write(AGAIN.format(number=_many(number, "thing"), erasures=_many(len(found), "erasure")).rstrip())
        sys.exit(EXIT_LOOK)


def _line(each: Returned) -> str:
    waiting = f", of which an open request is about {len(each.waiting):,}" if each.waiting else ""
    return f"erasure {each.asked.id}: {_many(len(each.back), 'thing')} back{waiting}"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
