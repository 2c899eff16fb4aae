"""Leaving, as one act over all floors: what it will do is shown before, and then it is done in one transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Q
from django.utils import timezone

from audit.models import Case, CorrectiveAction, ErasureRequest, LegalHold, PayloadGrant, RetentionRule
from audit.payload_grants import grants_in_force
from audit.services.holds import void_lifts_of
from audit.services.leaving import actions_left_by, hand_over_actions, led_by
from audit.services.payload_grants import end_grants_of
from config.days import today
from config.errors import FieldProblem
from evidence.exports.requesting import end_exports_of
from evidence.models import CustodyRequest, Export
from evidence.services.custody_requests import void_requests_of
from evidence.services.erasures import withdraw_erasures_of
from evidence.services.letter_drafts import forget_letter_drafts_of
from evidence.services.retention import withdraw_rules_of
from governance import rights
from governance.acts import Act, Role
from governance.conflicts import refuse_conflict
from governance.errors import PersonNotFound, SuccessorNeeded
from governance.locks import ADMINISTRATORS, hold
from governance.models import (
    AISystem,
    Assignment,
    DataSource,
    FailPolicyRequest,
    LetterTemplate,
    Person,
    PersonToken,
    ServiceAccount,
    SystemCard,
    VersionPromotion,
)
from governance.scopes import Scope
from governance.services.answering import carried_by, lock_systems
from governance.services.cards import return_cards_of
from governance.services.data_sources import hand_over_sources
from governance.services.fail_policies import void_policy_requests_of
from governance.services.letter_templates import return_templates_of
from governance.services.offers import OPEN, offer_to
from governance.services.people import deactivate_person, lock_people, locked_person
from governance.services.promotions import withdraw_proposals_of
from governance.sessions import Shown, sessions_of
from governance.terms import Terms
from intake.models import QuarantineCase
from intake.services.leaving import void_dismissals
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from notices.models import Alert, WebhookEndpoint
from notices.services.leaving import reassign_alerts
from overrides.models import (
    LooseningRequest,
    Override,
    ParameterVersion,
    ReviewAssignment,
    ReviewerSkill,
    ReviewQueue,
    RuleChange,
)
from overrides.services.case_leads import hand_over_cases
from overrides.services.leaving import end_skills, hand_over_queues, release_claims, void_requests
from overrides.services.queues import DEFAULTS

Status = Assignment.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What ends, passes on or is left open when somebody leaves."""

    person: Person
    is_last_administrator: bool
    left_open: Sequence[AISystem]
    """Live AI systems that nobody would answer for."""
    sessions: Sequence[Shown]
    tokens: int
    roles: Sequence[Assignment]
    delegated: Sequence[Assignment]
    """What they delegated, which ends too."""
    claims: int
    requests: int
    """What they asked a second person for."""
    skills: int
    alerts: int
    accounts: Sequence[ServiceAccount]
    queues: Sequence[ReviewQueue]
    sources: Sequence[DataSource]
    cases: Sequence[Case]
    """That they lead."""
    actions: Sequence[CorrectiveAction]
    grants: int
    """By which they read payloads."""
    endpoints: Sequence[WebhookEndpoint]
    """Told of what their owner may see: they stop."""

    @property
    def needs_successor(self) -> bool:
        return bool(self.accounts or self.queues or self.sources or self.actions)

    @property
    def answering(self) -> list[Assignment]:
        """What they are accountable for."""
        return [each for each in self.roles if _is_answering(each)]


def preview_leaving(*, actor: Actor, person_id: uuid.UUID) -> Leaving:
    """What `leave` would do now. Errors: `Forbidden`, `PersonNotFound`."""
    rights.require(actor, Act.PEOPLE_MANAGE)
    person = Person.objects.filter(pk=person_id, is_active=True).first()
    if person is None:
        raise PersonNotFound()
    admins = rights.administrators()
    held = person.assignments.filter(status__in=OPEN).select_related("system", "model_version", "person")
    roles = list(held.order_by("role", "pk"))
    delegated = Assignment.objects.filter(delegated_from__person=person, status__in=OPEN)
    return Leaving(
        person=person,
        is_last_administrator=admins.filter(person=person).exists() and not admins.exclude(person=person).exists(),
        left_open=carried_by(roles),
        sessions=sessions_of(person),
        tokens=PersonToken.objects.filter(person=person, revoked_at=None, expires_at__gt=timezone.now()).count(),
        roles=roles,
        delegated=list(delegated.select_related("person", "system", "model_version")),
        claims=ReviewAssignment.objects.filter(person=person, status__in=["claimed", "offered"]).count(),
        requests=_requests_of(person),
        skills=ReviewerSkill.objects.filter(person=person, ended_at=None).count(),
        alerts=Alert.objects.filter(owner_id=person_id).exclude(status=Alert.Status.CLOSED).count(),
        accounts=list(person.service_accounts.all()),
        queues=list(ReviewQueue.objects.filter(owner=person)),
        sources=list(person.data_sources.filter(archived_at=None)),
        cases=list(led_by(person_id)),
        actions=list(actions_left_by(person_id)),
        grants=grants_in_force(rights.as_actor(person)).count(),
        endpoints=list(person.webhook_endpoints.filter(status=WebhookEndpoint.Status.ENABLED)),
    )


def leave(
    *,
    actor: Actor,
    person_id: uuid.UUID,
    successor: Person | None = None,
    heir: Person | None = None,
    investigator: Person | None = None,
    reason: str = "",
    accepts_gap: bool = False,
) -> Person:
    """End everything that somebody holds, everywhere and at once; all of it or nothing.

    `successor` takes over service accounts, review queues, data sources, corrective actions and alerts; `heir` is asked
    to become accountable where they were; `investigator` leads their cases. Nobody answers until the heir accepts: a
    hand-over before leaving makes no gap. Errors: `Forbidden`, `PersonNotFound` (also of a successor who left),
    `LastAdministrator`, `SuccessorNeeded`, `GapWouldOpen`, `RolesConflict`, `LeadHasConflict`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        hold(ADMINISTRATORS, DEFAULTS)
        lock_people(person_id, successor, heir, investigator)
        lock_systems(AISystem.objects.values_list("pk", flat=True))  # what they left anywhere is decided by nobody now
        taking_over = _successor(person_id, successor)
        answering = [each for each in _roles_of(person_id) if _is_answering(each)]
        release_claims(seal, actor, person_id)
        _void_all(seal, actor, person_id)
        _hand_over(seal, actor, person_id, taking_over)
        _hand_over_cases(seal, actor, person_id, investigator)
        end_skills(seal, actor, person_id)
        person = deactivate_person(
            actor=actor, person_id=person_id, successor=taking_over, reason=reason, accepts_gap=accepts_gap
        )
        _ask(seal, actor, heir, answering)
        reassign_alerts(seal, actor, person_id, taking_over)
        forget_letter_drafts_of(person_id)
    return person


def _successor(person_id: uuid.UUID, chosen: Person | None) -> Person | None:
    if chosen is None:
        return None
    if chosen.pk == person_id:
        raise SuccessorNeeded(errors=[FieldProblem(pointer="/successor", detail="Choose somebody else.")])
    return locked_person(chosen.pk)


def _roles_of(person_id: uuid.UUID) -> list[Assignment]:
    return list(rights.in_force().filter(person_id=person_id).select_related("system", "model_version"))


def _is_answering(assignment: Assignment) -> bool:
    return assignment.role == Role.ACCOUNTABLE and assignment.status == Status.ACCEPTED


def _void_all(seal: Seal, actor: Actor, person_id: uuid.UUID) -> None:
    void_requests(seal, actor, person_id)
    void_dismissals(seal, actor, person_id)
    void_policy_requests_of(seal, actor, person_id)
    withdraw_proposals_of(seal, actor, person_id)
    return_cards_of(seal, actor, person_id)
    return_templates_of(seal, actor, person_id)
    void_lifts_of(seal, actor, person_id)
    end_grants_of(seal, actor, person_id)
    end_exports_of(seal, actor, person_id)
    withdraw_erasures_of(seal, actor, person_id)
    withdraw_rules_of(seal, actor, person_id)
    void_requests_of(seal, actor, person_id)


def _hand_over(seal: Seal, actor: Actor, person_id: uuid.UUID, heir: Person | None) -> None:
    if heir is not None:
        hand_over_queues(seal, actor, person_id, heir)
        hand_over_sources(seal, actor, person_id, heir)
        hand_over_actions(seal, actor, person_id, heir)
        return
    left = [
        words
        for words, rows in (
            ("review queues", ReviewQueue.objects.filter(owner_id=person_id)),
            ("data sources", DataSource.objects.filter(owner_id=person_id, archived_at=None)),
            ("corrective actions", actions_left_by(person_id)),
        )
        if rows.exists()
    ]
    if left:
        problem = FieldProblem(pointer="/successor", detail=f"Choose who answers for their {' and '.join(left)}.")
        raise SuccessorNeeded(errors=[problem])


def _hand_over_cases(seal: Seal, actor: Actor, person_id: uuid.UUID, chosen: Person | None) -> None:
    """Errors: `SuccessorNeeded`, `PersonNotFound`, `Forbidden`, `LeadHasConflict`."""
    if not led_by(person_id).exists():
        return
    if chosen is None or chosen.pk == person_id:
        detail = "Choose an investigator who leads their cases."
        raise SuccessorNeeded(errors=[FieldProblem(pointer="/investigator", detail=detail)])
    hand_over_cases(seal, actor, person_id, locked_person(chosen.pk).pk)


def _ask(seal: Seal, actor: Actor, heir: Person | None, answering: Sequence[Assignment]) -> None:
    for ended in answering if heir else ():
        assert heir is not None
        scope = Scope.of(ended)
        asked = Q(person=heir, role=Role.ACCOUNTABLE, status__in=OPEN, **scope.as_columns())
        if not Assignment.objects.filter(asked).exists():
            refuse_conflict(heir, Role.ACCOUNTABLE, scope)
            offer_to(seal, actor=actor, person=heir, role=Role.ACCOUNTABLE, scope=scope, terms=_terms_of(ended))


def _terms_of(ended: Assignment) -> Terms:
    """What passes on with the role; a review that was due by now is not asked of who has not begun."""
    terms = Terms.of(ended).for_another()
    return replace(terms, review_on=None) if terms.review_on and terms.review_on < today() else terms


def _requests_of(person: Person) -> int:
    asked = Q(requested_by_id=person.pk)
    return sum(
        rows.count()
        for rows in (
            LooseningRequest.objects.filter(asked, status=LooseningRequest.Status.OPEN),
            ParameterVersion.objects.filter(asked, status=ParameterVersion.Status.PROPOSED),
            RuleChange.objects.filter(asked, status=RuleChange.Status.REQUESTED),
            FailPolicyRequest.objects.filter(asked, status=FailPolicyRequest.Status.OPEN),
            QuarantineCase.objects.filter(asked, status=QuarantineCase.Status.DISMISSAL_REQUESTED),
            Assignment.objects.filter(asked, status=Status.PROPOSED),
            Override.objects.filter(person_id=person.pk, status=Override.Status.REQUESTED),
            VersionPromotion.objects.filter(asked, status=VersionPromotion.Status.OPEN),
            SystemCard.objects.filter(submitted_by_id=person.pk, status=SystemCard.Status.SUBMITTED),
            LetterTemplate.objects.filter(submitted_by_id=person.pk, status=LetterTemplate.Status.SUBMITTED),
            LegalHold.objects.filter(lift_requested_by_id=person.pk, status=LegalHold.Status.LIFT_REQUESTED),
            PayloadGrant.objects.filter(person_id=person.pk, status=PayloadGrant.Status.REQUESTED),
            Export.objects.filter(asked_by_id=person.pk, status__in=(Export.Status.REQUESTED, Export.Status.QUEUED)),
            ErasureRequest.objects.filter(asked, status=ErasureRequest.Status.REQUESTED),
            RetentionRule.objects.filter(asked, status=RetentionRule.Status.REQUESTED),
            CustodyRequest.objects.filter(asked, status__in=("asked", "approved")),
        )
    )
