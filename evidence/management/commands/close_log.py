"""`manage.py close_log`: close a log whose signed tail is lost for good, and open its successor."""

from evidence.log_commands import CustodyCommand
from evidence.services.custody import close_log
from governance.models import Person
from governance.origins import require_own_origin
from ledger.entries import COMMAND
from ledger.models import Log


class Command(CustodyCommand):
    help = (
        "After a restore from an old backup the database holds less than was signed, and the log takes no more entries."
        " Two administrators close it; its successor's first entry states what is missing. This cannot be undone:"
        " look for the missing tail first (replicas, later backups)."
    )

    def act(self, log: Log, asked_by: Person, approved_by: Person) -> str:
        require_own_origin()
        successor = close_log(actor=COMMAND, asked_by=asked_by, approved_by=approved_by, log=log)
        return f"{log.origin}: closed; continued by {successor.origin}"
