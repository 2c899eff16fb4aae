"""`manage.py witness`: a witness for somebody's logs (docs/witnessing.md). Asks no database, changes nothing here."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ledger.witness import command


class Command(BaseCommand):
    help = command.__doc__
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        command.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        code = command.run(argparse.Namespace(**options))
        if code:
            sys.exit(code)
