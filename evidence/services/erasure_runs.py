"""What the server does for erasures: finds, runs what its time has come for in slices, waits for floors and holds.

Every slice is one transaction: all of some decisions, or nothing. So a killed process goes on where it was, two at once
wait for each other, and a legal hold that comes between two slices keeps all that is left.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone
from psycopg.errors import InsufficientPrivilege

from audit.case_selectors import held
from audit.erasing import (
    database_now,
    floor_ends,
    forget_statistics,
    held_texts,
    lock_holds,
    open_warrant,
    staff_floor_ends,
    staff_held,
    text_floor_ends,
    texts_within_floor,
)
from audit.models import Case, Decision, ErasureConsent, ErasureFind, ErasureRequest, ErasureScan, Payload
from audit.models.erasures import ACTIVE
from audit.patient_statements import as_long_as_it_takes
from evidence.erasure.documents import sign_receipt, taken
from evidence.erasure.files import forget_files
from evidence.erasure.finding import Pattern, search_on
from evidence.erasure.performing import erase_decisions, erase_finds, erase_own_words, erase_person
from evidence.erasure.places import STATISTICS
from evidence.erasure.reading import agreed_finds, agreed_systems
from evidence.erasure.since import look_for_newer
from evidence.erasure.telling import tell_of_erasure
from evidence.erasure.writing import write_erasure
from evidence.kinds import ERASURE_COMPLETED, ERASURE_SCHEDULED, ERASURE_STARTED
from evidence.services.erasure_answers import announce_erasure, restrict
from governance.models import Person
from ledger.entries import SERVER, Actor, timestamp
from ledger.sealing import sealing
from notices.models import Alert
from notices.services import open_alert
from overrides.services.sweeping import each_by_itself

DECISIONS_AT_ONCE, FINDS_AT_ONCE = 50, 100
LOOK_AGAIN = timedelta(minutes=30)
"""What waits for floors or holds is looked at so often."""
LOOKED_AT = 500
Status, Kinds = ErasureRequest.Status, ErasureRequest.Kind
logger = structlog.get_logger(__name__)


def now_by_both() -> datetime:
    """The earlier of this host's clock and the database's: nothing is erased because one of them is ahead."""
    return min(timezone.now(), database_now())


# --- finding ----------------------------------------------------------------------------------------------------------
def search_for_finds(*, actor: Actor = SERVER, seconds: float) -> int:
    """Look on for what requests that are being prepared are to erase. Returns in how many the search is over now."""
    until = time.monotonic() + seconds
    waiting = ErasureRequest.objects.filter(status=Status.DRAFT, scan__finished_at=None).order_by("pk")

    def search(request: ErasureRequest) -> int:
        while search_on(request):
            if time.monotonic() > until:
                return 0
        return 1

    return each_by_itself("erasure-finds", search, waiting)


# --- running ----------------------------------------------------------------------------------------------------------
def run_erasures(*, actor: Actor = SERVER, seconds: float) -> int:
    """Go on with all that two people agreed to. Returns how many decisions and finds were erased."""
    until = time.monotonic() + seconds
    ids = list(ErasureRequest.objects.filter(status__in=ACTIVE).order_by("pk").values_list("pk", flat=True))
    return each_by_itself("erasure", lambda request_id: _go_on(actor, request_id, until), ids)


def _go_on(actor: Actor, request_id: uuid.UUID, until: float) -> int:
    request = ErasureRequest.objects.get(pk=request_id)
    try:
        if request.status == Status.SCHEDULED:
            _look_again(actor, request)
            return 0
        if request.status == Status.WAITING and not _start(actor, request_id):
            return 0
        return _run(actor, request_id, until)
    except DatabaseError as error:
        if _is_refusal(error):
            _tell_of_refusal(request)
        raise


def _is_refusal(error: DatabaseError) -> bool:
    """Whether the database itself found that something may not be erased."""
    return isinstance(error.__cause__, InsufficientPrivilege)


def _tell_of_refusal(request: ErasureRequest) -> None:
    open_alert(
        actor=SERVER,
        kind="erasure.blocked",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"erasure.blocked:{request.pk}",
        system_id=request.system_id,
        about_id=request.pk,
        facts={"erasure": str(request.pk)},
    )


def _start(actor: Actor, request_id: uuid.UUID) -> bool:
    """Once its time has come by both clocks: it runs, and what was agreed to is frozen."""
    with sealing() as seal:
        request = _locked(request_id)
        if request.status != Status.WAITING or request.runs_at is None or request.runs_at > now_by_both():
            return False
        for consent in request.consents.filter(status=ErasureConsent.Status.APPROVED).order_by("pk"):
            open_warrant(consent.pk)
        request.status = Status.RUNNING
        write_erasure(seal, actor, ERASURE_STARTED, request)
    return True


def _run(actor: Actor, request_id: uuid.UUID, until: float) -> int:
    erased, scan = 0, ErasureScan.objects.get(request_id=request_id)
    for part in _parts(request_id, scan.walk):
        erased += _take(actor, part)
        _walk_on(scan, scan.walk | part.place)
        if time.monotonic() > until:
            return erased
    _walk_on(scan, {})
    _conclude(actor, request_id, until)
    return erased


def _walk_on(scan: ErasureScan, walk: dict[str, str]) -> None:
    """The next run goes on behind what this one has seen, however much of it is kept back."""
    scan.walk = walk
    scan.save(update_fields=["walk"])


def _take(actor: Actor, part: "Part") -> int:
    """A slice; where the database refuses it, each of it by itself: one row that may not go holds up no other."""
    try:
        return part(actor)
    except DatabaseError as error:
        if not _is_refusal(error):
            raise
        _tell_of_refusal(ErasureRequest.objects.get(pk=part.request_id))
        logger.warning("evidence.erasure_refused", erasure=str(part.request_id), rows=len(part.ids))
    return sum(_take(actor, one) for one in part.one_by_one())


class _Decisions:
    """A slice of decisions on their way out."""

    def __init__(self, request_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
        self.request_id, self.ids = request_id, ids
        self.place = {"decisions": str(ids[-1])}

    def one_by_one(self) -> Iterator["_Decisions"]:
        """Nothing where it is one already."""
        return (_Decisions(self.request_id, [each]) for each in self.ids if len(self.ids) > 1)

    def __call__(self, actor: Actor) -> int:
        with sealing() as seal:
            request = _running(self.request_id)
            if request is None:
                return 0
            lock_holds()
            free = free_decisions(self.ids) - _done(request, self.ids)
            if free:
                erase_decisions(seal, actor, request, free)
        return len(free)


class _Finds:
    """A slice of what was found by its words."""

    def __init__(self, request_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
        self.request_id, self.ids = request_id, ids
        self.place = {"finds": str(ids[-1])}

    def one_by_one(self) -> Iterator["_Finds"]:
        """Nothing where it is one already."""
        return (_Finds(self.request_id, [each]) for each in self.ids if len(self.ids) > 1)

    def __call__(self, actor: Actor) -> int:
        with sealing() as seal:
            request = _running(self.request_id)
            if request is None:
                return 0
            found = agreed_finds(request).filter(item_id__in=self.ids)
            lock_cases(found.values("row_id"))
            lock_holds()
            done = _done(request, self.ids)
            finds = [each for each in found if each.item_id not in done]
            free = free_finds(finds)
            if free:
                erase_finds(seal, actor, request, free)
        return len(free)


class _Somebody:
    """The person whose name goes."""

    def __init__(self, request_id: uuid.UUID, person_id: uuid.UUID) -> None:
        self.request_id, self.ids = request_id, [person_id]
        self.place: dict[str, str] = {}

    def one_by_one(self) -> Iterator["_Somebody"]:
        return iter(())

    def __call__(self, actor: Actor) -> int:
        with sealing() as seal:
            request = _running(self.request_id)
            if request is None or request.person_id is None or _done(request, [request.person_id]):
                return 0
            person = Person.objects.select_for_update(no_key=True).get(pk=request.person_id)
            lock_holds()
            if not _is_free(person):
                return 0
            erase_person(seal, actor, request, person)
        return 1


Part = _Decisions | _Finds | _Somebody


def _parts(request_id: uuid.UUID, walk: Mapping[str, str] | None = None) -> Iterator[Part]:
    """What is left, slice by slice, in the order of ids; behind what was walked through."""
    walk, first = walk or {}, str(uuid.UUID(int=0))
    request = ErasureRequest.objects.get(pk=request_id)
    done = set(request.steps.values_list("item_id", flat=True))
    rows = request.targets.filter(system_id__in=agreed_systems(request), decision_id__gt=walk.get("decisions", first))
    rows = rows.order_by("decision_id")
    left = [each for each in rows.values_list("decision_id", flat=True) if each not in done]
    for start in range(0, len(left), DECISIONS_AT_ONCE):
        yield _Decisions(request_id, left[start : start + DECISIONS_AT_ONCE])
    items = agreed_finds(request).filter(item_id__gt=walk.get("finds", first)).order_by("item_id")
    found = [each for each in items.values_list("item_id", flat=True) if each not in done]
    for start in range(0, len(found), FINDS_AT_ONCE):
        yield _Finds(request_id, found[start : start + FINDS_AT_ONCE])
    if request.person_id and request.person_id not in done:
        yield _Somebody(request_id, request.person_id)


def free_decisions(ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Of these decisions those that no floor and no hold keeps. Under `lock_holds` it stays so."""
    now, kept = now_by_both(), held(ids)
    return {each for each, ends in floor_ends(ids).items() if ends <= now and each not in kept}


def free_finds(finds: Sequence[ErasureFind]) -> list[ErasureFind]:
    """Of these finds those that no floor and no hold keeps."""
    rows = [each.row_id for each in finds]
    kept = held_texts(rows) | texts_within_floor(rows, now_by_both())
    return [each for each in finds if each.row_id not in kept]


def _is_free(person: Person) -> bool:
    """Whether the last floor that needs a name is over, and no hold covers what it stands under."""
    ends = staff_floor_ends(person.pk)
    return not person.is_active and ends is not None and ends <= now_by_both() and not staff_held(person.pk)


# --- its end, for now or for good -------------------------------------------------------------------------------------
def _conclude(actor: Actor, request_id: uuid.UUID, until: float) -> None:
    """Nothing more can be erased now: it is done, or waits for what keeps the rest."""
    left, texts = next(_parts(request_id), None) is not None, 0
    if not left:
        newer = _newer_texts(request_id, until)
        if newer is None:
            return
        texts = newer
        if not forget_files(ErasureRequest.objects.get(pk=request_id)):
            logger.warning("evidence.erasure_waits_for_files", erasure=str(request_id))
            return
        with as_long_as_it_takes(connection):
            forget_statistics(*STATISTICS)
    with sealing() as seal:
        request = _running(request_id)
        if request is None:
            return
        if left:
            request.status, request.looked_at = Status.SCHEDULED, timezone.now()
            restrict(seal, actor, request)
            write_erasure(seal, actor, ERASURE_SCHEDULED, request, _waits(request))
            return
        came_since, by_words = decisions_since(request), bool(Pattern.of(request).texts)
        erase_own_words(seal, actor, request)
        request = _locked(request_id)
        request.status, request.ended_at = Status.PERFORMED, timezone.now()
        said = taken(request) | {"came_since": came_since, "texts_since": texts, "by_words": by_words}
        write_erasure(seal, actor, ERASURE_COMPLETED, request, said)
        tell_of_erasure(request, "erasure.done")
    sign_receipt(request)


def _newer_texts(request_id: uuid.UUID, until: float) -> int | None:
    """How many texts that name them came after it was looked for: nobody agreed to erase them. None: go on later."""
    request = ErasureRequest.objects.get(pk=request_id)
    while (found := look_for_newer(request)) is None:
        if time.monotonic() > until:
            return None
    return found


def decisions_since(request: ErasureRequest) -> int:
    """How many decisions of its subject came after it was looked for: nobody agreed to erase them."""
    if not request.subject:
        return 0
    named = Payload.objects.filter(subject=request.subject).exclude(pk__in=request.targets.values("decision_id"))
    rows = Decision.objects.filter(pk__in=named.values("pk"))
    return (rows.filter(system_id=request.system_id) if request.system_id else rows).count()


def _waits(request: ErasureRequest) -> dict[str, object]:
    done = request.steps.values("item_id")
    left = request.targets.exclude(decision_id__in=done).order_by("decision_id")
    ids = list(left.values_list("decision_id", flat=True)[:LOOKED_AT])
    name_ends = staff_floor_ends(request.person_id) if request.person_id else None
    finds = agreed_finds(request).exclude(item_id__in=done).values_list("row_id", flat=True)[:LOOKED_AT]
    known = [*floor_ends(ids).values(), *text_floor_ends(list(finds)).values(), name_ends]
    ends = min((each for each in known if each and each > timezone.now()), default=None)
    return {"left": left.count()} | ({"until": timestamp(ends)} if ends else {})


def _look_again(actor: Actor, request: ErasureRequest) -> None:
    """Whether something that waited may be erased by now: then those who may stop it are told anew.

    What is inside a floor, and was not restricted before (a hold covered it, or it was agreed to under a version that
    did not restrict it), is restricted now.
    """
    if request.looked_at and request.looked_at > timezone.now() - LOOK_AGAIN:
        return
    ErasureRequest.objects.filter(pk=request.pk).update(looked_at=timezone.now())
    is_free = any(_has_free(part) for part in _parts(request.pk))
    with sealing() as seal:
        held_row = _locked(request.pk)
        if held_row.status != Status.SCHEDULED:
            return
        restrict(seal, actor, held_row)
        if is_free:
            announce_erasure(seal, actor, held_row)


def _has_free(part: Part) -> bool:
    if isinstance(part, _Decisions):
        return bool(free_decisions(part.ids))
    if isinstance(part, _Finds):
        return bool(free_finds(list(ErasureFind.objects.filter(request_id=part.request_id, item_id__in=part.ids))))
    person = Person.objects.filter(pk__in=ErasureRequest.objects.filter(pk=part.request_id).values("person_id")).get()
    return _is_free(person)


# --- parts of the above -----------------------------------------------------------------------------------------------
def lock_cases(ids: Any) -> None:
    """Those cases among rows, before `lock_holds`: whoever puts something into a case locks it in this order, too."""
    cases = Case.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    list(cases.values_list("pk", flat=True))


def _locked(request_id: uuid.UUID) -> ErasureRequest:
    return ErasureRequest.objects.select_for_update(no_key=True).get(pk=request_id)


def _running(request_id: uuid.UUID) -> ErasureRequest | None:
    """Locked, as long as nobody stopped it."""
    request = _locked(request_id)
    return request if request.status == Status.RUNNING else None


def _done(request: ErasureRequest, items: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    return set(request.steps.filter(item_id__in=items).values_list("item_id", flat=True))
