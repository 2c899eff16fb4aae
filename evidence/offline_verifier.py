"""The offline verifier as the server puts it into bundles: that of the SDK in this repository.

The server does not install the SDK; it has its source beside itself (`sdk/src`), in the repository and in the image.
So the verifier in a bundle is always the one that was tested with this server, whatever else is installed.
"""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "sdk" / "src" / "answerable_verify"


def source_path() -> Path:
    """verify.py: one file of the standard library."""
    return PACKAGE / "verify.py"


def page_path() -> Path:
    """verify.html: the same check as one page for a browser."""
    return PACKAGE / "verify.html"


def first_page(manifest: dict[str, Any]) -> bytes:
    """README.html of a manifest that is complete but for its `files`: the page says nothing of them."""
    return _verifier().render_first_page(manifest).encode("ascii")  # type: ignore[no-any-return]


def verifying_text(manifest: dict[str, Any]) -> bytes:
    """VERIFYING.txt of such a manifest."""
    return _verifier().render_verifying(manifest).encode("ascii")  # type: ignore[no-any-return]


@cache
def _verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("answerable_offline_verifier", source_path())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # where the module's own classes look for their annotations
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
