"""Parts of a payload as pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from django.utils.safestring import SafeString

from audit.explanations import Explanation, read_explanation
from audit.services.disclosure import DisclosedPart
from console.trees import tree_of

TITLES = {
    "input": "Input",
    "output": "Output",
    "explanation": "Explanation",
    "context": "Context",
    "refs": "Subject, labels and references",
    "letter": "An explanation letter",
    "letter-draft": "The draft of an explanation letter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """A part of the payload as the page shows it."""

    name: str
    title: str
    data: bytes
    tree: SafeString
    explanation: Explanation | None

    @property
    def size(self) -> int:
        return len(self.data)


def shown_part(part: DisclosedPart) -> ShownPart:
    return ShownPart(
        name=part.name,
        title=TITLES[part.name],
        data=part.data,
        tree=tree_of(part.data),
        explanation=read_explanation(part.data) if part.name == "explanation" else None,
    )


def subject_in(parts: Iterable[DisclosedPart]) -> str | None:
    """The subject, for whoever was shown the part that holds it."""
    refs = next((part.data for part in parts if part.name == "refs"), None)
    said = msgspec.json.decode(refs) if refs else {}
    subject = said.get("subject") if isinstance(said, dict) else None
    return subject if isinstance(subject, str) else None
