"""Who sees an erasure, who agrees to it, who may stop it; and how far it has come."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.case_selectors import held
from audit.erasing import floor_ends, held_texts, staff_floor_ends, text_floor_ends
from audit.models import ErasureConsent, ErasureFind, ErasureRequest
from audit.restricted_texts import texts_in_force
from audit.restrictions import in_force
from governance import rights
from governance.acts import Act
from governance.models import AISystem
from governance.scopes import ORGANISATION, AnyOf, Place, Scope
from ledger.entries import Actor

Status, Consent = ErasureRequest.Status, ErasureConsent.Status
LOOKED_AT = 500


def act_of(request: ErasureRequest) -> Act:
    return Act.PERSON_ERASE if request.kind == ErasureRequest.Kind.PERSON else Act.ERASE


def place_of(consent: ErasureConsent) -> Place:
    """Where somebody must hold the role that agrees: where nobody can say which AI system, in any."""
    if consent.system_id is not None:
        return Scope.system(consent.system_id)
    if consent.request.kind == ErasureRequest.Kind.PERSON:
        return ORGANISATION
    return AnyOf(frozenset(AISystem.objects.values_list("pk", flat=True)))


def visible_erasures(actor: Actor) -> QuerySet[ErasureRequest]:
    """To a data protection officer all; to others those that they agree to, once they are asked."""
    rows, of_people = ErasureRequest.objects.all(), Q(request__kind=ErasureRequest.Kind.PERSON)
    if rights.can(actor, Act.ERASE):
        return rows
    found = Q(pk__in=[])
    if rights.may_approve(actor, Act.PERSON_ERASE, requested_by=None):
        found |= of_people
    agreed = rights.systems_where(actor, Act.ERASE, approving=True)
    if agreed is None:
        found |= ~of_people
    elif agreed:
        found |= ~of_people & (Q(system_id__in=agreed) | Q(system_id=None))
    return rows.filter(pk__in=ErasureConsent.objects.filter(found).values("request_id"))


def agreed_systems(request: ErasureRequest) -> list[uuid.UUID]:
    """The AI systems whose accountable person has agreed."""
    agreed = request.consents.filter(status=Consent.APPROVED, system_id__isnull=False)
    return sorted(each for each in agreed.values_list("system_id", flat=True) if each)


def agreed_finds(request: ErasureRequest) -> QuerySet[ErasureFind]:
    """What was found by its words and goes: chosen, and agreed to by whoever answers for those words.

    Of a former member of staff one word is for all of them.
    """
    agreed = request.consents.filter(status=Consent.APPROVED)
    found = request.finds.filter(is_chosen=True)
    if request.kind == ErasureRequest.Kind.PERSON:
        return found if agreed.exists() else found.none()
    of_organisation = Q(system_id=None) if agreed.filter(system_id=None).exists() else Q(pk__in=[])
    return found.filter(Q(system_id__in=agreed_systems(request)) | of_organisation)


def finds_of(consent: ErasureConsent) -> QuerySet[ErasureFind]:
    """What was found by its words that one consent is about."""
    found = consent.request.finds.filter(is_chosen=True)
    if consent.request.kind == ErasureRequest.Kind.PERSON:
        return found
    return found.filter(system_id=consent.system_id)


def is_officer(actor: Actor, request: ErasureRequest) -> bool:
    """Whether they may know all of it: holds that cover it, too."""
    return rights.can(actor, act_of(request))


def may_stop(actor: Actor, request: ErasureRequest) -> bool:
    """Those who are told before it runs."""
    if is_officer(actor, request):
        return True
    asked = request.consents.exclude(status=Consent.VOID)
    return any(rights.may_approve(actor, act_of(request), place_of(each), requested_by=None) for each in asked)


def consents_to_answer(actor: Actor) -> list[ErasureConsent]:
    """What waits for somebody's word, the oldest first."""
    waiting = ErasureConsent.objects.filter(status=Consent.WAITING, request__status=Status.REQUESTED)
    return [
        each
        for each in waiting.select_related("request").order_by("id")
        if rights.may_approve(actor, act_of(each.request), place_of(each), requested_by=each.asked_by_id)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far an erasure has come, by counts."""

    decisions: int
    erased: int
    texts: int
    texts_erased: int
    restricted: int
    """Decisions."""
    texts_restricted: int
    held: int | None
    """None: more than are looked at, at a time."""
    waits_until: datetime | None
    """When the earliest floor ends of what is left."""


def standing_of(request: ErasureRequest) -> Standing:
    """Counts for a page. What is left is looked at as far as a page can wait."""
    done = set(request.steps.values_list("item_id", flat=True))
    left = [each for each in _decisions(request) if each not in done][:LOOKED_AT]
    ends = list(floor_ends(left).values())
    if request.person_id and request.person_id not in done and (name_ends := staff_floor_ends(request.person_id)):
        ends.append(name_ends)
    texts = request.finds.filter(is_chosen=True)
    finds = list(texts.exclude(item_id__in=done)[:LOOKED_AT])
    of_texts = text_floor_ends([find.row_id for find in finds]).values()
    ends += [each for each in of_texts if each and each > timezone.now()]
    kept = len(held(left)) + len({each.item_id for each in finds if each.row_id in _held_rows(finds)})
    return Standing(
        decisions=request.targets.count(),
        erased=request.steps.filter(item_id__in=request.targets.values("decision_id")).count(),
        texts=texts.count(),
        texts_erased=request.steps.filter(item_id__in=texts.values("item_id")).count(),
        restricted=in_force().filter(request=request).exclude(decision_id__in=done).count(),
        texts_restricted=texts_in_force().filter(request=request).count(),
        held=None if len(left) == LOOKED_AT else kept,
        waits_until=min(ends, default=None),
    )


def _decisions(request: ErasureRequest) -> Sequence[uuid.UUID]:
    return list(request.targets.order_by("decision_id").values_list("decision_id", flat=True))


def _held_rows(finds: Sequence[ErasureFind]) -> frozenset[uuid.UUID]:
    return held_texts([each.row_id for each in finds])
