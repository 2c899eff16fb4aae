"""`manage.py load_demo`: the demonstration's company, and how to get in."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.demo.cast import EVERYBODY
from console.demo.loading import NotADemonstration, OldDemonstration, load
from console.demo.stream import example

TEXT = """\
  This is a demonstration: people, AI systems and decisions are made up.

  Sign in         {address}/admin/
  E-mail          {email}
  Password        {password}
                  (the same for everybody below; nobody is made to have a second factor here)

{people}

  Service key     {key}

  Record a decision yourself:

  curl -X POST {address}/api/v1/decisions \\
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{record}'
"""


class Command(BaseCommand):
    help = "Load the demonstration into an empty installation, once, and print how to get in."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            credentials = load()
        except OldDemonstration as refusal:
            raise CommandError(
                "The demonstration in this folder was made by an earlier release and lacks people or keys that this "
                "one goes on with."
            ) from refusal
        except NotADemonstration as refusal:
            raise CommandError(
                "This installation has an administrator of its own; what is sealed stays for ever, so the "
                "demonstration belongs into an empty one (ANSWERABLE_DATA_DIR)."
            ) from refusal
        self.stdout.write(
            TEXT.format(
                address=settings.BASE_URL.rstrip("/"),
                email=credentials.email,
                people=_people(),
                password=credentials.password,
                key=credentials.key,
                record=json.dumps(example()),
            ),
            ending="",
        )


def _people() -> str:
    """One login for each role, in columns."""
    width = max(len(member.email) for member in EVERYBODY)
    return "\n".join(f"  {member.email:{width}}  {member.may}" for member in EVERYBODY)
