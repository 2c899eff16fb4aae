from collections.abc import Iterator

import pytest

from tests.bundles.javascript import JavaScript


@pytest.fixture(scope="module")
def javascript() -> Iterator[JavaScript]:
    process = JavaScript()
    yield process
    process.end()
