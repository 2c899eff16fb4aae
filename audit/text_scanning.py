"""Looking for a text in payloads: one pass over a window of decisions, which tells what it could look into.

Texts are compared without regard to case, as Unicode folds it, whatever the database's collation. JSON may escape any
character: where a payload holds such an escape, what it stands for is compared too.
"""

import json
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from audit.models import Decision
from audit.scanning import Scan, Slice, TooSlow, limited_to
from audit.walks import Place

PARTS = ("input", "output", "explanation", "context")
BETWEEN = r"'\x1f'::bytea"
"""A byte that no JSON holds: what is found begins and ends in one part."""
FOLDS_FULLY, FOLDS_BY_ITSELF, TELLS_BAD_JSON = 180_000, 170_000, 160_000
"""Since these versions PostgreSQL has `casefold`, collations of its own, and `pg_input_is_valid`."""

LOOK = """
    SELECT count(*), count(*) FILTER (WHERE NOT d.readable),
        count(*) FILTER (WHERE d.readable AND p.secret IS NULL),
        array_agg(d.id) FILTER (WHERE {found})
    FROM ({rows}) d LEFT JOIN audit_payload p ON p.id = d.id AND d.readable
    LEFT JOIN LATERAL (SELECT {folded} AS text OFFSET 0) t ON p.secret IS NOT NULL
"""
COUNT = """
    SELECT count(*), count(*) FILTER (WHERE NOT d.readable), count(*) FILTER (WHERE d.readable AND p.secret IS NULL)
    FROM ({rows}) d LEFT JOIN audit_payload p ON p.id = d.id AND d.readable
"""


class GivenUp(Exception):
    """Whoever searched wants no answer any more."""


@dataclass(slots=True)
class Looked:
    """What a search could look into. `barred`: decisions whose payload the searcher may not read."""

    scanned: int = 0
    barred: int = 0
    erased: int = 0

    def add(self, scanned: int, barred: int, erased: int) -> None:
        self.scanned += scanned
        self.barred += barred
        self.erased += erased


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a payload must hold: a condition on `p`, and on the folded text `t.text`, with its values."""

    sql: str
    values: tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class PayloadScan(Scan):
    """A walk that looks into payloads. `readable`: of which decisions; None: of all."""

    wanted: Wanted
    readable: Q | None = None
    is_given_up: Callable[[], bool] = lambda: False
    """Asked before each window, and where one took too long: nothing else ends what the database does for it. Whoever
    cancelled its statement from without could hit the next one of the same connection, and somebody else's."""
    looked: Looked = field(default_factory=Looked)
    _last: Decision | None = field(default=None, init=False)

    def _run(self) -> Slice:
        return self._walk()

    def _matching(self, place: Place | None, end: Place | None, wanted: int, *, is_single: bool) -> list[Decision]:
        if self.is_given_up():
            raise GivenUp()
        found, counts = self._look(place, end, is_single)
        rows = list(self._ordered(Decision.objects.filter(id__in=found))[:wanted]) if found else []
        self._last = rows[wanted - 2] if len(rows) >= wanted > 1 else self._last
        if len(rows) >= wanted and self._last:
            # the page ends before the window does: told is only what stands above its end
            self.looked, counts = Looked(), self._count(self._place, Place.of(self._last))
        elif rows:
            self._last = rows[-1]
        self.looked.add(*counts)
        return rows

    def _look(self, place: Place | None, end: Place | None, is_single: bool) -> tuple[list[uuid.UUID], tuple[int, ...]]:
        whole = f" || {BETWEEN} || ".join(f"coalesce(p.{part}, '')" for part in PARTS)
        folded = folding(whole) if "t.text" in self.wanted.sql else "NULL"
        statement = LOOK.replace("{found}", self.wanted.sql).replace("{folded}", folded)
        limit = None if is_single else self.window_limit_ms
        scanned, barred, erased, found = self._ask(statement, place, end, self.wanted.values, limit)
        return found or [], (scanned, barred, erased)

    def _count(self, place: Place | None, end: Place) -> tuple[int, ...]:
        return self._ask(COUNT, place, end, (), None)

    def _ask(
        self, statement: str, place: Place | None, end: Place | None, values: tuple[Any, ...], limit_ms: int | None
    ) -> tuple[Any, ...]:
        window = self._course.statement(lambda rows: self._window(rows, place, end), bare=True)
        if window is None:
            return (0, 0, 0, None) if values else (0, 0, 0)
        rows, given = window
        with connection.cursor() as cursor:
            arguments = [*values, *given]
            if limit_ms is None:
                cursor.execute(statement.replace("{rows}", rows), arguments)
            else:
                with self._limited_to(limit_ms):
                    cursor.execute(statement.replace("{rows}", rows), arguments)
            answer: tuple[Any, ...] = cursor.fetchone()
        return answer

    @contextmanager
    def _limited_to(self, milliseconds: int) -> Iterator[None]:
        try:
            with limited_to(milliseconds):
                yield
        except TooSlow as error:
            if self.is_given_up():
                raise GivenUp() from error
            raise

    def _window(self, walked: QuerySet[Decision], place: Place | None, end: Place | None) -> QuerySet[Any, Any]:
        may_read = Value(True) if self.readable is None else Case(When(self.readable, then=True), default=False)
        rows = self._beyond(walked, place, end).filter(self.question.remaining or Q())
        return rows.order_by().annotate(readable=_truth(may_read)).values("id", "readable")


def _truth(expression: Any) -> Any:
    expression.output_field = BooleanField()
    return expression


# --- what holds a text ------------------------------------------------------------------------------------------------
def folding(data: str) -> str:
    """SQL: bytes that were checked to be UTF-8 when they arrived, as text without difference of case."""
    text, version = f"convert_from({data}, 'UTF8')", _version()
    if version >= FOLDS_FULLY:
        return f'casefold({text} COLLATE "pg_unicode_fast")'
    return f'lower({text} COLLATE "pg_c_utf8")' if version >= FOLDS_BY_ITSELF else f"lower({text})"


def _version() -> int:
    return int(cast(DatabaseWrapper, connection).pg_version)


def holding(text: str) -> Wanted:
    """Payloads that hold a text, in any case, escaped or not."""
    plain, escaped = list(spellings(text)), list(escapes(text))
    found, values = _any_of("t.text", plain)
    in_escaped, more = _any_of("t.text", escaped)
    unescaped, last = _unescaped(text)
    sql = f"({found} OR strpos(t.text, '\\u') > 0 AND ({in_escaped}{unescaped}))"
    return Wanted(sql, (*values, *more, *last))


def _any_of(where: str, texts: list[str]) -> tuple[str, list[bytes]]:
    folded = folding("%s::bytea")
    return " OR ".join(f"strpos({where}, {folded}) > 0" for _ in texts), [each.encode() for each in texts]


def _unescaped(text: str) -> tuple[str, list[bytes]]:
    """JSON that PostgreSQL reads, written without escapes. What it refuses (a lone surrogate) is looked at as sent."""
    if _version() < TELLS_BAD_JSON:
        return "", []
    sql, values = "", []
    for part in PARTS:
        raw = f"convert_from(p.{part}, 'UTF8')"
        found, given = _any_of(folding(f"convert_to({raw}::jsonb::text, 'UTF8')"), list(spellings(text)))
        sql += f" OR CASE WHEN strpos({raw}, '\\u') > 0 AND pg_input_is_valid({raw}, 'jsonb') THEN {found} END"
        values += given
    return sql, values


def spellings(text: str) -> Iterator[str]:
    """As it is, and as JSON writes it; composed and decomposed, since both look the same."""
    forms = dict.fromkeys([text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)])
    yield from dict.fromkeys(
        spelled for form in forms for spelled in (form, json.dumps(form, ensure_ascii=False)[1:-1])
    )


def escapes(text: str) -> Iterator[str]:
    """As JSON may write it with all but ASCII escaped; of a mixed case no more than what people write."""
    cases = (text, text.lower(), text.upper(), text.capitalize())
    yield from dict.fromkeys(json.dumps(each)[1:-1] for each in cases)
