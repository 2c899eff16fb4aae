"""Searching by what identifies or was said: subject, labels, links, payload text. Each search is sealed, once.

A search may go on over pages. Its first page seals `decisions.searched`, before anything is given out; where it went
on, `decisions.search_ended` says in the end how far it came and how much it found, also where nobody came back for it.
The terms stand nowhere in clear but in an erasable row that the first entry commits to.
"""

import json
import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.case_access import OWN, appointed_cases, own_cases, systems_by_case
from audit.errors import DecisionNotFound, PartNotSent, PayloadErased
from audit.filters import NAMED_AT_MOST, DecisionFilter, Question, by_case
from audit.models import Case, Payload, SearchRun
from audit.payload_grants import granted_spans, span_of
from audit.reach import Reach
from audit.restrictions import unrestricted
from audit.same_input import ANY_INPUT, SameInput
from audit.scanning import Scan, Slice, TooSlow, limited_to
from audit.search_terms import Terms
from audit.selectors import DecisionPage, decision_by_id, sealed_page
from audit.services.disclosure import may_read_payload, may_see
from audit.services.search_runs import as_counted, begin, goes_on, is_cancelled, noted, raising_cancelled, resume
from audit.text_scanning import Looked, PayloadScan, Wanted, holding
from config.errors import Forbidden
from governance import rights
from governance.acts import Act
from ledger.entries import Actor

PATIENCE_SECONDS = 0.15
TEXT_PATIENCE_SECONDS = 1.2
"""A search of payloads that goes on takes its time in longer steps; its first page is there as soon as any other."""
LOOK_UP_LIMIT_MS = 300
FIRST_WINDOW = 500
WINDOW_LIMIT_MS, QUICK_SECONDS = 500, 0.12
"""A payload may have a million bytes: 500 such would keep the database busy for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage(DecisionPage):
    """A page of a search; `run` says what it looked into so far, over all its pages."""

    run: SearchRun


def search_decisions(
    *,
    actor: Actor,
    reach: Reach,
    terms: Terms,
    within: DecisionFilter,
    cursor: str | None = None,
    limit: int = 50,
    run_id: uuid.UUID | None = None,
) -> SearchPage:
    """A page of the decisions that answer, newest first; `decisions.searched` is sealed before it is given out.

    `within` should bound the time; a search that goes on keeps the bounds it began with. `run_id`: what the new search
    is to be called, so that it can be given up while it runs. Errors: `Forbidden` for what stands in payloads without
    any right to one; `DecisionNotFound`, `Forbidden`, `PayloadErased`, `PartNotSent` for `same_as`; `InvalidCursor`;
    `SearchCancelled`; what sealing raises.
    """
    like = _like(actor, reach, terms)
    wanted = _wanted(actor, terms)
    readable = _readable(actor) if wanted else None
    run, place = resume(actor, cursor) if cursor else (begin(actor, terms, within, run_id), None)
    asked = replace(within, since=run.since, until=run.until)
    question = _question(actor, reach, terms, asked)
    # a cursor goes on with its own search only: terms and filter are part of what is signed, never of what is readable
    scope = json.dumps(["search", terms.as_json(), asked.said(), str(run.pk)], sort_keys=True)
    with raising_cancelled():
        found, looked = _find(question, like, like.put_into(terms), wanted, readable, run, (scope, place, limit))
    page = sealed_page(found)
    run = noted(actor, run, terms.as_json(), asked, page, looked, cursor)
    counted = as_counted(run, found, scope)
    page = replace(page if len(counted.items) == len(found.items) else sealed_page(counted), **_end_of(counted))
    return SearchPage(
        items=page.items,
        unsealed=page.unsealed,
        next_cursor=goes_on(run, page.next_cursor),
        previous_cursor=goes_on(run, page.previous_cursor),
        searched_to=page.searched_to,
        run=run,
    )


def _end_of(found: Slice) -> dict[str, Any]:
    return {"next_cursor": found.next_cursor, "searched_to": found.searched_to}


def may_search_text(actor: Actor) -> bool:
    """Whether there is anything in whose payload somebody could search."""
    if rights.can_anywhere(actor, Act.PAYLOAD_READ):
        return True
    return bool(_systems_of_led_cases(actor) or appointed_cases(actor) or granted_spans(actor))


def searchable(actor: Actor) -> Q | None:
    """The decisions that somebody may find by subject, label or link; None: all within reach. Errors: `Forbidden`."""
    whole, appointed = rights.systems_where(actor, Act.DECISION_SEARCH), appointed_cases(actor)
    free = unrestricted(actor)
    if whole is None:
        return free
    if not whole and not appointed:
        raise Forbidden("You may not read payloads, so you cannot search by what stands in them.")
    found = Q(system_id__in=whole)
    found = found | by_case(appointed) if appointed else found
    return found if free is None else found & free


def question_of_search(*, actor: Actor, reach: Reach, run: SearchRun, within: DecisionFilter) -> Question:
    """All that a search finds, for putting it into a case: of one that looks into payloads, what it has found so far.

    `within`: the filter of the search. Errors: as `search_decisions`.
    """
    terms = Terms.of(run.terms)
    if terms.look_into_payloads:
        return _found(actor, reach, terms, within, run.found.values("decision_id"))
    like = _like(actor, reach, terms)
    payloads = payloads_with(like.put_into(terms), SameInput.of(like.data, within.since))
    looked_up = payloads.filter(id=OuterRef("id"))
    return _narrowed(_question(actor, reach, terms, within), Q(Exists(looked_up)))


def found_so_far(
    *, actor: Actor, reach: Reach, run: SearchRun, within: DecisionFilter, number: int = 1, limit: int = 50
) -> DecisionPage:
    """A page, by its number, of what a person's search has found: nothing is searched, and nothing sealed, for it.

    Less where something was erased since, or may not be known of any more. Errors: `Forbidden`.
    """
    ids = list(run.found.order_by("position").values_list("decision_id", flat=True)[limit * (number - 1) :][:limit])
    rows = {row.id: row for row in _found(actor, reach, Terms.of(run.terms), within, ids).rows()}
    items = [rows[each] for each in ids if each in rows]
    return sealed_page(Slice(items=items, next_cursor=None, previous_cursor=None, searched_to=run.searched_to))


def _found(actor: Actor, reach: Reach, terms: Terms, within: DecisionFilter, ids: Any) -> Question:
    question = _question(actor, reach, terms, within)
    kept = Q(Exists(Payload.objects.filter(id=OuterRef("id"), secret__isnull=False)))
    if terms.look_into_payloads and (readable := _readable(actor)) is not None:
        kept &= readable
    return _narrowed(Question.over(question.within.filter(id__in=ids), question.remaining), kept)


def _question(actor: Actor, reach: Reach, terms: Terms, within: DecisionFilter) -> Question:
    question = Question.of(within, reach)
    if terms.same_as:
        question = question.beside(Q(pk=terms.same_as))
    if terms.same == "input":  # what it says is what stands in two payloads: both are to be read
        question = _narrowed(question, _readable(actor))
    return _narrowed(question, searchable(actor)) if terms.is_of_refs else question


def _narrowed(question: Question, condition: Q | None) -> Question:
    return question if condition is None else question.where(condition)


@dataclass(frozen=True, slots=True)
class Like:
    """What a decision has that others are to have too."""

    name: str = ""
    value: str = ""
    data: bytes = b""

    def put_into(self, terms: Terms) -> Terms:
        """The terms with what an index can find."""
        if not self.value:
            return terms
        given: dict[str, Any] = {self.name if self.name == "subject" else f"{self.name}_id": self.value}
        return replace(terms, **given)


def _like(actor: Actor, reach: Reach, terms: Terms) -> Like:
    """Only for those who may read the payload: that two decisions have the same subject is said by theirs alone."""
    if not terms.same_as or not terms.same:
        return Like()
    decision = decision_by_id(terms.same_as)
    is_seen = reach.covers(decision.system_id, decision.body.environment) or may_see(actor, decision)
    if terms.same_as in reach.hidden or not is_seen:
        raise DecisionNotFound()
    if not may_read_payload(actor, decision):
        raise Forbidden()
    payload = Payload.objects.filter(id=terms.same_as, secret__isnull=False).first()
    if payload is None:
        raise PayloadErased()
    if terms.same == "input":
        if not payload.input:
            raise PartNotSent("No input was sent with this decision.")
        return Like("input", data=bytes(payload.input))
    said = json.loads(bytes(payload.refs)) if payload.refs else {}
    value = said.get("subject" if terms.same == "subject" else f"{terms.same}_id")
    if not value:
        raise PartNotSent(f"No {terms.same} was sent with this decision.")
    return Like(terms.same, value)


def _wanted(actor: Actor, terms: Terms) -> Wanted | None:
    """What is looked for inside payloads; None where an index finds it all."""
    if not terms.look_into_payloads:
        return None
    if not may_search_text(actor):
        raise Forbidden()
    return holding(terms.text or "")


def _readable(actor: Actor) -> Q | None:
    """The decisions whose payload the actor may read: of whole AI systems, and what is in open cases of their own."""
    readable, free = _readable_by_role(actor), unrestricted(actor)
    return free if readable is None else readable if free is None else readable & free


def _readable_by_role(actor: Actor) -> Q | None:
    whole = rights.systems_where(actor, Act.PAYLOAD_READ)
    if whole is None:
        return None
    readable, led = Q(system_id__in=whole), _systems_of_led_cases(actor) - whole
    if led:
        mine = own_cases(actor).exclude(status=Case.Status.CLOSED).values_list("pk", flat=True)
        readable |= Q(system_id__in=led) & by_case(frozenset(mine))
    if appointed := appointed_cases(actor):
        readable |= by_case(appointed)
    for grant in granted_spans(actor):
        readable |= span_of(grant)
    return readable


def _systems_of_led_cases(actor: Actor) -> frozenset[uuid.UUID]:
    investigated = rights.systems_where(actor, Act.PAYLOAD_READ, given=OWN)
    mine = systems_by_case(actor)
    return mine if investigated is None else mine & investigated


def _find(
    question: Question,
    like: Like,
    terms: Terms,
    wanted: Wanted | None,
    readable: Q | None,
    run: SearchRun,
    page: tuple[str, str | None, int],
) -> tuple[Slice, Looked | None]:
    scope, cursor, limit = page
    is_looked_up = bool(terms.subject or terms.columns() or like.data)
    payloads = payloads_with(terms, SameInput.of(like.data, run.since)) if is_looked_up else None
    named = _few(payloads) if payloads is not None else None
    if wanted is None and named is not None:
        rows = question.rows().filter(id__in=named)
        return Scan(question=question, limit=limit, cursor=cursor, scope=scope).direct(rows), None
    asked = question
    if named is not None:
        # the ids say it already; asked once more, it would offer the planner all of a subject for each decision
        asked = Question.over(question.within.filter(id__in=named), question.remaining, are_named=True)
    elif payloads is not None:
        asked = question.where(Q(Exists(payloads.filter(id=OuterRef("id")))))
    if wanted is not None:
        return _look_inside(asked, wanted, readable, run, page)
    scan = Scan(
        question=asked,
        limit=limit,
        cursor=cursor,
        scope=scope,
        first_window=FIRST_WINDOW,
        window_limit_ms=WINDOW_LIMIT_MS,
    )
    return scan.run(), None


def _look_inside(
    question: Question, wanted: Wanted, readable: Q | None, run: SearchRun, page: tuple[str, str | None, int]
) -> tuple[Slice, Looked]:
    scope, cursor, limit = page
    inside = PayloadScan(
        question=question,
        limit=limit,
        cursor=cursor,
        scope=scope,
        patience=TEXT_PATIENCE_SECONDS if cursor else PATIENCE_SECONDS,
        first_window=FIRST_WINDOW,
        window_limit_ms=WINDOW_LIMIT_MS,
        quick=QUICK_SECONDS,
        wanted=wanted,
        readable=readable,
        is_given_up=lambda: is_cancelled(run.pk),
    )
    return inside.run(), inside.looked


def _few(payloads: QuerySet[Payload]) -> list[uuid.UUID] | None:
    """The decisions that an index finds, where they are few; None where they are many.

    In one statement with the decisions, the planner would rather walk these by time and look for the term in each.
    """
    named = payloads.order_by().values_list("id", flat=True)
    try:
        with limited_to(LOOK_UP_LIMIT_MS):
            found = list(named[: NAMED_AT_MOST + 1])
    except TooSlow:
        return None
    return found if len(found) <= NAMED_AT_MOST else None


def payloads_with(terms: Terms, same_input: SameInput = ANY_INPUT) -> QuerySet[Payload]:
    """Those that have the subject, the labels and the links, and this input, by their indexes where they can."""
    asked = same_input.condition
    if terms.subject:
        asked &= Q(subject=terms.subject)
    if columns := terms.columns():
        asked &= Q(label_terms__contains=columns)
    return Payload.objects.filter(asked)
