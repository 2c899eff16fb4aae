"""`manage.py rotate_signing_key`: replace the key that signs checkpoints; both sign until `--finish`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from config.errors import ServiceError
from evidence.log_commands import TwoAdministratorsCommand, in_words
from evidence.models import CustodyRequest
from evidence.services.key_rotation import Rotated, begin_rotation, finish_rotation, withdraw_keys
from governance.models import Person
from ledger.entries import COMMAND

What = CustodyRequest.What
ACTS = {
    What.BEGIN_ROTATION: begin_rotation,
    What.FINISH_ROTATION: finish_rotation,
    What.WITHDRAW_KEYS: withdraw_keys,
}


class Command(TwoAdministratorsCommand):
    help = (
        "One administrator asks and another agrees to announce a new signing key in every open log, signed for by the"
        " old one. From then on checkpoints bear both signatures, until two administrators end it with --finish. Back"
        " up the key file after each of the two, and copy it to the other hosts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        step = parser.add_mutually_exclusive_group()
        step.add_argument("--finish", action="store_true", help="retire the old key: the new one signs alone")
        step.add_argument(
            "--withdraw", action="store_true", help="retire a key that was announced and is not in the key file here"
        )

    def what(self, options: dict[str, Any]) -> CustodyRequest.What:
        if options["finish"]:
            return What.FINISH_ROTATION
        return What.WITHDRAW_KEYS if options["withdraw"] else What.BEGIN_ROTATION

    def together(self, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> None:
        try:
            self.said(ACTS[self.what(options)](actor=COMMAND, asked_by=asked_by, approved_by=approved_by))
        except ServiceError as error:
            raise CommandError(in_words(error)) from error

    def said(self, rotated: Rotated | None) -> None:
        if rotated is None:
            return
        self.stdout.write(f"Sealed in {rotated.logs} log(s). The registry log is signed from here on by")
        for vkey in rotated.vkeys:
            self.stdout.write(f"  {vkey}")
        if len(rotated.vkeys) > 1:
            self.stdout.write(
                "Now: back up the key file, copy it to the other hosts, and give everybody who verifies the new"
                " verifier keys of their logs (Logs in the admin, or GET /api/v1/logs). Then run this with --finish."
            )
        else:
            self.stdout.write("Now: back up the key file, and copy it to the other hosts.")
