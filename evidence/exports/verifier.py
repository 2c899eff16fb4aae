"""The files of the offline verifier, as they go into every bundle, and the first page as every verifier makes it."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings

FOLDER = Path(settings.BASE_DIR, "sdk", "src", "answerable_verify")
FILES = {"VERIFYING.txt": "VERIFYING.txt", "verify.html": "verify.html", "verify.py": "verify.py"}
"""By the name in the bundle: where it is made from."""


@cache
def files() -> dict[str, bytes]:
    """Their bytes, by their names in the bundle."""
    return {name: (FOLDER / source).read_bytes() for name, source in FILES.items()}


@cache
def verifier() -> ModuleType:
    """`verify.py` itself: it is one file that stands alone, so it is no package of ours."""
    name = "answerable_bundle_verifier"
    spec = importlib.util.spec_from_file_location(name, FOLDER / FILES["verify.py"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{FOLDER} has no verifier")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_page(manifest: dict[str, Any]) -> bytes:
    """README.html of a manifest."""
    page: str = verifier().render_first_page(manifest)
    return page.encode()
