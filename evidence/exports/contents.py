"""What an export may hold beside the entries: parts, each with the commitment that it opens."""

from audit.selectors import PARTS as PAYLOAD_PARTS

ROW_PARTS = ("state", "particulars", "reason")
PARTS = (*PAYLOAD_PARTS, *ROW_PARTS)
"""In the order in which they stand in a bundle."""
WORDS = {
    "input": "Inputs",
    "output": "Outputs",
    "explanation": "Explanations",
    "context": "Contexts",
    "refs": "Subjects, labels and other references",
    "state": "What people set: the rows behind overrides, reviews and controls",
    "particulars": "What people wrote in them",
    "reason": "The reasons they gave",
}


def in_order(parts: list[str]) -> list[str]:
    """Each once, in the order of a bundle."""
    return [name for name in PARTS if name in parts]
