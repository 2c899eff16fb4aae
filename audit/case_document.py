"""A case as one document: everything that its printed report says, columns as they are sealed, words as written.

A report to the authority keeps it as the case stood. It is kept whole and told `narrowed`: nobody learns from a report
of AI systems or decisions that they may not know of. People are told by id, so that a name can be erased.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from audit.case_access import investigators_of
from audit.case_errors import ReportTooSlow
from audit.case_selectors import trail_ids
from audit.incident_deadlines import deadlines_of
from audit.models import Case, CaseAttachment, CaseDecision, CaseDetachment, Decision, Incident
from audit.restricted_texts import for_reading, to_read
from audit.scanning import TooSlow, limited_to
from governance.models import AISystem, ModelVersion
from ledger.entries import Actor, timestamp
from ledger.rows import GovernedRow, sealed_columns

LISTED = 300
"""Decisions that stand in it one by one, the newest; all of them are in a file of their own."""
LIMIT_MS = 20_000
"""How long each of its queries may take, of a case of whatever size."""
Document = dict[str, Any]
Place = tuple[uuid.UUID, str]
NOTHING: frozenset[uuid.UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What somebody may know of a case's AI systems and decisions. None: of all of them."""

    named: Collection[uuid.UUID] | None = None
    systems: Collection[uuid.UUID] | None = None
    hidden: frozenset[uuid.UUID] = NOTHING
    """Decisions that they judge blind."""
    is_blind: bool = False
    """One of those is in the case, or was: then nothing is counted, and no digest or filter is told."""
    cases: Collection[uuid.UUID] | None = None
    """Of the cases that filters name, those that they may know of."""
    reader: Actor | None = None
    """Whose eyes it is for: a notice stands in place of texts that are restricted from them; None: from most."""


EVERYTHING = Seen()


@dataclass(frozen=True, slots=True)
class SeenAct:
    """An act of putting in or taking out, as far as somebody may know of its decisions."""

    row: CaseAttachment
    count: int | None
    """None: some are out of sight, or judged blind, so nothing is counted."""
    digest: str
    """Empty where nothing is counted: of a few decisions it would confirm a guess."""
    question: Document

    @property
    def can_be_undone(self) -> bool:
        return self.row.act == CaseAttachment.Act.ATTACHED

    def told(self) -> Document:
        return {"count": self.count, "digest": self.digest}


def acts_seen(rows: Iterable[CaseAttachment], seen: Seen) -> list[SeenAct]:
    """These acts, narrowed as reports narrow them."""
    return [_act(row, _attachment(told(row), seen)) for row in for_reading(seen.reader, rows)]


def _act(row: CaseAttachment, said: Document) -> SeenAct:
    return SeenAct(row, said["count"], said["digest"], said["question"])


def entry_seen(body: Document, seen: Seen) -> Document:
    """What an entry about a case says, without what may not be known of its decisions."""
    if _may_count(body.get("systems", ()), seen):
        return body
    said = {name: value for name, value in body.items() if name not in ("count", "digest")}
    return said | ({"systems": _among(said["systems"], seen.named)} if "systems" in said else {})


def document_of(case: Case, seen: Seen = EVERYTHING) -> Document:
    """As it is now. Errors: `ReportTooSlow`."""
    try:
        with limited_to(LIMIT_MS):
            return _document_of(case, seen)
    except TooSlow as error:
        raise ReportTooSlow() from error


def is_current(document: Document, case: Case) -> bool:
    """Whether nothing happened in the case since it was made."""
    return bool(document["entries"] == [str(each) for each in trail_ids(case)])


def _document_of(case: Case, seen: Seen) -> Document:
    # first of all: what happens meanwhile is then not in it, and it is seen not to be current
    entries = [str(each) for each in trail_ids(case)]
    counted = {
        "at": timestamp(timezone.now()),
        "investigators": [str(person.pk) for person in investigators_of(case)],
        "systems": list(_systems(case)),
        "decisions": _decisions(case, seen),
        "models": models_of(case),
        "tallies": [_told(row) for row in case.tallies.filter(count__gt=0).order_by("pk")],
        "entries": entries,
    }
    return narrowed(_written(case, seen.reader) | _incident(case, seen.reader) | counted, seen)


def as_text(document: Document) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


# --- parts of it ------------------------------------------------------------------------------------------------------
def told(row: GovernedRow, *without: str) -> Document:
    """A row's columns as they are sealed, and what people wrote in it."""
    words = {name: getattr(row, name) for name in row.ERASABLE_FIELDS if name not in without}
    return sealed_columns(row) | words


def _told(row: Any) -> Document:
    """Of a row that is no evidence."""
    return {
        "system_id": str(row.system_id),
        "model_version": row.model_version,
        "outcome": row.outcome,
        "accountable_id": str(row.accountable_id) if row.accountable_id else None,
        "is_accepted": row.is_accepted,
        "count": row.count,
    }


def _written(case: Case, reader: Actor | None) -> Document:
    parts: dict[str, Iterable[GovernedRow]] = {
        "findings": case.findings.filter(replaced_by=None),
        "actions": case.actions.all(),
        "notes": case.notes.all(),
        "attachments": case.attachments.all(),
        "holds": case.holds.all(),
    }
    said = {name: [told(row) for row in for_reading(reader, rows)] for name, rows in parts.items()}
    return {"case": told(to_read(reader, case)) | {"reference": case.reference}} | said


def _incident(case: Case, reader: Actor | None) -> Document:
    incident: Incident | None = getattr(case, "incident", None)
    if incident is None:
        return {"incident": None, "deadlines": [], "reports": [], "notices": [], "extensions": [], "sign_offs": []}
    return {
        "incident": told(to_read(reader, incident)),
        "deadlines": list(_deadlines(incident)),
        "reports": [told(row, "content") for row in for_reading(reader, incident.reports.all())],
        "notices": [told(row) for row in for_reading(reader, incident.notices.all())],
        "extensions": [told(row) for row in for_reading(reader, incident.extensions.all())],
        "sign_offs": [told(row) for row in for_reading(reader, incident.sign_offs.all())],
    }


def _deadlines(incident: Incident) -> Iterator[Document]:
    for each in deadlines_of(incident):
        yield {
            "clock": str(each.clock),
            "due_at": timestamp(each.due_at) if each.due_at else None,
            "first_due_at": timestamp(each.first_due_at),
            "done_at": timestamp(each.done_at) if each.done_at else None,
            "is_late": each.is_late,
        }


def _systems(case: Case) -> Iterator[Document]:
    for system in AISystem.objects.filter(pk__in=case.system_ids).order_by("slug"):
        yield {"id": str(system.pk), "slug": system.slug, "name": str(system)}


# --- its decisions ----------------------------------------------------------------------------------------------------
def members(case: Case, seen: Seen = EVERYTHING, at: datetime | None = None) -> QuerySet[CaseDecision]:
    """The decisions that are in a case now, or were at a moment, the newest first."""
    rows = CaseDecision.current() if at is None else _then(at)
    rows = rows.filter(case_id=case.pk).exclude(decision_id__in=seen.hidden)
    if seen.systems is not None:
        rows = rows.filter(system_id__in=seen.systems)
    return rows.order_by("-recorded_at", "-decision_id")


def _then(at: datetime) -> QuerySet[CaseDecision]:
    gone = CaseDetachment.objects.filter(
        attached_by_id=OuterRef("attachment_id"), decision_id=OuterRef("decision_id"), attachment__created_at__lte=at
    )
    return CaseDecision.objects.filter(~Exists(gone), attachment__created_at__lte=at)


def lines_of(ids: Iterable[uuid.UUID]) -> list[Document]:
    """These decisions as a line each, in their order."""
    wanted = list(ids)
    rows = {row.pk: row for row in Decision.objects.filter(id__in=wanted)}
    return [_line(rows[each]) for each in wanted if each in rows]


def _line(row: Decision) -> Document:
    return {
        "id": str(row.pk),
        "system_id": str(row.system_id),
        "recorded_at": timestamp(row.recorded_at),
        "outcome": row.outcome,
        "model_version": row.model_version,
        "model_digest": row.model_digest,
    }


COUNTED = """
    SELECT count(*),
        encode(sha256(coalesce(string_agg(uuid_send(decision_id), ''::bytea ORDER BY decision_id), '')), 'hex')
    FROM ({rows}) AS inside
"""


def _decisions(case: Case, seen: Seen) -> Document:
    """How many, and the digest over them: SHA-256 over the sixteen bytes of each id, in ascending order."""
    rows = members(case, seen)
    count, digest = _counted(rows)
    return {"count": count, "digest": digest, "listed": lines_of(rows.values_list("decision_id", flat=True)[:LISTED])}


def _counted(rows: QuerySet[CaseDecision]) -> Any:
    try:
        text, values = rows.order_by().values_list("decision_id").query.sql_with_params()
    except EmptyResultSet:  # Django knows that there can be none: nothing of it may be seen
        return 0, sha256(b"").hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(COUNTED.format(rows=text), values)
        return cursor.fetchone()


def models_of(case: Case, *, with_said: bool = True) -> list[Document]:
    """Each model version that ran, with its digests: what the register says, and, at the cost of a look at every
    decision, what callers said."""
    ran = {(row.system_id, row.model_version) for row in case.tallies.filter(count__gt=0)}
    named = Q(system_id__in={system for system, _ in ran}, version__in={version for _, version in ran})
    known = {(row.system_id, row.version): row for row in ModelVersion.objects.filter(named)}
    said = _digests_said(case) if with_said else {}
    places = sorted(ran, key=lambda each: (str(each[0]), each[1]))
    return [_model(place, known.get(place), said.get(place, ())) for place in places]


def _model(place: Place, version: ModelVersion | None, said: Collection[str]) -> Document:
    known = {name: getattr(version, name, "") for name in ("name", "provider", "model_digest")}
    return {"system_id": str(place[0]), "model_version": place[1], "said": sorted(said)} | known


def _digests_said(case: Case) -> dict[Place, set[str]]:
    inside = members(case).order_by().values("decision_id")
    rows = Decision.objects.filter(id__in=inside).exclude(model_digest="").order_by()
    found: defaultdict[Place, set[str]] = defaultdict(set)
    for system_id, version, digest in rows.values_list("system_id", "model_version", "model_digest").distinct():
        found[system_id, version].add(digest)
    return found


# --- what somebody may know of it -------------------------------------------------------------------------------------
def narrowed(document: Document, seen: Seen) -> Document:
    """Without AI systems and decisions that somebody may not know of."""
    if replace(seen, reader=None) == EVERYTHING:
        return document
    found = document | {
        "systems": [each for each in document["systems"] if _in(each["id"], seen.named)],
        "models": [each for each in document["models"] if _in(each["system_id"], seen.systems)],
        "tallies": [each for each in document["tallies"] if _in(each["system_id"], seen.systems)],
        "attachments": [_attachment(each, seen) for each in document["attachments"]],
        "case": document["case"] | {"system_ids": _among(document["case"]["system_ids"], seen.named)},
        "decisions": _decisions_seen(document, seen),
    }
    return found | ({"tallies": []} if seen.is_blind else {})


def _decisions_seen(document: Document, seen: Seen) -> Document:
    said: Document = document["decisions"]
    hidden = {str(each) for each in seen.hidden}
    listed = [each for each in said["listed"] if _in(each["system_id"], seen.systems) and each["id"] not in hidden]
    if seen.is_blind:
        return {"count": None, "digest": "", "listed": listed}
    if _sees_all(document["case"]["system_ids"], seen):
        return said | {"listed": listed}
    count = sum(each["count"] for each in document["tallies"] if _in(each["system_id"], seen.systems))
    return {"count": count, "digest": "", "listed": listed}


def _attachment(said: Document, seen: Seen) -> Document:
    """How many there were, the digest over them and what was asked, of those alone that may all be known of."""
    if not _may_count(said["system_ids"], seen):
        return said | {
            "system_ids": _among(said["system_ids"], seen.named),
            "count": None,
            "digest": "",
            "question": {},
        }
    return said | {"question": _question(said["question"], seen)}


def _question(asked: Document, seen: Seen) -> Document:
    """A filter by a case, or by an AI system, that they may not know of is told without it."""
    known = {"case_id": seen.cases, "system_id": seen.named}
    return {name: value for name, value in asked.items() if name not in known or _in(value, known[name])}


def _may_count(system_ids: Iterable[str], seen: Seen) -> bool:
    return not seen.is_blind and _sees_all(system_ids, seen)


def _sees_all(system_ids: Iterable[str], seen: Seen) -> bool:
    return all(_in(each, seen.systems) for each in system_ids)


def _among(system_ids: Iterable[str], allowed: Collection[uuid.UUID] | None) -> list[str]:
    return [each for each in system_ids if _in(each, allowed)]


def _in(system_id: str, allowed: Collection[uuid.UUID] | None) -> bool:
    return allowed is None or uuid.UUID(system_id) in allowed
