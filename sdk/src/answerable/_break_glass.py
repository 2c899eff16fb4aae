"""The break-glass file: lines `<scope> <mode>`, read every second without any network. It only tightens.

    *                        everything that this process asks about
    credit-limit             an AI system
    credit-limit/production  ... in one environment
    credit-limit@2.1         ... one model version (combines: credit-limit/production@2.1)
    credit-limit:increase    ... one capability (combines: credit-limit/production:increase)

A line for one version or environment counts for a process that does not say which it runs, too: it may be that one. A
line for one capability counts only where that capability is asked about.

Empty lines and `#` comments count for nothing. Who breaks the glass is in a hurry, so a mistake must not leave things
running: a word that is no mode means stop, a scope that cannot be read means everything, and a file that is there and
cannot be read means stop for everything. Each is reported.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from answerable._exceptions import BadBreakGlass
from answerable._modes import Mode

MAX_BYTES = 64 << 10
_SCOPE = re.compile(
    r"(?P<system>[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?)"
    r"(?:/(?P<environment>[A-Za-z0-9_.-]{1,100}))?"
    r"(?:@(?P<version>[A-Za-z0-9_.:/+-]{1,100})|:(?P<capability>[A-Za-z0-9_.-]{1,100}))?"
)


class Line(NamedTuple):
    """One line: None means all."""

    mode: Mode
    system: str | None = None
    environment: str | None = None
    model_version: str | None = None
    capability: str | None = None

    def covers(self, system: str, environment: str | None, model_version: str | None, capability: str | None) -> bool:
        """What the caller does not say of itself, environment or version, may be what is meant: so it is covered."""
        return (
            self.system in (None, system)
            and (self.environment is None or environment in (None, self.environment))
            and (self.model_version is None or model_version in (None, self.model_version))
            and self.capability in (None, capability)
        )


STOP_ALL = (Line(Mode.STOP),)


def read_lines(text: str) -> tuple[tuple[Line, ...], list[str]]:
    """The lines and what is wrong with the file, in words."""
    lines, wrong = [], []
    for number, raw in enumerate(text.splitlines(), 1):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        if len(words) == 1 and _is_mode(words[0]):
            words.insert(0, "?")  # a mode alone: whoever wrote it meant something, so everything
        mode = _mode_of(words)
        if mode is None:
            wrong.append(f"line {number}: {words[-1]!r} is no mode, so it counts as stop")
        scope = _scope_of(words[0], mode or Mode.STOP) if len(words) <= 2 else None
        if scope is None:
            wrong.append(f"line {number}: no scope can be read in {raw.strip()!r}, so it counts for everything")
        lines.append(scope or Line(mode or Mode.STOP))
    return tuple(lines), wrong


def _is_mode(word: str) -> bool:
    return word.lower() in {mode.value for mode in Mode}


def _mode_of(words: list[str]) -> Mode | None:
    return Mode(words[-1].lower()) if len(words) > 1 and _is_mode(words[-1]) else None


def _scope_of(word: str, mode: Mode) -> Line | None:
    if word == "*":
        return Line(mode)
    found = _SCOPE.fullmatch(word)
    return Line(mode, found["system"], found["environment"], found["version"], found["capability"]) if found else None


class BreakGlass:
    """Reads the file again and says when what it asks for has changed."""

    def __init__(self, path: Path | None, report: Callable[[Exception], None]) -> None:
        self._path, self._report = path, report
        self.lines: tuple[Line, ...] = ()
        self._said: list[str] = []

    def look(self) -> bool:
        """Whether the lines are other ones than before."""
        if self._path is None:
            return False
        lines, wrong = self._read(self._path)
        if wrong != self._said:
            self._said = wrong
            for each in wrong:
                self._report(BadBreakGlass(f"{self._path}: {each}"))
        changed, self.lines = lines != self.lines, lines
        return changed

    def _read(self, path: Path) -> tuple[tuple[Line, ...], list[str]]:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return (), []
        except (PermissionError, IsADirectoryError) as error:
            return STOP_ALL, [f"it is there and cannot be read ({error.strerror}), so everything stops"]
        except OSError as error:
            # no file descriptor left, a disk that fails: nobody has broken any glass by that
            return self.lines, [f"it cannot be read just now ({error.strerror}), so what was read last counts"]
        if len(content) > MAX_BYTES:
            return STOP_ALL, [f"it is larger than {MAX_BYTES:,} bytes, so everything stops"]
        try:
            return read_lines(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            return STOP_ALL, ["it is no UTF-8 text, so everything stops"]
