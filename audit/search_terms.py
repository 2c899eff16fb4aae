"""What a search of decisions is for."""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from audit.services.preparing import label_term, link_term


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is searched for; all given terms must hold. `text` is found in any case, in any part but refs.

    `same_as`: the id of a decision, whose `same` (subject, conversation, trace, or input byte for byte) it must have.
    """

    subject: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    conversation_id: str | None = None
    trace_id: str | None = None
    text: str | None = None
    same: str | None = None
    same_as: uuid.UUID | None = None

    def as_json(self) -> dict[str, Any]:
        given = {
            "subject": self.subject,
            "labels": self.labels,
            "conversation_id": self.conversation_id,
            "trace_id": self.trace_id,
            "text": self.text,
            f"same_{self.same}_as": str(self.same_as) if self.same_as else None,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def look_into_payloads(self) -> bool:
        return bool(self.text)

    def columns(self) -> list[str]:
        """The terms of the payload's search column."""
        found = [label_term(*pair) for pair in self.labels.items()]
        links = {"conversation": self.conversation_id, "trace": self.trace_id}
        return [*found, *(link_term(name, value) for name, value in links.items() if value)]

    @property
    def is_of_refs(self) -> bool:
        """Whether it tells what stands in a decision's refs, a part of its payload."""
        return bool(self.subject or self.columns() or self.same not in (None, "input"))

    def kept(self) -> dict[str, Any]:
        """As `of` reads it again."""
        given = asdict(self) | {"same_as": str(self.same_as) if self.same_as else None}
        return {name: value for name, value in given.items() if value}

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Self:
        same_as = kept.get("same_as")
        return cls(**{**kept, "same_as": uuid.UUID(same_as) if same_as else None})
