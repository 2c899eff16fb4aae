"""Ids in a file: a set of them, whatever is cut off and however few are held at once."""

import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.exports import ids
from evidence.exports.ids import Ids

MANY = st.lists(st.uuids() | st.just(uuid.UUID(int=7)), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=MANY, lost=MANY, later=MANY, held=st.integers(1, 9), at_once=st.integers(1, 9), written=st.integers(1, 99))
def test_each_is_there_once_and_what_was_cut_off_is_not(
    tmp_path: Path, first: list[uuid.UUID], lost: list[uuid.UUID], later: list[uuid.UUID], held: int, at_once: int,
    written: int,
) -> None:  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "HELD_AT_ONCE", held)
        patch.setattr(ids, "KEPT_UNWRITTEN", written)
        noted = Ids(tmp_path / "ids")
        noted.cut(0)
        note(noted, first)
        length = noted.kept()
        assert length == 16 * len(first)
        note(noted, lost)
        again = Ids(tmp_path / "ids")
        again.cut(length)
        note(again, later)
        chunks = list(again.chunks(at_once))
        assert all(len(chunk) <= at_once for chunk in chunks)
        assert sorted(each for chunk in chunks for each in chunk) == sorted({*first, *later})


def note(noted: Ids, those: list[uuid.UUID]) -> None:
    for each in those:
        noted.add(str(each))


def test_a_file_that_lost_some_is_not_taken_for_whole(tmp_path: Path) -> None:
    noted = Ids(tmp_path / "ids")
    noted.add(str(uuid.UUID(int=1)))
    length = noted.kept()
    (tmp_path / "ids").write_bytes(b"")
    with pytest.raises(OSError, match="shorter"):
        Ids(tmp_path / "ids").cut(length)
