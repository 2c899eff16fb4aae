"""Nothing of the faults can be reached in what is shipped."""

import subprocess

from ledger import sealing
from tests.running import PROJECT

SHIPPED = (
    *("audit", "config", "console", "evidence", "governance", "intake", "ledger", "monitoring", "notices", "overrides"),
    "sdk/src",
)


def test_between_the_steps_the_product_does_nothing() -> None:
    assert sealing.step is sealing._no_step


def test_no_module_of_the_product_knows_the_tests_or_puts_anything_between_the_steps() -> None:
    pattern = r"(from|import) tests\b|TEST_FAULT|sealing\.step *=[^=]"
    folders = [PROJECT / name for name in SHIPPED if (PROJECT / name).exists()]
    found = subprocess.run(
        ["grep", "-rnE", "--include=*.py", pattern, *folders], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_tests_are_left_out_of_the_container_image() -> None:
    assert "tests" in (PROJECT / ".dockerignore").read_text().split()
