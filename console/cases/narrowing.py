"""What the list of a case is narrowed to, as an address says it."""

import uuid
from collections.abc import Mapping

from audit.case_selectors import CaseFilter


def within_of(asked: Mapping[str, str]) -> CaseFilter:
    """What cannot be read narrows nothing."""
    return CaseFilter(
        system_id=uuid_of(asked.get("system")),
        model_version=_clear(asked.get("version")),
        outcome=_clear(asked.get("outcome")),
        accountable_id=uuid_of(asked.get("accountable")),
    )


def uuid_of(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


def _clear(text: str | None) -> str:
    return (text or "")[:100].replace("\0", "")
