"""A witness's folder, and a judge that sits in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.witness.folder import WitnessFolder
from ledger.witness.judging import Judge
from ledger.witness.memory import Memory
from ledger.witness.watched import Watched
from tests.ledger.witness.logs import MadeUpLog
from tests.ledger.witness.sites import Site, running

NewJudge = Callable[..., Judge]


@pytest.fixture
def folder(tmp_path: Path) -> WitnessFolder:
    """Of a new witness that watches one log."""
    made = WitnessFolder(tmp_path / "witness")
    made.create("witness.example/w1")
    made.list_file.write_text(f"log {MadeUpLog().vkey}\n")
    return made


@pytest.fixture
def new_judge(folder: WitnessFolder) -> Iterator[NewJudge]:
    """Opens the folder, as each start of the process does."""
    opened: list[Memory] = []

    def make(*lines: str) -> Judge:
        if lines:
            folder.list_file.write_text("".join(f"{line}\n" for line in lines))
        cosigner = folder.cosigner()
        opened.append(Memory(folder.memory_file, vkey=cosigner.verifier.vkey))
        return Judge(cosigner, opened[-1], Watched.read(folder.list_file))

    yield make
    for memory in opened:
        memory.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        yield found
