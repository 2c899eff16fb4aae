"""Exports, asked for and made as the product makes them; and what is in their files."""

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import time_machine
from django.utils import timezone

from config import stored
from evidence.exports import storage
from evidence.exports.models import Export, ExportWork
from evidence.exports.pace import Pace
from evidence.exports.requesting import Asked, approve_export, request_export
from evidence.exports.running import claim, run_slice
from governance.models import AISystem, Person
from tests.factories.register import actor_of, make_person, make_system

ALONE = Pace(is_alone=True)


def old_system(**described: Any) -> AISystem:
    """Registered a month ago: its log begins before whatever a test records."""
    with time_machine.travel(timezone.now() - timedelta(days=30), tick=False):
        return make_system(**described)


def ask(person: Person, system: AISystem | None = None, *, question: str = "range", **rest: Any) -> Export:
    """Asked for; with contents it waits for somebody."""
    about = ("since", "until", "case_id", "decision_id", "subject")
    given = {name: rest.pop(name) for name in about if name in rest}
    asked = Asked(question=question, system_id=system.pk if system else None, **given)
    form = rest.pop("form", "bundle")
    return request_export(
        actor=actor_of(person), asked=asked, form=form, reason=rest.pop("reason", "An audit."), **rest
    )


def agree(export: Export) -> Export:
    return approve_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk)


def make(export: Export) -> Export:
    """Made to its end, by this process, as if what it waits for were over."""
    ExportWork.objects.filter(export=export).update(not_before=timezone.now())
    work = claim(only=export.pk)
    assert work is not None
    run_slice(work, pace=ALONE, until=None)
    return Export.objects.get(pk=export.pk)


def export_of(person: Person, system: AISystem | None = None, *, parts: Sequence[str] = (), **rest: Any) -> Export:
    """Asked for, agreed to where that is needed, and made."""
    asked = ask(person, system, parts=parts, **rest)
    made = make(agree(asked) if parts else asked)
    assert made.status == Export.Status.FINISHED, made.failure
    return made


def content_of(export: Export) -> bytes:
    """The bytes of its file."""
    return b"".join(storage.read(export, 0, export.size or 0))


def kept_in(folder: Path) -> list[str]:
    """The files that a folder keeps."""
    return [each.name for each in folder.iterdir() if each.name.endswith(".zip")] if folder.exists() else []


def files_of(export: Export) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content_of(export))) as found:
        return {name: found.read(name) for name in found.namelist()}


def manifest_of(export: Export) -> Any:
    return json.loads(files_of(export)["manifest.json"])


def folder_storage(folder: Path) -> dict[str, Any]:
    """A folder as the service keeps exports in."""
    return stored.storage("", folder=folder, keys=("", ""))
