"""`manage.py setup_database`: migrate, guard, partition and open the registry, as the role `keeper`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from ledger.entries import SERVER
from ledger.guard import apply_guard
from ledger.logs import open_registry
from ledger.signing import create_signing_key

MONTHS_BACK, MONTHS_AHEAD = 2, 12


class Command(BaseCommand):
    help = "Bring the database up to date. Needs ANSWERABLE_ADMIN_DATABASE_URL, the address of the role that owns it."

    def handle(self, *args: Any, **options: Any) -> None:
        if "keeper" not in settings.DATABASES:
            raise CommandError("Set ANSWERABLE_ADMIN_DATABASE_URL to the address of the role that owns the tables.")
        call_command("migrate", database="keeper", interactive=False, verbosity=options["verbosity"])
        with connections["keeper"].cursor() as cursor:
            apply_guard(cursor, app_role=settings.DATABASES["default"]["USER"])
            cursor.execute("SELECT audit_ensure_partitions(%s, %s)", [MONTHS_BACK, MONTHS_AHEAD])
        create_signing_key(Path(settings.SIGNING_KEY_FILE))
        open_registry(actor=SERVER)
        connections.close_all()
