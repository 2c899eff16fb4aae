"""The endurance run, small: posts through the whole product, with a web worker and PostgreSQL killed on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import PROJECT

POSTS = 3_000


@pytest.mark.e2e
@pytest.mark.drill
def test_3000_posts_with_two_kills_lose_and_repeat_nothing(data_dir: Path) -> None:
    figures = data_dir / "figures.json"
    size = ["--posts", str(POSTS), "--batch", "20", "--duplicates", "0.2", "--proofs", "50"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.endurance", *size, "--folder", str(data_dir), "--json", str(figures)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["decisions"] == POSTS
    assert set(found["killed and healed, seconds"]) == {"a web worker", "PostgreSQL"}
    assert found["sent again"] and found["sent twice at once"]
    assert found["singles"] > 0.4
