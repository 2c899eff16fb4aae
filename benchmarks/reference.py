"""What PostgreSQL alone can do: COPY of rows made beforehand, into the same three tables of a copied database.

The rows are exactly those that the append path makes of the same decisions, in COPY's binary format, one connection,
one commit for each 1,000.
"""

import time
import uuid
from collections.abc import Sequence
from struct import Struct
from typing import Any

import psycopg

from audit.services.preparing import DECISION_COLUMNS, PAYLOAD_COLUMNS, PreparedDecision
from ledger.copying import HEADER, TRAILER
from ledger.sealing import ENTRY_COLUMNS

_entry_place = Struct(">hi16siq").pack

Copies = tuple[tuple[str, bytes], ...]
"""A statement and its data, for each of the three tables."""


class Reference:
    """One connection, and the place of the next row."""

    def __init__(self, url: str, log_id: uuid.UUID, next_index: int) -> None:
        self.connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(url)
        self.log_id, self.next_index = log_id, next_index

    def prepare(self, decisions: Sequence[PreparedDecision]) -> Copies:
        """One batch as three COPY streams."""
        places = range(self.next_index, self.next_index + len(decisions))
        self.next_index += len(decisions)
        log_id, both = self.log_id.bytes, list(zip(places, decisions, strict=True))
        return (
            _copy(
                "ledger_entry", ENTRY_COLUMNS, [_entry_place(7, 16, log_id, 8, at) + row.row_tail for at, row in both]
            ),
            _copy(
                "audit_decision",
                DECISION_COLUMNS,
                [row.decision_row(at) for at, row in both],
            ),
            _copy("audit_payload", PAYLOAD_COLUMNS, [row.payload_row() for row in decisions]),
        )

    def run(self, batches: Sequence[Copies]) -> float:
        """Store batches, one commit each; the seconds that took."""
        started = time.perf_counter()
        for batch in batches:
            for statement, data in batch:
                with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
                    copy.write(data)
            self.connection.commit()
        return time.perf_counter() - started

    def close(self) -> None:
        self.connection.close()


def _copy(table: str, columns: str, rows: Sequence[bytes]) -> tuple[str, bytes]:
    return f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", b"".join((HEADER, *rows, TRAILER))
