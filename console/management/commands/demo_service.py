"""`manage.py demo_service`: the demonstration's governed service, by the Python SDK (sdk/), until stopped."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.demo.loading import NotADemonstration, stored


class Command(BaseCommand):
    help = "Run instances of a made-up credit service that asks before it acts, and obeys. Needs sdk/src on the path."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instances", type=int, default=4)
        parser.add_argument("--every", type=float, default=6.0, help="seconds between two decisions of one, about")

    def handle(self, *args: Any, **options: Any) -> None:
        from console.demo.service import Plan, serve  # its client need not be there for other commands

        try:
            key = stored().service_key
        except NotADemonstration as refusal:
            raise CommandError("There is no demonstration here; `manage.py load_demo` makes one.") from refusal
        plan = Plan(
            url=settings.BASE_URL.rstrip("/"),
            control_url=settings.CONTROL_URL.rstrip("/"),
            key=key,
            folder=Path(settings.DATA_DIR) / "demo-service",
            every=options["every"],
        )
        serve(plan, options["instances"])
