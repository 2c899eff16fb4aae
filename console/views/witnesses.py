"""What is anchored outside: who has cosigned and time-stamped which log, how much nobody has seen, what went wrong."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.pages import page, show, viewer
from console.views.logs import may_see, visible_logs
from evidence.anchors import StoredCheckpoint, checkpoint_of_size, witnessed_checkpoint
from evidence.errors import LogNotWitnessed
from evidence.exposure import Exposure, exposures
from evidence.models import Anchor, AnchorKind, Outcome
from evidence.witnessing.configured import Configured, Misconfigured, configured
from governance.models import AISystem
from ledger.errors import LogNotFound
from ledger.models import Contradiction, Log
from ledger.tlog.policy import NONE

BAD = (Outcome.AHEAD, Outcome.CONTRADICTS)
PAGE_SIZE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorLine:
    """One witness or authority on one log, as the page shows it."""

    anchor: Anchor
    is_configured: bool

    @property
    def tone(self) -> str:
        if not self.is_configured or self.anchor.outcome == Outcome.WAITING:
            return "neutral"
        return "ok" if self.anchor.is_well else "bad" if self.anchor.outcome in BAD else "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedLog:
    """One open log."""

    exposure: Exposure
    system: AISystem | None
    is_registry: bool
    cosigned: StoredCheckpoint | None
    stamped: StoredCheckpoint | None
    lines: list[AnchorLine]
    contradictions: list[Contradiction]

    @property
    def tone(self) -> str:
        if self.contradictions:
            return "bad"
        return "ok" if not self.exposure.entries else "info" if not self.is_late else "warn"

    @property
    def is_late(self) -> bool:
        return _is_late(self.exposure)


@page
@require_safe
def witnesses(request: HttpRequest) -> HttpResponse:
    found, problem = _configured()
    seen = {state.id for state in visible_logs(viewer(request))}
    exposed = [each for each in exposures() if each.log_id in seen]
    contradicted = set(Contradiction.objects.filter(log__in=seen, log__closure=None).values_list("log_id", flat=True))
    part = Paginator(sorted(exposed, key=partial(_urgency, contradicted)), PAGE_SIZE).get_page(request.GET.get("page"))
    systems = AISystem.objects.in_bulk([each.system_id for each in part if each.system_id])
    logs = Log.objects.in_bulk([each.log_id for each in part])
    return show(
        request,
        "witnesses.html",
        title="Witnesses and time-stamps",
        lines=[_line(each, logs[each.log_id], systems, found) for each in part],
        part=part,
        contradicted=len(contradicted),
        exposed=sum(bool(each.entries) for each in exposed),
        found=found,
        problem=problem,
        quorum="" if found.policy.quorum == NONE else found.policy.quorum,
        witness_minutes=settings.WITNESS_SECONDS / 60,
        timestamp_minutes=settings.TIMESTAMP_SECONDS / 60,
        alert_minutes=settings.EXPOSURE_ALERT_MINUTES,
    )


@page
@require_safe
def witnessed(request: HttpRequest, log_id: uuid.UUID) -> HttpResponse:
    """The newest checkpoint that witnesses have cosigned, as a file."""
    log = Log.objects.filter(pk=log_id).first()
    if log is None or not may_see(viewer(request), log.system_id):
        raise LogNotFound()
    found = witnessed_checkpoint(log)
    if found is None:
        raise LogNotWitnessed()
    headers = {"Content-Disposition": f'attachment; filename="{log_id}.checkpoint"', "Cache-Control": "no-store"}
    return HttpResponse(found.note, content_type="text/plain; charset=utf-8", headers=headers)


def _urgency(contradicted: set[uuid.UUID], exposure: Exposure) -> tuple[bool, bool, bool, str]:
    """What somebody has to look at stands first, and the registry log before its equals."""
    is_system = exposure.system_id is not None
    return exposure.log_id not in contradicted, not _is_late(exposure), is_system, exposure.origin


def _is_late(exposure: Exposure) -> bool:
    """Whether something has waited longer than it should."""
    return exposure.age.total_seconds() > settings.EXPOSURE_ALERT_MINUTES * 60


def _configured() -> tuple[Configured, str]:
    """What is configured, and what is wrong with it."""
    try:
        return configured(), ""
    except Misconfigured as error:
        return Configured(), str(error)


def _line(exposure: Exposure, log: Log, systems: dict[uuid.UUID, AISystem], found: Configured) -> WitnessedLog:
    return WitnessedLog(
        exposure=exposure,
        system=systems.get(exposure.system_id) if exposure.system_id else None,
        is_registry=exposure.system_id is None,
        cosigned=checkpoint_of_size(log, exposure.cosigned_size),
        stamped=checkpoint_of_size(log, exposure.stamped_size),
        lines=_anchors(log, found),
        contradictions=list(log.contradictions.order_by("id")),
    )


def _anchors(log: Log, found: Configured) -> list[AnchorLine]:
    """Those that are asked, and those that once were and have anchored something."""
    asked: dict[str, Sequence[str]] = {
        AnchorKind.WITNESS: [each.identity for each in found.witnesses],
        AnchorKind.AUTHORITY: [each.identity for each in found.authorities],
    }
    lines = [
        AnchorLine(anchor=each, is_configured=each.identity in asked[each.kind])
        for each in log.anchors.order_by("-kind", "name")
    ]
    return [line for line in lines if line.is_configured or line.anchor.tree_size]
