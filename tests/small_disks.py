"""A file system with hardly any room."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Mount = Callable[[int], Path]
"""Makes the folder a file system of so many bytes; the test is skipped where nobody may mount one."""


@contextmanager
def small_disk_at(place: Path) -> Iterator[Mount]:
    """A folder that can be made a small disk, while the block lasts."""
    place.mkdir()

    def mount(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small file system takes the right to mount one: {done.stderr.strip()}")
        return place

    yield mount
    if os.path.ismount(place):
        subprocess.run(["umount", str(place)], check=True)
