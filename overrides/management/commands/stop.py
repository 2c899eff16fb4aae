"""`manage.py stop`: stop AI systems from the host, also when the web server and the broker are down."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from config.errors import ServiceError
from config.problems import in_words
from ledger.entries import COMMAND
from overrides.places import in_words as place_in_words
from overrides.places import node_of
from overrides.services.confirming import Confirmation, confirmation_of
from overrides.services.switches import Tightened, tighten
from overrides.standing import InFlight, Mode

POLL_SECONDS = 0.5
NOTHING_STOPPED = (
    "The database does not answer, so NOTHING WAS STOPPED. Until it does: write the scope and 'stop' into the"
    " break-glass file of each client, or take away what the model is reached by. Then run this again."
)


class Command(BaseCommand):
    help = (
        "Set a switch to stop (or another mode) from the host. Needs the database alone. Prints what is in force and"
        " who has confirmed. Starting again takes two people, signed in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "scope", help="'*' for everything, or a system's slug; then /environment, @version, :capability"
        )
        parser.add_argument("--reason", required=True, metavar="CODE", help="such as harm-reported")
        parser.add_argument("--mode", choices=[each.value for each in Mode if each is not Mode.RUN], default="stop")
        parser.add_argument("--in-flight", choices=[each.value for each in InFlight], default="hold")
        parser.add_argument("--wait", type=float, default=15.0, metavar="S", help="seconds to wait for confirmations")

    def handle(self, *args: Any, **options: Any) -> None:
        done = _tighten(options)
        self.stdout.write(_in_force(done))
        found = confirmation_of(done.change)
        until = time.monotonic() + options["wait"]
        while not found.is_complete and found.expected and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            found = confirmation_of(done.change)
        self.stdout.write(_confirmed(found))


def _tighten(options: dict[str, Any]) -> Tightened:
    try:
        return tighten(
            actor=COMMAND,
            node=node_of(options["scope"]),
            mode=Mode(options["mode"]),
            reason_code=options["reason"],
            in_flight=InFlight(options["in_flight"]),
            source="command",
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    except (ServiceError, ValidationError) as refusal:
        raise CommandError(in_words(refusal)) from refusal
    except Error as error:
        raise CommandError(f"{NOTHING_STOPPED}\n{error}") from error


def _in_force(done: Tightened) -> str:
    switch = done.switch
    state = f"{place_in_words(switch.node)}: {switch.mode}, {switch.reason_code}, epoch {switch.epoch}"
    since = "" if done.is_new else f", as it was since {switch.changed_at:%Y-%m-%d %H:%M:%S} UTC"
    sealed = "sealed" if done.is_sealed else "in force, not sealed yet: its log takes no entry now"
    return f"{state}{since} ({sealed})"


def _confirmed(found: Confirmation) -> str:
    lines = [found.in_words]
    lines += [f"  confirmed  {each.instance}" for each in found.confirmed]
    lines += [f"  seen       {each.instance}" for each in found.seen]
    lines += [f"  silent     {each.instance}, last heard {each.heard_at:%H:%M:%S} UTC" for each in found.silent]
    lines += [f"  ungoverned service account {each}" for each in found.ungoverned]
    lines += [f"  reads, does not confirm: service account {each}" for each in found.reading]
    return "\n".join(lines)
