from collections.abc import Iterator

import pytest

from answerable.testing import FakeServer
from tests.helpers import SYSTEM


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(systems=(SYSTEM,)) as found:
        yield found
