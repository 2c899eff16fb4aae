"""The server finds the verifier that it puts into bundles without anything being installed."""

import os
import subprocess
import sys

import answerable_verify
from evidence import offline_verifier
from tests.bundles.cases import usual
from tests.running import PROJECT


def test_the_files_are_those_of_the_sdk() -> None:
    assert offline_verifier.source_path().samefile(answerable_verify.source_path())
    assert offline_verifier.page_path().samefile(answerable_verify.page_path())


def test_the_pages_are_those_that_every_verifier_makes() -> None:
    manifest = usual().manifest
    assert offline_verifier.first_page(manifest) == usual().files["README.html"]
    assert offline_verifier.first_page(manifest | {"files": []}) == usual().files["README.html"]
    assert offline_verifier.verifying_text(manifest) == answerable_verify.render_verifying(manifest).encode()


def test_the_sdk_need_not_be_on_the_path() -> None:
    code = "import sys, evidence.offline_verifier as v; v._verifier(); print('answerable_verify' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PYTHONPATH": str(PROJECT)
    }
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd="/"
    )
    assert result.stdout.strip() == "False"
