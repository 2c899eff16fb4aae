"""The functions of the database that erase, and what they ask: holds, floors, what two people agreed to.

They stand in a migration of `evidence`, which sees every table. Whoever may do what is decided there again, whatever is
asked for here: a refusal comes as a database error (insufficient privilege), and nothing was erased.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

Ids = Collection[uuid.UUID]


def lock_holds() -> None:
    """Until this transaction ends nobody places a legal hold, or puts a decision into a case. Before any other lock."""
    _ask("SELECT evidence_lock_holds()")


def database_now() -> datetime:
    """The database's clock, the same for every host."""
    found: datetime = _ask("SELECT clock_timestamp()")[0][0]
    return found


def floor_ends(ids: Ids) -> dict[uuid.UUID, datetime]:
    """When the latest floor ends that holds for each of these decisions; without those that are not there."""
    return dict(_ask("SELECT decision_id, ends_at FROM evidence_floor_ends(%s)", [list(ids)]))


def staff_floor_ends(person_id: uuid.UUID) -> datetime | None:
    """When the name of somebody who has left may be erased; None while they are here."""
    found: datetime | None = _ask("SELECT evidence_staff_floor_ends(%s)", [person_id])[0][0]
    return found


def staff_held(person_id: uuid.UUID) -> bool:
    """Whether a legal hold covers something that somebody answered for, or wrote: then their name is kept with it."""
    found: bool = _ask("SELECT evidence_staff_held(%s)", [person_id])[0][0]
    return found


def held_decisions(ids: Ids) -> frozenset[uuid.UUID]:
    """Of these decisions those that a legal hold covers, by what is sealed of holds; records they were made of, too."""
    return _ids_of("SELECT evidence_held(%s)", ids)


def systems_of(row_ids: Ids) -> dict[uuid.UUID, uuid.UUID | None]:
    """Of rows the AI system whose words they hold; None: the organisation's."""
    return dict(_ask("SELECT row_id, system_id FROM evidence_systems_of(%s)", [list(row_ids)])) if row_ids else {}


def held_texts(row_ids: Ids) -> frozenset[uuid.UUID]:
    """Of these rows those whose texts a legal hold covers."""
    return _ids_of("SELECT evidence_held_texts(%s)", row_ids)


def texts_within_floor(row_ids: Ids, at: datetime) -> frozenset[uuid.UUID]:
    """Of these rows those whose texts, by the floor of their kind, may not be erased at a moment."""
    found = _ask("SELECT evidence_texts_within_floor(%s, %s)", [list(row_ids), at]) if row_ids else []
    return frozenset(row_id for (row_id,) in found)


def text_floor_ends(row_ids: Ids) -> dict[uuid.UUID, datetime | None]:
    """Of these rows those whose texts a floor keeps, each with its end; None: not before an open case is closed."""
    return dict(_ask("SELECT row_id, ends_at FROM evidence_text_floor_ends(%s)", [list(row_ids)])) if row_ids else {}


def repeating_versions(request_id: uuid.UUID, items: Ids) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Versions of texts that go with these finds of a request, each with its row: later ones of the same row, where a
    column says again what the find says there and names whom the request was sealed to be about."""
    if not items:
        return []
    return _ask("SELECT item_id, row_id FROM evidence_repeating(%s, %s) ORDER BY item_id", [request_id, list(items)])


def in_process(ids: Ids) -> frozenset[uuid.UUID]:
    """Of these decisions those that somebody still works on: an open review, appeal or case."""
    return _ids_of("SELECT evidence_in_process(%s)", ids)


def open_warrant(consent_id: uuid.UUID) -> None:
    """Let the database compare what was agreed to with what its entry says: from then on it is frozen."""
    _ask("SELECT evidence_open_warrant(%s)", [consent_id])


def erase_payloads(warrant: uuid.UUID, entries: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Empty payloads. `entries`: of each decision the entry that says so, sealed in this transaction."""
    return _erase("SELECT evidence_erase_payloads(%s, %s, %s)", warrant, entries)


def erase_texts(warrant: uuid.UUID | None, entries: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Empty versions of texts. `entries`: of each version the entry that counts it."""
    return _erase("SELECT evidence_erase_texts(%s, %s, %s)", warrant, entries)


def erase_quarantined(warrant: uuid.UUID | None, entries: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Empty records of quarantine. `warrant` None: those that are past their time."""
    return _erase("SELECT evidence_erase_quarantined(%s, %s, %s)", warrant, entries)


def forget_statistics(*tables: str) -> None:
    """Let the planner estimate anew: its samples hold values of what was erased. May take a while."""
    _ask("SELECT evidence_forget_statistics(%s)", [list(tables)])


def _erase(statement: str, warrant: uuid.UUID | None, entries: Mapping[uuid.UUID, uuid.UUID]) -> int:
    if not entries:
        return 0
    return int(_ask(statement, [warrant, list(entries), list(entries.values())])[0][0])


def _ids_of(statement: str, ids: Ids) -> frozenset[uuid.UUID]:
    return frozenset(found for (found,) in _ask(statement, [list(ids)])) if ids else frozenset()


def _ask(statement: str, values: Collection[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        return list(cursor.fetchall())
