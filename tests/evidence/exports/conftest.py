"""Exports go into a folder of the test's own."""

from pathlib import Path

import pytest
from pytest_django import Settings

from evidence.exports import reading, watching
from governance.models import AISystem, Person
from tests.factories.exports import folder_storage, old_system
from tests.factories.register import make_person


@pytest.fixture(autouse=True)
def export_folder(tmp_path: Path, settings: Settings) -> Path:
    """Where files are made and kept."""
    folder = tmp_path / "exports"
    settings.EXPORT_WORK_DIR = folder / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(folder / "files")}
    return folder


@pytest.fixture
def system() -> AISystem:
    """One that is old enough for what is recorded in its past."""
    return old_system(accountable=make_person())


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life, a mark and a question about rights after each piece, and pieces of 64 entries."""
    for name in ("BEAT_EVERY", "MARK_EVERY", "ASK_EVERY"):
        monkeypatch.setattr(watching, name, 0.0)
    monkeypatch.setattr(reading, "MOST", 64)


@pytest.fixture
def auditor() -> Person:
    """Of all AI systems."""
    return make_person(auditor=True)
