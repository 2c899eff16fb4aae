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
from governance.models import Assignment, FailPolicyRequest, Person
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
    about: uuid.UUID | None = None,
    given: frozenset[Condition] = frozenset(),
    had_part: Callable[[uuid.UUID], bool] = _nobody,
) -> int:
    """Write once to each person who may agree to a request. Returns how many were not asked before.

    `kind` names the words, which are made of `{"request": id}` when the e-mail is sent. Call it inside the transaction
    of the request. `about`: the person whom it is about, who cannot agree either, as those who `had_part` in it.
    `given`: as for `rights.may_approve`.
    """
    asked = (
        tell(
            person_id=person.pk,
            kind=kind,
            fingerprint=f"{kind}:{request_id}",
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
    return sum(map(_ask_about_policy, policies)) + sum(map(_ask_about_role, roles))


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
