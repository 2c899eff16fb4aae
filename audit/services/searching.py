"""Searching by what identifies or was said: subject, labels, payload text. Each search is sealed, with what it found.

The terms stand nowhere in clear but in an erasable row that the entry commits to.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import BooleanField, Exists, Func, OuterRef, Q, QuerySet, TextField, Value
from django.utils import timezone

from audit.filters import DecisionFilter, Question
from audit.kinds import DECISIONS_SEARCHED
from audit.models import Payload
from audit.reach import Reach
from audit.scanning import Scan, Slice, TooSlow, limited_to
from audit.selectors import DecisionPage, sealed_page
from audit.services.preparing import label_term
from config.errors import Forbidden
from config.ids import new_id
from governance import rights
from governance.acts import Act
from ledger.commitments import commitment, new_secret
from ledger.entries import Actor, draft_entry, timestamp
from ledger.models import Particulars
from ledger.sealing import sealing
from ledger.selectors import open_log, registry_log

TERMS_PART = "terms"
TEXT_PARTS = ("input", "output", "explanation", "context")
PATIENCE_SECONDS = 0.2
LOOK_UP_LIMIT_MS = 300
FEW = 2_000
"""Up to so many decisions of a subject or label are looked up by their ids; of more, some are found soon by walking."""
FIRST_WINDOW = 500
WINDOW_LIMIT_MS = 250
"""A payload may have a million bytes: 500 such would keep the database busy for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is searched for; all given terms must hold. `text` is found in any case, in any part but refs."""

    subject: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    text: str | None = None

    def as_json(self) -> dict[str, Any]:
        given = {"subject": self.subject, "labels": self.labels, "text": self.text}
        return {name: value for name, value in given.items() if value}


def search_decisions(
    *,
    actor: Actor,
    reach: Reach,
    terms: Terms,
    within: DecisionFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> DecisionPage:
    """A page of the decisions that answer, newest first; `decisions.searched` is sealed before it is given out.

    `within` should bound the time. Errors: `Forbidden` for text without any right to payloads; `InvalidCursor`; what
    sealing raises.
    """
    if terms.text:
        reach = reach.narrowed(rights.systems_where(actor, Act.PAYLOAD_READ))
        if reach.is_empty:
            raise Forbidden()
    found = sealed_page(_find(Question.of(within, reach), terms, cursor, limit))
    _seal_search(actor, terms, within, len(found.items))
    return found


def _find(question: Question, terms: Terms, cursor: str | None, limit: int) -> Slice:
    # a cursor goes on with its own search only: its terms are part of what is signed, never of what is readable
    scope = json.dumps(["search", terms.as_json()], sort_keys=True)
    named = _few_with(terms)
    if named is not None and not terms.text:
        rows = question.indexed.filter(question.remaining or Q(), id__in=named)
        return Scan(question=question, limit=limit, cursor=cursor, scope=scope).direct(rows)
    walked, asked = question.indexed, terms
    if named is not None:
        # the ids say the rest already; asked once more, it would offer the planner all of a subject for each decision
        walked, asked = walked.filter(id__in=named), Terms(text=terms.text)
    holds = Exists(_payloads(asked).filter(id=OuterRef("id")))
    return Scan(
        question=Question(walked, Q(holds) & (question.remaining or Q())),
        limit=limit,
        cursor=cursor,
        scope=scope,
        patience=PATIENCE_SECONDS,
        first_window=FIRST_WINDOW,
        window_limit_ms=WINDOW_LIMIT_MS,
        are_named=named is not None,
    ).run()


def _few_with(terms: Terms) -> list[uuid.UUID] | None:
    """The decisions of a subject or label by its index, where they are few; None where many have it.

    In one statement with the decisions, the planner would rather walk these by time and look for the term in each.
    """
    if not terms.subject and not terms.labels:
        return None
    named = _payloads(replace(terms, text=None)).order_by().values_list("id", flat=True)
    try:
        with limited_to(LOOK_UP_LIMIT_MS):
            found = list(named[: FEW + 1])
    except TooSlow:
        return None
    return found if len(found) <= FEW else None


def _payloads(terms: Terms) -> QuerySet[Payload]:
    rows = Payload.objects.all()
    if terms.subject:
        rows = rows.filter(subject=terms.subject)
    if terms.labels:
        rows = rows.filter(label_terms__contains=[label_term(*pair) for pair in terms.labels.items()])
    return rows.filter(_text_condition(terms.text)) if terms.text else rows


class _AsText(Func):
    """Bytes that were checked to be UTF-8 when they arrived, as text."""

    template = "convert_from(%(expressions)s, 'UTF8')"
    output_field = TextField()


def _text_condition(text: str) -> Q:
    found = Q()
    for part in TEXT_PARTS:
        for spelling in _spellings(text):
            found |= Q(_Holds(_AsText(part), Value(spelling)))
    return found


class _Holds(Func):
    """Whether a text holds another one, in any case."""

    template = "strpos(lower(%(expressions)s)) > 0"
    arg_joiner = "), lower("
    output_field = BooleanField()


def _spellings(text: str) -> Iterator[str]:
    """As JSON may write it: as it is, with quotes escaped, with all but ASCII escaped (and then no case is folded).

    Each costs a look through all parts, so those that differ in the case of ASCII letters alone are looked for once.
    """
    escaped = (json.dumps(each)[1:-1] for each in (text, text.lower(), text.upper(), text.capitalize()))
    spellings = (text, json.dumps(text, ensure_ascii=False)[1:-1], *escaped)
    yield from dict.fromkeys(each.lower() if each.isascii() else each for each in spellings)


def _seal_search(actor: Actor, terms: Terms, within: DecisionFilter, hits: int) -> None:
    data, secret, entry_id = json.dumps(terms.as_json(), sort_keys=True).encode(), new_secret(), new_id()
    body = {
        "terms": commitment(secret, TERMS_PART, data).hex(),
        "by": sorted(terms.as_json()),
        "system": str(within.system_id) if within.system_id else None,
        "since": timestamp(within.since) if within.since else None,
        "until": timestamp(within.until) if within.until else None,
        "hits": hits,
    }
    body = {name: value for name, value in body.items() if value is not None}
    with sealing() as seal:
        log = open_log(within.system_id) if within.system_id else registry_log()
        Particulars.objects.create(row_id=entry_id, part=TERMS_PART, secret=secret, data=data)
        draft = draft_entry(kind=DECISIONS_SEARCHED, actor=actor, at=timezone.now(), body=body, entry_id=entry_id)
        seal.add(log.id, draft)
