"""A verification kept in a file, so that one that was interrupted is taken up again.

The file is the verifier's own word of what it has verified; nothing in it is proven. It is believed about a log only
while the log still has the very tree that was verified.
"""

import json
import os
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from evidence.verification.engine import Marks
from evidence.verification.findings import Finding
from ledger.models import Log
from ledger.selectors import latest_head, root_at
from ledger.tlog import Frontier

FORMAT = 1


class DoesNotFit(Exception):
    """The file is not one of a verification of this installation."""


def save(path: Path, marks: Marks, findings: Sequence[Finding], *, only: uuid.UUID | None) -> None:
    """Write the file whole or not at all. Errors: OSError."""
    stated = {
        "format": FORMAT,
        "origin": settings.ORIGIN,
        "only": str(only) if only else None,
        "logs": {
            log_id: {"size": frontier.size, "frontier": frontier.to_bytes().hex()}
            for log_id, frontier in marks.frontiers.items()
        },
        "walks": {name: str(reached) for name, reached in marks.cursors.items()},
        "finished": sorted(marks.finished),
        "findings": [finding.as_json() for finding in findings],
    }
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(stated, file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path, *, only: uuid.UUID | None) -> tuple[Marks, list[Finding], list[str]]:
    """What the file says, and the origins of logs that are begun anew since their tree is another one by now.

    Errors: `DoesNotFit`; OSError, also where there is no file.
    """
    try:
        stated = json.loads(path.read_text())
        kept = (stated["format"], stated["origin"], stated["only"])
        marks = Marks(
            frontiers={log_id: _frontier(said) for log_id, said in stated["logs"].items()},
            cursors={name: uuid.UUID(reached) for name, reached in stated["walks"].items()},
            finished=set(stated["finished"]),
        )
        findings = [Finding.from_json(said) for said in stated["findings"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DoesNotFit("it is not a file that this command wrote") from error
    if kept[:2] != (FORMAT, settings.ORIGIN):
        raise DoesNotFit("it is of another installation or version")
    if kept[2] != (str(only) if only else None):
        raise DoesNotFit("it is of a verification of other logs")
    return marks, findings, _forget_rewritten(marks, findings)


def _frontier(said: dict[str, Any]) -> Frontier:
    frontier = Frontier.from_bytes(bytes.fromhex(said["frontier"]))
    if frontier.size != said["size"]:
        raise ValueError("size and frontier are not of one tree")
    return frontier


def _forget_rewritten(marks: Marks, findings: list[Finding]) -> list[str]:
    origins = {str(log_id): origin for log_id, origin in Log.objects.values_list("id", "origin")}
    rewritten = [log_id for log_id, frontier in marks.frontiers.items() if not _stands(log_id, frontier, origins)]
    forgotten = {origins.get(log_id, log_id) for log_id in rewritten}
    for log_id in rewritten:
        del marks.frontiers[log_id]
        marks.finished.discard(log_id)
    findings[:] = [finding for finding in findings if finding.log not in forgotten]
    return sorted(forgotten)


def _stands(log_id: str, frontier: Frontier, origins: dict[str, str]) -> bool:
    """Whether the log's stored hashes still lead to the tree that was verified."""
    if log_id not in origins:
        return False
    key = uuid.UUID(log_id)
    try:
        return frontier.size <= latest_head(key).tree_size and root_at(key, frontier.size) == frontier.root()
    except LookupError:
        return False
