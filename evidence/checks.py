"""System checks of the evidence floor: files that name witnesses and authorities, the store that exports are in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - the name Django gives it

from evidence.exports import storage
from evidence.witnessing.configured import Misconfigured, read_authorities, read_policy

Apps = Sequence[AppConfig] | None


@register()
def witness_policy_is_one(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.WITNESS_POLICY_FILE:
        return []
    try:
        policy = read_policy(Path(settings.WITNESS_POLICY_FILE))
    except Misconfigured as error:
        text = f"ANSWERABLE_WITNESS_POLICY_FILE names no trust policy. {error}."
        hint = "A C2SP tlog-policy: `witness <name> <vkey> <url>` lines, and one `quorum` line (docs/witnessing.md)."
        return [Error(text, hint=hint, id="answerable.E016")]
    asked = [each.name for each in policy.witnesses.values() if each.url]
    if policy.is_met_by(asked):
        return []
    text = "The quorum of ANSWERABLE_WITNESS_POLICY_FILE can never be met: too few of its witnesses have an address."
    hint = "Give each witness that counts its address behind its key."
    return [Warning(text, hint=hint, id="answerable.W003")]


@register()
def timestamp_authorities_are_some(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.TIMESTAMP_AUTHORITIES_FILE:
        return []
    try:
        read_authorities(Path(settings.TIMESTAMP_AUTHORITIES_FILE))
    except Misconfigured as error:
        text = f"ANSWERABLE_TIMESTAMP_AUTHORITIES_FILE cannot be used. {error}."
        hint = "A line for each: `authority <name> <url> <file of certificates in PEM>` (docs/witnessing.md)."
        return [Error(text, hint=hint, id="answerable.E017")]
    return []


@register(Tags.database)
def exports_are_deleted_for_good(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asked with `--database` alone: the store is asked over the network."""
    if not databases:
        return []
    hint = (
        "Let it keep no versions, nor earlier ones: what an erasure deletes would stay (docs/operations.md, Exports)."
    )
    try:
        if not storage.keeps_versions():
            return []
        text = "The bucket of ANSWERABLE_EXPORT_STORAGE keeps versions of what is deleted in it."
    except storage.StorageAway as error:
        text = f"Whether the bucket of ANSWERABLE_EXPORT_STORAGE keeps what is deleted in it cannot be asked: {error}."
    return [Warning(text, hint=hint, id="answerable.W004")]
