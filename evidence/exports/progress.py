"""How far the making of an export has come, for whoever watches."""

from dataclasses import dataclass

from django.utils import timezone

from evidence.exports.models import Export, ExportWork
from evidence.exports.running import SILENT

PHASES = {
    "": "Waits for its turn",
    "planning": "Looking for what belongs to it",
    "tiles": "Collecting the proof",
    "runs": "Collecting the proof",
    "entries": "Reading entries",
    "parts": "Reading contents",
    "lines": "Writing lines",
    "ends": "Writing the manifest",
    "keeping": "Putting the file where it is kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` entries; the total is not known at first."""

    state: str
    phase: str
    done: int
    total: int | None
    trouble: str

    @classmethod
    def of(cls, export: Export) -> "Progress | None":
        """None where nothing is being made."""
        work: ExportWork | None = getattr(export, "work", None)
        if work is None or export.status != Export.Status.QUEUED:
            return None
        at_work = work.worker is not None and work.worked_at is not None and timezone.now() - work.worked_at < SILENT
        has_begun = at_work or bool(work.phase)
        return cls(
            state="running" if at_work else "waiting",
            phase=work.phase if has_begun else "",
            done=work.done,
            total=work.total,
            trouble=work.trouble,
        )

    @property
    def words(self) -> str:
        return PHASES.get(self.phase, self.phase)

    @property
    def percent(self) -> int | None:
        """Whole, and never 100 before it is finished."""
        return min(99, self.done * 100 // self.total) if self.total else None
