"""Where files are kept: what a setting may say, and what is told where it cannot be so."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from environs import ValidationError

from config.stored import is_storage
from tests.running import PROJECT


def test_without_its_libraries_it_is_told_how_they_are_installed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command of this repository: nothing of it is in a package index."""
    find = importlib.util.find_spec

    def lacking(name: str, *rest: Any) -> Any:
        return None if name == "storages" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", lacking)
    with pytest.raises(ValidationError, match="tools/install s3"):
        is_storage("s3://exports")
    assert "s3) lock=requirements-s3.lock" in Path(PROJECT, "tools", "install").read_text()


@pytest.mark.parametrize("text", ["ftp://exports", "s3://key@exports", "s3://exports?colour=red", "s3://e?endpoint=x"])
def test_what_is_no_storage_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="Write s3://BUCKET"):
        is_storage(text)
