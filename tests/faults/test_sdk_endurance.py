"""The endurance run of our own client, small: records through the whole product while both are killed on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.endurance.sdk import holds
from tests.running import PROJECT

RECORDS = 3_000


@pytest.mark.e2e
@pytest.mark.drill
def test_3000_records_with_twelve_kills_are_sealed_once_each(data_dir: Path) -> None:
    file = data_dir / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.endurance.sdk", "--records", str(RECORDS), "--json", str(file)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert holds(json.loads(file.read_text()), RECORDS)
