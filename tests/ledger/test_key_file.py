"""The key file is whole or not there, belongs to its owner alone, and is read again when it changes."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ledger.errors import SigningKeyUnavailable
from ledger.key_file import create_key_file, read_seeds, replace_key_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "signing.key"


def test_it_is_made_once_for_its_owner_alone(path: Path) -> None:
    create_key_file(path)
    seeds = read_seeds(path)
    assert [len(seed) for seed in seeds] == [32]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    create_key_file(path)
    assert read_seeds(path) == seeds
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["os.fsync", "os.link"])
def test_a_crash_while_it_is_made_leaves_no_half_of_one(path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(call, fail)
        create_key_file(path)
    assert list(path.parent.iterdir()) == []
    create_key_file(path)
    assert len(read_seeds(path)) == 1


def test_all_who_make_it_at_once_read_the_same_key(path: Path) -> None:
    seen: list[tuple[bytes, ...]] = []
    ready = threading.Barrier(8)

    def make() -> None:
        ready.wait()
        create_key_file(path)
        seen.append(read_seeds(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 and len(set(seen)) == 1


def test_a_replaced_file_is_read_again_and_one_that_vanished_is_an_error(path: Path) -> None:
    create_key_file(path)
    (old,) = read_seeds(path)
    replace_key_file(path, [bytes([1]) * 32, old])
    assert read_seeds(path) == (bytes([1]) * 32, old)
    path.unlink()
    with pytest.raises(SigningKeyUnavailable):
        read_seeds(path)


def test_a_replacement_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key_file(path)
    seeds = read_seeds(path)

    def fail(*args: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, "fsync", fail)
        replace_key_file(path, [bytes(32)])
    assert read_seeds(path) == seeds
    assert list(path.parent.iterdir()) == [path]


KEY = "11" * 32


@pytest.mark.parametrize("text", ["", "\n", KEY[:-2], KEY + "22", f"{KEY}\n" * 3, "key", f"{KEY}\nkey"])
def test_anything_but_one_or_two_keys_is_refused_by_the_files_name_and_without_its_content(
    path: Path, text: str
) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(SigningKeyUnavailable, match=r"signing\.key") as refused:
        read_seeds(path)
    assert KEY[:16] not in str(refused.value)
