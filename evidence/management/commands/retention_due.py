"""`manage.py retention_due`: what is past its time, before it goes."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from audit.models import Purge
from evidence.retention.planning import COUNTED, due_at, holds_there
from governance.models import AISystem


class Command(BaseCommand):
    help = "Show what is past the ceiling of its retention class, how many, what is kept back, and the purge announced."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        due = due_at(timezone.now())
        announced = Purge.objects.filter(status__in=[Purge.Status.ANNOUNCED, Purge.Status.RUNNING]).first()
        if options["json"]:
            said = {"due": [each.said() for each in due], "purge": _told(announced)}
            self.stdout.write(json.dumps(said, indent=2))
            return
        names = dict(AISystem.objects.values_list("pk", "slug"))
        for each in due:
            place = names.get(each.system_id, "the organisation") if each.system_id else "the organisation"
            number = f"{each.count:,}" if each.count <= COUNTED else f"{COUNTED:,} at least"
            kept = f", {each.kept:,} kept back" if each.kept else ""
            self.stdout.write(f"{each.kind.label} of {place}: {number} from before {each.before:%Y-%m-%d}{kept}")
            for hold in holds_there(each.kind, each.system_id, each.before).select_related("case"):
                what = f"on case {hold.case.reference}" if hold.case else f"from {hold.since} to {hold.until}"
                self.stdout.write(f"  a legal hold {what}: {hold.pk}")
        if not due:
            self.stdout.write("Nothing is past its time.")
        if announced:
            self.stdout.write(f"A purge is {announced.status}: it runs from {announced.runs_at:%Y-%m-%d %H:%M} UTC on.")


def _told(purge: Purge | None) -> dict[str, Any] | None:
    if purge is None:
        return None
    return {"id": str(purge.pk), "status": purge.status, "runs_at": purge.runs_at.isoformat(), "parts": purge.parts}
