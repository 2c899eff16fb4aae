"""Requests that wait for a second person's agreement, whichever floor they stand on."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from audit.models import ErasureConsent, ErasureRequest, LegalHold, PayloadGrant, RetentionRule
from audit.services.holds import place_of_hold
from evidence.erasure.reading import act_of as act_of_erasure
from evidence.erasure.reading import consents_to_answer
from evidence.erasure.telling import WHAT as WHAT_ERASURES_WANT
from evidence.models import CustodyRequest, Export
from evidence.retention.reading import place_of_rule
from evidence.services.custody_requests import ACTS
from governance import rights
from governance.acts import Act
from governance.credentials import self_made_pairs
from governance.models import Assignment, FailPolicyRequest, LetterTemplate, Person, SystemCard, VersionPromotion
from governance.scopes import ORGANISATION, Scope
from intake.models import QuarantineCase
from notices.approvals import page_of
from overrides.models import LooseningRequest, Override, ParameterVersion, RuleChange
from overrides.selectors import overrides_to_agree
from overrides.services.rule_requests import act_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody wants something that takes two."""

    act: Act
    wants: str
    """As it goes on behind "asks to"."""
    system_id: uuid.UUID | None
    by: uuid.UUID | None
    at: datetime
    page: str
    not_by: frozenset[uuid.UUID | None] = frozenset()
    """Who cannot agree either: the person it is about, and who had a part in it."""

    @property
    def scope(self) -> Scope:
        return Scope.system(self.system_id) if self.system_id else ORGANISATION


def to_loosen(now: datetime) -> Iterator[Asked]:
    """Open requests to loosen a control."""
    switches = LooseningRequest.objects.filter(status=LooseningRequest.Status.OPEN, expires_at__gt=now)
    yield from map(_switch, switches.select_related("switch"))
    versions = ParameterVersion.objects.filter(
        status=ParameterVersion.Status.PROPOSED, request_expires_at__gt=now, requested_by_id__isnull=False
    )
    yield from map(_parameter, versions.select_related("parameter"))
    changes = RuleChange.objects.filter(status=RuleChange.Status.REQUESTED, expires_at__gt=now)
    yield from map(_rule, changes.select_related("rule", "queue"))
    policies = FailPolicyRequest.objects.filter(status=FailPolicyRequest.Status.OPEN, expires_at__gt=now)
    yield from map(_policy, policies)


def agreeable(person: Person) -> list[Asked]:
    """Everything that this person may agree to, the oldest first. Overrides of decisions among them."""
    now = timezone.now()
    found = [
        *to_loosen(now),
        *_proposals(),
        *_dismissals(),
        *_cards(),
        *_templates(),
        *_promotions(),
        *_grants(now),
        *_exports(),
        *_custody(now),
    ]
    held = rights.held_by(person)
    mine = _agreed_by(person, held, [each for each in found if person.pk not in each.not_by])
    lifts = _lifts(person) if held.has_part_in(Act.HOLD_LIFT) else []
    erasures = _erasures(person) if held.has_part_in(Act.ERASE, Act.PERSON_ERASE) else []
    rules = _rules(person) if held.has_part_in(Act.RETENTION_CHANGE) else []
    return sorted(
        [*mine, *lifts, *erasures, *rules, *map(_override, overrides_to_agree(person))], key=lambda each: each.at
    )


def _agreed_by(person: Person, held: rights.Held, found: list[Asked]) -> list[Asked]:
    """As `rights.may_approve`, of all of them at once: their roles and who made whose account are read once."""
    mine = [each for each in found if held.may_approve(each.act, each.scope, requested_by=each.by)]
    pairs = self_made_pairs({person.pk, *(each.by for each in mine if each.by)}) if mine else set()
    return [each for each in mine if each.by is None or frozenset({person.pk, each.by}) not in pairs]


def _switch(row: LooseningRequest) -> Asked:
    return Asked(
        act=Act.SWITCH_LOOSEN,
        wants=f"set a switch to {row.mode}",
        system_id=row.switch.system_id,
        by=row.requested_by_id,
        at=row.created_at,
        page=reverse("admin:loosening", args=[row.pk]),
    )


def _parameter(row: ParameterVersion) -> Asked:
    return Asked(
        act=Act.PARAMETER_LOOSEN,
        wants=f"loosen the parameter {row.parameter}",
        system_id=row.parameter.system_id,
        by=row.requested_by_id,
        at=row.requested_at,
        page=page_of(row),
    )


def _rule(row: RuleChange) -> Asked:
    return Asked(
        act=act_of(row),
        wants=f"loosen {row.queue or row.rule or 'the review rules'}",
        system_id=row.system_id,
        by=row.requested_by_id,
        at=row.created_at,
        page=page_of(row),
    )


def _policy(row: FailPolicyRequest) -> Asked:
    return Asked(
        act=Act.FAIL_POLICY_LOOSEN,
        wants="loosen the fail policy",
        system_id=row.system_id,
        by=row.requested_by_id,
        at=row.requested_at,
        page=page_of(row),
    )


def _proposals() -> Iterator[Asked]:
    rows = Assignment.objects.filter(status=Assignment.Status.PROPOSED).select_related("person")
    return (
        Asked(
            act=Act.PRIVILEGED_ROLE_ASSIGN,
            wants=f"make {row.person} {row.get_role_display().lower()}",
            system_id=row.system_id,
            by=row.requested_by_id,
            at=row.created_at,
            page=page_of(row),
            not_by=frozenset({row.person_id}),
        )
        for row in rows
    )


def _dismissals() -> Iterator[Asked]:
    rows = QuarantineCase.objects.filter(
        status=QuarantineCase.Status.DISMISSAL_REQUESTED, record__system_id__isnull=False
    )
    return (
        Asked(
            act=Act.QUARANTINE_DISMISS,
            wants="dismiss a record from quarantine",
            system_id=row.record.system_id,
            by=row.requested_by_id,
            at=row.created_at,
            page=page_of(row.record),
        )
        for row in rows.select_related("record")
    )


def _lifts(person: Person) -> list[Asked]:
    """Legal holds whose lifting this person may agree to."""
    asked = LegalHold.objects.filter(status=LegalHold.Status.LIFT_REQUESTED).select_related("case")
    return [
        _lift(row)
        for row in asked
        if rights.may_approve(person, Act.HOLD_LIFT, place_of_hold(row), requested_by=row.lift_requested_by_id)
    ]


def _lift(row: LegalHold) -> Asked:
    named = f" on case {row.case.reference}" if row.case else ", of an AI system's decisions of a span"
    return Asked(
        act=Act.HOLD_LIFT,
        wants=f"lift the legal hold{named}",
        system_id=row.system_id,
        by=row.lift_requested_by_id,
        at=row.lift_requested_at or row.created_at,
        page=f"{reverse('admin:case', args=[row.case_id])}#hold" if row.case_id else reverse("admin:holds"),
    )


def _erasures(person: Person) -> list[Asked]:
    """Erasures whose asking this person may agree to."""
    return [_erasure(each) for each in consents_to_answer(rights.as_actor(person))]


def _erasure(row: ErasureConsent) -> Asked:
    return Asked(
        act=act_of_erasure(row.request),
        wants=WHAT_ERASURES_WANT[ErasureRequest.Kind(row.request.kind)],
        system_id=row.system_id,
        by=row.asked_by_id,
        at=row.created_at,
        page=reverse("admin:erasure", args=[row.request_id]),
    )


def _rules(person: Person) -> list[Asked]:
    """Classes of retention that this person may agree to put in force."""
    asked = RetentionRule.objects.filter(status=RetentionRule.Status.REQUESTED).select_related("retention_class")
    return [
        _retention(row)
        for row in asked
        if rights.may_approve(person, Act.RETENTION_CHANGE, place_of_rule(row), requested_by=row.requested_by_id)
    ]


def _retention(row: RetentionRule) -> Asked:
    held = row.retention_class
    return Asked(
        act=Act.RETENTION_CHANGE,
        wants=f"keep {row.get_kind_display()} for {held.floor_days} days at least",
        system_id=row.system_id,
        by=row.requested_by_id,
        at=row.requested_at,
        page=reverse("admin:retention") + "#rules",
    )


def _cards() -> Iterator[Asked]:
    rows = SystemCard.objects.filter(status=SystemCard.Status.SUBMITTED)
    return (
        Asked(
            act=Act.CARD_PUBLISH,
            wants="publish a system card",
            system_id=row.system_id,
            by=row.submitted_by_id,
            at=row.submitted_at or row.created_at,
            page=reverse("admin:card_draft", args=[row.system_id]),
            not_by=frozenset(row.written_by),
        )
        for row in rows
    )


def _templates() -> Iterator[Asked]:
    rows = LetterTemplate.objects.filter(status=LetterTemplate.Status.SUBMITTED)
    return (
        Asked(
            act=Act.LETTER_TEMPLATE_PUBLISH,
            wants=f"publish a template of letters ({row.language})",
            system_id=row.system_id,
            by=row.submitted_by_id,
            at=row.submitted_at or row.saved_at,
            page=reverse("admin:letter_template", args=[row.system_id, row.language]),
            not_by=frozenset(row.written_by),
        )
        for row in rows
    )


def _promotions() -> Iterator[Asked]:
    rows = VersionPromotion.objects.filter(status=VersionPromotion.Status.OPEN)
    return (
        Asked(
            act=Act.VERSION_PROMOTE,
            wants=f"bring the model version {row.model_version} into use",
            system_id=row.model_version.system_id,
            by=row.requested_by_id,
            at=row.requested_at,
            page=page_of(row.model_version),
            not_by=frozenset(row.written_by),
        )
        for row in rows.select_related("model_version")
    )


def _grants(now: datetime) -> Iterator[Asked]:
    rows = PayloadGrant.objects.filter(status=PayloadGrant.Status.REQUESTED, ends_at__gt=now)
    return (
        Asked(
            act=Act.PAYLOADS_GRANT,
            wants="read payloads",
            system_id=row.system_id,
            by=row.person_id,
            at=row.requested_at,
            page=page_of(row),
        )
        for row in rows
    )


def _exports() -> Iterator[Asked]:
    return (
        Asked(
            act=Act.EXPORT_PAYLOADS,
            wants="export contents of decisions",
            system_id=row.system_id,
            by=row.asked_by_id,
            at=row.asked_at,
            page=reverse("admin:export", args=[row.pk]),
        )
        for row in Export.objects.filter(status=Export.Status.REQUESTED)
    )


def _custody(now: datetime) -> Iterator[Asked]:
    rows = CustodyRequest.objects.filter(status=CustodyRequest.Status.ASKED, expires_at__gt=now)
    return (
        Asked(
            act=ACTS[CustodyRequest.What(row.what)],
            wants=row.get_what_display(),
            system_id=None,
            by=row.requested_by_id,
            at=row.requested_at,
            page=reverse("admin:custody_request", args=[row.pk]),
        )
        for row in rows
    )


def _override(row: Override) -> Asked:
    return Asked(
        act=Act.DECISION_OVERRIDE,
        wants=f"override a decision with {row.outcome}",
        system_id=row.system_id,
        by=row.person_id,
        at=row.at,
        page=reverse("admin:decision", args=[row.decision_id]),
    )
