"""The files of the offline verifier, as they go into every bundle, and the first page as every verifier makes it."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings

FOLDER = Path(settings.BASE_DIR, "sdk", "src", "answerable_verify")
FILES = ("verify.html", "verify.py")


@cache
def files() -> dict[str, bytes]:
    """The verifier itself: its files by their names in a bundle."""
    return {name: (FOLDER / name).read_bytes() for name in FILES}


@cache
def verifier() -> ModuleType:
    """`verify.py` itself: it is one file that stands alone, so it is no package of ours."""
    name = "answerable_bundle_verifier"
    spec = importlib.util.spec_from_file_location(name, FOLDER / "verify.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{FOLDER} has no verifier")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def how_to_verify(manifest: dict[str, Any]) -> bytes:
    """VERIFYING.txt of a manifest, of which the list of files is not needed: it is one of them."""
    page: str = verifier().render_verifying(manifest)
    return page.encode()


def first_page(manifest: dict[str, Any]) -> bytes:
    """README.html of a manifest."""
    page: str = verifier().render_first_page(manifest)
    return page.encode()
