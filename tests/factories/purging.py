"""Purges as the product does them: of what is old, announced so long ago that they run."""

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from audit.models import LegalHold, Payload, Purge
from audit.selectors import SealedDecision
from audit.services.holds import place_span_hold
from evidence.retention.reports import report_of
from evidence.services.purges import announce_purge, run_purges
from governance.models import AISystem
from ledger.models import Entry
from ledger.selectors import registry_log
from ledger.signing import verifier_keys
from ledger.tlog import Verifier, open_note
from tests.factories.erasing import SECONDS, long_ago
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person


def old(system: AISystem, days: float = 60, **given: Any) -> SealedDecision:
    return record_decision(system, at=timezone.now() - timedelta(days=days), **given)


def announced(days: float = 20) -> Purge:
    with long_ago(days=days):
        purge = announce_purge()
    assert purge is not None
    return purge


def purged() -> Purge:
    """Announced so long ago that it runs now."""
    purge = announced()
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    return purge


def reported(purge: Purge) -> list[dict[str, str]]:
    """The parts of its signed report, whose signature is verified; lines of one name one below the other."""
    origin = registry_log().origin
    text = open_note(report_of(purge), [Verifier.from_vkey(vkey) for vkey in verifier_keys(origin)]).text
    head, *lines = text.splitlines()
    assert head == "answerable/purge-report/v2" and lines[:2] == [f"by: {origin}", f"purge: {purge.pk}"]
    parts: list[dict[str, str]] = []
    for name, _, value in (line.partition(": ") for line in lines):
        if name == "part":
            parts.append({})
        elif name == "files":
            break
        elif parts:
            parts[-1][name] = f"{parts[-1][name]}\n{value}" if name in parts[-1] else value
    assert f"parts: {len(parts)}" in lines
    return parts


def is_kept(decision: SealedDecision) -> bool:
    return Payload.objects.get(pk=decision.id).secret is not None


def hold(system: AISystem, *decisions: SealedDecision) -> LegalHold:
    """A legal hold over the time of these decisions."""
    moments = [each.recorded_at for each in decisions]
    return place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk,
        since=min(moments), until=max(moments) + timedelta(microseconds=1), reason="A claim.",
    )  # fmt: skip


def hold_over(system: AISystem) -> LegalHold:
    """A legal hold over everything of today."""
    now = timezone.now()
    return place_span_hold(
        actor=actor_of(make_person(investigator=True)),
        system_id=system.pk,
        since=now - timedelta(days=1),
        until=now + timedelta(days=1),
        reason="A claim.",
    )


def said(kind: str) -> list[dict[str, Any]]:
    """The bodies of all entries of a kind, the oldest first."""
    return [json.loads(bytes(row.data))["body"] for row in Entry.objects.filter(kind=kind).order_by("id")]
