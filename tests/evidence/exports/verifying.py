"""Both verifiers that come with bundles, run on them as an auditor runs them: the program and the page's modules."""

import base64
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from console.exports.page import keys_to_give
from evidence.exports.models import Export
from evidence.exports.verifier import FOLDER
from ledger.selectors import registry_log
from ledger.signing import verifier_keys
from tests.bundles.javascript import JavaScript
from tests.factories.exports import content_of


def verdict_of(export: Export, folder: Path, *more: str, with_key: bool = True) -> Any:
    """The program's report, in a process of its own that has nothing of ours but the file; the page says the same.

    `more`: `--policy=FILE`, `--head=FILE`, `--tsa=FILE`.
    """
    path = folder / "bundle.zip"
    path.write_bytes(content_of(export))
    keys = [f"--vkey={key}" for key in keys_to_give(export)] if with_key else []
    command = [sys.executable, "-I", str(FOLDER / "verify.py"), str(path), "--json", *keys, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.returncode
    if shutil.which("node"):
        page = said_by_the_page(path.read_bytes(), *keys, *more)
        assert (page["exit_code"], page["counts"]) == (report["exit_code"], report["counts"])
        if not more:  # else files are named
            assert page == report
    return report


def said_by_the_page(data: bytes, *options: str) -> Any:
    given: dict[str, list[str]] = {name: [] for name in ("--vkey", "--policy", "--head", "--tsa")}
    for option in options:
        name, _, value = option.partition("=")
        given[name].append(value)
    request = {
        "data": base64.b64encode(data).decode(),
        "vkeys": given["--vkey"],
        "policy": _in_base64(given["--policy"][0]) if given["--policy"] else None,
        "heads": [_in_base64(each) for each in given["--head"]],
        "certificates": [Path(each).read_text() for each in given["--tsa"]],
        "now": int(time.time()),
    }
    page = JavaScript()
    try:
        report = page.ask(request)
    finally:
        page.end()
    report.pop("words")
    return report


def _in_base64(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode()


def require_verified(export: Export, folder: Path, *more: str) -> Any:
    report = verdict_of(export, folder, *more)
    assert report["exit_code"] == 0, json.dumps(report, indent=1)
    return report


def require_verified_file(path: Path) -> None:
    """A copy that somebody fetched, by the verifier alone."""
    keys = [f"--vkey={key}" for key in verifier_keys(registry_log().origin)]
    command = [sys.executable, "-I", str(FOLDER / "verify.py"), str(path), *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
