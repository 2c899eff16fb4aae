"""A case as it is printed, from its document: as it stands, or as it was kept with a report to the authority."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model

from audit.case_document import Document, document_of
from audit.case_selectors import Facets
from audit.models import (
    Case,
    CaseAttachment,
    CaseNote,
    Clock,
    CorrectiveAction,
    Finding,
    Incident,
    IncidentExtension,
    IncidentNotice,
    IncidentReport,
    IncidentSignOff,
    LegalHold,
)
from audit.restricted_texts import to_read
from console.cases.page import facet_lines, texts_of
from console.cases.trail import trail
from evidence.case_reports import content_of, is_content_barred, seen_by
from governance.models import Person
from governance.rights import as_actor

R = TypeVar("R", bound=Model)
PARTS: dict[str, tuple[type[Model], str]] = {
    "findings": (Finding, "author_id"),
    "actions": (CorrectiveAction, "owner_id"),
    "notes": (CaseNote, "author_id"),
    "attachments": (CaseAttachment, "person_id"),
    "reports": (IncidentReport, "reported_by_id"),
    "notices": (IncidentNotice, "told_by_id"),
    "extensions": (IncidentExtension, "by_id"),
    "sign_offs": (IncidentSignOff, "person_id"),
    "holds": (LegalHold, "placed_by_id"),
}


def report_of(person: Person, case: Case) -> dict[str, Any]:
    """As it stands."""
    actor = as_actor(person)
    return _shown(person, case, document_of(case, seen_by(actor, case)))


def kept_report_of(person: Person, report: IncidentReport) -> dict[str, Any]:
    """As it was when the report went out; without what it said where that was erased, or is
    restricted until it is."""
    actor = as_actor(person)
    document = content_of(actor, report)
    kept = {"kept": to_read(actor, report), "sent_by": Person.objects.filter(pk=report.reported_by_id).first()}
    if document is None:
        is_barred = is_content_barred(actor, report)
        return kept | {"case": report.incident.case, "is_erased": not is_barred, "is_restricted": is_barred}
    return kept | _shown(person, report.incident.case, document)


def _shown(person: Person, case: Case, document: Document) -> dict[str, Any]:
    people, seen = _people(document), seen_by(as_actor(person), case)
    entries = set(document["entries"])
    parts = {
        name: [_with(people, row(kind, each), by) for each in document[name]] for name, (kind, by) in PARTS.items()
    }
    incident = row(Incident, document["incident"]) if document["incident"] else None
    return parts | {
        "case": row(Case, document["case"]),
        "systems": document["systems"],
        "slugs": {each["id"]: each["name"] for each in document["systems"]},
        "opened_by": people.get(document["case"]["opened_by_id"]),
        "people": [people.get(each) for each in document["investigators"]],
        "incident": incident,
        "texts": texts_of(incident) if incident else [],
        "clocks": [_clock(each) for each in document["deadlines"]],
        "decisions": document["decisions"],
        "listed": [each | {"recorded_at": _moment(each["recorded_at"])} for each in document["decisions"]["listed"]],
        "models": document["models"],
        "is_blind": seen.is_blind,
        "facets": facet_lines(_facets(document)) if document["tallies"] else [],
        "events": [event for event in trail(case, seen) if str(event.entry_id) in entries],
        "printed_at": _moment(document["at"]),
        "printed_by": person,
    }


def row(kind: type[R], said: Document) -> R:
    """A row as a document tells it, never to be saved: for its words. What a later release left out is not told."""
    fields: dict[str, Any] = {field.attname: field for field in kind._meta.concrete_fields}
    return kind(**{name: fields[name].to_python(value) for name, value in said.items() if name in fields})


def _with(people: dict[str, Person], found: Any, column: str) -> tuple[Any, Person | None]:
    return found, people.get(str(getattr(found, column)))


def _people(document: Document) -> dict[str, Person]:
    ids = {document["case"]["opened_by_id"], *document["investigators"]}
    for name, (_, column) in PARTS.items():
        ids |= {each[column] for each in document[name]}
    return {str(pk): person for pk, person in Person.objects.in_bulk([each for each in ids if each]).items()}


def _clock(said: Document) -> dict[str, Any]:
    """One deadline, with its moments as moments."""
    moments = {name: _moment(said[name]) for name in ("due_at", "first_due_at", "done_at")}
    return said | moments | {"words": Clock(said["clock"]).label, "has_moved": said["due_at"] != said["first_due_at"]}


def _facets(document: Document) -> Facets:
    tallies: Iterable[Document] = document["tallies"]
    found = Facets(total=document["decisions"]["count"] or 0)
    for each in tallies:
        count, who = each["count"], each["accountable_id"]
        found.systems[uuid.UUID(each["system_id"])] += count
        found.model_versions[each["model_version"]] += count
        found.outcomes[each["outcome"]] += count
        found.accountable[uuid.UUID(who) if who else None, each["is_accepted"]] += count
    return found


def _moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None
