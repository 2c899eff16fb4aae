"""All facts that a letter about one decision can tell, each with where it is from, and what its writer should know."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from audit.flags import Flag
from audit.selectors import SealedDecision
from config.days import day_of, today
from evidence.letters.features import Reasons, data_kinds, reasons_of
from evidence.letters.people import Teller
from governance.cards.content import Content, read_document
from governance.letter_templates.languages import NoPhrase, day_words
from governance.letter_templates.text import Value
from governance.letter_templates.wording import Wording
from governance.letter_templates.words import OUTCOME
from governance.models import AISystem, SystemCard
from governance.selectors import published_cards
from overrides.effective import Effective, effective_of

MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact. `value` None: it is not known."""

    name: str
    value: Value | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Of one decision and one template."""

    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]

    def values(self) -> dict[str, Value]:
        return {fact.name: fact.value for fact in self.facts if fact.value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    decision: SealedDecision
    wording: Wording
    system: AISystem
    card: SystemCard | None
    said: Content
    holds: Effective
    reasons: Reasons
    data: tuple[list[str], list[str]]
    is_erased: bool


def gather(
    decision: SealedDecision, wording: Wording, parts: Mapping[str, bytes] | None, *, addressee: str = ""
) -> Gathered:
    """`parts`: input and explanation, as far as they were sent; None: they were erased."""
    number = decision.body.card
    card = published_cards(decision.system_id).filter(number=number).first() if number else None
    shown = parts or {}
    found = _Sources(
        decision=decision,
        wording=wording,
        system=AISystem.objects.get(pk=decision.system_id),
        card=card,
        said=read_document(card.content) if card else {},
        holds=effective_of(decision.id, decision=decision),
        reasons=reasons_of(shown.get("explanation"), wording, decision.body.adverse),
        data=data_kinds(shown.get("input"), wording.words),
        is_erased=parts is None,
    )
    facts = (*_from_record(found), *_from_people(found), *_from_card(found), *_from_template(found, addressee))
    return Gathered(facts=facts, warnings=tuple(_warnings(found, facts)))


# --- facts ------------------------------------------------------------------------------------------------------------
def _from_record(found: _Sources) -> Iterator[Fact]:
    body, entry = found.decision.body, "the decision's entry"
    teller = Teller(found.decision, found.wording)
    day = day_of(found.decision.occurred_at)
    yield Fact(name="reference", value=str(found.decision.id), source=entry)
    yield Fact(name="decided_on", value=day_words(day, found.wording.language), source=f"{entry}, the caller's clock")
    yield Fact(name="outcome", value=teller.outcome(body.outcome), source=f"{entry}, in the template's words")
    yield Fact(name="model_version", value=body.model_version, source=entry)
    yield Fact(name="ai_role", value=_or_none(lambda: teller.say(f"role.{body.ai_role}")), source=entry)
    gone = "the stored explanation, which was erased" if found.is_erased else "the stored explanation"
    yield Fact(name="summary", value=found.reasons.summary or None, source=gone)
    yield Fact(name="reasons", value=found.reasons.told or None, source=gone)
    kept = "the input, which was erased" if found.is_erased else "the names of the input's fields"
    yield Fact(name="data_used", value=tuple(found.data[0]) or None, source=kept)


def _from_people(found: _Sources) -> Iterator[Fact]:
    teller = Teller(found.decision, found.wording)
    people = "reviews, overrides and appeals"
    yield Fact(name="who_decided", value=_or_none(lambda: teller.who_decided(found.holds)), source=people)
    yield Fact(name="what_followed", value=_or_none(lambda: tuple(teller.what_followed())), source=people)
    yield Fact(name="outcome_now", value=_or_none(lambda: teller.outcome_now(found.holds)), source="what holds now")


def _from_card(found: _Sources) -> Iterator[Fact]:
    card, body = found.card, found.decision.body
    source = f"card {body.card}, in force at the decision" if body.card else "no card was in force at the decision"
    yield Fact(name="card_number", value=str(card.number) if card else None, source=source)
    for name, place in CARD_PLACES.items():
        yield Fact(name=name, value=_at(found.said, *place), source=source)
    yield Fact(name="system_name", value=str(found.system) or None, source="the register")


CARD_PLACES = {
    "purpose": ("purpose", "intended"),
    "limitations": ("purpose", "limitations"),
    "data_sources": ("data", "sources"),
    "how_to_contest": ("explanation", "contest"),
}


def _from_template(found: _Sources, addressee: str) -> Iterator[Fact]:
    wording, now = found.wording, today()
    template = f"template {wording.number}" if wording.number else "our own template"
    contact, responsible = _contact_on(found.said), _responsible_on(found.said)
    yield Fact(name="addressee", value=addressee or None, source="typed here")
    yield Fact(name="contact", value=wording.contact or contact, source=template if wording.contact else "the card")
    named = template if wording.responsible else "the card"
    yield Fact(name="responsible", value=wording.responsible or responsible, source=named)
    yield Fact(name="contest_until", value=_until(wording, now), source=f"{template}, from today")
    yield Fact(name="today", value=day_words(now, wording.language), source="the day it is")


def _until(wording: Wording, today: date) -> str | None:
    within = wording.contest_within
    return day_words(today + within, wording.language) if within else None


def _contact_on(said: Content) -> str | None:
    rows = said.get("contacts", {}).get("people", [])
    return "; ".join(f"{row.get('desk')}, {row.get('reached_by')}" for row in rows) or None


def _responsible_on(said: Content) -> str | None:
    return _at(said, "identity", "deployer") or _at(said, "identity", "provider")


def _at(said: Content, section: str, field: str) -> str | None:
    value = said.get(section, {}).get(field)
    return value if isinstance(value, str) and value else None


def _or_none(saying: Callable[[], Value]) -> Value | None:
    """None where neither we nor the template have a phrase in its language: then it is told as missing."""
    try:
        return saying()
    except NoPhrase:
        return None


# --- warnings ---------------------------------------------------------------------------------------------------------
def _warnings(found: _Sources, facts: tuple[Fact, ...]) -> Iterator[str]:
    """What makes a letter worse than it should be; nothing of it keeps it from being issued."""
    body, wording, known = found.decision.body, found.wording, {fact.name for fact in facts if fact.value is not None}
    if wording.is_ours:
        yield "This is our own template: nobody of your organisation agreed to its words."
    if found.is_erased:
        yield "Input and explanation of this decision were erased: the reasons cannot be told from them any more."
    elif found.reasons.is_of_other_side:
        yield "None of the stored reasons weighs to the side of this outcome: look at the explanation before you write."
    elif body.adverse and "reasons" not in known:
        yield "This decision is adverse, and no reasons are stored with it. A letter without reasons explains nothing."
    if body.adverse and found.reasons.is_mixed:
        yield "It is adverse, and some of these reasons weigh the other way: take out what did not lead to it."
    if body.card is None:
        yield "No system card was in force when this was decided: purpose, data and contacts are not known from one."
    if "contact" not in known:
        yield "Nobody is named to turn to: neither in the template nor on the card."
    if wording.contest_days is None:
        yield "The template names no time within which it can be contested."
    yield from _warnings_of_state(found)
    yield from _warnings_of_words(found)


def _warnings_of_state(found: _Sources) -> Iterator[str]:
    if found.holds.status == "pending":
        yield "A person has yet to decide on this: what the letter says may not be the last word."
    if found.holds.is_held_back:
        yield "A stop keeps this decision from being carried out just now."
    if Flag.OUTSIDE_SCOPE in found.decision.body.flags:
        yield "The input was outside the scope that the system card declares."
    if found.wording.names_staff:
        yield "The template names members of staff."


def _warnings_of_words(found: _Sources) -> Iterator[str]:
    if f"{OUTCOME}{found.decision.body.outcome}" not in found.wording.words:
        yield f"The template has no words for the outcome {found.decision.body.outcome}: it stands as it was sent."
    unspoken = list(dict.fromkeys([*found.reasons.unspoken, *found.data[1]]))
    if unspoken:
        more = f" and {len(unspoken) - MOST_NAMED} more" if len(unspoken) > MOST_NAMED else ""
        yield f"The template has no words for {', '.join(unspoken[:MOST_NAMED])}{more}: read what stands there."
