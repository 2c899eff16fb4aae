"""Searches: the terms that each entry commits to, kept beside it, and nothing else."""

import json
from collections.abc import Iterator, Sequence

from psycopg import sql

from audit.kinds import DECISIONS_SEARCHED
from audit.services.search_runs import TERMS_PART
from evidence.verification.erasures import sealed_erasures
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry
from evidence.verification.walks import Slice, Walk, rows_of
from ledger.commitments import SECRET_BYTES, commitment
from ledger.models import Log, Particulars


def check_searches(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The terms of every search among these entries: there, once, and opening what the entry says of them."""
    searches = [entry for entry in entries if entry.kind == DECISIONS_SEARCHED.name]
    kept: dict[str, list[Particulars]] = {search.id: [] for search in searches}
    for version in Particulars.objects.filter(row_id__in=kept):
        kept[str(version.row_id)].append(version)
    for search in searches:
        for code in _judge(search, kept[search.id]):
            yield Finding(code, log.origin, search.index, table="ledger_particulars", row=search.id)


def _judge(search: StoredEntry, kept: Sequence[Particulars]) -> Iterator[str]:
    terms = [version for version in kept if version.part == TERMS_PART]
    if not terms:
        yield "particulars-missing"
    if len(kept) > 1:
        yield "particulars-loose"
    for version in terms:
        if version.secret is None or version.data is None:
            if not sealed_erasures([version.id]):
                yield "particulars-gone"
        elif not _opens(bytes(version.secret), bytes(version.data), search):
            yield "particulars-altered"


def _opens(secret: bytes, data: bytes, search: StoredEntry) -> bool:
    if len(secret) != SECRET_BYTES or commitment(secret, TERMS_PART, data).hex() != search.body.get("terms"):
        return False
    try:
        terms = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(terms, dict) and sorted(terms) == search.body.get("by")


def walks() -> list[Walk]:
    """Terms that no search's entry leads to."""
    return [Walk("search-terms", "ledger_particulars", "id", _terms_without_entries)]


def _terms_without_entries(part: Slice) -> Iterator[Finding]:
    query = sql.SQL(
        "SELECT p.id FROM ledger_particulars p WHERE {} AND p.part = %s AND NOT EXISTS"
        " (SELECT FROM ledger_entry e WHERE e.id = p.row_id AND e.kind = %s) LIMIT 100"
    )
    for (version_id,) in rows_of(query.format(part.holds("p", "id")), [TERMS_PART, DECISIONS_SEARCHED.name]):
        yield Finding("particulars-loose", table="ledger_particulars", row=str(version_id))
