"""The page's modules in a process of node, asked again and again."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("check.mjs")
with_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node 20 or later")


class JavaScript:
    """Requests in, reports out. It ends with the test module."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, request: dict[str, Any]) -> Any:
        """One request, one answer. A request that the modules choke on ends the process, and the test."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the JavaScript modules raised something that is not a finding"
        return json.loads(answer)

    def end(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
