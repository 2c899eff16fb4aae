"""Asking whoever may be the second person, by e-mail: who asks for what, why, and where to answer."""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime

from governance import rights
from governance.acts import Act, Condition
from governance.models import Assignment, FailPolicyRequest, LetterTemplate, Person, SystemCard, VersionPromotion
from governance.scopes import Place, Scope
from ledger.models import Particulars
from ledger.rows import GovernedRow
from notices.letters import Facts, Letter, letter
from notices.outbox import tell

FORMER = "A former member of staff"


def _nobody(person_id: uuid.UUID) -> bool:
    return False


def ask_approvers(
    *,
    act: Act,
    scope: Place,
    requested_by: uuid.UUID | None,
    kind: str,
    request_id: uuid.UUID,
    time_of_asking: datetime | None = None,
    about: uuid.UUID | None = None,
    given: frozenset[Condition] = frozenset(),
    had_part: Callable[[uuid.UUID], bool] = _nobody,
) -> int:
    """Write once to each person who may agree to a request. Returns how many were not asked before.

    `kind` names the words, which are made of `{"request": id}` when the e-mail is sent. Call it inside the transaction
    of the request. `time_of_asking`: of a request that can be made again. `about`: the person whom it is about, who
    cannot agree either, as those who `had_part` in it. `given`: as for `rights.may_approve`.
    """
    once = f":{time_of_asking.isoformat()}" if time_of_asking else ""
    asked = (
        tell(
            person_id=person.pk,
            kind=kind,
            fingerprint=f"{kind}:{request_id}{once}",
            facts={"request": str(request_id)},
        )
        for person in rights.holders(act, scope, approving=True)
        if person.pk != about
        and rights.may_approve(person, act, scope, requested_by=requested_by, given=given)
        and not had_part(person.pk)
    )
    return sum(each is not None for each in asked)


def asking(
    *, by: uuid.UUID | None, wants: str, why: Iterable[str], is_open: bool, until: datetime | None, page: str
) -> Letter:
    """What such an e-mail says. `wants`: what is asked for, as it goes on behind "asks to"."""
    person = Person.objects.filter(pk=by, is_active=True).first() if by else None
    who = person.name if person else "Somebody at the host's command line" if by is None else FORMER
    if not is_open:
        return Letter(f"Answered meanwhile: {who} asked to {wants}", ["Nothing is left to do."], page)
    given = "; ".join(each for each in why if each)
    lines = [f"{who} asks to {wants}.", f"Why: {given or 'no reason was given'}"]
    if until is not None:
        lines.append(f"It may be agreed to until {localtime(until).strftime('%Y-%m-%d %H:%M %Z')}.")
    return Letter(f"Your agreement is asked for: {wants}", [*lines, "Look at it there, and agree or refuse."], page)


def reason_of(row: GovernedRow) -> str:
    """Why a request was made, in its author's words: what its first change says, whatever was answered since."""
    first = row.history.order_by("revision").first()
    kept = Particulars.objects.filter(pk=first.reason_id).first() if first and first.reason_id else None
    return bytes(kept.data).decode() if kept and kept.data is not None else ""


def page_of(row: Model) -> str:
    """The page of the admin on which a request is answered."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


# --- requests of the register, which cannot write to anybody: a sweep does --------------------------------------------
def ask_about_the_register() -> int:
    """Ask those who may agree to what waits in the register. Returns how many were not asked before."""
    now = timezone.now()
    policies = FailPolicyRequest.objects.filter(status=FailPolicyRequest.Status.OPEN, expires_at__gt=now)
    roles = Assignment.objects.filter(status=Assignment.Status.PROPOSED)
    cards = SystemCard.objects.filter(status=SystemCard.Status.SUBMITTED)
    promotions = VersionPromotion.objects.filter(status=VersionPromotion.Status.OPEN).select_related("model_version")
    templates = LetterTemplate.objects.filter(status=LetterTemplate.Status.SUBMITTED)
    asked = sum(map(_ask_about_policy, policies)) + sum(map(_ask_about_role, roles))
    asked += sum(map(_ask_about_card, cards)) + sum(map(_ask_about_promotion, promotions))
    return asked + sum(map(_ask_about_template, templates))


def _ask_about_policy(request: FailPolicyRequest) -> int:
    return ask_approvers(
        act=Act.FAIL_POLICY_LOOSEN,
        scope=Scope.system(request.system_id),
        requested_by=request.requested_by_id,
        kind="fail_policy.asked",
        request_id=request.pk,
    )


def _ask_about_role(proposal: Assignment) -> int:
    return ask_approvers(
        act=Act.PRIVILEGED_ROLE_ASSIGN,
        scope=Scope.of(proposal),
        requested_by=proposal.requested_by_id,
        kind="role.asked",
        request_id=proposal.pk,
        about=proposal.person_id,
    )


def _ask_about_card(card: SystemCard) -> int:
    """Once for each submission: one that came back and was submitted again is asked about again."""
    return ask_approvers(
        act=Act.CARD_PUBLISH,
        scope=Scope.system(card.system_id),
        requested_by=card.submitted_by_id,
        kind="card.asked",
        request_id=card.pk,
        time_of_asking=card.submitted_at,
        had_part=lambda person_id: person_id in card.written_by,
    )


def _ask_about_promotion(promotion: VersionPromotion) -> int:
    return ask_approvers(
        act=Act.VERSION_PROMOTE,
        scope=Scope.system(promotion.model_version.system_id),
        requested_by=promotion.requested_by_id,
        kind="version.asked",
        request_id=promotion.pk,
        had_part=lambda person_id: person_id in promotion.written_by,
    )


def _ask_about_template(draft: LetterTemplate) -> int:
    """Once for each submission, as of a card."""
    return ask_approvers(
        act=Act.LETTER_TEMPLATE_PUBLISH,
        scope=Scope.system(draft.system_id),
        requested_by=draft.submitted_by_id,
        kind="letter_template.asked",
        request_id=draft.pk,
        time_of_asking=draft.submitted_at,
        had_part=lambda person_id: person_id in draft.written_by,
    )


@letter("version.asked")
def _version(facts: Facts) -> Letter:
    promotion = VersionPromotion.objects.select_related("model_version__system").get(pk=uuid.UUID(facts["request"]))
    version = promotion.model_version
    return asking(
        by=promotion.requested_by_id,
        wants=f"bring the model version {version} of {version.system} into use",
        why=[promotion.reason],
        is_open=promotion.status == VersionPromotion.Status.OPEN,
        until=None,
        page=page_of(version),
    )


@letter("fail_policy.asked")
def _policy(facts: Facts) -> Letter:
    request = FailPolicyRequest.objects.select_related("system").get(pk=uuid.UUID(facts["request"]))
    policy = f"{request.max_staleness_s} s, then {request.safe_mode}"
    return asking(
        by=request.requested_by_id,
        wants=f"loosen the fail policy of {request.system} to {policy}",
        why=[request.note],
        is_open=request.status == FailPolicyRequest.Status.OPEN and request.expires_at > timezone.now(),
        until=request.expires_at,
        page=page_of(request),
    )


@letter("role.asked")
def _role(facts: Facts) -> Letter:
    proposal = Assignment.objects.select_related("person").get(pk=uuid.UUID(facts["request"]))
    return asking(
        by=proposal.requested_by_id,
        wants=f"give {proposal.person} the role {proposal.get_role_display()}",
        why=[reason_of(proposal)],
        is_open=proposal.status == Assignment.Status.PROPOSED,
        until=None,
        page=page_of(proposal),
    )


@letter("card.asked")
def _card(facts: Facts) -> Letter:
    card = SystemCard.objects.select_related("system").get(pk=uuid.UUID(facts["request"]))
    return asking(
        by=card.submitted_by_id,
        wants=f"publish a system card of {card.system}",
        why=[card.note],
        is_open=card.status == SystemCard.Status.SUBMITTED,
        until=None,
        page=reverse("admin:card_draft", args=[card.system_id]),
    )


@letter("letter_template.asked")
def _template(facts: Facts) -> Letter:
    draft = LetterTemplate.objects.select_related("system").get(pk=uuid.UUID(facts["request"]))
    return asking(
        by=draft.submitted_by_id,
        wants=f"publish a template of the letters of {draft.system} ({draft.language})",
        why=[draft.note],
        is_open=draft.status == LetterTemplate.Status.SUBMITTED,
        until=None,
        page=reverse("admin:letter_template", args=[draft.system_id, draft.language]),
    )
