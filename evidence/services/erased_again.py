"""What was erased and is back, as after a restore of an older database: found by what this host remembers, and prepared
to be erased again. Two people agree to it again, floors and holds count again: a file beside the database proves
nothing, so it erases nothing."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import structlog
from django.db.models import Count, Model, QuerySet
from django.utils import timezone

from audit.models import ErasureFind, ErasureRequest, ErasureScan, ErasureStep, ErasureTarget, Payload
from config.errors import ServiceError
from evidence.erasure.errors import MemoryUnavailable, NothingToErase
from evidence.erasure.finding import systems_of_finds, target
from evidence.erasure.memory import Asked, ErasureMemory, Gone, batched, erasure_memory
from evidence.erasure.places import DECISION_PLACE, QUARANTINE_PLACE, TEXT_PLACE, WORDS
from evidence.erasure.writing import write_erasure
from evidence.kinds import ERASURE_PREPARED
from evidence.services.erasures import BEFORE_IT_RUNS, refuse_person
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.models import AISystem
from governance.scopes import ORGANISATION
from intake.models import QuarantinedRecord
from ledger.entries import Actor
from ledger.models import Particulars
from ledger.sealing import sealing
from notices.models import Alert
from notices.services import open_alert
from notices.services.alerts import close_what_ended

Status, Kinds = ErasureRequest.Status, ErasureRequest.Kind
PERSON_PLACE = "people"
OPEN = BEFORE_IT_RUNS | {Status.RUNNING}
logger = structlog.get_logger(__name__)
UNDONE, FORGETFUL = "erasure.undone", "erasure.not_remembered"
REASON = "Erased before, by the erasure {id}, and back since an older database was restored."


@dataclass(frozen=True, slots=True)
class Returned:
    """Of one erasure that was performed: what of it is back. `waiting`: that of it which an open request is about."""

    asked: Asked
    back: list[Gone]
    waiting: frozenset[uuid.UUID]

    @property
    def left(self) -> list[Gone]:
        """What nobody has asked for again."""
        return [each for each in self.back if each.item_id not in self.waiting]


# --- remembering ------------------------------------------------------------------------------------------------------
def remember_erasures() -> int:
    """Let this host remember what was erased, as the database says. Returns of how many things that was new or unsure.

    Errors: `MemoryUnavailable`.
    """
    memory = erasure_memory()
    known, kept = memory.counts(), 0
    steps = ErasureStep.objects.order_by().values_list("request_id").annotate(number=Count("item_id"))
    for request_id, number in steps:
        if known.get(request_id) != number:
            kept += _remember(memory, ErasureRequest.objects.get(pk=request_id))
    return kept


def _remember(memory: ErasureMemory, request: ErasureRequest) -> int:
    asked = Asked(request.pk, request.kind, request.basis, request.system_id)
    ids = list(request.steps.values_list("item_id", flat=True))
    for some in batched(ids):
        finds = request.finds.filter(item_id__in=some).values_list("item_id", "place", "row_id")
        found = {item: (place, row) for item, place, row in finds}
        repeated = Particulars.objects.filter(pk__in=set(some) - found.keys()).values_list("pk", "row_id")
        found |= {item: (TEXT_PLACE, row) for item, row in repeated}
        memory.remember(asked, [_gone(request, item, found) for item in some])
    return len(ids)


def _gone(request: ErasureRequest, item: uuid.UUID, found: dict[uuid.UUID, tuple[str, uuid.UUID]]) -> Gone:
    place = PERSON_PLACE if item == request.person_id else DECISION_PLACE
    return Gone(request.pk, item, *found.get(item, (place, item)))


# --- finding what is back ---------------------------------------------------------------------------------------------
def returned() -> list[Returned]:
    """What this host remembers as erased and the database holds. Errors: `MemoryUnavailable`."""
    memory = erasure_memory()
    back: dict[uuid.UUID, list[Gone]] = defaultdict(list)
    seen: set[uuid.UUID] = set()  # what was erased a second time is remembered twice
    for gone in memory.slices():
        there = [each for each in _there(gone) if each.item_id not in seen]
        seen.update(each.item_id for each in there)
        if there:
            back[there[0].request_id] += there
    asked = memory.asked()
    return [
        Returned(asked[key], found, frozenset(_waiting(each.item_id for each in found))) for key, found in back.items()
    ]


def _there(gone: Iterable[Gone]) -> list[Gone]:
    by_place: dict[str, list[Gone]] = defaultdict(list)
    for each in gone:
        by_place[each.place].append(each)
    found: list[Gone] = []
    for place, some in by_place.items():
        ids = _holding(place, [each.item_id for each in some])
        found += [each for each in some if each.item_id in ids]
    return found


def _holding(place: str, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    rows: QuerySet[Model]
    match place:
        case _ if place == DECISION_PLACE:
            rows = Payload.objects.filter(pk__in=ids, secret__isnull=False)
        case _ if place == TEXT_PLACE:
            rows = Particulars.objects.filter(pk__in=ids, secret__isnull=False)
        case _ if place == QUARANTINE_PLACE:
            rows = QuarantinedRecord.objects.filter(pk__in=ids, secret__isnull=False)
        case _ if place == PERSON_PLACE:
            named = Particulars.objects.filter(row_id__in=ids, secret__isnull=False)
            return set(named.values_list("row_id", flat=True))
        case _:
            # a row that was only emptied may have been written anew since: of such drafts nothing can be said
            models = [each.model for each in WORDS if each.name == place and each.emptied is None]
            rows = models[0]._default_manager.filter(pk__in=ids) if models else Payload.objects.none()
    return set(rows.values_list("pk", flat=True))


def _waiting(ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Of these those that a request is about which is not over."""
    found: set[uuid.UUID] = set()
    for some in batched(ids):
        open_ones = ErasureRequest.objects.filter(status__in=OPEN)
        targets = ErasureTarget.objects.filter(decision_id__in=some, request__in=open_ones)
        finds = ErasureFind.objects.filter(item_id__in=some, request__in=open_ones, is_chosen=True)
        found |= set(targets.values_list("decision_id", flat=True)) | set(finds.values_list("item_id", flat=True))
        people = open_ones.filter(person_id__in=some).values_list("person_id", flat=True)
        found |= {each for each in people if each}
    return found


def alert_returned(*, actor: Actor) -> int:
    """Remember what was erased lately, and alert where something is back, or nothing can be remembered; the alerts end
    by themselves. Returns how many things are back."""
    try:
        remember_erasures()
        found = returned()
    except MemoryUnavailable as error:
        logger.warning("evidence.erasures_not_remembered", error=error.detail)
        _alert(actor, FORGETFUL, Alert.Severity.WARNING, {})
        return 0
    _close(FORGETFUL, "It can be read and written again.")
    number = sum(len(each.back) for each in found)
    if found:
        _alert(actor, UNDONE, Alert.Severity.CRITICAL, {"returned": number, "erasures": len(found)})
    else:
        _close(UNDONE, "All that was erased is erased again.")
    return number


def _alert(actor: Actor, kind: str, severity: Alert.Severity, facts: dict[str, int]) -> None:
    """To a data protection officer; to administrators where there is none. One state of affairs is one occurrence."""
    officers = [person.pk for person in rights.holders(Act.ERASE, ORGANISATION)] if kind == UNDONE else []
    open_alert(
        actor=actor,
        kind=kind,
        severity=severity,
        fingerprint=kind,
        owner_id=min(officers, default=None),
        facts=facts,
        occurrences=1,
    )


def _close(kind: str, note: str) -> None:
    for alert in Alert.objects.filter(fingerprint=kind).exclude(status=Alert.Status.CLOSED):
        close_what_ended(alert_id=alert.pk, note=note)


# --- preparing it again -----------------------------------------------------------------------------------------------
def prepare_again(*, actor: Actor) -> list[ErasureRequest]:
    """Prepare what is back to be erased again: one request for each that was performed, with what it was about.

    Each is asked for, agreed to and announced as any other. What an open request is about stays with that one.
    Errors: `Forbidden`, `MemoryUnavailable`, `NothingToErase`; those of the last one where none could be prepared.
    """
    rights.require(actor, Act.ERASE)
    made: list[ErasureRequest] = []
    refusal: ServiceError = NothingToErase("Nothing that was erased is back, or it is asked for already.")
    for each in returned():
        try:
            if each.left:
                made.append(_prepare(actor, each.asked, each.left))
        except ServiceError as error:
            refusal = error  # such as somebody who, in this database, has not left yet
    if not made:
        raise refusal
    return made


def _prepare(actor: Actor, asked: Asked, left: list[Gone]) -> ErasureRequest:
    person_id = next((each.item_id for each in left if each.place == PERSON_PLACE), None)
    if person_id:
        rights.require(actor, Act.PERSON_ERASE)
        refuse_person(person_id)
    of = asked.system_id if asked.system_id and AISystem.objects.filter(pk=asked.system_id).exists() else None
    with sealing() as seal:
        request = ErasureRequest(
            kind=Kinds.PERSON if person_id else Kinds.DECISION,
            basis=asked.basis,
            system_id=of,
            person_id=person_id,
            requested_by_id=person_id_of(actor),
            reason=REASON.format(id=asked.id),
        )
        write_erasure(seal, actor, ERASURE_PREPARED, request, {"again": str(asked.id)})
        ErasureScan.objects.create(request=request, finished_at=timezone.now())
        target(request, [each.item_id for each in left if each.place == DECISION_PLACE])
        words = [each for each in left if each.place not in (DECISION_PLACE, PERSON_PLACE)]
        whose = systems_of_finds((each.place, each.row_id) for each in words)
        rows = [
            ErasureFind(
                request=request,
                item_id=each.item_id,
                place=each.place,
                row_id=each.row_id,
                system_id=whose[each.place, each.row_id],
            )
            for each in words
        ]
        ErasureFind.objects.bulk_create(rows, batch_size=1_000)
    return request
