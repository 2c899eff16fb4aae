"""Static files are collected when they changed, and only then."""

import pytest

from config.standalone.static_stamp import stale
from tests.environment import INSTALLATION


def test_a_second_start_collects_nothing() -> None:
    folder = INSTALLATION / "stamped"
    with stale(folder) as first:
        (folder / "staticfiles.json").touch()
    with stale(folder) as second:
        pass
    assert (first, second) == (True, False)


def test_a_collection_that_failed_is_made_again() -> None:
    folder = INSTALLATION / "failed"
    with pytest.raises(RuntimeError), stale(folder):
        raise RuntimeError
    with stale(folder) as again:
        assert again
