"""Queues of reviews (looking at less takes two people), the reasons people choose from, and who can judge what."""

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.errors import PersonNotFound
from governance.locks import hold
from governance.models import Person
from governance.scopes import ORGANISATION, Scope
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from overrides.models import OPEN, ReasonList, ReviewerSkill, ReviewQueue, RuleChange
from overrides.reasons import read_codes
from overrides.review_errors import QueueInUse, QueueNotFound, RuleChangeNotFound, RuleChangeOver
from overrides.review_kinds import QUEUE_REGISTERED, QUEUE_UPDATED, REASONS_LISTED, SKILL_ENDED, SKILL_GIVEN
from overrides.services.rule_requests import applied_facts, ask, end, locked_change, nothing_more, require_second

Full = ReviewQueue.WhenFull
EDITABLE = frozenset(
    {
        "blind_share",
        "capacity",
        "claims_per_person",
        "deadline_s",
        "dwell_floor_s",
        "is_default",
        "lease_s",
        "owner_id",
        "when_full",
    }
)

LOOKED_AT = {Full.FALLBACK: 0, Full.BLOCK: 1, Full.ACCEPT: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAsked:
    """What became of a change: in force, or waiting for a second person."""

    queue: ReviewQueue
    request: RuleChange | None = None


def register_queue(
    *, actor: Actor, slug: str, owner_id: uuid.UUID, system_id: uuid.UUID | None = None, **described: Any
) -> ReviewQueue:
    """Make a queue, for one AI system or for all. `described`: columns named in `EDITABLE`.

    Errors: `Forbidden`, `PersonNotFound`, `InvalidInput` for one that would ask for less of what is held without a
    rule, Django's `ValidationError`.
    """
    rights.require(actor, Act.REVIEW_QUEUE_MANAGE, _scope(system_id))
    _refuse_unknown(described)
    with sealing() as seal:
        hold(f"review_queue:{slug}")
        queue = ReviewQueue(slug=slug, owner_id=_active(owner_id), system_id=system_id, **described)
        if queue.is_default and list(_weaker(queue, _default_without(queue))):
            detail = "It would ask for less than what takes these decisions now: make it without, then ask for it."
            raise InvalidInput(errors=[FieldProblem(pointer="/is_default", detail=detail)])
        write(seal, actor=actor, kind=QUEUE_REGISTERED, row=queue, system_id=system_id, facts={"queue": slug})
    return queue


def update_queue(
    *,
    actor: Actor,
    queue_id: uuid.UUID,
    changes: Mapping[str, Any],
    reason: str = "",
    before_asking: Callable[[], object] = nothing_more,
) -> QueueAsked:
    """Change a queue: columns named in `EDITABLE`. Reviews in it keep their deadlines.

    After which less would be looked at waits for a second person, and `before_asking` may refuse it. Errors:
    `Forbidden`, `QueueNotFound`, `PersonNotFound`, Django's `ValidationError`.
    """
    _refuse_unknown(changes)
    with sealing() as seal:
        before, after = locked_queue(actor, queue_id), ReviewQueue.objects.get(pk=queue_id)
        _apply(after, changes)
        if all(getattr(after, name) == getattr(before, name) for name in changes):
            return QueueAsked(queue=before)
        if looser := loosened(before, after):
            rights.require(actor, Act.REVIEW_QUEUE_LOOSEN, _scope(after.system_id))
            before_asking()
            request = ask(
                seal, actor, queue=before, system_id=after.system_id, changes=changes, loosens=looser, reason=reason
            )
            return QueueAsked(queue=before, request=request)
        _write_update(seal, actor, after, reason=reason)
    return QueueAsked(queue=after)


def approve_queue_change(*, actor: Actor, change_id: uuid.UUID) -> ReviewQueue:
    """Agree, as the second person, to what a queue is to look at less; it is in force at once.

    Errors: `ApprovalForbidden`, `RuleChangeNotFound`, `RuleChangeOver`, `PersonNotFound`, `RequestVoid` where the one
    who asked may not any more.
    """
    with sealing() as seal:
        change = locked_change(actor, change_id)
        if change.queue_id is None:
            raise RuleChangeNotFound()
        require_second(actor, change)
        before = ReviewQueue.objects.select_for_update(no_key=True, of=("self",)).get(pk=change.queue_id)
        after = ReviewQueue.objects.get(pk=change.queue_id)
        _apply(after, change.changes)
        if before.revision != change.rule_revision or not set(loosened(before, after)) <= set(change.loosens):
            raise RuleChangeOver()
        end(seal, actor, change, RuleChange.Status.APPLIED)
        _write_update(seal, actor, after, facts=applied_facts(change))
    return after


def loosened(before: ReviewQueue, after: ReviewQueue) -> list[str]:
    """Names of what looks at less than before."""
    looser = list(_weaker(after, before))
    if after.is_default != before.is_default:
        others = _default_without(before)
        then, now = (after, others) if after.is_default else (others, before)
        looser += ["is_default"] if list(_weaker(then, now)) else []
    return looser


def archive_queue(*, actor: Actor, queue_id: uuid.UUID, reason: str = "") -> ReviewQueue:
    """Take a queue out of use. Errors: `Forbidden`, `QueueNotFound`, `QueueInUse`."""
    with sealing() as seal:
        queue = locked_queue(actor, queue_id)
        if queue.archived_at:
            return queue
        has_rules = queue.rules.filter(archived_at=None).exists()
        if queue.is_default or has_rules or queue.reviews.filter(status__in=OPEN).exists():
            raise QueueInUse()
        queue.archived_at = timezone.now()
        _write_update(seal, actor, queue, facts={"archived": True}, reason=reason)
    return queue


def publish_reasons(*, actor: Actor, queue_id: uuid.UUID | None, codes: Any) -> ReasonList:
    """Put a new list of reasons in force, for a queue or (None) for all that have none of their own.

    Earlier lists stay as they were: what was decided under them refers to them. Errors: `Forbidden`, `QueueNotFound`,
    `InvalidInput`.
    """
    checked = read_codes(codes)
    with sealing() as seal:
        hold(f"reason_list:{queue_id}")
        queue = locked_queue(actor, queue_id) if queue_id else None
        if queue is None:
            rights.require(actor, Act.REVIEW_QUEUE_MANAGE)
        last = ReasonList.objects.filter(queue=queue).aggregate(last=Max("version"))["last"] or 0
        listed = ReasonList(queue=queue, version=last + 1, codes=checked)
        facts = {"version": listed.version, "codes": [each["code"] for each in checked]}
        system_id = queue.system_id if queue else None
        write(seal, actor=actor, kind=REASONS_LISTED, row=listed, system_id=system_id, facts=facts)
    return listed


def give_skill(*, actor: Actor, person_id: uuid.UUID, skill: str) -> ReviewerSkill:
    """Say that somebody is able to judge a kind of case. Again changes nothing.

    Errors: `Forbidden`, `PersonNotFound`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        hold(f"skill:{person_id}:{skill}")
        found = ReviewerSkill.objects.filter(person_id=_active(person_id), skill=skill, ended_at=None).first()
        if found:
            return found
        given = ReviewerSkill(person_id=person_id, skill=skill)
        write(seal, actor=actor, kind=SKILL_GIVEN, row=given, facts={"person": str(person_id), "skill": skill})
    return given


def end_skill(*, actor: Actor, person_id: uuid.UUID, skill: str) -> None:
    """Say that they are not any more. Where they never were, nothing changes. Errors: `Forbidden`."""
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        rows = ReviewerSkill.objects.select_for_update(no_key=True).filter(
            person_id=person_id, skill=skill, ended_at=None
        )
        for row in rows:
            row.ended_at = timezone.now()
            write(seal, actor=actor, kind=SKILL_ENDED, row=row, facts={"person": str(person_id), "skill": skill})


def locked_queue(actor: Actor, queue_id: uuid.UUID) -> ReviewQueue:
    """A queue that somebody may manage, locked. Errors: `Forbidden`, `QueueNotFound`."""
    queue = ReviewQueue.objects.select_for_update(no_key=True, of=("self",)).filter(pk=queue_id).first()
    rights.require(actor, Act.REVIEW_QUEUE_MANAGE, _scope(queue.system_id if queue else None))
    if queue is None:
        raise QueueNotFound()
    return queue


def _apply(queue: ReviewQueue, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        setattr(queue, name, _active(uuid.UUID(str(value))) if name == "owner_id" else value)
    queue.full_clean()


def _weaker(queue: ReviewQueue, than: ReviewQueue) -> Iterator[str]:
    if LOOKED_AT[Full(queue.when_full)] < LOOKED_AT[Full(than.when_full)]:
        yield "when_full"
    if queue.when_full != Full.ACCEPT and _room(queue) < _room(than):
        yield "capacity"
    if queue.deadline_s > than.deadline_s:
        yield "deadline_s"
    if queue.blind_share < than.blind_share:
        yield "blind_share"


def _room(queue: ReviewQueue) -> float:
    """How many reviews wait there before what `when_full` says is applied."""
    return math.inf if queue.when_full == Full.ACCEPT or queue.capacity is None else queue.capacity


def _default_without(queue: ReviewQueue) -> ReviewQueue:
    """Where what is held without a rule goes but for this queue; without any it waits as in one that says nothing."""
    others = ReviewQueue.objects.filter(is_default=True, archived_at=None).exclude(pk=queue.pk)
    own = others.filter(system_id=queue.system_id).first()
    return own or others.filter(system_id=None).first() or ReviewQueue()


def _write_update(
    seal: Seal, actor: Actor, queue: ReviewQueue, *, facts: Mapping[str, Any] | None = None, reason: str = ""
) -> None:
    said = {"queue": queue.slug, **(facts or {})}
    write(seal, actor=actor, kind=QUEUE_UPDATED, row=queue, system_id=queue.system_id, facts=said, reason=reason)


def _active(person_id: uuid.UUID) -> uuid.UUID:
    if not Person.objects.filter(pk=person_id, is_active=True).exists():
        raise PersonNotFound()
    return person_id


def _scope(system_id: uuid.UUID | None) -> Scope:
    return Scope.system(system_id) if system_id else ORGANISATION


def _refuse_unknown(described: Mapping[str, Any]) -> None:
    unknown = described.keys() - EDITABLE
    if unknown:
        problems = [FieldProblem(pointer=f"/{name}", detail="This is not set here.") for name in sorted(unknown)]
        raise InvalidInput(errors=problems)
