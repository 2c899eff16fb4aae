"""`manage.py export`: make an export at this terminal, by somebody who may, and put it into a file."""

import os
import sys
import time
import uuid
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from config.errors import ServiceError
from config.problems import in_words
from evidence.exports.codes import FAILURES, LEFT_OUT, TROUBLES
from evidence.exports.fetching import fetch, part_of
from evidence.exports.models import Export
from evidence.exports.pace import Pace
from evidence.exports.progress import Progress
from evidence.exports.requesting import Asked, cancel_export, request_export
from evidence.exports.running import claim, run_slice
from evidence.exports.storage import StorageAway
from evidence.log_commands import sign_in
from governance.models import AISystem
from governance.rights import as_actor
from ledger.entries import Actor

NOT_WHOLE = 3
LOOK_EVERY = 0.5
SLICE = 5.0


class Command(BaseCommand):
    help = (
        "Asks for an export in the name of somebody who may have it, makes it here and puts it into a file. Contents of"
        " decisions need a second person: ask for those in the web admin. Exit code 0: it is whole; 3: it is not, and"
        " its name and manifest say so too; 1: it could not be made."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", required=True, metavar="EMAIL", help="who asks: an auditor, whoever is accountable")
        about = parser.add_mutually_exclusive_group(required=True)
        about.add_argument("--system", metavar="SLUG", help="everything of an AI system, within times if given")
        about.add_argument("--case", type=uuid.UUID, metavar="ID", help="the decisions of a case")
        about.add_argument("--decision", type=uuid.UUID, metavar="ID", help="one decision")
        parser.add_argument("--since", metavar="TIME", help="received at or after this (ISO 8601; UTC unless it says)")
        parser.add_argument("--until", metavar="TIME", help="received before this")
        parser.add_argument("--form", default=Export.Form.BUNDLE, choices=Export.Form.values)
        parser.add_argument("--reason", required=True, help="what it is for")
        parser.add_argument(
            "--head",
            type=Path,
            metavar="FILE",
            action="append",
            default=[],
            help="a signed checkpoint to prove it against",
        )
        parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the file is put")
        parser.add_argument("--full-speed", action="store_true", help="do not give way to decisions that come in")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["output"].is_dir():
            raise CommandError(f"There is no folder {options['output']}.", returncode=2)
        head = "\n".join(_head_in(path) for path in options["head"])
        actor = as_actor(sign_in(options["by"], with_code=True))
        try:
            export = request_export(
                actor=actor,
                asked=_asked(options),
                form=options["form"],
                reason=options["reason"],
                head=head,
            )
            made = self._made(actor, export, is_alone=options["full_speed"])
            path = self._fetched(actor, made, options["output"])
        except ServiceError as error:
            raise CommandError(in_words(error)) from error
        self.stdout.write(str(path))
        if not made.is_whole:
            why = " ".join(LEFT_OUT.get(code, code) for code in made.left_out)
            raise CommandError(f"The export is not whole. {why}", returncode=NOT_WHOLE)

    def _made(self, actor: Actor, export: Export, *, is_alone: bool) -> Export:
        """The export once it is finished. Interrupted, it is given up. Errors: `CommandError`."""
        pace = Pace(is_alone=is_alone)
        try:
            while export.is_open:
                work = claim(only=export.pk)
                if work is not None:
                    run_slice(work, pace=pace, until=time.monotonic() + SLICE)
                else:  # another worker has it, or it waits to be tried again
                    time.sleep(LOOK_EVERY)
                export = Export.objects.select_related("work").get(pk=export.pk)
                self._say(export)
        except KeyboardInterrupt:
            cancel_export(actor=actor, export_id=export.pk)
            raise CommandError("Given up. Nothing of it is kept.") from None
        if export.status != Export.Status.FINISHED:
            raise CommandError(f"It was not made: {FAILURES.get(export.failure, export.get_status_display())}.")
        return export

    def _say(self, export: Export) -> None:
        progress = Progress.of(export)
        if progress and self.stderr.isatty():
            share = f" {progress.percent}%" if progress.percent is not None else ""
            self.stderr.write(f"\r{progress.words}{share}. {TROUBLES.get(progress.trouble, '')}", ending="")
            sys.stderr.flush()

    def _fetched(self, actor: Actor, export: Export, folder: Path) -> Path:
        path = folder / export.file_name
        new = path.with_name(f".{path.name}.new")
        try:
            with new.open("wb") as file:
                for data in fetch(actor=actor, part=part_of(actor=actor, export_id=export.pk)):
                    file.write(data)
                os.fsync(file.fileno())
            new.replace(path)
        except (OSError, StorageAway) as error:
            new.unlink(missing_ok=True)
            page = reverse("admin:export", args=[export.pk])
            raise CommandError(f"It was made, and could not be put here: {error}. Fetch it at {page}.") from error
        return path


def _head_in(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.", returncode=2) from error


def _asked(options: dict[str, Any]) -> Asked:
    since, until = _moment(options["since"]), _moment(options["until"])
    if options["system"]:
        system = AISystem.objects.filter(slug=options["system"]).first()
        # one that there is not looks like one that is out of reach
        return Asked(question="range", system_id=system.pk if system else uuid.UUID(int=0), since=since, until=until)
    question, name = ("case", "case_id") if options["case"] else ("decision", "decision_id")
    return Asked(question=question, since=since, until=until, **{name: options["case"] or options["decision"]})


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parse_datetime(text) or parse_datetime(f"{text}T00:00:00")
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text} is no time, as 2026-03-01 or 2026-03-01T08:00:00Z is.", returncode=2)
    return timezone.make_aware(found, timezone.get_default_timezone()) if timezone.is_naive(found) else found
