"""Erasures and purges as the product does them, agreed to so long ago that their time has come."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from audit.case_kinds import HOLD_LIFT_REQUESTED, HOLD_LIFTED
from audit.models import DataKind, Decision, ErasureConsent, ErasureRequest, LegalHold, RetentionRule
from audit.models.retention import OF_THE_ORGANISATION
from evidence.erasure.showing import finds_shown
from evidence.services.erasure_answers import approve_erasure
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.erasures import ask_erasure, prepare_erasure
from evidence.services.retention import approve_rule, register_class, request_rule
from governance.acts import Role
from governance.changes import write
from governance.models import AISystem, Assignment, Person
from ledger.models import Particulars
from ledger.sealing import sealing
from tests.factories.register import actor_of, make_person

TELL_THE_TIME = (
    "ledger.rows.timezone",
    "evidence.services.erasures.timezone",
    "evidence.services.erasure_answers.timezone",
    "evidence.services.retention.timezone",
    "evidence.services.purges.timezone",
)
"""Where services ask this host what time it is, and where entries get theirs."""
ASK_THE_DATABASE = ("evidence.services.erasure_answers.database_now", "evidence.services.purges.database_now")
SECONDS = 60.0


@contextmanager
def long_ago(**ago: float) -> Iterator[datetime]:
    """What is asked for, agreed to and announced in it is so that long ago, by both clocks. Roles hold as of now."""
    past = timezone.now() - timedelta(**(ago or {"days": 2}))
    clock = SimpleNamespace(now=lambda: past)
    with ExitStack() as stack:
        for name in TELL_THE_TIME:
            stack.enter_context(patch(name, clock))
        for name in ASK_THE_DATABASE:
            stack.enter_context(patch(name, clock.now))
        yield past


@contextmanager
def arrived(**ago: float) -> Iterator[datetime]:
    """What is sent in it arrives that long ago."""
    past = timezone.now() - timedelta(**ago)
    with patch("django.utils.timezone.now", lambda: past):
        yield past


@contextmanager
def written(**ago: float) -> Iterator[datetime]:
    """What people write in it stands there since so long ago. (The rows themselves are of now.)"""
    past = timezone.now() - timedelta(**ago)
    with patch.object(Particulars._meta.get_field("created_at"), "_get_default", lambda: past):
        yield past


def officer() -> Person:
    """A data protection officer."""
    held = Assignment.objects.filter(role=Role.DPO, status="accepted", person__is_active=True).order_by("pk").first()
    return held.person if held else make_person(dpo=True)


def agreeing(system: AISystem | None) -> Person:
    """Whoever is accountable there; of what belongs to no AI system, anywhere."""
    held = Assignment.objects.filter(role=Role.ACCOUNTABLE, status="accepted", delegated_from=None)
    held = held.filter(system=system) if system else held
    found = held.select_related("person").order_by("pk").first()
    return found.person if found else make_person(accountable=system or AISystem.objects.order_by("pk")[0])


def put_in_force(
    kind: str, system: AISystem | None = None, *, floor: int = 0, ceiling: int | None = None
) -> RetentionRule:
    """A class in force in a place, since two days."""
    asks, agrees = officer(), agreeing(system)
    with long_ago(days=2, hours=1):
        made = register_class(
            actor=actor_of(asks), kind=kind, name=f"{floor} to {ceiling}", floor_days=floor, ceiling_days=ceiling,
            floor_source="Of tests.", purpose="Testing.", why_lower="To see it go.",
        )  # fmt: skip
        place = None if DataKind(kind) in OF_THE_ORGANISATION or system is None else system.pk
        rule = request_rule(actor=actor_of(asks), class_id=made.pk, system_id=place, reason="A test.")
        return approve_rule(actor=actor_of(agrees), rule_id=rule.pk)


def lift_all_holds(asks: Person, agrees: Person) -> None:
    """Each legal hold is lifted by two people's entries, whatever rights they have and whichever law keeps it."""
    for hold in LegalHold.objects.exclude(status=LegalHold.Status.LIFTED).order_by("pk"):
        hold.lift_requested_by_id, hold.lift_requested_at, hold.lift_reason = asks.pk, timezone.now(), "Settled."
        hold.status = LegalHold.Status.LIFT_REQUESTED
        with sealing() as seal:
            write(seal, actor=actor_of(asks), kind=HOLD_LIFT_REQUESTED, row=hold, facts={"status": "lift_requested"})
        hold.status, hold.lifted_by_id, hold.lifted_at = LegalHold.Status.LIFTED, agrees.pk, timezone.now()
        with sealing() as seal:
            write(seal, actor=actor_of(agrees), kind=HOLD_LIFTED, row=hold, facts={"status": "lifted"})


def no_floor(*systems: AISystem) -> None:
    """Whatever is about decisions of these AI systems may be erased at once."""
    kinds = (DataKind.PAYLOADS, DataKind.PEOPLE_SAID, DataKind.LETTERS)
    for system in systems:
        for kind in kinds:
            if not RetentionRule.objects.filter(kind=kind, system_id=system.pk, status="in_force").exists():
                put_in_force(kind, system)
    if not RetentionRule.objects.filter(kind=DataKind.SEARCHES, status="in_force").exists():
        put_in_force(DataKind.SEARCHES, systems[0] if systems else None)


def prepared(**given: Any) -> ErasureRequest:
    """One that was prepared two days ago and looked for."""
    asks = officer()
    with long_ago(days=2):
        request = prepare_erasure(actor=actor_of(asks), basis="objection", reason="They ask for it.", **given)
        search_for_finds(seconds=SECONDS)
    request.refresh_from_db()
    look_at_finds(request)
    return request


def look_at_finds(request: ErasureRequest) -> None:
    """As a data protection officer does, page by page."""
    page = finds_shown(actor_of(officer()), request)
    while page.next_cursor:
        page = finds_shown(actor_of(officer()), request, cursor=page.next_cursor)


def agreed(**given: Any) -> ErasureRequest:
    """The same, asked for and agreed to everywhere: its time has come."""
    request = prepared(**given)
    asks = Person.objects.get(pk=request.requested_by_id)
    with long_ago(days=2):
        ask_erasure(actor=actor_of(asks), request_id=request.pk)
    for consent in request.consents.filter(status=ErasureConsent.Status.WAITING):
        system = AISystem.objects.get(pk=consent.system_id) if consent.system_id else None
        agrees = administrator() if request.person_id else agreeing(system)
        with long_ago(days=2):
            approve_erasure(actor=actor_of(agrees), consent_id=consent.pk)
    request.refresh_from_db()
    return request


def administrator() -> Person:
    return make_person(administrator=True)


def erased(**given: Any) -> ErasureRequest:
    """The same, performed as far as floors and holds let it."""
    request = agreed(**given)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    return request


def erase(*decision_ids: uuid.UUID | str) -> ErasureRequest:
    """Single decisions, of AI systems without a floor."""
    ids = [uuid.UUID(str(each)) for each in decision_ids]
    systems = Decision.objects.filter(pk__in=ids).values_list("system_id", flat=True)
    no_floor(*AISystem.objects.filter(pk__in=set(systems)))
    request = erased(kind="decision", decision_ids=ids)
    assert request.status == "performed", request.status
    return request


def erase_words(*words: str) -> ErasureRequest:
    """What holds these words, of whatever place."""
    no_floor(*AISystem.objects.all())
    request = erased(kind="subject", subject=words[0], identifiers=list(words[1:]))
    assert request.status == "performed", request.status
    return request
