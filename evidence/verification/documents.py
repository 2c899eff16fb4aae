"""Receipts of erasures and reports of purges: each is the one that this installation signed, of what it is kept for.

One that is not there is not missed: it is made anew, from what is sealed, for whoever asks next.
"""

from collections.abc import Iterator, Sequence

from evidence.erasure.documents import FIRST_REPORT, RECEIPT
from evidence.models import SignedDocument
from evidence.verification.findings import Finding
from evidence.verification.walks import Slice, Walk
from ledger.key_history import key_of, read_history
from ledger.models import Log
from ledger.tlog import NoteError, Verifier, open_note

FIRST_LINES: dict[str, tuple[str, str]] = {
    SignedDocument.Kind.ERASURE: (RECEIPT, "request"),
    SignedDocument.Kind.PURGE: (FIRST_REPORT, "purge"),
}
"""The title of each kind, and the name of the line that says what it is about."""
TABLE = SignedDocument._meta.db_table


def walks() -> list[Walk]:
    """The table of documents, which no entry leads to: their proof is their own signature."""
    return [Walk("signed-documents", TABLE, "id", _documents)]


def _documents(part: Slice) -> Iterator[Finding]:
    rows = SignedDocument.objects.order_by("id")
    rows = rows.filter(id__gt=part.after) if part.after else rows
    rows = rows.filter(id__lte=part.upto) if part.upto else rows
    keys: Sequence[Verifier] | None = None
    for row in rows.iterator():
        keys = _keys() if keys is None else keys
        if not _is_genuine(row, keys):
            yield Finding("document-altered", table=TABLE, row=str(row.pk))


def _keys() -> list[Verifier]:
    """All keys the installation ever had, under the names of its registry logs. (A retired one signed before.)"""
    origins = Log.objects.filter(kind=Log.Kind.REGISTRY).values_list("origin", flat=True)
    keys = read_history().keys
    return [key_of(origin, key) for origin in origins for key in keys]


def _is_genuine(row: SignedDocument, keys: Sequence[Verifier]) -> bool:
    try:
        lines = open_note(row.note, keys).text.splitlines()
    except NoteError:
        return False
    title, about = FIRST_LINES.get(row.kind, ("", ""))
    return lines[:1] == [title] and f"{about}: {row.about_id}" in lines
