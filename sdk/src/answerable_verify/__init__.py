"""The offline verifier of evidence bundles.

    verify.py    one file of the standard library alone: the command `answerable-verify`, and what stands in each bundle
    verify.html  the same check as one page for a browser; `page/` holds its source, `tools/verifier-page` builds it

Whoever writes bundles takes from here the files to put into them (`source_path`, `page_path`) and the two pages that
follow from a manifest (`render_first_page`, `render_verifying`).
"""

from pathlib import Path

from answerable_verify.verify import main, render_first_page, render_verifying

__all__ = ["main", "page_path", "render_first_page", "render_verifying", "source_path"]


def source_path() -> Path:
    """Where verify.py is."""
    return Path(__file__).with_name("verify.py")


def page_path() -> Path:
    """Where verify.html is."""
    return Path(__file__).with_name("verify.html")
