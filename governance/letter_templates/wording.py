"""What a letter is written by: a published template, or ours where an AI system has none in a language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db.models import TextChoices

from governance.letter_templates.errors import LetterTemplateNotFound
from governance.letter_templates.languages import base_of

MOST_REASONS, REASONS = 20, 5


class Side(TextChoices):
    """Which reasons are told, by the sign of their weight. What a sign means, the AI system's explanation says."""

    OUTCOME = "outcome", "those on the side of the outcome"
    """Below zero where it is adverse, above zero where it is not; all where the caller said neither."""
    ALL = "all", "all"
    NEGATIVE = "negative", "those with a weight below zero"
    POSITIVE = "positive", "those with a weight above zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The template as it is used."""

    language: str
    text: str
    number: int | None = None
    """None: it is ours, and nobody of the organisation agreed to it."""
    words: Mapping[str, str] = field(default_factory=dict)
    responsible: str = ""
    contact: str = ""
    contest_days: int | None = None
    reasons_most: int = REASONS
    reasons_side: Side = Side.OUTCOME
    names_staff: bool = False

    @property
    def is_ours(self) -> bool:
        return self.number is None

    @property
    def contest_within(self) -> timedelta | None:
        return timedelta(days=self.contest_days) if self.contest_days else None


def default_wording(language: str) -> Wording:
    """Ours. Errors: `LetterTemplateNotFound` in a language that we do not write."""
    if base_of(language) not in DEFAULTS:
        raise LetterTemplateNotFound("There is no template in this language, and none of ours: write one first.")
    return Wording(language=language, text=DEFAULTS[base_of(language)])


DEFAULTS = {each.stem: each.read_text() for each in (Path(__file__).parent / "defaults").glob("*.txt")}
"""Ours, by language."""
