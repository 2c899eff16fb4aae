"""`manage.py close_log`: close a log whose signed tail is lost for good, and open its successor."""

from argparse import ArgumentParser
from typing import Any

from evidence.log_commands import CustodyCommand
from evidence.models import CustodyRequest
from evidence.services.custody import close_log
from governance.models import Person
from governance.origins import require_own_origin
from ledger.entries import COMMAND
from ledger.models import Log


class Command(CustodyCommand):
    help = (
        "After a restore from an old backup the database holds less than was signed, and the log takes no more entries."
        " One administrator asks and another agrees to close it; its successor's first entry states what is missing."
        " This cannot be undone: look for the missing tail first (replicas, later backups, `manage.py logs`)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--tail-unknown",
            action="store_true",
            help="of logs that this host has no head of, so that nobody can say how much they lost; their successors"
            " say that",
        )

    def what(self, options: dict[str, Any]) -> CustodyRequest.What:
        require_own_origin()
        return CustodyRequest.What.CLOSE_UNKNOWN if options["tail_unknown"] else CustodyRequest.What.CLOSE

    def act(self, log: Log, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> str:
        successor = close_log(
            actor=COMMAND,
            asked_by=asked_by,
            approved_by=approved_by,
            log=log,
            tail_unknown=options["tail_unknown"],
        )
        return f"{log.origin}: closed; continued by {successor.origin}"
