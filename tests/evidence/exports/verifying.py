"""The verifiers that come with bundles, run on them as an auditor runs them: both must say the same."""

import base64
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from evidence.exports.models import Export
from evidence.exports.verifier import FOLDER
from ledger.selectors import registry_log
from ledger.signing import verifier_keys
from tests.bundles.javascript import JavaScript
from tests.factories.exports import content_of


def verdict_of(export: Export, folder: Path, *more: str, with_key: bool = True) -> Any:
    """Its report, in a process of its own that has nothing of ours but the file."""
    path = folder / "bundle.zip"
    path.write_bytes(content_of(export))
    vkeys = list(verifier_keys(registry_log().origin)) if with_key else []
    keys = [f"--vkey={key}" for key in vkeys]
    command = [sys.executable, "-I", str(FOLDER / "verify.py"), str(path), "--json", *keys, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.returncode
    if not more and shutil.which("node"):
        assert in_the_browser(path.read_bytes(), vkeys) == report
    return report


def in_the_browser(data: bytes, vkeys: list[str]) -> Any:
    """The report of the page's modules, for a bundle and the keys alone."""
    given: dict[str, Any] = {"policy": None, "heads": [], "certificates": [], "now": int(time.time())}
    javascript = JavaScript()
    try:
        report = javascript.ask({"data": base64.b64encode(data).decode(), "vkeys": vkeys, **given})
    finally:
        javascript.end()
    report.pop("words")
    return report


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
