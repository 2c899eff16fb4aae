"""The course of one search over its pages: begun, gone on with, given up, ended; and the entries that say so."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from audit.errors import SearchCancelled, SearchNotFound
from audit.filters import DecisionFilter
from audit.kinds import DECISIONS_SEARCHED, SEARCH_ENDED
from audit.models import SearchHit, SearchRun
from audit.scanning import Slice, place_at
from audit.search_terms import Terms
from audit.selectors import DecisionPage
from audit.text_scanning import GivenUp, Looked
from audit.walks import Place
from config.ids import new_id
from config.pagination import InvalidCursor
from ledger.commitments import commitment, new_secret
from ledger.entries import SERVER, Actor, draft_entry, timestamp
from ledger.models import Particulars
from ledger.sealing import sealing
from ledger.selectors import open_log, registry_log

TERMS_PART = "terms"
LEFT_ALONE = timedelta(minutes=10)
"""So long after its last page a search that nobody ended counts as ended."""
KEPT = timedelta(days=1)
AT_A_TIME = 200


# --- its pages --------------------------------------------------------------------------------------------------------
def begin(actor: Actor, terms: Terms, within: DecisionFilter, run_id: uuid.UUID | None) -> SearchRun:
    """A new search. An id that is taken, as where a page is sent again, is given up for another."""
    log = open_log(within.system_id) if within.system_id else registry_log()
    if run_id is None or SearchRun.objects.filter(pk=run_id).exists():
        run_id = new_id()
    asked = replace(within, until=within.until or timezone.now())
    return SearchRun.objects.create(
        pk=run_id,
        actor_type=actor.type,
        actor_id=actor.id,
        log_id=log.pk,
        terms=terms.kept(),
        question=asked.said(),
        since=asked.since,
        until=asked.until,
    )


def resume(actor: Actor, cursor: str) -> tuple[SearchRun, str]:
    """The search that a cursor belongs to, and the place it names. Errors: `InvalidCursor`, `SearchCancelled`."""
    name, _, place = cursor.partition(".")
    try:
        run = _own(actor).filter(pk=uuid.UUID(hex=name)).first()
    except ValueError:
        run = None
    if run is None or not place:
        raise InvalidCursor()
    if run.cancelled_at:
        raise SearchCancelled()
    return run, place


def goes_on(run: SearchRun, cursor: str | None) -> str | None:
    """A cursor of the scan as whoever searches gets it: with the search it belongs to."""
    return f"{run.pk.hex}.{cursor}" if cursor else None


def as_counted(run: SearchRun, found: Slice, scope: str) -> Slice:
    """A page that is asked for again ends no later than where the search was counted to: it may have had more time
    now, or more room, and what nobody counted is given to nobody."""
    _, _, frontier = run.frontier.partition(".")
    if not frontier or not found.is_older:
        return found
    end = place_at(frontier, scope)
    if found.next_cursor and place_at(found.next_cursor, scope) > end:
        return found
    counted = [row for row in found.items if Place.of(row) >= end]
    return replace(found, items=counted, next_cursor=frontier, searched_to=run.searched_to)


def noted(
    actor: Actor,
    run: SearchRun,
    terms: dict[str, Any],
    within: DecisionFilter,
    page: DecisionPage,
    looked: Looked | None,
    cursor: str | None,
) -> SearchRun:
    """Count a page to its search, and seal that it began, or that it ended. A page looked at again counts nothing."""
    with sealing() as seal:
        held = SearchRun.objects.select_for_update().get(pk=run.pk)
        if held.cancelled_at:
            raise SearchCancelled()
        if cursor is not None and cursor != held.frontier:
            return held
        _keep(held, page)
        _count(held, page, looked)
        if cursor is None:
            seal.add(held.log_id, _beginning(actor, held, terms, within))
        elif held.ended_at:
            seal.add(held.log_id, _ending(actor, held))
        held.save()
    return held


def _keep(held: SearchRun, page: DecisionPage) -> None:
    """What a person's search found, for them to come back to. A program keeps its own answers."""
    if held.actor_type == "person":
        numbered = enumerate(page.items, start=held.hits)
        SearchHit.objects.bulk_create(
            SearchHit(run=held, position=position, decision_id=each.id) for position, each in numbered
        )


def _count(held: SearchRun, page: DecisionPage, looked: Looked | None) -> None:
    held.hits += len(page.items)
    if looked is not None:
        held.scanned = (held.scanned or 0) + looked.scanned
        held.barred += looked.barred
        held.erased += looked.erased
    held.searched_to = page.searched_to
    held.frontier = goes_on(held, page.next_cursor) or ""
    held.ended_at = None if page.next_cursor else timezone.now()


# --- giving it up -----------------------------------------------------------------------------------------------------
def is_cancelled(run_id: uuid.UUID) -> bool:
    return SearchRun.objects.filter(pk=run_id, cancelled_at__isnull=False).exists()


@contextmanager
def raising_cancelled() -> Iterator[None]:
    """Errors: `SearchCancelled` where it was given up meanwhile."""
    try:
        yield
    except GivenUp as error:
        raise SearchCancelled() from error


def cancel_search(*, actor: Actor, run_id: uuid.UUID) -> SearchRun:
    """Give up a search of one's own: what the database does for it ends with the window at hand, which has a limit;
    `decisions.search_ended` is sealed.

    Of one that has ended already nothing changes. Errors: `SearchNotFound`; what sealing raises.
    """
    with sealing() as seal:
        run = _own(actor).select_for_update().filter(pk=run_id).first()
        if run is None:
            raise SearchNotFound()
        if run.is_over:
            return run
        if run.entry_id and not run.is_left:  # its end was sealed then, with the same figures
            seal.add(run.log_id, _ending(actor, run))
        run.cancelled_at = timezone.now()
        run.save()
    return run


def end_left_searches(*, actor: Actor = SERVER) -> int:
    """Seal the end of searches that nobody came back to, and forget those of yesterday. The server's own work."""
    now = timezone.now()
    left = SearchRun.objects.filter(last_at__lt=now - LEFT_ALONE, ended_at=None, cancelled_at=None)
    ended = sum(_end(actor, run_id) for run_id in left.values_list("pk", flat=True)[:AT_A_TIME])
    over = SearchRun.objects.filter(last_at__lt=now - KEPT).exclude(ended_at=None, cancelled_at=None)
    over.delete()
    return ended


def own_search(actor: Actor, run_id: uuid.UUID) -> SearchRun:
    """Errors: `SearchNotFound`, the same for somebody else's and for none."""
    run = _own(actor).filter(pk=run_id).first()
    if run is None:
        raise SearchNotFound()
    return run


def _end(actor: Actor, run_id: uuid.UUID) -> bool:
    with sealing() as seal:
        run = SearchRun.objects.select_for_update().filter(pk=run_id, ended_at=None, cancelled_at=None).first()
        if run is None:
            return False
        run.ended_at = timezone.now()
        if run.entry_id:
            seal.add(run.log_id, _ending(actor, run))
        run.save()
    return True


def _own(actor: Actor) -> QuerySet[SearchRun]:
    return SearchRun.objects.filter(actor_type=actor.type, actor_id=actor.id)


# --- what is sealed ---------------------------------------------------------------------------------------------------
def _beginning(actor: Actor, run: SearchRun, terms: dict[str, Any], within: DecisionFilter) -> Any:
    data, secret = json.dumps(terms, sort_keys=True).encode(), new_secret()
    run.entry_id = new_id()
    Particulars.objects.create(row_id=run.entry_id, part=TERMS_PART, secret=secret, data=data)
    body = {
        "terms": commitment(secret, TERMS_PART, data).hex(),
        "by": sorted(terms),
        "system": str(within.system_id) if within.system_id else None,
        "since": timestamp(run.since) if run.since else None,
        "until": timestamp(run.until) if run.until else None,
    }
    said = {name: value for name, value in body.items() if value is not None} | _figures(run)
    return draft_entry(kind=DECISIONS_SEARCHED, actor=actor, at=timezone.now(), body=said, entry_id=run.entry_id)


def _ending(actor: Actor, run: SearchRun) -> Any:
    return draft_entry(kind=SEARCH_ENDED, actor=actor, at=timezone.now(), body=_figures(run), about_id=run.entry_id)


def _figures(run: SearchRun) -> dict[str, Any]:
    """What was found, what was looked into, and whether that was all there is."""
    said: dict[str, Any] = {"hits": run.hits, "is_all": not run.frontier}
    if run.scanned is not None:
        said |= {"scanned": run.scanned, "barred": run.barred, "erased": run.erased}
    if run.searched_to:
        said["back_to"] = timestamp(run.searched_to)
    return said
