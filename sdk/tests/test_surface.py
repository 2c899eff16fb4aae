"""The names that users may rely on."""

import re
import subprocess
import sys

import answerable
from answerable import _exceptions
from answerable._modes import Epoch, Mode, read_mode, strictest


def test_every_public_name_is_there_and_listed_in_order() -> None:
    assert all(hasattr(answerable, name) for name in answerable.__all__)
    assert answerable.__all__ == sorted(answerable.__all__)


def test_nothing_else_is_public() -> None:
    found = {name for name in vars(answerable) if not name.startswith("_")}
    assert found - {"testing"} == {name for name in answerable.__all__ if not name.startswith("_")}


def test_the_docstring_draws_the_whole_tree_of_exceptions() -> None:
    drawn: list[tuple[str, str]] = []
    line: list[tuple[int, str]] = []
    for indent, name in re.findall(r"^( {4}(?:[| ] {0,2}| )*[|`]- | {4})([A-Z]\w+)", _exceptions.__doc__ or "", re.M):
        depth = len(indent)
        line = [each for each in line if each[0] < depth]
        drawn.append((name, line[-1][1] if line else "Exception"))
        line.append((depth, name))
    real = [
        (each.__name__, each.__bases__[0].__name__)
        for each in vars(_exceptions).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert sorted(drawn) == sorted(real)


def test_the_import_brings_no_other_package() -> None:
    code = "import sys; before = set(sys.modules); import answerable; print(*(set(sys.modules) - before))"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    ).stdout.split()
    assert {name.partition(".")[0] for name in said} - set(sys.stdlib_module_names) == {"answerable"}


def test_modes_are_ordered_and_an_unknown_one_stops() -> None:
    assert strictest(Mode.REVIEW, Mode.STOP, Mode.RUN) is Mode.STOP
    assert strictest(Mode.FALLBACK, Mode.REVIEW) is Mode.FALLBACK
    assert read_mode("hibernate") is Mode.STOP
    assert read_mode(None) is Mode.STOP


def test_epochs_compare_as_numbers() -> None:
    assert Epoch.parse("1.9") < Epoch.parse("1.10") < Epoch.parse("2.0")
