"""`manage.py adopt_head`: let this host, which has no head of a log, start from the database's."""

from typing import Any

from evidence.log_commands import CustodyCommand
from evidence.models import CustodyRequest
from evidence.services.custody import adopt_head
from governance.models import Person
from ledger.entries import COMMAND
from ledger.models import Log


class Command(CustodyCommand):
    help = (
        "A host that has no head of a log refuses to sign for it: it could be shown an old database and not know."
        " One administrator asks and another agrees to start from what is there, after the whole log was verified. Only"
        " for logs that lost nothing: one that did would be signed a second time from there on (close_log"
        " --tail-unknown)."
    )

    def what(self, options: dict[str, Any]) -> CustodyRequest.What:
        return CustodyRequest.What.ADOPT

    def act(self, log: Log, asked_by: Person, approved_by: Person, options: dict[str, Any]) -> str:
        head = adopt_head(actor=COMMAND, asked_by=asked_by, approved_by=approved_by, log=log)
        return f"{log.origin}: adopted the head of {head.tree_size:,} entries"
