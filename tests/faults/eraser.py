"""A process that performs erasures until nothing is left to do, with faults in it. `python -m tests.faults.eraser`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from evidence.services import erasure_runs, purges  # noqa: E402
from tests.faults.faultpoints import install  # noqa: E402

SLICE = 5


def main() -> None:
    install()
    erasure_runs.DECISIONS_AT_ONCE = purges.ROWS_AT_ONCE = SLICE
    while erasure_runs.run_erasures(seconds=1.0) + purges.run_purges(seconds=1.0):
        pass


if __name__ == "__main__":
    main()
