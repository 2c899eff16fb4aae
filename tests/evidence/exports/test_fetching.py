"""Fetching the file of an export over HTTP: whole and in parts, by whom, until when, and sealed once a download."""

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evidence.exports import fetching, storage
from evidence.exports.errors import RangeNotSatisfiable
from evidence.exports.models import Export, ExportDownload, ExportWork
from evidence.exports.requesting import cancel_export, withdraw_export
from evidence.exports.running import _fail, claim
from evidence.exports.sweeping import expire_exports, forget_erased
from governance.models import AISystem, Assignment, Person
from governance.services.assignments import end_assignment
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.erasing import erase
from tests.factories.exports import ask, content_of, export_of, make
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_decision(found)
    return found


@pytest.fixture
def export(system: AISystem, auditor: Person) -> Export:
    return export_of(auditor, system, form="csv")


@pytest.fixture
def browser(auditor: Person) -> Client:
    return signed_in(auditor)


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def get(client: Client, export: Export, *, method: str = "get", **headers: str) -> Any:
    """`Range="bytes=0-1"` and the like."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return getattr(client, method)(f"/admin/exports/{export.pk}/file", headers=named)


def begin(client: Client, export: Export, **headers: str) -> None:
    """Asked for, and broken off before a byte of it was read."""
    break_off(get(client, export, **headers))


def break_off(answer: Any) -> None:
    for close in answer._resource_closers:  # as a server does; a test's connection stays open
        close()


def body_of(answer: HttpResponse | StreamingHttpResponse) -> bytes:
    return answer.getvalue()


def downloads(export: Export) -> int:
    return Entry.objects.filter(about_id=export.pk, kind="export.downloaded").count()


# --- the whole --------------------------------------------------------------------------------------------------------
def test_the_whole_file(export: Export, browser: Client) -> None:
    answer = get(browser, export)
    assert answer.status_code == HTTPStatus.OK
    assert body_of(answer) == content_of(export)
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Length"] == str(export.size)
    assert answer["ETag"] == f'"{export.digest}"'
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Disposition"] == f'attachment; filename="{export.file_name}"'
    assert "no-cache" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_name_is_safe_whatever_the_ai_system_is_called(auditor: Person) -> None:
    made = export_of(auditor, make_system(slug="credit-2"))
    assert made.file_name == "answerable-credit-2-bundle.zip"


def test_asked_how_large_it_is_nothing_is_given_or_sealed(export: Export, browser: Client) -> None:
    answer = get(browser, export, method="head")
    assert (answer.status_code, answer["Content-Length"], body_of(answer)) == (200, str(export.size), b"")
    assert downloads(export) == 0


def test_asked_how_large_a_part_is_the_whole_is_told(export: Export, browser: Client) -> None:
    """A range means nothing to HEAD (RFC 9110, section 14.2): nobody takes a part's size for that of the file."""
    for wanted in ("bytes=5-9", "bytes=99999999999-"):
        answer = get(browser, export, method="head", Range=wanted)
        assert (answer.status_code, answer["Content-Length"]) == (HTTPStatus.OK, str(export.size))
        assert "Content-Range" not in answer


@pytest.mark.parametrize("stated", ['"{}"', 'W/"{}"', '"of another day", "{}"', "*"])
def test_one_that_is_there_already_is_not_given_again(export: Export, browser: Client, stated: str) -> None:
    answer = get(browser, export, If_None_Match=stated.format(export.digest))
    assert answer.status_code == HTTPStatus.NOT_MODIFIED
    assert downloads(export) == 0


# --- parts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10-", 10, -1),
        ("bytes=-7", -7, -1),
        ("bytes=0-99999999999", 0, -1),
        ("bytes=-99999999999", 0, -1),
        ("  bytes=5-5 ", 5, 5),
    ],
)
def test_a_part_of_it(export: Export, browser: Client, wanted: str, first: int, last: int) -> None:
    whole = content_of(export)
    answer = get(browser, export, Range=wanted)
    start, end = first % len(whole), (last % len(whole)) + 1
    assert answer.status_code == HTTPStatus.PARTIAL_CONTENT
    assert body_of(answer) == whole[start:end]
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    assert answer["Content-Length"] == str(end - start)


@pytest.mark.parametrize(
    "wanted", ["lines=1-2", "bytes=", "bytes=a-b", "bytes=1-2,4-5", "bytes=9-3", "bytes=--1", "1-2"]
)
def test_what_is_no_single_range_is_answered_with_the_whole(export: Export, browser: Client, wanted: str) -> None:
    answer = get(browser, export, Range=wanted)
    assert answer.status_code == HTTPStatus.OK
    assert "Content-Range" not in answer
    assert body_of(answer) == content_of(export)


@pytest.mark.parametrize("wanted", ["bytes={size}-", "bytes=99999999999-99999999999", "bytes=-0"])
def test_a_range_beyond_the_end_is_told_how_long_it_is(export: Export, browser: Client, wanted: str) -> None:
    answer = get(browser, export, Range=wanted.format(size=export.size))
    assert answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert answer["Content-Range"] == f"bytes */{export.size}"
    assert downloads(export) == 0


def test_a_part_of_another_file_is_the_whole_of_this_one(export: Export, browser: Client) -> None:
    same = get(browser, export, Range="bytes=10-", If_Range=f'"{export.digest}"')
    assert (same.status_code, body_of(same)) == (HTTPStatus.PARTIAL_CONTENT, content_of(export)[10:])
    for other in ('"of another day"', f'W/"{export.digest}"', "Sun, 22 Nov 2026 10:00:00 GMT"):
        answer = get(browser, export, Range="bytes=10-", If_Range=other)
        assert (answer.status_code, body_of(answer)) == (200, content_of(export))


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(first=st.integers(0, 300), last=st.none() | st.integers(0, 300), suffix=st.booleans())
def test_every_range_gives_those_bytes_or_says_why_not(
    export: Export, auditor: Person, first: int, last: int | None, suffix: bool
) -> None:
    """Against what RFC 9110 says, for a file of 128 bytes."""
    export.size = 128
    Export.objects.filter(pk=export.pk).update(size=128)
    wanted = f"bytes=-{first}" if suffix else f"bytes={first}-{'' if last is None else last}"
    data = bytes(range(128))
    try:
        part = fetching.part_of(actor=actor_of(auditor), export_id=export.pk, wanted=wanted)
    except RangeNotSatisfiable:
        assert first == 0 if suffix else first >= 128
        return
    found = data[part.first : part.first + part.size]
    if suffix:
        assert found == data[-first:]
    elif last is not None and last < first:
        assert part.is_whole
    else:
        assert found == data[first : 128 if last is None else last + 1]
        assert found


# --- sealed -----------------------------------------------------------------------------------------------------------
def test_a_download_is_sealed_before_its_first_byte(export: Export, browser: Client, system: AISystem) -> None:
    begin(browser, export)
    [entry] = Entry.objects.filter(about_id=export.pk, kind="export.downloaded")
    assert entry.log.system_id == system.pk
    data = bytes(entry.data)
    assert export.digest.encode() in data
    assert ExportDownload.objects.get().pk == entry.id


def test_one_that_broke_off_and_is_gone_on_with_is_one_download(export: Export, browser: Client) -> None:
    got = body_of(get(browser, export, Range="bytes=0-99"))
    while export.size and len(got) < export.size:
        got += body_of(get(browser, export, Range=f"bytes={len(got)}-{len(got) + 499}"))
    assert got == content_of(export)
    assert downloads(export) == 1


def test_every_beginning_is_a_download(export: Export, browser: Client) -> None:
    for number in (1, 2, 3):
        assert body_of(get(browser, export)) == content_of(export)
        assert downloads(export) == number
    body_of(get(browser, export, Range="bytes=0-9"))
    assert downloads(export) == 4


def test_what_broke_off_before_it_was_given_is_gone_on_with_for_a_day(export: Export, browser: Client) -> None:
    begin(browser, export)
    ExportDownload.objects.update(begun_at=timezone.now() - timedelta(hours=23))
    body_of(get(browser, export, Range="bytes=50-"))
    assert downloads(export) == 1
    ExportDownload.objects.update(begun_at=timezone.now() - timedelta(hours=25), given=0)
    body_of(get(browser, export, Range="bytes=50-"))
    assert downloads(export) == 2


@pytest.mark.parametrize("is_read", [True, False])
def test_the_file_is_not_had_twice_for_one_entry(export: Export, browser: Client, is_read: bool) -> None:
    """Whatever byte is asked for first; also where many ask before the first of them was given anything."""
    assert export.size
    kept = []
    for number in (1, 2, 3):
        answer = get(browser, export, Range="bytes=1-")
        if is_read:
            assert body_of(answer) == content_of(export)[1:]
        kept.append(answer)
        assert downloads(export) == number
    assert ExportDownload.objects.latest("pk").given == export.size - 1
    for answer in kept:
        break_off(answer)
    assert ExportDownload.objects.latest("pk").given == (export.size - 1 if is_read else 0)


def test_in_parts_that_overlap_a_little_it_is_one_download(export: Export, browser: Client) -> None:
    """As where the last bytes were lost on the way; in whatever order."""
    size = export.size or 0
    begin(browser, export)
    for first, last in ((size // 2, size - 1), (1, size // 2 + size // 10), (size // 4, size // 3)):
        body_of(get(browser, export, Range=f"bytes={first}-{last}"))
    assert downloads(export) == 1
    body_of(get(browser, export, Range=f"bytes={size // 2}-"))
    assert downloads(export) == 2


def test_bytes_from_the_middle_alone_are_a_download_too(export: Export, browser: Client) -> None:
    begin(browser, export, Range="bytes=100-")
    assert downloads(export) == 1


# --- by whom, and until when ------------------------------------------------------------------------------------------
def test_the_file_is_for_whoever_asked_and_nobody_else(export: Export, system: AISystem) -> None:
    """Not for others with the same right: they ask for themselves, which leaves its own entry."""
    for role in ({"auditor": system}, {"dpo": True}, {"accountable": system}):
        assert get(signed_in(make_person(**role)), export).status_code == HTTPStatus.FORBIDDEN
    for role in ({"administrator": True}, {"viewer": True}, {"auditor": make_system()}):
        assert get(signed_in(make_person(**role)), export).status_code == HTTPStatus.NOT_FOUND
    assert downloads(export) == 0


def test_whoever_lost_the_right_does_not_get_what_they_asked_for(
    export: Export, auditor: Person, browser: Client
) -> None:
    end_assignment(actor=COMMAND, assignment_id=Assignment.objects.get(person=auditor).pk)
    assert get(browser, export).status_code == HTTPStatus.FORBIDDEN
    assert get(browser, export, Range="bytes=10-").status_code == HTTPStatus.FORBIDDEN
    assert downloads(export) == 0


def test_before_it_is_finished_there_is_none(system: AISystem, auditor: Person, browser: Client) -> None:
    assert get(browser, ask(auditor, system)).status_code == HTTPStatus.CONFLICT


def test_when_its_time_is_over_it_is_gone_even_before_it_was_deleted(export: Export, browser: Client) -> None:
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert get(browser, export).status_code == HTTPStatus.GONE
    assert storage.is_there(export)
    assert expire_exports() == 1
    assert not storage.is_there(export)
    export.refresh_from_db()
    assert export.status == Export.Status.EXPIRED
    assert Entry.objects.filter(about_id=export.pk).latest("id").kind == "export.expired"
    assert get(browser, export).status_code == HTTPStatus.GONE
    assert expire_exports() == 0


def test_why_there_is_no_file_is_told(system: AISystem, auditor: Person, browser: Client) -> None:
    """A time that is over, a failure, and what there never was are three things."""
    made, failed, given_up = (ask(auditor, system, form="csv") for _ in range(3))
    made = make(made)
    Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    cancel_export(actor=actor_of(auditor), export_id=given_up.pk)
    _fail(claimed(failed), "storage_full")
    told = {each.pk: get(browser, each) for each in (made, failed, given_up)}
    assert {answer.status_code for answer in told.values()} == {HTTPStatus.GONE}
    assert "when its time was over" in told[made.pk].content.decode()
    assert "there was no room for the file" in told[failed.pk].content.decode()
    assert "never had a file" in told[given_up.pk].content.decode()
    withdrawn = ask(auditor, system, parts=["input"])
    withdraw_export(actor=actor_of(auditor), export_id=withdrawn.pk)
    assert "never had a file" in get(browser, withdrawn).content.decode()


@pytest.mark.django_db(transaction=True)
def test_that_contents_in_it_were_erased_is_told(system: AISystem, auditor: Person, browser: Client) -> None:
    decision = record_decision(system)
    made = export_of(auditor, system, parts=["input"])
    erase(decision.id)
    answer = get(browser, made)
    assert answer.status_code == HTTPStatus.GONE
    assert "were erased" in answer.content.decode()
    forget_erased()
    assert "were erased" in get(browser, made).content.decode()


def claimed(export: Export) -> ExportWork:
    work = claim(only=export.pk)
    assert work is not None
    return work


def test_what_cannot_be_deleted_is_not_called_deleted(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    def away(_: Export) -> None:
        raise storage.StorageAway("nobody answers")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", away)
        assert expire_exports() == 0
    export.refresh_from_db()
    assert export.status == Export.Status.FINISHED
    assert expire_exports() == 1


def test_how_long_it_is_kept_is_a_setting(system: AISystem, auditor: Person, settings: Any) -> None:
    settings.EXPORT_DAYS = 3
    made = export_of(auditor, system, form="csv")
    assert made.ended_at is not None
    assert made.expires_at == made.ended_at + timedelta(days=3)


# --- the storage ------------------------------------------------------------------------------------------------------
def test_a_file_that_is_not_there_is_told_and_not_sealed(export: Export, browser: Client) -> None:
    storage.remove(export)
    answer = get(browser, export)
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert downloads(export) == 0


def test_a_file_that_became_shorter_breaks_off_and_does_not_pretend(export: Export, browser: Client) -> None:
    storages["exports"].save(storage.name_of(export), ContentFile(content_of(export)[:100]))
    answer = get(browser, export)
    with pytest.raises(storage.StorageAway, match="shorter"):
        body_of(answer)


def test_the_folder_is_for_the_service_alone(export: Export, export_folder: Path) -> None:
    folder = export_folder / "files"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / f"{export.pk}.zip").stat().st_mode & 0o777 == 0o600
