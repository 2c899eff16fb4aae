"""Each contradiction is found by its check, and the settings as they come have none."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import override_settings

from config import checks
from config.standalone import layout

POSTGRES = "django.db.backends.postgresql"


def found(**changed: Any) -> set[str]:
    names = [name for name, value in vars(checks).items() if getattr(value, "tags", None) is not None]
    with override_settings(**changed):
        return {str(each.id) for name in names for each in getattr(checks, name)(None)}


def test_the_settings_as_they_come_contradict_nothing() -> None:
    assert not [each for each in run_checks() if str(each.id).startswith("answerable.")]


@pytest.mark.parametrize(
    ("identifier", "changed"),
    [
        ("answerable.E001", {"DEBUG": True}),
        ("answerable.E002", {"BASE_URL": "answerable.example.org"}),
        ("answerable.E002", {"BASE_URL": "https://example.org/sub/folder"}),
        ("answerable.W001", {"BASE_URL": "http://answerable.example.org"}),
        ("answerable.E003", {"ORIGIN": "https://log.example.org"}),
        ("answerable.E003", {"ORIGIN": "log with spaces"}),
        ("answerable.W002", {"BASE_URL": "https://a.example.org", "ORIGIN": "answerable-0a1b2c3d.local"}),
        ("answerable.E004", {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "USER": ""}}}),
        (
            "answerable.E005",
            {
                "DATABASES": {
                    "default": {"ENGINE": POSTGRES, "USER": "x"},
                    "keeper": {"ENGINE": POSTGRES, "USER": "x"},
                },
                "DATABASE_APP_ROLE": "x",
            },
        ),
        ("answerable.E006", {"HEAD_STORE": Path(settings.DATA_DIR) / "pg" / "heads.sqlite3"}),
        ("answerable.E007", {"SECRET_KEY": "short"}),
        ("answerable.E008", {"METRICS_TOKEN": "short"}),
        ("answerable.E013", {"DEMO": True}),
        ("answerable.E011", {"DIGEST_KEY": "short"}),
        ("answerable.E009", {"BASE_URL": "https://a.example.org"}),
        (
            "answerable.E010",
            {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": {"script-src": ["*"], "object-src": ["'none'"]}}},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_contradiction_is_found(identifier: str, changed: dict[str, Any]) -> None:
    assert identifier in found(**changed)


def test_every_finding_says_what_to_do() -> None:
    with override_settings(DEBUG=True, BASE_URL="x", ORIGIN="a b", SECRET_KEY="s", METRICS_TOKEN="s"):
        every = [each for each in run_checks() if str(each.id).startswith("answerable.")]

    assert len(every) >= 5
    assert all(each.hint for each in every)


def test_only_the_folder_of_a_demonstration_is_marked_as_one(tmp_path: Path) -> None:
    in_use = tmp_path / "in-use"
    in_use.mkdir()
    (in_use / "signing.key").touch()
    layout.mark_demonstration(in_use)
    layout.mark_demonstration(tmp_path)
    assert not layout.is_demonstration(in_use) and layout.is_demonstration(tmp_path)
    assert "answerable.E013" in found(DEMO=True, DATA_DIR=in_use)
    assert "answerable.E013" not in found(DEMO=True, DATA_DIR=tmp_path)
