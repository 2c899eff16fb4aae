"""How a card came about, from its sealed history: begun, submitted, sent back, published."""

from dataclasses import dataclass
from datetime import datetime

from governance.admin.history import Moment, moments
from governance.models import SystemCard

SAID_IN = {"note", "answer"}
TITLES = {
    "card.drafted": "Begun",
    "card.submitted": "Submitted",
    "card.returned": "Sent back",
    "card.published": "Published",
    "card.superseded": "Superseded",
    "card.withdrawn": "Given up",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One sealed act."""

    at: datetime
    title: str
    who: str
    said: str


def story_of(card: SystemCard, *, with_words: bool) -> list[Step]:
    """The newest first. `with_words`: what they said to each other, for those who may write the card."""
    return [
        Step(each.at, TITLES.get(each.kind, each.kind), each.who, _said(each) if with_words else "")
        for each in moments(card)
    ]


def _said(moment: Moment) -> str:
    words = [each.after for each in moment.differences if each.field in SAID_IN and each.after]
    return " ".join([*words, moment.reason]).strip()
