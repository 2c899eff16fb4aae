"""The page with the demonstration's logins: in a demonstration, and nowhere else."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from console.demo.cast import EVERYBODY
from console.demo.loading import Credentials

pytestmark = pytest.mark.django_db


def test_it_lists_everybody_in_a_demonstration_alone(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    Credentials("demo@example.org", "unmistakable", "ans_x", "ans_y").save()
    assert Client().get("/admin/demonstration/").status_code == 404
    assert "demonstration" not in Client().get("/admin/login/").content.decode()
    settings.DEMO = True
    page = Client().get("/admin/demonstration/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "unmistakable" in text
    assert "no-store" in page["Cache-Control"]
    assert all(member.email in text for member in EVERYBODY)
    assert "ans_x" not in text
    assert "/admin/demonstration/" in Client().get("/admin/login/").content.decode()


def test_without_its_file_there_is_none(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR, settings.DEMO = tmp_path, True
    assert Client().get("/admin/demonstration/").status_code == 404
