"""`manage.py demo_stream`: the demonstration's services, posting their decisions over HTTP until stopped."""

import json
import time
import urllib.error
import urllib.request
import uuid
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.ids import new_id
from console.demo.colleague import Colleague
from console.demo.loading import NotADemonstration, stored
from console.demo.past import ANSWERS, act_on
from console.demo.stream import Record, chance, close_call, credit_limit, mishaps, next_record, past_moments

RETRIED = {429, 502, 503}
PATIENCE_SECONDS = 30
CARRIED_OUT = 12
TRIES = 10


class Command(BaseCommand):
    help = "Post made-up decisions: some hundreds over the last hours the first time, then about one a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--backfill", type=int, default=400, help="decisions of the last hours, the first time")
        parser.add_argument("--hours", type=float, default=6, help="how far back they reach")
        parser.add_argument("--per-second", type=float, default=1.0)
        parser.add_argument("--count", type=int, help="stop after so many (for tests)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sender = Sender(settings.BASE_URL.rstrip("/"), stored().key)
        except NotADemonstration as refusal:
            raise CommandError("There is no demonstration here; `manage.py load_demo` makes one.") from refusal
        _fill_once(sender, options["backfill"], options["hours"])
        _act_once(sender, options["backfill"])
        colleague, sent = Colleague(), 0
        while options["count"] is None or sent < options["count"]:
            time.sleep(chance.expovariate(options["per_second"]))
            sender.post("/api/v1/decisions", next_record(datetime.now(UTC)))
            sent += 1
            colleague.look()


class Sender:
    """Posts as a service does: the same record again when the server says it cannot just now."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, path: str, body: Record | list[Record]) -> Any:
        """The answer. Errors: `CommandError` with the problem document of a refusal."""
        request = urllib.request.Request(  # noqa: S310  the address is our own setting
            self.address + path, json.dumps(body).encode(), self.headers, method="POST"
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
                    return json.loads(answer.read())
            except urllib.error.HTTPError as refusal:
                if refusal.code not in RETRIED:
                    raise CommandError(f"{path}: {refusal.code} {refusal.read().decode()}") from refusal
                time.sleep(float(refusal.headers.get("Retry-After", 1)))
            except OSError:
                time.sleep(1)  # it is starting, or being restarted


def _fill_once(sender: Sender, count: int, hours: float) -> None:
    """History for a first look; a restart adds none."""
    done = Path(settings.DATA_DIR) / "demo-backfilled"
    if count and not done.exists():
        answer = sender.post("/api/v1/decisions/batch", [next_record(at) for at in past_moments(count, hours)])
        refused = [each for each in answer["results"] if each["status"] not in ("accepted", "duplicate")]
        if refused:
            raise CommandError(f"{len(refused)} of {count} were not accepted, the first: {refused[0]}")
        sender.post("/api/v1/decisions/batch", mishaps(datetime.now(UTC)))
        done.touch()


def _act_once(sender: Sender, count: int) -> None:
    """What people did already. By services: nothing here is done that a person could not do."""
    done = Path(settings.DATA_DIR) / "demo-acted"
    if not count or done.exists():
        return
    now = datetime.now(UTC)
    held = [_held(sender, now) for _ in ANSWERS]
    plain = [credit_limit(now) | {"id": str(new_id())} for _ in range(CARRIED_OUT)]
    for record in plain:
        sender.post("/api/v1/decisions", record)
    act_on(held, [uuid.UUID(record["id"]) for record in plain])
    done.touch()


def _held(sender: Sender, at: datetime) -> uuid.UUID:
    """A decision that waits for a person. Rules are known in every process within two seconds of their making."""
    for _ in range(TRIES):
        answer = sender.post("/api/v1/decisions", close_call(at))
        if answer["directive"]["action"] == "hold":
            return uuid.UUID(answer["id"])
        time.sleep(0.5)
    raise CommandError(f"The review rule held nothing: {answer['directive']}")
