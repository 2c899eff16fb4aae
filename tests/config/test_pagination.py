"""Keyset pages stay right while rows are written."""

import base64
import uuid
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from config.errors import InvalidInput
from config.pagination import Cursor, InvalidCursor, Page, keyset_page, limit_of

pytestmark = pytest.mark.django_db


def add(*names: str) -> None:
    Session.objects.bulk_create(
        Session(session_key=name, session_data="", expire_date=timezone.now()) for name in names
    )


def page(cursor: str | None = None, *, limit: int = 3, **options: Any) -> Page[Session]:
    return keyset_page(Session.objects.all(), key=("session_key",), cursor=cursor, limit=limit, **options)


def names(found: Page[Session]) -> str:
    return "".join(row.session_key for row in found.items)


@pytest.fixture(autouse=True)
def rows() -> None:
    add(*"bdfhjln")


def test_forward_to_the_end_and_back_to_the_start() -> None:
    first = page()
    second = page(first.next_cursor)
    third = page(second.next_cursor)

    assert [names(each) for each in (first, second, third)] == ["nlj", "hfd", "b"]
    assert (first.previous_cursor, third.next_cursor) == (None, None)

    back = page(third.previous_cursor)
    start = page(back.previous_cursor)
    assert [names(each) for each in (back, start)] == ["hfd", "nlj"]
    assert start.previous_cursor is None


def test_ascending_lists_page_alike() -> None:
    first = page(descending=False)
    second = page(first.next_cursor, descending=False)

    assert [names(first), names(second)] == ["bdf", "hjl"]
    assert names(page(second.previous_cursor, descending=False)) == "bdf"


def test_rows_written_meanwhile_neither_repeat_nor_push_out_others() -> None:
    first = page()
    add("z", "m", "a")  # before the place, within the page already read, after the place

    second = page(first.next_cursor)
    third = page(second.next_cursor)

    assert [names(second), names(third)] == ["hfd", "ba"]


def test_new_rows_at_the_start_are_found_on_the_way_back() -> None:
    first = page()
    second = page(first.next_cursor)
    add("x", "y", "z")

    back = page(second.previous_cursor)

    assert names(back) == "nlj"
    assert names(page(back.previous_cursor)) == "zyx"


def test_rows_removed_meanwhile_leave_no_gap() -> None:
    first = page()
    Session.objects.filter(session_key__in=["j", "h"]).delete()

    assert names(page(first.next_cursor)) == "fdb"


def test_an_emptied_page_still_leads_back_to_the_row_one_came_from() -> None:
    first = page(limit=6)
    Session.objects.filter(session_key="b").delete()

    empty = page(first.next_cursor, limit=6)

    assert (names(empty), empty.next_cursor) == ("", None)
    assert names(page(empty.previous_cursor, limit=6)) == "nljhfd"


def test_two_fields_are_compared_as_a_row() -> None:
    moment = timezone.now()
    Session.objects.update(expire_date=moment)
    options: dict[str, Any] = {"key": ("expire_date", "session_key"), "limit": 4}

    first = keyset_page(Session.objects.all(), **options)
    second = keyset_page(Session.objects.all(), cursor=first.next_cursor, **options)

    assert names(first) + names(second) == "nljhfdb"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c[:-2],
        lambda c: ("B" if c[0] == "A" else "A") + c[1:],
        lambda c: "!",
        lambda c: c + "AAAA",
        lambda c: "é",
    ],
)
def test_a_changed_cursor_is_refused(spoil: Any) -> None:
    cursor = page().next_cursor
    assert cursor is not None

    with pytest.raises(InvalidCursor) as refusal:
        page(spoil(cursor))

    assert refusal.value.status == 400
    assert refusal.value.errors[0].pointer == "/cursor"


@pytest.mark.parametrize("other", [{"descending": False}, {"scope": "another question"}])
def test_a_cursor_of_another_list_is_refused(other: dict[str, Any]) -> None:
    cursor = page().next_cursor

    with pytest.raises(InvalidCursor):
        page(cursor, **other)


def test_a_cursor_tells_nothing_but_the_place() -> None:
    place = Cursor(forward=True, inclusive=False, values=(str(uuid.uuid4()),))

    cursor = place.encode("s")
    assert Cursor.decode(cursor, "s") == place
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert place.values[0].encode() not in raw
    assert cursor != place.encode("s")


@pytest.mark.parametrize("text", ["0", "501", "-1", "x", "1.5", "\uff19", "9" * 40])
def test_a_limit_outside_its_bounds_is_refused_not_changed(text: str) -> None:
    with pytest.raises(InvalidInput):
        limit_of(text)


def test_limits() -> None:
    assert [limit_of(each) for each in (None, "", "1", "500")] == [50, 50, 1, 500]
