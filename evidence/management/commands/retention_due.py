"""`manage.py retention_due`: what is due, and under which class, before it goes."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from audit.models import DataKind, Purge
from evidence.retention.due import Part, everything_due
from evidence.retention.keeping import holds_there
from evidence.retention.planning import COUNTED
from governance.models import AISystem


class Command(BaseCommand):
    help = (
        "Show what is past the ceiling of its retention class, or goes from quarantine soon: how many, when, under "
        "which class, what is kept back, and the purge announced."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        due = everything_due(timezone.now())
        announced = Purge.objects.filter(status__in=[Purge.Status.ANNOUNCED, Purge.Status.RUNNING]).first()
        if options["json"]:
            said = {"due": [_as_json(part) for part in due], "purge": _told(announced)}
            self.stdout.write(json.dumps(said, indent=2))
            return
        names = {str(pk): slug for pk, slug in AISystem.objects.values_list("pk", "slug")}
        for part in due:
            for line in _lines(part, names):
                self.stdout.write(line)
        if not due:
            self.stdout.write("Nothing is due.")
        if announced:
            self.stdout.write(f"A purge is {announced.status}: it runs from {announced.runs_at:%Y-%m-%d %H:%M} UTC on.")


def _lines(part: Part, names: dict[str, str]) -> Iterator[str]:
    kind, before = DataKind(part["kind"]), datetime.fromisoformat(part["before"])
    place = names.get(part["system"], part["system"]) or ("no AI system" if part["by_itself"] else "the organisation")
    number = f"{part['count']:,}" if part["count"] <= COUNTED else f"{COUNTED:,} at least"
    kept = f", {part['kept']:,} kept back" if part["kept"] else ""
    yield f"{kind.label} of {place}: {number} from before {before:%Y-%m-%d}{kept}; {_goes(part)}"
    named = (part["class_name"] or "(erased)") if part["class"] else "the default"
    floor = f"floor {part['floor_days']} days" + (f" ({part['floor_source']})" if part["floor_source"] else "")
    ceiling = f"ceiling {part['ceiling_days']} days" + (f" ({part['purpose']})" if part["purpose"] else "")
    yield f"  by {named}: {floor}, {ceiling}"
    system_id = uuid.UUID(part["system"]) if part["system"] else None
    for hold in holds_there(kind, system_id, before).select_related("case") if part["kept"] else ():
        what = f"on case {hold.case.reference}" if hold.case else f"from {hold.since} to {hold.until}"
        yield f"  a legal hold {what}: {hold.pk}"


def _goes(part: Part) -> str:
    at = part["goes_at"]
    if part["by_itself"]:
        return f"goes by itself, the first {at:%Y-%m-%d}" if at else "does not go while it is kept back"
    return f"goes with the purge of {at:%Y-%m-%d}" if at else "goes with the next purge"


def _as_json(part: Part) -> dict[str, Any]:
    said = {name: value for name, value in part.items() if name != "ends_at"}
    return said | {"goes_at": part["goes_at"].isoformat() if part["goes_at"] else None}


def _told(purge: Purge | None) -> dict[str, Any] | None:
    if purge is None:
        return None
    return {"id": str(purge.pk), "status": purge.status, "runs_at": purge.runs_at.isoformat(), "parts": purge.parts}
