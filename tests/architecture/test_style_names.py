"""A letter before a class says which sheet it belongs to, so that no page's own sheet meets another by chance."""

import re
from pathlib import Path

from django.conf import settings

OF_UNFOLD = {"w-32"}


def test_the_style_sheet_of_every_page_names_its_own_classes_with_an_a() -> None:
    sheet = (Path(settings.BASE_DIR) / "static/answerable/admin.css").read_text()
    names = set(re.findall(r"\.([a-z]-[\w-]+)", sheet))
    assert {name for name in names if not name.startswith("a-")} == OF_UNFOLD
