"""Exports in an S3-compatible store: put there, fetched in parts, deleted; and what happens while it is away."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client
from environs import ValidationError

from config import stored
from evidence.exports import storage
from evidence.exports.models import Export, ExportWork
from evidence.exports.sweeping import expire_exports
from governance.models import Person
from tests.evidence.exports import objects
from tests.evidence.exports.objects import ACCESS_KEY, SECRET_KEY, Store
from tests.factories.exports import ask, content_of, export_of, folder_storage, make
from tests.factories.record import record_many
from tests.factories.register import make_system

pytestmark = pytest.mark.django_db
NOT_THERE = "s3://evidence?endpoint=http://127.0.0.1:9&region=eu-test-1&path_style=yes"


@pytest.fixture
def store(settings: Any, tmp_path: Any) -> Iterator[Store]:
    with objects.store() as found:
        settings.STORAGES = settings.STORAGES | {"exports": kept_at(found.address, tmp_path)}
        yield found


def kept_at(address: str, folder: Any, keys: tuple[str, str] = (ACCESS_KEY, SECRET_KEY)) -> dict[str, Any]:
    stored.is_storage(address)
    found = stored.storage(address, folder=folder, keys=keys)
    config = found["OPTIONS"]["client_config"]
    found["OPTIONS"]["client_config"] = config.merge(type(config)(retries={"max_attempts": 0}))
    return found


def test_it_is_put_there_fetched_in_parts_and_deleted(store: Store, auditor: Person) -> None:
    system = make_system()
    record_many(system, 50)
    made = export_of(auditor, system)
    [(key, data)] = store.objects.items()
    assert key == f"exports/here/{made.pk}.zip"
    assert len(data) == made.size
    client = Client()
    client.force_login(auditor)
    address = f"/admin/exports/{made.pk}/file"
    assert client.get(address).getvalue() == data
    answer = client.get(address, headers={"Range": "bytes=100-299"})
    assert (answer.status_code, answer.getvalue()) == (206, data[100:300])
    assert client.get(address, headers={"Range": f"bytes={len(data) - 5}-"}).getvalue() == data[-5:]
    Export.objects.filter(pk=made.pk).update(expires_at=made.asked_at)
    assert expire_exports() == 1
    assert not store.objects


def test_parts_of_an_upload_over_which_its_maker_was_killed_go_with_the_file(store: Store, auditor: Person) -> None:
    """They hold contents, and no list of files shows them."""
    made = export_of(auditor, make_system(), form="csv")
    [key] = store.objects
    store.uploads |= {"mine": {1: b"zq"}, "mine too": {}, "another": {1: b"zq"}, "longer": {1: b"zq"}}
    store.keys |= {"mine": key, "mine too": key, "another": "exports/here/another.zip", "longer": f"{key}.zip"}
    storage.remove(made)
    assert not store.objects
    assert set(store.uploads) == {"another", "longer"}
    storage.remove(made)  # where there is none, too


def test_a_large_file_goes_there_in_pieces_and_each_is_a_sign_of_life(
    store: Store, auditor: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STORAGES["exports"]["OPTIONS"]["transfer_config"].multipart_threshold = 5 << 20
    settings.STORAGES["exports"]["OPTIONS"]["transfer_config"].multipart_chunksize = 5 << 20
    system, beats, put = make_system(), list[int](), storage.put
    record_many(system, 12, parts={"input": "x" * 1_000_000, "output": 1})

    def counted(export: Export, path: Any, beat: Any) -> None:
        def counting() -> None:
            beats.append(1)
            beat()

        put(export, path, counting)

    monkeypatch.setattr(storage, "put", counted)
    made = export_of(auditor, system, parts=["input"])
    assert made.size is not None
    assert made.size > 12_000_000
    assert any("partNumber=3" in path for _, path in store.asked)
    assert content_of(made) == next(iter(store.objects.values()))
    assert len(beats) >= 3


def test_while_it_is_away_it_is_tried_again_and_downloads_say_so(store: Store, auditor: Person) -> None:
    made = export_of(auditor, make_system(), form="csv")
    waits = ask(auditor, make_system(), form="csv")
    store.refuses = (503, "SlowDown")
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{made.pk}/file").status_code == HTTPStatus.SERVICE_UNAVAILABLE
    make(waits)
    assert ExportWork.objects.get(export=waits).trouble == "storage_away"
    store.refuses = None
    ExportWork.objects.update(not_before=waits.asked_at)
    assert make(waits).status == Export.Status.FINISHED


@pytest.mark.parametrize("keys", [("test-access", "another"), ("another", SECRET_KEY)])
def test_wrong_keys_are_told_as_a_store_that_is_away(
    store: Store, auditor: Person, settings: Any, tmp_path: Any, keys: tuple[str, str]
) -> None:
    settings.STORAGES = settings.STORAGES | {"exports": kept_at(store.address, tmp_path, keys)}
    export = ask(auditor, make_system(), form="csv")
    make(export)
    assert ExportWork.objects.get(export=export).trouble == "storage_away"
    assert not store.objects


def test_one_that_nobody_listens_at_is_away(auditor: Person, settings: Any, tmp_path: Any) -> None:
    settings.STORAGES = settings.STORAGES | {"exports": kept_at(NOT_THERE, tmp_path)}
    export = ask(auditor, make_system(), form="csv")
    make(export)
    assert ExportWork.objects.get(export=export).trouble == "storage_away"


def test_a_file_that_somebody_deleted_there_is_told(store: Store, auditor: Person) -> None:
    made = export_of(auditor, make_system(), form="csv")
    store.objects.clear()
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{made.pk}/file").status_code == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    "wrong",
    [
        "s3://",
        "s3:///prefix",
        "s3://key:secret@bucket",
        "s3://bucket?colour=red",
        "s3://bucket?region=a&region=b",
        "s3://bucket?endpoint=ftp://host",
        "/srv/exports",
        "gs://bucket",
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError):
        stored.is_storage(wrong)


def test_without_the_extra_the_start_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match="tools/install s3"):
        stored.is_storage("s3://bucket")


# --- what it keeps of what is deleted ---------------------------------------------------------------------------------
def warned() -> list[str]:
    found = run_checks(tags=["database"], databases=["default"])
    return [str(each.msg) for each in found if each.id == "answerable.W004"]


@pytest.mark.parametrize(("versioning", "says"), [("", 0), ("Enabled", 1), ("Suspended", 1)])
def test_a_bucket_that_keeps_versions_is_warned_of(store: Store, versioning: str, says: int) -> None:
    store.versioning = versioning
    assert len(warned()) == says


def test_a_bucket_that_does_not_say_is_warned_of_too(store: Store) -> None:
    store.refuses = (403, "AccessDenied")
    [said] = warned()
    assert "cannot be asked" in said


def test_a_folder_keeps_none_and_without_the_database_nobody_is_asked(
    store: Store, settings: Any, tmp_path: Any
) -> None:
    store.versioning = "Enabled"
    assert not [each for each in run_checks() if each.id == "answerable.W004"]
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path)}
    assert warned() == []
