"""What an export is about: as manifests and entries say it, and in words."""

from typing import Any

from audit.models import Case
from evidence.exports.models import Export
from governance.models import AISystem
from ledger.entries import timestamp

Question = Export.Question


def as_json(export: Export) -> dict[str, Any]:
    """As docs/bundle-format.md has it. A subject is nowhere in it."""
    match export.question:
        case Question.RANGE:
            return {
                "kind": "range",
                "system": str(export.system_id),
                "since": timestamp(export.since) if export.since else None,
                "until": timestamp(export.until) if export.until else None,
            }
        case Question.CASE:
            return {"kind": "case", "case": str(export.case_id)}
        case Question.DECISION:
            return {"kind": "decision", "decision": str(export.decision_id)}
    return {"kind": "subject"}


def called(export: Export) -> str | None:
    """What the organisation calls what it is about: an AI system by its short name, a case by its reference."""
    if export.case_id:
        case = Case.objects.filter(pk=export.case_id).first()
        return case.reference if case else None
    if export.system_id is None:
        return None
    return AISystem.objects.filter(pk=export.system_id).values_list("slug", flat=True).first()


def name_of(export: Export) -> str:
    """A short name for files: letters, digits and hyphens, and nothing about a person."""
    match export.question:
        case Question.RANGE if export.system_id:
            found = AISystem.objects.filter(pk=export.system_id).first()
            days = [at.strftime("%Y-%m-%d") if at else "" for at in (export.since, export.until)]
            return "-".join(filter(None, (found.slug if found else str(export.system_id), *days)))
        case Question.CASE if export.case_id:
            case = Case.objects.filter(pk=export.case_id).first()
            return f"case-{case.reference if case else export.case_id}"
        case Question.DECISION:
            return f"decision-{export.decision_id}"
    return f"subject-{export.pk}"
