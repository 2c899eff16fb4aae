"""What a first start makes, made once a run: a migrated database, its registry, keys and a name, to begin from.

A first start computes some hundred models for every step of every migration. Tests of other things begin from a copy;
all copies are of one installation, with the same keys and logs.
"""

import subprocess
from pathlib import Path

from tests.environment import INSTALLATION

TEMPLATE = INSTALLATION / "template"
MADE = ("pg", "heads.sqlite3", "origin", "secret.key", "signing.key", "digest.key")


def keep_template() -> None:
    """Keep what is in the run's installation, whose server stands still."""
    TEMPLATE.mkdir()
    _copy(INSTALLATION, TEMPLATE)


def install(data_dir: Path) -> None:
    """Fill an empty data folder. The run's cluster must have been made (the fixture `throwaway_cluster`)."""
    _copy(TEMPLATE, data_dir)


def _copy(source: Path, target: Path) -> None:
    # with its owners: as root, another user runs PostgreSQL
    parts = [str(source / name) for name in MADE]
    subprocess.run(["cp", "--archive", *parts, str(target)], check=True)
