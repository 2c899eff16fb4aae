"""Files that this installation keeps beside its database: none is to hold what was erased, before an erasure is done.

Exports that hold some of it are deleted, and begun anew where they are still being made. E-mails go where e-mails are
written to a folder: a reason quoted in one may name somebody, and those to a former member of staff do. What an SMTP
server was given is not ours any more.
"""

import uuid
from collections.abc import Collection, Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from pathlib import Path

import structlog
from django.conf import settings

from audit.models import ErasureRequest
from evidence.erasure.finding import Pattern
from evidence.erasure.sessions import forget_in_sessions
from evidence.exports.sweeping import forget_erased_by

logger = structlog.get_logger(__name__)
BOUNDARY = b"\n" + b"-" * 79 + b"\n"
"""Between the e-mails of one file, as Django's file backend writes them."""


def forget_files(request: ErasureRequest) -> bool:
    """Whether no file is left that holds what a request erased. False: an export could not be deleted yet, because
    its storage is away or a worker is at it; come back in a while. Errors: `OSError` of the folder of e-mails."""
    entries = set(request.steps.values_list("entry_id", flat=True))
    pattern = Pattern.of(request)
    forget_mails(pattern)
    forget_in_sessions(pattern)
    return forget_exports(entries)


def forget_exports(entry_ids: Collection[uuid.UUID]) -> bool:
    """Whether no export is left that holds what these entries erased. False: come back in a while."""
    return forget_erased_by(entry_ids)


def forget_mails(pattern: Pattern) -> int:
    """Delete the e-mails in our own folder that name somebody. Returns how many files went: one of several e-mails goes
    as a whole."""
    folder, gone = settings.EMAIL_FILE_PATH, 0
    if not folder or not pattern.texts:
        return 0
    for path in _files(Path(folder)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        if pattern.names_in(text for part in data.split(BOUNDARY) for text in _texts(part)):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else ()


def _texts(data: bytes) -> Iterator[str]:
    """All that an e-mail says, its headers decoded; of what is none, the bytes as they are."""
    yield data.decode(errors="replace")
    try:
        mail = message_from_bytes(data.strip(), policy=policy.default)
        yield from (str(value) for value in mail.values())
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                yield str(part.get_content())
    except (MessageError, LookupError, ValueError):
        logger.warning("evidence.mail_unreadable", size=len(data))
