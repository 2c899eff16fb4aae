"""`manage.py rotate_signing_key`: replace the key that signs checkpoints; both sign until `--finish`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from config.errors import ServiceError
from evidence.log_commands import TwoAdministratorsCommand
from evidence.services.key_rotation import Rotated, begin_rotation, finish_rotation, withdraw_keys
from ledger.entries import COMMAND


class Command(TwoAdministratorsCommand):
    help = (
        "Two administrators announce a new signing key in every open log, signed for by the old one. From then on"
        " checkpoints bear both signatures, until two administrators end it with --finish. Back up the key file after"
        " each of the two, and copy it to the other hosts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        step = parser.add_mutually_exclusive_group()
        step.add_argument("--finish", action="store_true", help="retire the old key: the new one signs alone")
        step.add_argument(
            "--withdraw", action="store_true", help="retire a key that was announced and is not in the key file here"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked_by, approved_by = self.sign_in_both(options)
        act = finish_rotation if options["finish"] else withdraw_keys if options["withdraw"] else begin_rotation
        try:
            done = act(actor=COMMAND, asked_by=asked_by, approved_by=approved_by)
        except ServiceError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self._say(done)

    def _say(self, done: Rotated) -> None:
        self.stdout.write(f"Sealed in {done.logs} log(s). The registry log is signed from here on by")
        for vkey in done.vkeys:
            self.stdout.write(f"  {vkey}")
        if len(done.vkeys) > 1:
            self.stdout.write(
                "Now: back up the key file, copy it to the other hosts, and give everybody who verifies the new"
                " verifier keys of their logs (Logs in the admin, or GET /api/v1/logs). Then run this with --finish."
            )
        else:
            self.stdout.write("Now: back up the key file, and copy it to the other hosts.")
