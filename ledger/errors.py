"""What can go wrong while sealing and proving."""

from django.db import InterfaceError, OperationalError

from config.errors import Conflict, NotFound, ServiceError, Unavailable


class LogNotFound(NotFound):
    code = "log-not-found"
    title = "There is no such log"


class EntryNotFound(NotFound):
    code = "entry-not-found"
    title = "There is no such entry"


class LogClosed(Conflict):
    code = "log-closed"
    title = "This log is closed"


class HeadStoreUnavailable(Unavailable):
    code = "head-store-unavailable"
    title = "The head store cannot be read or written"


class HeadMissing(Unavailable):
    """A log with entries of which this host has no head: it could be shown a rolled-back database and not know."""

    code = "head-missing"
    title = "This host has no head for a log that has entries"


class LedgerRolledBack(Unavailable):
    """The database holds less than, or other than, what this host has signed."""

    code = "ledger-rolled-back"
    title = "The database does not continue what was signed"


CONTRADICTED = "somebody outside holds a signed checkpoint of it that this database does not continue"
"""What is said of a log with a `Contradiction`."""


class SigningKeyUnavailable(Unavailable):
    code = "signing-key-unavailable"
    title = "The signing key cannot be read"


class SigningKeyRefused(Unavailable):
    """The key in the file is not the one whose public half is announced: somebody lost it, or exchanged it."""

    code = "signing-key-refused"
    title = "The signing key is not one that signs for this installation"
    meaning = (
        "The registry log announces each key before it signs. The key that lies here is announced nowhere, or was "
        "retired. Put back the signing key that belongs to this database, from the backup."
    )


class UnsealedChange(RuntimeError):
    """A governed row was saved outside `ledger.rows.write_row`. No trail, no change. (A programming error.)"""


class HeadPresent(RuntimeError):
    """A log was to be locked as one without a head, and this host has one by now."""


class NotAClearString(ServiceError):
    code = "not-a-clear-string"
    status = 422
    title = "A value for the log's clear text has characters it must not have"


class EntryTooLarge(ServiceError):
    code = "entry-too-large"
    status = 422
    title = "The log entry would exceed 65,535 bytes"


CANNOT_SEAL_NOW = (Unavailable, LogNotFound, LogClosed, OperationalError, InterfaceError)
"""The log is rolled back, closed, gone, or somebody holds its lock; the head store or the key cannot be read; the
database is away. A sweep tries again."""
