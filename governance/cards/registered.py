"""What a card names of its release and models, looked up among the model versions that are registered."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from governance.cards.content import Content
from governance.models import ModelVersion

BETWEEN = re.compile(r"[\s,;()]+")
"""A release is a line of free text; no version holds one of these."""
NOT_CALLED_SO = "No registered model version is called so."
NOT_WITH_DIGEST = "No registered model version has this digest."
OTHER_DIGEST = "It is registered with another digest."
NO_DIGEST = "It is registered without a digest."
OTHER_VERSION = "The digest is registered under another version."
NOTHING_NAMED = "The card names neither its version nor its digest."


@dataclass(frozen=True, slots=True)
class Named:
    """The release, or one of the models. `problem`: why it is not, or not simply, a registered version."""

    what: str
    said: str
    versions: tuple[ModelVersion, ...] = ()
    problem: str = ""


def named_in(system_id: UUID, content: Content) -> list[Named]:
    """What the card names, in its order. One query, and none where it names nothing."""
    release, models = content.get("identity", {}).get("release"), content.get("build", {}).get("models", [])
    if not release and not models:
        return []
    known = list(ModelVersion.objects.filter(system_id=system_id).order_by("-id"))
    return [*([_release(release, known)] if release else []), *_models(models, known)]


def _release(said: str, known: list[ModelVersion]) -> Named:
    words = {each.strip(".") for each in BETWEEN.split(said)} | set(BETWEEN.split(said)) | {said}
    found = tuple(each for each in known if each.version in words)
    return Named("Release", said, found, "" if found else NOT_CALLED_SO)


def _models(models: list[Mapping[str, Any]], known: list[ModelVersion]) -> Iterator[Named]:
    for model in models:
        said = ", ".join(model[name] for name in ("name", "version", "digest") if model.get(name))
        yield Named("Model", said, *_found(model.get("version", ""), model.get("digest", ""), known))


def _found(version: str, digest: str, known: list[ModelVersion]) -> tuple[tuple[ModelVersion, ...], str]:
    called = tuple(each for each in known if version and each.version == version)
    same = tuple(each for each in known if digest and each.model_digest == digest)
    if both := tuple(each for each in called if each in same):
        return both, ""
    if called:
        return called, "" if not digest else OTHER_DIGEST if called[0].model_digest else NO_DIGEST
    if same:
        return same, OTHER_VERSION if version else ""
    return (), NOT_WITH_DIGEST if digest else NOT_CALLED_SO if version else NOTHING_NAMED
