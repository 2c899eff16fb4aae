"""What is printed below a letter: its number, its state, and how it is checked, in the letter's language."""

from dataclasses import dataclass

from config.days import day_of
from evidence.letters.reading import Place, wording_of
from evidence.models import ExplanationLetter
from governance.letter_templates.languages import NoPhrase, day_words, direction_of, phrase

OURS = "en"
"""Where neither the template nor we have the words in the letter's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Lines to print, and the language that they are in."""

    lines: list[str]
    language: str

    @property
    def direction(self) -> str:
        return direction_of(self.language)


def footer_of(letter: ExplanationLetter, place: Place) -> Footer:
    """In one language as a whole."""
    try:
        return Footer(lines=_lines(letter, place, letter.language), language=letter.language)
    except NoPhrase:
        return Footer(lines=_lines(letter, place, OURS), language=OURS)


def _lines(letter: ExplanationLetter, place: Place, language: str) -> list[str]:
    words = wording_of(letter.template).words if letter.template and language == letter.language else {}
    replaced_by = getattr(letter, "replaced_by", None)
    said = {
        "number": str(letter),
        "day": day_words(day_of(letter.issued_at), language),
        "entry": str(place.entry.leaf_index),
        "log": place.log.origin,
        "digest": letter.digest,
        "key": letter.check_key,
        "other": str(letter.replaces or ""),
    }
    names = ["footer.sealed", *(["footer.replaces"] if letter.replaces else []), "footer.check"]
    lines = [phrase(name, language, words, **said) for name in names]
    if letter.withdrawn_at:
        day = day_words(day_of(letter.withdrawn_at), language)
        lines.append(phrase("footer.withdrawn", language, words, day=day))
    elif replaced_by:
        lines.append(phrase("footer.replaced", language, words, other=str(replaced_by)))
    return lines
