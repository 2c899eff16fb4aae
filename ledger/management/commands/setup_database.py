"""`manage.py setup_database`: migrate, guard, partition and open the registry, as the role `keeper`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config.errors import ServiceError
from ledger.entries import SERVER
from ledger.guard import apply_guard
from ledger.key_file import create_key_file
from ledger.logs import open_registry
from ledger.models import Log
from ledger.signing import signing_seeds

MONTHS_BACK, MONTHS_AHEAD = 2, 12

NO_KEY = (
    "There is no signing key at {path}, and this database has logs that were signed with one. A new key would make "
    "every checkpoint look forged, so none is made. Restore signing.key from the backup to that place, or set "
    "ANSWERABLE_SIGNING_KEY_FILE to where it is."
)


class Command(BaseCommand):
    help = "Bring the database up to date. Needs ANSWERABLE_ADMIN_DATABASE_URL, the address of the role that owns it."

    def handle(self, *args: Any, **options: Any) -> None:
        if "keeper" not in settings.DATABASES:
            raise CommandError("Set ANSWERABLE_ADMIN_DATABASE_URL to the address of the role that owns the tables.")
        with connections["keeper"].cursor() as cursor:
            # between two statements of a migration its models are computed, which takes its time on a busy machine
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
        call_command("migrate", database="keeper", interactive=False, verbosity=options["verbosity"])
        with connections["keeper"].cursor() as cursor:
            apply_guard(cursor, app_role=settings.DATABASES["default"]["USER"])
            cursor.execute("SELECT audit_ensure_partitions(%s, %s)", [MONTHS_BACK, MONTHS_AHEAD])
        self._open_registry(Path(settings.SIGNING_KEY_FILE))
        connections.close_all()

    def _open_registry(self, key_file: Path) -> None:
        if Log.objects.filter(kind=Log.Kind.REGISTRY).exists():
            if not key_file.exists():
                raise CommandError(NO_KEY.format(path=key_file))
        else:
            create_key_file(key_file)
        try:
            open_registry(actor=SERVER)
            signing_seeds()
        except ServiceError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
