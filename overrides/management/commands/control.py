"""`manage.py control`: what is in force, and what is known of the last change of each switch."""

from typing import Any

from django.core.management.base import BaseCommand

from overrides.clock import current_epoch
from overrides.models import Switch
from overrides.places import in_words
from overrides.services.confirming import confirmation_of
from overrides.standing import Mode


class Command(BaseCommand):
    help = "Print the epoch and every switch that says more than run, with who has confirmed it."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"epoch {current_epoch()}")
        switches = Switch.objects.exclude(mode=Mode.RUN).order_by("generation", "number")
        for switch in switches:
            self.stdout.write(_line(switch))
        if not switches:
            self.stdout.write("everything may run")


def _line(switch: Switch) -> str:
    change = switch.changes.latest("generation", "number")
    sealed = "" if not switch.seal_pending else ", not sealed yet"
    since = f"since {switch.changed_at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{in_words(switch.node)}: {switch.mode}, {switch.reason_code}, {since},"
        f" epoch {switch.epoch}{sealed}; {confirmation_of(change).in_words}"
    )
