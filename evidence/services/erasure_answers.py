"""What others say to an erasure: the second person agrees or refuses; whoever was told of it stops it."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from audit.case_selectors import held
from audit.erasing import database_now, floor_ends, held_texts, texts_within_floor
from audit.models import ErasureConsent, ErasureFind, ErasureRequest, Restriction, TextRestriction
from audit.models.erasures import ACTIVE
from audit.services.case_writing import text_of
from config.errors import Forbidden
from evidence.erasure.errors import ErasureNotFound, ErasureNotOpen
from evidence.erasure.reading import act_of, agreed_finds, agreed_systems, may_stop, place_of
from evidence.erasure.telling import tell_of_erasure
from evidence.erasure.writing import locked_erasure, names, require_state, write_consent, write_erasure
from evidence.kinds import (
    ERASURE_ANNOUNCED,
    ERASURE_APPROVED,
    ERASURE_HELD,
    ERASURE_REFUSED,
    ERASURE_RESTRICTED,
    ERASURE_TEXTS_RESTRICTED,
)
from governance import rights
from governance.actors import person_id_of
from governance.locks import hold
from intake.services.quarantine import RESTRICTING
from ledger.entries import Actor, draft_entry, timestamp
from ledger.erasing import counted
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log

Status = ErasureRequest.Status
WAIT = timedelta(hours=24)
"""After those were told who may stop it; the database asks for as long."""
RESTRICTED_AT_ONCE = 5_000


def approve_erasure(*, actor: Actor, consent_id: uuid.UUID, answer: str = "") -> ErasureConsent:
    """Agree, as the second person, for one AI system. With the last answer those are told who may stop it, a day ahead,
    and what is inside a floor is restricted at once.

    Errors: `ErasureNotFound`, `ApprovalForbidden`, `ErasureNotOpen`, `RequestVoid`, `InvalidInput`.
    """
    return _answer(actor, consent_id, ErasureConsent.Status.APPROVED, ERASURE_APPROVED, answer)


def refuse_erasure(*, actor: Actor, consent_id: uuid.UUID, answer: str = "") -> ErasureConsent:
    """Say no, as the second person: of this AI system nothing is erased. Errors: as `approve_erasure`."""
    return _answer(actor, consent_id, ErasureConsent.Status.REFUSED, ERASURE_REFUSED, answer)


def agreed_to(consent: ErasureConsent) -> dict[str, str]:
    """What the second person's entry binds, as the database compares it: what goes, of which kind, and whose name."""
    whose = {"person": str(consent.request.person_id)} if consent.request.person_id else {}
    digests = {"decisions_digest": consent.decisions_digest, "texts_digest": consent.texts_digest}
    return {"erases": str(consent.request.kind)} | whose | digests


def hold_erasure(*, actor: Actor, request_id: uuid.UUID, reason: str) -> ErasureRequest:
    """Stop it: a data protection officer, or whoever agrees to such things there. What is erased stays erased, and
    what is restricted stays restricted until it is taken back or refused.

    To go on it is asked for again. Errors: `ErasureNotFound`, `ErasureNotOpen`, `InvalidInput` without a reason.
    """
    reason = text_of("reason", reason, ask="Write why it is stopped.")
    with sealing() as seal:
        request = locked_erasure(actor, request_id)
        if not may_stop(actor, request):
            raise Forbidden()
        require_state(request, *ACTIVE)
        request.status, request.held_at = Status.HELD, timezone.now()
        request.held_by_id = person_id_of(actor)
        write_erasure(seal, actor, ERASURE_HELD, request, reason=reason)
        tell_of_erasure(request, "erasure.held")
    return request


def _answer(
    actor: Actor, consent_id: uuid.UUID, status: ErasureConsent.Status, kind: Kind, answer: str
) -> ErasureConsent:
    answer = text_of("answer", answer)
    with sealing() as seal:
        found = ErasureConsent.objects.filter(pk=consent_id).first()
        if found is None:
            raise ErasureNotFound()
        request = locked_erasure(actor, found.request_id)  # of two answers at once, one waits
        consent = ErasureConsent.objects.select_for_update(no_key=True).get(pk=consent_id)
        consent.request = request
        act, place = act_of(request), place_of(consent)
        rights.require_approval(actor, act, place, requested_by=consent.asked_by_id)
        if consent.status != ErasureConsent.Status.WAITING or request.status != Status.REQUESTED:
            raise ErasureNotOpen()
        rights.require_asker(consent.asked_by_id, act)
        consent.status, consent.decided_by_id = status, person_id_of(actor)
        consent.decided_at, consent.answer = timezone.now(), answer
        write_consent(seal, actor, kind, consent, agreed_to(consent))
        _settle(seal, actor, request)
    return consent


def _settle(seal: Seal, actor: Actor, request: ErasureRequest) -> None:
    """Once everybody has answered: announced, or over."""
    answers = set(request.consents.exclude(status=ErasureConsent.Status.VOID).values_list("status", flat=True))
    if ErasureConsent.Status.WAITING in answers:
        return
    if ErasureConsent.Status.APPROVED not in answers:
        request.status, request.ended_at = Status.REFUSED, timezone.now()
        write_erasure(seal, actor, ERASURE_REFUSED, request)
        tell_of_erasure(request, "erasure.refused")
        return
    announce_erasure(seal, actor, request)
    restrict(seal, actor, request)


def announce_erasure(seal: Seal, actor: Actor, request: ErasureRequest) -> None:
    """Tell those who may stop it that it runs in a day: by the later of two clocks, so that neither shortens it."""
    request.status = Status.WAITING
    request.runs_at = max(timezone.now(), database_now()) + WAIT
    write_erasure(seal, actor, ERASURE_ANNOUNCED, request, {"runs_at": timestamp(request.runs_at)})
    tell_of_erasure(request, "erasure.announced")


def restrict(seal: Seal, actor: Actor, request: ErasureRequest) -> None:
    """Of what was agreed to that which is inside a floor: a data protection officer alone reads it from here on.

    Not what a legal hold covers: it is kept for those who investigate.
    """
    now = min(timezone.now(), database_now())
    for system_id in agreed_systems(request):
        rows = request.targets.filter(system_id=system_id).order_by("decision_id")
        ids = list(rows.values_list("decision_id", flat=True))
        for start in range(0, len(ids), RESTRICTED_AT_ONCE):
            _restrict(seal, actor, request, system_id, ids[start : start + RESTRICTED_AT_ONCE], now)
    finds = list(agreed_finds(request).order_by("item_id"))
    if finds:
        hold(RESTRICTING)
    for start in range(0, len(finds), RESTRICTED_AT_ONCE):
        _restrict_texts(seal, actor, request, finds[start : start + RESTRICTED_AT_ONCE], now)


def _restrict(
    seal: Seal, actor: Actor, request: ErasureRequest, system_id: uuid.UUID, ids: list[uuid.UUID], now: datetime
) -> None:
    kept, known = held(ids), set(request.restrictions.filter(decision_id__in=ids).values_list("decision_id", flat=True))
    inside = [each for each, ends in floor_ends(ids).items() if ends > now and each not in kept and each not in known]
    if not inside:
        return
    entry_id = _say_restricted(seal, actor, request, ERASURE_RESTRICTED, open_log(system_id).id, inside)
    rows = [Restriction(request=request, decision_id=each, entry_id=entry_id) for each in sorted(inside)]
    Restriction.objects.bulk_create(rows, batch_size=1_000)


def _restrict_texts(
    seal: Seal, actor: Actor, request: ErasureRequest, finds: Sequence[ErasureFind], now: datetime
) -> None:
    """What was found by its words, in the log where its erasure will stand."""
    rows = [each.row_id for each in finds]
    within, kept = texts_within_floor(rows, now), held_texts(rows)
    known = set(request.text_restrictions.values_list("item_id", flat=True))
    inside = [each for each in finds if each.row_id in within - kept and each.item_id not in known]
    if not inside:
        return
    log_id = open_log(request.system_id).id if request.system_id else registry_log().id
    items = [each.item_id for each in inside]
    entry_id = _say_restricted(seal, actor, request, ERASURE_TEXTS_RESTRICTED, log_id, items)
    made = [
        TextRestriction(request=request, item_id=each.item_id, row_id=each.row_id, entry_id=entry_id) for each in inside
    ]
    TextRestriction.objects.bulk_create(made, batch_size=1_000)


def _say_restricted(
    seal: Seal, actor: Actor, request: ErasureRequest, kind: Kind, log_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> uuid.UUID:
    body, at = names(request) | counted(ids), timezone.now()
    draft = draft_entry(kind=kind, actor=actor, at=at, body=body, about_id=request.pk)
    seal.add(log_id, draft)
    return draft.id
