"""Reason codes: the lists that people choose from."""

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from config.errors import FieldProblem, InvalidInput
from overrides.models import ReasonList

CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
DECISIONS = ("confirm", "modify", "reject", "escalate", "abstain", "override", "appeal", "decline")
AS_PROPOSED = "as-proposed"
"""What a confirmation says that gives no reason: it takes one key and no text."""
MOST_CODES, LONGEST_WORDS = 100, 200

BUILT_IN: tuple[dict[str, Any], ...] = (
    {"code": AS_PROPOSED, "words": "As proposed", "for": ["confirm"]},
    {"code": "wrong-input", "words": "It was decided on wrong data", "for": ["modify", "reject", "override", "appeal"]},
    {
        "code": "missed-circumstances",
        "words": "Circumstances it does not know of",
        "for": ["modify", "reject", "override", "appeal"],
    },
    {"code": "wrong-weighing", "words": "It weighed the facts wrongly", "for": ["modify", "reject", "override"]},
    {"code": "unfair-effect", "words": "The effect would be unfair", "for": ["modify", "reject", "override", "appeal"]},
    {"code": "not-lawful", "words": "The law does not allow it", "for": ["modify", "reject", "override", "appeal"]},
    {"code": "outcome-stands", "words": "The decision stands", "for": ["appeal"]},
    {"code": "unsure", "words": "I cannot tell", "for": ["escalate", "abstain"]},
    {"code": "conflict-of-interest", "words": "I have a part in it", "for": ["abstain", "decline"]},
    {"code": "not-competent", "words": "I lack the knowledge", "for": ["escalate", "abstain", "decline"]},
    {"code": "other", "words": "Another reason, in the note", "for": list(DECISIONS[1:])},
)
"""In force where nobody has written a list."""


def reasons_in_force(queue_id: uuid.UUID | None) -> list[dict[str, Any]]:
    """The list of a queue, else the one of all queues, else ours."""
    found = ReasonList.objects.filter(queue_id=queue_id).first() if queue_id else None
    found = found or ReasonList.objects.filter(queue_id=None).first()
    return list(found.codes) if found else list(BUILT_IN)


def reason_in_words(code: str, codes: Iterable[Mapping[str, Any]]) -> str:
    """As it was chosen from a list; one of an earlier list as the code reads."""
    return next((str(each["words"]) for each in (*codes, *BUILT_IN) if each["code"] == code), code.replace("-", " "))


def checked_reason(code: str, decision: str, queue_id: uuid.UUID | None) -> str:
    """A code of the list in force that fits this decision. Errors: `InvalidInput` saying what would."""
    if decision == "confirm" and not code:
        return AS_PROPOSED
    fitting = [each["code"] for each in reasons_in_force(queue_id) if decision in each["for"]]
    if code not in fitting and not (decision == "confirm" and code == AS_PROPOSED):
        problem = FieldProblem(
            pointer="/reason_code",
            detail="This is not in the list of reasons for this decision.",
            expected=", ".join(fitting) or None,
        )
        raise InvalidInput(errors=[problem])
    return code


def read_codes(given: Any) -> list[dict[str, Any]]:
    """A list of reasons in its one form. Errors: `InvalidInput` naming each place that is wrong."""
    if not isinstance(given, list) or not 0 < len(given) <= MOST_CODES:
        raise InvalidInput(errors=[FieldProblem(pointer="/codes", detail=f"From 1 to {MOST_CODES} reasons.")])
    wrong = [index for index, each in enumerate(given) if not _is_reason(each)]
    seen = [each["code"] for index, each in enumerate(given) if index not in wrong]
    wrong += [index for index, each in enumerate(given) if index not in wrong and seen.count(each["code"]) > 1]
    if wrong:
        expected = f'{{"code": "...", "words": "...", "for": [{", ".join(DECISIONS)}]}}, each code once'
        detail = "This is no reason."
        raise InvalidInput(
            errors=[FieldProblem(pointer=f"/codes/{index}", detail=detail, expected=expected) for index in wrong]
        )
    return [{"code": each["code"], "words": each["words"].strip(), "for": sorted(set(each["for"]))} for each in given]


def _is_reason(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"code", "words", "for"}
        and isinstance(value["code"], str)
        and CODE.fullmatch(value["code"]) is not None
        and isinstance(value["words"], str)
        and 0 < len(value["words"].strip()) <= LONGEST_WORDS
        and isinstance(value["for"], list)
        and bool(value["for"])
        and all(each in DECISIONS for each in value["for"])
    )
