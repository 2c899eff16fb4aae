"""Replacing the signing key: two administrators begin it, both keys sign for a while, two administrators finish it.

Begun:      the new key is written beside the key file -> announced in every open log, signed for by the old one
            -> both keys are in the key file, and sign
Finished:   the old key is retired in every open log -> the new one alone is in the key file

A crash between two of these leaves what signs as it was; the same command, run again, goes on from there.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from evidence.errors import NoRotationUnderWay, NotTheNewestKey, RotationUnderWay
from evidence.services.custody import require_two, two
from governance.acts import Act
from governance.models import Person
from ledger import signing
from ledger.entries import Actor, draft_entry
from ledger.errors import SigningKeyUnavailable
from ledger.key_file import SEED_BYTES, read_seeds, replace_key_file
from ledger.key_history import (
    KeyHistory,
    announcement,
    body_of,
    key_of,
    named_key,
    public_key_in,
    read_history,
)
from ledger.kinds import KEY_ANNOUNCED, KEY_RETIRED, SYSTEM_LOG_OPENED, Kind
from ledger.models import Entry, Log
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log
from ledger.signing import public_key, signer_of, signing_seeds


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many logs say so, and the keys (as `vkey`s of the registry log) that sign from here on, newest first."""

    logs: int
    vkeys: list[str]


def begin_rotation(
    *, actor: Actor, asked_by: Person, approved_by: Person, request_id: uuid.UUID | None = None
) -> Rotated:
    """Make a new signing key, announce it in every open log, and let both keys sign.

    `request_id`: as for `evidence.services.custody.close_log`. Errors: `TwoAdministratorsNeeded`, `RotationUnderWay`,
    `SigningKeyUnavailable` where the key file's folder cannot be written, and what sealing raises: while one log is in
    trouble no key is replaced.
    """
    require_two(Act.SIGNING_KEY_ROTATE, asked_by, approved_by)
    path, history = _key_file(), read_history()
    _refuse_second(history, path)
    seed = _prepared(path, history)
    with sealing() as seal:
        logs = _hold_open_logs(seal)
        history = read_history()
        _refuse_second(history, path)
        old = signing_seeds()[0]
        if public_key(seed) not in history.keys:
            people = two(asked_by, approved_by, request_id)
            for log in logs:
                new = announcement(signer_of(log.origin, seed), signed_by=signer_of(log.origin, old))
                _say(seal, log, KEY_ANNOUNCED, actor, new | people)
    if read_seeds(path)[0] != seed:
        _write(lambda: replace_key_file(path, [seed, old]))
    _next(path).unlink()
    return _now(logs)


def finish_rotation(
    *, actor: Actor, asked_by: Person, approved_by: Person, request_id: uuid.UUID | None = None
) -> Rotated:
    """Retire every key but the newest one, which signs alone from here on.

    Errors: `TwoAdministratorsNeeded`, `NoRotationUnderWay`, `NotTheNewestKey`, what sealing raises.
    """
    require_two(Act.SIGNING_KEY_ROTATE, asked_by, approved_by)
    path = _key_file()
    informed = _informed(public_key(read_seeds(path)[0]))
    with sealing() as seal:
        logs = _hold_open_logs(seal)
        history, seeds = read_history(), read_seeds(path)
        newest = public_key(seeds[0])
        if history.in_force[-1] != newest:
            raise NotTheNewestKey
        retiring = [key for key in history.in_force if key != newest]
        if not retiring and len(seeds) == 1:
            raise NoRotationUnderWay
        if retiring:
            _announce_to_others(seal, [log for log in logs if log.id not in informed], actor, seeds)
            _retire(seal, logs, actor, retiring, two(asked_by, approved_by, request_id))
    _write(lambda: replace_key_file(path, seeds[:1]))
    _next(path).unlink(missing_ok=True)
    return _now(logs)


def withdraw_keys(
    *, actor: Actor, asked_by: Person, approved_by: Person, request_id: uuid.UUID | None = None
) -> Rotated:
    """Retire the keys in force that are not in this host's key file: one that was announced and then lost.

    Errors: `TwoAdministratorsNeeded`, `NoRotationUnderWay` where there is none, what sealing raises.
    """
    require_two(Act.SIGNING_KEY_ROTATE, asked_by, approved_by)
    path = _key_file()
    with sealing() as seal:
        logs = _hold_open_logs(seal)
        held = {public_key(seed) for seed in read_seeds(path)}
        lost = [key for key in read_history().in_force if key not in held]
        if not lost:
            raise NoRotationUnderWay
        _retire(seal, logs, actor, lost, two(asked_by, approved_by, request_id))
    _next(path).unlink(missing_ok=True)
    return _now(logs)


def _key_file() -> Path:
    return Path(settings.SIGNING_KEY_FILE)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _refuse_second(history: KeyHistory, path: Path) -> None:
    """Two keys in force are one rotation, unless the second is the one this host has ready: then it goes on."""
    next_file = _next(path)
    ready = {public_key(seed) for seed in read_seeds(next_file)} if next_file.exists() else set()
    if len(history.in_force) > 1 and not ready & set(history.in_force):
        raise RotationUnderWay


def _prepared(path: Path, history: KeyHistory) -> bytes:
    """The seed of the new key, on disk before anybody hears of it; one that an interrupted rotation left is taken."""
    next_file = _next(path)
    if not next_file.exists() or public_key(read_seeds(next_file)[0]) in history.retired:
        _write(lambda: replace_key_file(next_file, [secrets.token_bytes(SEED_BYTES)]))
    return read_seeds(next_file)[0]


def _write(write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise SigningKeyUnavailable(f"The key file cannot be written: {error.strerror}.") from error


def _hold_open_logs(seal: Seal) -> list[Log]:
    """All open logs, locked; nobody opens another one meanwhile, for that takes the registry log's lock too."""
    held: dict[uuid.UUID, Log] = {}
    while late := [log for log in Log.objects.filter(closure=None).order_by("id") if log.id not in held]:
        seal.lock(*(log.id for log in late))
        held |= {log.id: log for log in late}
    return list(held.values())


def _say(seal: Seal, log: Log, kind: Kind, actor: Actor, body: dict[str, str]) -> None:
    seal.add(log.id, draft_entry(kind=kind, actor=actor, at=timezone.now(), body=body, about_id=log.id))


def _informed(key: bytes) -> set[uuid.UUID]:
    """The open logs that know a key: looked up before they are locked, so that nobody waits for it."""
    return {log.id for log in Log.objects.filter(closure=None) if key in _known_to(log)}


def _announce_to_others(seal: Seal, logs: list[Log], actor: Actor, seeds: tuple[bytes, ...]) -> None:
    """In logs that another process opened with the old key while this one was being replaced."""
    for log in logs:
        if public_key(seeds[0]) not in _known_to(log):
            new = announcement(signer_of(log.origin, seeds[0]), signed_by=signer_of(log.origin, seeds[-1]))
            _say(seal, log, KEY_ANNOUNCED, actor, new)


def _known_to(log: Log) -> set[bytes]:
    told = Entry.objects.filter(about_id=log.id, kind__in=[KEY_ANNOUNCED.name, SYSTEM_LOG_OPENED.name])
    return {public_key_in(body_of(data)) for data in told.values_list("data", flat=True)}


def _retire(seal: Seal, logs: list[Log], actor: Actor, keys: list[bytes], people: dict[str, str]) -> None:
    for log in logs:
        for key in keys:
            _say(seal, log, KEY_RETIRED, actor, named_key(key_of(log.origin, key)) | people)


def _now(logs: list[Log]) -> Rotated:
    signing.forget()
    return Rotated(len(logs), [signer.vkey for signer in signing.signers_for(registry_log().origin)])
