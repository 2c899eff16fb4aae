"""What an export may hold beside the entries: parts, each with the commitment that it opens."""

from audit.selectors import PARTS as PAYLOAD_PARTS

ROW_PARTS = ("state", "particulars", "reason")
WRITTEN_PARTS = ("particulars", "reason")
"""What people wrote: what is restricted, and goes, with a decision."""
PARTS = (*PAYLOAD_PARTS, *ROW_PARTS)
"""In the order in which they stand in a bundle."""
WORDS = {
    "input": "Inputs",
    "output": "Outputs",
    "explanation": "Explanations",
    "context": "Contexts",
    "refs": "Subjects, labels and other references",
    "state": "What people set: the rows behind overrides, reviews and controls",
    "particulars": "What people wrote in them (with what they set, which commits to it)",
    "reason": "The reasons they gave",
}


def with_needed(parts: list[str]) -> list[str]:
    """In order, with what they need: the commitment to what people wrote stands in the state of the row."""
    return in_order([*parts, *(["state"] if "particulars" in parts else [])])


def in_order(parts: list[str]) -> list[str]:
    """Each once, in the order of a bundle."""
    return [name for name in PARTS if name in parts]
