"""The key of the digests: made once, never made anew over what hangs on it, and not Django's secret key."""

import stat
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from config.ids import new_id
from intake.digests import digest_key
from intake.errors import DigestKeyUnavailable
from intake.models import ExternalId
from tests.intake.conftest import Sender


@pytest.mark.committing
def test_a_retry_by_the_callers_own_key_survives_another_secret_key(sender: Sender, settings: Settings) -> None:
    first = sender.post(sender.record(id=None, external_id="order-1")).json()
    settings.SECRET_KEY = 50 * "x"
    again = sender.post(sender.record(id=None, external_id="order-1")).json()
    assert (again["status"], again["id"]) == ("duplicate", first["id"])


@pytest.mark.committing
def test_a_refused_record_is_kept_once_whatever_the_secret_key(sender: Sender, settings: Settings) -> None:
    wrong = sender.record(confidence=7)
    first = sender.post(wrong).json()["quarantine_id"]
    settings.SECRET_KEY = 50 * "x"
    assert sender.post(wrong).json()["quarantine_id"] == first


@pytest.mark.django_db
def test_it_is_made_at_its_first_use_for_its_owner_alone(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    key = digest_key("external_id")
    file = tmp_path / "digest.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) == 64
    assert digest_key("quarantine") != key
    with CaptureQueriesContext(connection) as queries:
        assert digest_key("external_id") == key
    assert len(queries) == 0


@pytest.mark.committing
def test_over_what_hangs_on_it_no_other_is_made(tmp_path: Path, sender: Sender, settings: Settings) -> None:
    assert sender.post(sender.record(id=None, external_id="order-1")).status_code == 201
    settings.DATA_DIR = tmp_path

    refused = sender.post(sender.record(id=None, external_id="order-1"))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "digest-key-unavailable")
    assert sender.post(sender.record()).status_code == 201, "who sends no key of their own needs none"
    check = sender.client.get("/readyz").json()["checks"]["digest_key"]
    assert check["status"] == "failed"
    assert "Restore it" in check["detail"]
    assert not (tmp_path / "digest.key").exists()


@pytest.mark.django_db
def test_one_that_was_given_wins_over_the_file(tmp_path: Path, settings: Settings) -> None:
    ExternalId.objects.create(system_id=new_id(), digest=b"d", decision_id=new_id())
    settings.DATA_DIR, settings.DIGEST_KEY = tmp_path, 64 * "g"
    assert len(digest_key("external_id")) == 32
    assert not (tmp_path / "digest.key").exists()


def test_half_a_key_is_none(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "digest.key").write_text("short")
    settings.DATA_DIR = tmp_path
    with pytest.raises(DigestKeyUnavailable, match="fewer than 32"):
        digest_key("external_id")


@pytest.mark.committing
def test_another_key_than_the_one_is_noticed(sender: Sender, settings: Settings) -> None:
    assert sender.post(sender.record(id=None, external_id="order-1")).status_code == 201
    assert sender.client.get("/readyz").json()["checks"]["digest_key"]["status"] == "ok"
    settings.DIGEST_KEY = 64 * "o"
    check = sender.client.get("/readyz").json()["checks"]["digest_key"]
    assert (check["status"], "another key" in check["detail"]) == ("failed", True)
