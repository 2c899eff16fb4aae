"""Exports go into a folder of the test's own."""

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.factories.exports import folder_storage


@pytest.fixture(autouse=True)
def export_folder(tmp_path: Path, settings: Settings) -> Path:
    """Where files are made and kept."""
    folder = tmp_path / "exports"
    settings.EXPORT_WORK_DIR = folder / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(folder / "files")}
    return folder
