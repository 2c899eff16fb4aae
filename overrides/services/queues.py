"""Queues of reviews, the reasons that people choose from there, and who is able to judge what."""

import uuid
from collections.abc import Mapping
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
from ledger.sealing import sealing
from overrides.models import OPEN, ReasonList, ReviewerSkill, ReviewQueue
from overrides.reasons import read_codes
from overrides.review_errors import QueueInUse, QueueNotFound
from overrides.review_kinds import QUEUE_REGISTERED, QUEUE_UPDATED, REASONS_LISTED, SKILL_ENDED, SKILL_GIVEN

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


def register_queue(
    *, actor: Actor, slug: str, owner_id: uuid.UUID, system_id: uuid.UUID | None = None, **described: Any
) -> ReviewQueue:
    """Make a queue, for one AI system or for all. `described`: columns named in `EDITABLE`.

    Errors: `Forbidden`, `PersonNotFound`, Django's `ValidationError`.
    """
    rights.require(actor, Act.REVIEW_QUEUE_MANAGE, _scope(system_id))
    _refuse_unknown(described)
    with sealing() as seal:
        hold(f"review_queue:{slug}")
        queue = ReviewQueue(slug=slug, owner_id=_active(owner_id), system_id=system_id, **described)
        write(seal, actor=actor, kind=QUEUE_REGISTERED, row=queue, system_id=system_id, facts={"queue": slug})
    return queue


def update_queue(*, actor: Actor, queue_id: uuid.UUID, changes: Mapping[str, Any], reason: str = "") -> ReviewQueue:
    """Change a queue: columns named in `EDITABLE`. Reviews in it keep their deadlines. Errors: as `register_queue`."""
    _refuse_unknown(changes)
    with sealing() as seal:
        queue = locked_queue(actor, queue_id)
        if "owner_id" in changes:
            _active(changes["owner_id"])
        if all(getattr(queue, name) == value for name, value in changes.items()):
            return queue
        for name, value in changes.items():
            setattr(queue, name, value)
        write(
            seal,
            actor=actor,
            kind=QUEUE_UPDATED,
            row=queue,
            system_id=queue.system_id,
            facts={"queue": queue.slug},
            reason=reason,
        )
    return queue


def archive_queue(*, actor: Actor, queue_id: uuid.UUID, reason: str = "") -> ReviewQueue:
    """Take a queue out of use. Errors: `Forbidden`, `QueueNotFound`, `QueueInUse`."""
    with sealing() as seal:
        queue = locked_queue(actor, queue_id)
        if queue.archived_at:
            return queue
        if queue.rules.filter(archived_at=None).exists() or queue.reviews.filter(status__in=OPEN).exists():
            raise QueueInUse()
        queue.archived_at = timezone.now()
        write(
            seal,
            actor=actor,
            kind=QUEUE_UPDATED,
            row=queue,
            system_id=queue.system_id,
            facts={"queue": queue.slug, "archived": True},
            reason=reason,
        )
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
