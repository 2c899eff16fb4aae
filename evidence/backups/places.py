"""What a restore finds where it is to go: what it keeps, what it puts there, and what it will not touch.

A place has no database. All else may have survived: the head store and `control.json` are kept, for they know what
came after the backup; keys that are there must be the ones.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from config.standalone import layout
from evidence.backups.keys import check_keys, is_digest_key, is_signing_key
from evidence.backups.manifest import (
    DIGEST_KEY,
    ERASED,
    HEADS,
    NEXT_SIGNING_KEY,
    ORIGIN,
    SIGNING_KEY,
    BackupError,
    Manifest,
)
from evidence.erasure.memory import erasure_memory
from ledger.errors import HeadStoreUnavailable
from ledger.heads import HeadStore

OURS = {
    *("broker", "control-port", "control.json", "control.lock", "digest.key", "exports", "heads.sqlite3"),
    *("erased.sqlite3", "erased.sqlite3-journal"),
    *("heads.sqlite3-shm", "heads.sqlite3-wal", "lock", "logs", "mail", "metrics", "origin", "port", "secret.key"),
    *("signing.key", "signing.key.next", "static", layout.RESTORING),
    *layout.OF_DEMONSTRATION,
}
"""What may lie in a data folder whose database was lost. (Whatever beat keeps begins with `beat-schedule`.)"""

NO_HEADS = """There is no head store at {path}, so nothing here says
what was signed after this backup was made ({made_at:%Y-%m-%d %H:%M} UTC). If one survived anywhere (another disk,
another host of this installation), put it there first: it knows exactly what is missing. Else say which it is:

  --heads backup   Nothing was recorded after this backup: the service was stopped before it was made, and did not
                   run since. The logs go on from where the backup ends.
  --heads none     Something was recorded after it, or nobody knows. Nothing is signed until two administrators have
                   looked: they close the logs that may have lost something (close_log --tail-unknown), and adopt
                   the heads of those that did not (adopt_head).

Taken wrongly, the first signs a second history: whoever holds a receipt or a checkpoint from after the backup then
has proof against you."""
OTHER_SIGNING_KEY = """The signing key at {path} is not the one that signed when this backup was made: it was
replaced since then, or it is another installation's. The database in the backup knows the earlier key alone.
`--keys backup` puts that one there and keeps yours beside it; replace it again afterwards (rotate_signing_key)."""
OTHER_DIGEST_KEY = """{where} is another key than the one behind the hashes in this backup. Under it no earlier
`external_id` would be recognised. Put the right one there{or_else}."""


class Heads(enum.StrEnum):
    """Which head store there will be."""

    SURVIVING = "surviving"
    BACKUP = "backup"
    NONE = "none"


@dataclass(slots=True)
class Plan:
    """`puts`: what is written, by place, where nothing lies. `aside`: what makes room for it. `learns`: whether what
    was erased is remembered here already, and the backup's memory is added to it. `said`: in words."""

    heads: Heads
    puts: dict[Path, bytes] = field(default_factory=dict)
    aside: list[Path] = field(default_factory=list)
    learns: bool = False
    said: list[str] = field(default_factory=list)


def plan_restore(
    backup: Path, manifest: Manifest, *, heads: str | None, keys_from: Path | None, replace_keys: bool
) -> Plan:
    """What a restore would do here. Errors: `BackupError` where it must not be done, with what to do about it."""
    if settings.DATABASE_URL is None:
        _require_no_database(Path(settings.DATA_DIR))
    plan = Plan(_choose_heads(manifest, heads))
    if plan.heads is Heads.SURVIVING:
        plan.said.append(f"The head store at {settings.HEAD_STORE} survived, and is kept.")
    elif plan.heads is Heads.BACKUP:
        plan.puts[Path(settings.HEAD_STORE)] = _content(backup / HEADS)
    if (Path(settings.DATA_DIR) / "control.json").exists():
        plan.said.append("control.json is kept: switches that were stricter after the backup stay so.")
    _plan_memory(plan, backup)
    _plan_origin(plan, manifest)
    source = backup if manifest.has_keys else keys_from
    if source is not None:
        check_keys(source, manifest)
    _plan_signing_key(plan, manifest, source, replace_keys)
    _plan_digest_key(plan, manifest, source, replace_keys)
    return plan


def _plan_memory(plan: Plan, backup: Path) -> None:
    """What was erased after the backup is in it again, and only what survived here says what that is."""
    path = erasure_memory().path
    if path.exists():
        plan.learns = (backup / ERASED).exists()
        plan.said.append(f"What {path} remembers to have been erased is kept.")
        return
    if (backup / ERASED).exists():
        plan.puts[path] = _content(backup / ERASED)
        plan.said.append(f"What was erased is remembered up to the backup alone: no {path} survived.")


def _require_no_database(data_dir: Path) -> None:
    if (data_dir / "pg").exists() or (data_dir / "pg").is_symlink():
        raise BackupError(
            f"There is a database in {data_dir} (the folder pg). A restore goes where there is none: name another data "
            "folder, or move pg away. Do not delete it before you know that nothing in it is missing elsewhere."
        )
    strange = sorted(set(strangers_in(data_dir)))
    if strange:
        raise BackupError(
            f"{data_dir} holds what is not Answerable's ({', '.join(strange[:5])}). Name an empty folder, or one whose "
            "database was lost."
        )


def strangers_in(data_dir: Path) -> Iterator[str]:
    """What in a data folder is nothing that Answerable puts there, but for its database."""
    for path in data_dir.iterdir():
        name = path.name
        if (
            name != "pg"
            and name not in OURS
            and not name.startswith((".", "beat-schedule"))
            and ".set-aside-" not in name
        ):
            yield name


def _choose_heads(manifest: Manifest, given: str | None) -> Heads:
    path = Path(settings.HEAD_STORE)
    if path.exists():
        if given in (Heads.BACKUP, Heads.NONE):
            raise BackupError(
                f"There is a head store at {path}. It knows what this host has signed, and no backup takes its place: "
                "leave --heads out. (If it is not this installation's, move it away.)"
            )
        _require_same_logs(path, manifest)
        return Heads.SURVIVING
    if given is None or given == Heads.SURVIVING:
        raise BackupError(NO_HEADS.format(path=path, made_at=manifest.made_at))
    return Heads(given)


def _require_same_logs(path: Path, manifest: Manifest) -> None:
    store = HeadStore(path)
    try:
        known = store.heads()
    except HeadStoreUnavailable as error:
        raise BackupError(f"The head store cannot be read ({error.detail}). Move it away if it is damaged.") from None
    finally:
        store.close()
    if not known.keys() & {mark.id for mark in manifest.logs}:
        raise BackupError(f"The head store at {path} knows none of the logs in this backup: it is another one's.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None


def _plan_origin(plan: Plan, manifest: Manifest) -> None:
    path = Path(settings.DATA_DIR) / ORIGIN
    kept = path.read_text().strip() if path.exists() else None
    if manifest.origin == settings.ORIGIN:
        return
    if kept != settings.ORIGIN:
        raise BackupError(
            f"ANSWERABLE_ORIGIN is {settings.ORIGIN}, and this backup is of {manifest.origin}: an installation keeps "
            "the name it was born with."
        )
    if not layout.MADE_UP_ORIGIN.fullmatch(kept):
        raise BackupError(f"{path} says {kept}, and this backup is of {manifest.origin}. Name another data folder.")
    plan.aside.append(path)  # made up when this command began
    plan.puts[path] = manifest.origin.encode()


def _plan_signing_key(plan: Plan, manifest: Manifest, source: Path | None, replace: bool) -> None:
    path = Path(settings.SIGNING_KEY_FILE)
    if path.exists():
        if is_signing_key(path, manifest):
            return
        if not replace or source is None:
            raise BackupError(OTHER_SIGNING_KEY.format(path=path))
        plan.aside.append(path)
    elif source is None:
        raise BackupError(f"This backup has no keys. Put signing.key at {path}, or name their folder: --keys-from.")
    plan.puts[path] = _content(source / SIGNING_KEY)
    waiting = path.with_name(f"{path.name}.next")
    if (source / NEXT_SIGNING_KEY).exists() and not waiting.exists():
        plan.puts[waiting] = _content(source / NEXT_SIGNING_KEY)


def _plan_digest_key(plan: Plan, manifest: Manifest, source: Path | None, replace: bool) -> None:
    path = Path(settings.DATA_DIR) / DIGEST_KEY
    if not manifest.digest_key:
        return
    if settings.DIGEST_KEY:
        if not is_digest_key(settings.DIGEST_KEY, manifest):
            raise BackupError(OTHER_DIGEST_KEY.format(where="ANSWERABLE_DIGEST_KEY", or_else=""))
        return
    if path.exists():
        if is_digest_key(_content(path).decode(errors="replace").strip(), manifest):
            return
        if not replace or source is None:
            or_else = ", or give `--keys backup`, which keeps yours beside it"
            raise BackupError(OTHER_DIGEST_KEY.format(where=path, or_else=or_else))
        plan.aside.append(path)
    elif source is None:
        raise BackupError(f"This backup has no keys. Put digest.key at {path}, or name their folder: --keys-from.")
    plan.puts[path] = _content(source / DIGEST_KEY)
