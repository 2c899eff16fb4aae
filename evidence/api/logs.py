"""Logs over HTTP as C2SP tlog-tiles has it: checkpoint, tiles and entry bundles under the origin's path.

Plain views: a verifier fetches thousands of tiles. Sizes and timing leak volume, so every one of them needs a key, and
takes from what that key may ask, as other requests do.
"""

import uuid
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from config.dispatch import for_reading
from config.errors import Forbidden
from config.rate_limits import REQUESTS, key_of_credential
from evidence.anchors import StoredCheckpoint, checkpoint_of_size, with_known_cosignatures
from evidence.anchors import witnessed_checkpoint as newest_witnessed
from evidence.errors import CheckpointNotFound, LogNotWitnessed, TileNotFound
from evidence.proofs import bundle_bytes, tile_bytes
from evidence.witnessing.authorities import REPLY
from governance.api.authentication import authenticate_request
from governance.models import ServiceKey
from governance.register import KeyGrant
from ledger.errors import LogNotFound
from ledger.models import Log
from ledger.selectors import latest_checkpoint
from ledger.tlog import MalformedTile, parse_bundle_path, parse_tile_path

Scope = ServiceKey.Scope
IMMUTABLE = "private, max-age=31536000, immutable"
REGISTRY = "registry"


@for_reading
def checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """The newest signed checkpoint; with cosignatures where witnesses have seen this very tree."""
    log = _log(request, name, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)
    signed = latest_checkpoint(log)
    return _note(with_known_cosignatures(log, signed.tree_size, signed.note))


@for_reading
def witnessed_checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """The newest checkpoint that witnesses have cosigned, as many as the policy asks for: some minutes old, mostly."""
    log = _log(request, name, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)
    found = newest_witnessed(log)
    if found is None:
        raise LogNotWitnessed()
    return _note(found.note)


@for_reading
def stored_checkpoint(request: HttpRequest, name: str, tree_size: int) -> HttpResponse:
    """An anchored checkpoint by its size."""
    log = _log(request, name, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)
    return _note(_anchored(log, tree_size).note)


@for_reading
def timestamp(request: HttpRequest, name: str, tree_size: int, authority: str) -> HttpResponse:
    """An RFC 3161 time-stamp over the text of an anchored checkpoint: the authority's response, in DER."""
    log = _log(request, name, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)
    for stamp in _anchored(log, tree_size).timestamps:
        if stamp.authority == authority:
            return _octets(stamp.token, REPLY)
    raise CheckpointNotFound()


def _anchored(log: Log, tree_size: int) -> StoredCheckpoint:
    found = checkpoint_of_size(log, tree_size)
    if found is None:
        raise CheckpointNotFound()
    return found


def _note(note: str) -> HttpResponse:
    response = HttpResponse(note, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "private, no-cache"
    return response


@for_reading
def tile(request: HttpRequest, name: str, path: str) -> HttpResponse:
    """A tile of hashes, full or partial."""
    log = _log(request, name, Scope.LEDGER_READ, Scope.DECISIONS_WRITE)
    try:
        return _octets(tile_bytes(log, parse_tile_path(f"tile/{path}")))
    except MalformedTile as error:
        raise TileNotFound() from error


@for_reading
def bundle(request: HttpRequest, name: str, path: str) -> HttpResponse:
    """A bundle of entries, full or partial."""
    log = _log(request, name, Scope.LEDGER_READ)
    try:
        index, width = parse_bundle_path(f"tile/entries/{path}")
    except MalformedTile as error:
        raise TileNotFound() from error
    return _octets(bundle_bytes(log, index, width))


def _octets(data: bytes | None, content_type: str = "application/octet-stream") -> HttpResponse:
    if data is None:
        raise TileNotFound()
    response = HttpResponse(data, content_type=content_type, status=HTTPStatus.OK)
    response["Cache-Control"] = IMMUTABLE
    return response


def _log(request: HttpRequest, name: str, *scopes: str) -> Log:
    grant = authenticate_request(request)
    REQUESTS.take(key_of_credential(grant)).refuse()
    if not grant.scopes.intersection(scopes):
        raise Forbidden()
    log = find_log(name)
    if log is None or not may_read(grant, log):
        raise LogNotFound()
    return log


def find_log(name: str) -> Log | None:
    """A log by the last part of its origin: its uuid, or `registry` for the first registry log."""
    if name == REGISTRY:
        return Log.objects.filter(kind=Log.Kind.REGISTRY, sequence=0).first()
    try:
        return Log.objects.filter(id=uuid.UUID(name), origin__endswith=name).first()
    except ValueError:
        return None


def may_read(grant: KeyGrant, log: Log) -> bool:
    """A key reads the logs of its own AI systems; with `ledger:read` the registry log too."""
    if log.system_id is None:
        return Scope.LEDGER_READ in grant.scopes
    return log.system_id in grant.system_ids
