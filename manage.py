#!/usr/bin/env python
"""Django's command line for Answerable."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run a command; where nothing runs on the data folder, say that in one sentence."""
    from django.conf import settings
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        if settings.DATABASE_URL or _something_listens(settings.DATABASES["default"]["OPTIONS"]["host"]):
            raise
        sys.exit(
            f"Nothing runs on {settings.DATA_DIR}: start it (make run DATA_DIR={settings.DATA_DIR}), set "
            "ANSWERABLE_DATA_DIR to the folder of one that runs, or ANSWERABLE_DATABASE_URL to a database of your own."
        )


def _something_listens(socket_folder: str) -> bool:
    return os.path.exists(os.path.join(socket_folder, ".s.PGSQL.5432"))  # noqa: PTH110, PTH118


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
