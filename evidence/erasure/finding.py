"""Finding what names somebody: their decisions by subject, and texts, drafts and records by their words.

In slices of a table's ids, each a statement of bounded time, so that a task can stop and go on. What is found is kept
by id, and by the AI system whose words they are, for its accountable person agrees to them; what belongs to none is the
organisation's. A request of one AI system looks for that one's words alone. Whoever prepares the erasure looks at what
was found, and leaves out what names somebody else of the same name.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from audit.erasing import systems_of
from audit.models import Decision, ErasureFind, ErasureRequest, ErasureScan, ErasureTarget, Payload
from audit.text_scanning import PARTS, escapes, folding, spellings
from evidence.erasure.places import DECISION_PLACE, PAYLOAD_PLACE, QUARANTINE_PLACE, TEXT_PLACE, TEXTS, WORDS, Words
from governance.services.erasing import NAMING
from intake.models import QuarantineCase

ROWS_AT_ONCE = 2_000
TARGETS_AT_ONCE = 5_000
PAYLOADS_AT_ONCE = 300
"""Of up to some megabytes each."""
SHORTEST = 3
"""Letters of what names somebody: less is found everywhere."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What names somebody, in any case and as JSON writes it."""

    texts: tuple[str, ...]

    @classmethod
    def of(cls, request: ErasureRequest) -> "Pattern":
        named = [request.subject.strip(), *request.identifiers]
        return cls(tuple(dict.fromkeys(each for each in named if len(each) >= SHORTEST)))

    @property
    def spelled(self) -> list[bytes]:
        each_way = (spelled for text in self.texts for spelled in (*spellings(text), *escapes(text)))
        return [spelled.encode() for spelled in dict.fromkeys(each_way)]

    def within(self, data: str) -> tuple[str, list[bytes]]:
        """SQL: whether bytes in UTF-8 hold one of the texts, and its values."""
        found = self.spelled
        said = " OR ".join(f"strpos(t.text, {folding('%s::bytea')}) > 0" for _ in found)
        return " ".join(["(SELECT", said, "FROM (SELECT", folding(data), "AS text) t)"]), found

    def names_in(self, texts: Iterable[str]) -> bool:
        """Whether one of these texts names somebody, in whatever case, words broken over lines among them."""
        wanted = [" ".join(each.casefold().split()) for each in self.texts]
        return any(each in " ".join(text.casefold().split()) for text in texts for each in wanted)

    def among_bytes(self, column: str) -> tuple[str, list[bytes]]:
        """The same of bytes that may be anything: as it is, and in the cases that people write."""
        cases = dict.fromkeys(each for text in self.texts for each in (text, text.lower(), text.upper(), text.title()))
        found = [each.encode() for text in cases for each in dict.fromkeys((*spellings(text), *escapes(text)))]
        return "(" + " OR ".join(f"position(%s::bytea IN {column}) > 0" for _ in found) + ")", found


# --- decisions --------------------------------------------------------------------------------------------------------
def _subject(request: ErasureRequest, after: uuid.UUID) -> uuid.UUID | None:
    """The decisions of a subject, as their payloads name it: the next of them."""
    named = Payload.objects.filter(subject=request.subject, pk__gt=after).order_by("pk")
    ids = list(named.values_list("pk", flat=True)[:TARGETS_AT_ONCE])
    target(request, ids)
    return ids[-1] if ids else None


def target(request: ErasureRequest, ids: Sequence[uuid.UUID]) -> None:
    """Make decisions part of a request, within its AI system where it names one."""
    rows = Decision.objects.filter(pk__in=ids)
    rows = rows.filter(system_id=request.system_id) if request.system_id else rows
    made = [
        ErasureTarget(request=request, decision_id=pk, system_id=of) for pk, of in rows.values_list("pk", "system_id")
    ]
    ErasureTarget.objects.bulk_create(made, ignore_conflicts=True, batch_size=1_000)


# --- texts ------------------------------------------------------------------------------------------------------------
def places_of(request: ErasureRequest) -> list[str]:
    """Where is looked, in this order. Of single decisions that name nobody: nowhere."""
    decisions = [DECISION_PLACE] if request.subject else []
    if not Pattern.of(request).texts:
        return decisions
    found = [*decisions, TEXT_PLACE, QUARANTINE_PLACE, *(each.name for each in WORDS)]
    return [*found, PAYLOAD_PLACE] if request.look_into_payloads else found


def search_on(request: ErasureRequest) -> bool:
    """Look through the next slice. Whether there is more to look through. Errors: the database's."""
    with transaction.atomic():
        scan = ErasureScan.objects.select_for_update().get(request=request)
        if scan.finished_at:
            return False
        places = places_of(request)
        place = scan.place or next(iter(places), "")
        if place:
            scan.cursor = _look(request, place, scan.cursor or uuid.UUID(int=0))
            if scan.cursor is None:
                place = next(iter(places[places.index(place) + 1 :]), "")
        scan.place = place
        if not place:
            scan.finished_at = timezone.now()
        scan.save()
    return not scan.finished_at


def _look(request: ErasureRequest, place: str, after: uuid.UUID) -> uuid.UUID | None:
    """Look into the rows of one place after an id. Returns where to go on; None at its end."""
    match place:
        case _ if place == DECISION_PLACE:
            return _subject(request, after)
        case _ if place == TEXT_PLACE:
            return _texts(request, after)
        case _ if place == QUARANTINE_PLACE:
            return _records(request, after)
        case _ if place == PAYLOAD_PLACE:
            return _payloads(request, after)
    return _words(request, next(each for each in WORDS if each.name == place), after)


def _texts(request: ErasureRequest, after: uuid.UUID) -> uuid.UUID | None:
    condition, values = Pattern.of(request).within("r.data")
    found, end = _rows("ledger_particulars", "r.secret IS NOT NULL", condition, values, after, "r.row_id")
    _keep(request, TEXT_PLACE, _foreign(request, found))
    return end


def _records(request: ErasureRequest, after: uuid.UUID) -> uuid.UUID | None:
    pattern = Pattern.of(request)
    condition, values = pattern.among_bytes("r.original")
    more, others = pattern.within("convert_to(r.problems::text, 'UTF8')")
    both, given = f"({condition} OR {more})", [*values, *others]
    found, end = _rows("intake_quarantinedrecord", "r.secret IS NOT NULL", both, given, after, "r.id")
    _keep(request, QUARANTINE_PLACE, found)
    return end


def _payloads(request: ErasureRequest, after: uuid.UUID) -> uuid.UUID | None:
    """Those of others that name them: the decisions join the request."""
    condition, values = Pattern.of(request).within(_joined(f"r.{part}" for part in PARTS))
    kept = "r.secret IS NOT NULL"
    found, end = _rows("audit_payload", kept, condition, values, after, "r.id", PAYLOADS_AT_ONCE)
    target(request, [item for item, _ in found])
    return end


def _words(request: ErasureRequest, words: Words, after: uuid.UUID) -> uuid.UUID | None:
    whole = _joined(f"convert_to(r.{each}::text, 'UTF8')" for each in words.columns)
    condition, values = Pattern.of(request).within(whole)
    found, end = _rows(words.model._meta.db_table, "true", condition, values, after, "r.id")
    _keep(request, words.name, _still(words, found))
    return end


def _joined(columns: Iterable[str]) -> str:
    """SQL: bytes of several columns as one, between them a byte that none of them holds."""
    return " || '\\x1f'::bytea || ".join(f"coalesce({each}, '')" for each in columns)


Found = list[tuple[uuid.UUID, uuid.UUID]]


def _rows(
    table: str,
    kept: str,
    condition: str,
    values: Sequence[Any],
    after: uuid.UUID,
    row: str,
    at_once: int = ROWS_AT_ONCE,
) -> tuple[Found, uuid.UUID | None]:
    """Of one slice of a table the ids that answer, each with the row it is of; and where the slice ends."""
    name = sql.Identifier(table)
    with connection.cursor() as cursor:
        bound = sql.SQL("SELECT id FROM {} WHERE id > %s ORDER BY id OFFSET %s LIMIT 1").format(name)
        cursor.execute(bound, [after, at_once - 1])
        last = cursor.fetchone()
        end: uuid.UUID | None = last[0] if last else None
        upto = sql.SQL("AND r.id <= %s") if end else sql.SQL("")
        # the condition behind a fence: nothing is decoded that is empty, or beyond the slice
        query = sql.SQL(
            "SELECT r.id, {row} FROM (SELECT * FROM {table} r WHERE r.id > %s {upto} AND {kept} OFFSET 0) r"
            " WHERE {condition}"
        ).format(row=sql.SQL(row), table=name, upto=upto, kept=sql.SQL(kept), condition=sql.SQL(condition))
        cursor.execute(query, [after, *([end] if end else []), *values])
        return list(cursor.fetchall()), end


def _keep(request: ErasureRequest, place: str, found: Found) -> None:
    whose = systems_of_finds((place, row) for _, row in found)
    made = [
        ErasureFind(request=request, item_id=item, place=place, row_id=row, system_id=whose[place, row])
        for item, row in found
        if request.system_id is None or whose[place, row] == request.system_id
    ]
    ErasureFind.objects.bulk_create(made, ignore_conflicts=True, batch_size=1_000)


def systems_of_finds(places: Iterable[tuple[str, uuid.UUID]]) -> dict[tuple[str, uuid.UUID], uuid.UUID | None]:
    """Of rows by their place the AI system whose words they hold; None: the organisation's."""
    by_place: dict[str, set[uuid.UUID]] = defaultdict(set)
    for place, row_id in places:
        by_place[place].add(row_id)
    known = {words.name: words for words in WORDS}
    found = dict[tuple[str, uuid.UUID], uuid.UUID | None]()
    for place, rows in by_place.items():
        whose = known[place].systems_of(rows) if place in known else systems_of(rows)
        found |= {(place, row): whose.get(row) for row in rows}
    return found


def _foreign(request: ErasureRequest, found: Found) -> Found:
    """Without the request's own words, without what goes with its decisions anyway, and without the register's names:
    those of staff go by an erasure of their own, once they have left.
    """
    rows = {row for _, row in found}
    own = {request.pk, *request.consents.values_list("pk", flat=True)} | _with_targets(request, rows)
    for model in NAMING if rows else ():
        own |= set(model._base_manager.filter(pk__in=rows).values_list("pk", flat=True))
    return [(item, row) for item, row in found if row not in own]


def _with_targets(request: ErasureRequest, rows: set[uuid.UUID]) -> set[uuid.UUID]:
    targets, gone = request.targets.values("decision_id"), set[uuid.UUID]()
    for place in TEXTS if rows else ():
        mine = place.model._base_manager.filter(**{"pk__in": rows, f"{place.path}__in": targets})
        gone |= set(mine.values_list("pk", flat=True))
    corrected = QuarantineCase.objects.filter(pk__in=rows, record__in=_quarantined(request))
    return gone | set(corrected.values_list("pk", flat=True))


def _quarantined(request: ErasureRequest) -> Any:
    return request.finds.filter(place=QUARANTINE_PLACE).values("item_id")


def _still(words: Words, found: Found) -> Found:
    """Those rows that are kept at all."""
    if not words.kept:
        return found
    rows = words.model._default_manager.filter(words.kept, pk__in=[item for item, _ in found])
    there = set(rows.values_list("pk", flat=True))
    return [(item, row) for item, row in found if item in there]


# --- what is shown of a find ------------------------------------------------------------------------------------------
AROUND = 60


def excerpts(text: str, pattern: Pattern, most: int = 3) -> Iterator[str]:
    """The places of a text that name somebody, each with a few words around it."""
    lowered, given = text.lower(), 0
    for each in pattern.texts:
        at = lowered.find(each.lower())
        while at >= 0 and given < most:
            start, end = max(0, at - AROUND), at + len(each) + AROUND
            yield ("…" if start else "") + " ".join(text[start:end].split()) + ("…" if end < len(text) else "")
            at, given = lowered.find(each.lower(), at + len(each)), given + 1


def plain(data: bytes) -> str:
    """The words of an erasable row: of JSON its texts, else as it is."""
    text = data.decode(errors="replace")
    try:
        said = json.loads(text)
    except ValueError:
        return text
    return "\n".join(_strings(said)) if isinstance(said, dict | list) else text


def _strings(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for each in said.values():
            yield from _strings(each)
    elif isinstance(said, list):
        for each in said:
            yield from _strings(each)
