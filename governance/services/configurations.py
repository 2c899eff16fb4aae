"""Configurations kept under their digests."""

import hashlib
import uuid

import msgspec

from config.errors import FieldProblem
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.kinds import CONFIGURATION_STORED
from governance.models import ConfigurationSnapshot
from governance.scopes import Scope
from governance.services.systems import locked_system
from governance.version_errors import ConfigurationUnreadable
from ledger.entries import Actor
from ledger.sealing import sealing

MAX_BYTES = 256 * 1024
ALGORITHMS = ("sha256", "sha384", "sha512")


def store_configuration(
    *, actor: Actor, system_id: uuid.UUID, content: bytes, algorithm: str = "sha256"
) -> ConfigurationSnapshot:
    """Keep a configuration, one JSON object, under the digest of its exact bytes, as decisions name it.

    The same bytes again are the one that is kept. Errors: `Forbidden`, `SystemNotFound`, `ConfigurationUnreadable`.
    """
    rights.require(actor, Act.VERSION_REGISTER, Scope.system(system_id))
    text = _read(content)
    digest = digest_of(content, algorithm)
    with sealing() as seal:
        system = locked_system(system_id)  # of two that store the same, the second finds the first's
        known = ConfigurationSnapshot.objects.filter(system=system, digest=digest).first()
        if known is not None:
            return known
        row = ConfigurationSnapshot(system=system, digest=digest, size=len(content), content=text)
        facts = {"config_digest": digest[:100], "size": len(content)}
        write(seal, actor=actor, kind=CONFIGURATION_STORED, row=row, system_id=system_id, facts=facts)
    return row


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """`sha256:9f86d0…` of the exact bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def _read(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _unreadable(f"It has {len(content):,} bytes.", "at most 262,144")
    try:
        text = content.decode()
        document = msgspec.json.decode(content)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise _unreadable(f"It cannot be read: {error}.", "a JSON object in UTF-8") from error
    if not isinstance(document, dict):
        raise _unreadable("It is JSON, but no object.", "a JSON object")
    if "\0" in text:
        raise _unreadable("It holds the character U+0000.", "text without it")
    return text


def _unreadable(detail: str, expected: str) -> ConfigurationUnreadable:
    return ConfigurationUnreadable(errors=[FieldProblem(pointer="", detail=detail, expected=expected)])
