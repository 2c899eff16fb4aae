"""The words of e-mails that ask for a second person's agreement to loosen a control."""

import uuid

from django.urls import reverse
from django.utils import timezone

from governance.models import AISystem
from notices.approvals import asking, page_of, reason_of
from notices.letters import Facts, Letter, letter
from overrides.models import LooseningRequest, Override, ParameterVersion, RuleChange
from overrides.places import in_words


@letter("loosening.asked")
def loosening_asked(facts: Facts) -> Letter:
    request = LooseningRequest.objects.select_related("switch").get(pk=uuid.UUID(facts["request"]))
    is_current = request.status == LooseningRequest.Status.OPEN and request.epoch == request.switch.epoch
    return asking(
        by=request.requested_by_id,
        wants=f"set {in_words(request.switch.node)} from {request.switch.mode} to {request.mode}",
        why=[request.reason_code, request.note],
        is_open=is_current and request.expires_at > timezone.now(),
        until=request.expires_at,
        page=reverse("admin:loosening", args=[request.pk]),
    )


@letter("parameter.asked")
def parameter_asked(facts: Facts) -> Letter:
    version = ParameterVersion.objects.select_related("parameter__system").get(pk=uuid.UUID(facts["request"]))
    parameter, until = version.parameter, version.request_expires_at
    where = f"{parameter.name} of {parameter.system}"
    return asking(
        by=version.requested_by_id,
        wants=f"retire {where}" if version.retires else f"set {where} to {version.value}",
        why=[version.reason_code, version.note],
        is_open=version.status == ParameterVersion.Status.PROPOSED and (until is None or until > timezone.now()),
        until=until,
        page=page_of(version),
    )


@letter("rule_change.asked")
def rule_change_asked(facts: Facts) -> Letter:
    change = RuleChange.objects.select_related("rule", "queue", "system").get(pk=uuid.UUID(facts["request"]))
    looser = ", ".join(each.replace("_", " ") for each in change.loosens)
    return asking(
        by=change.requested_by_id,
        wants=f"loosen {_loosened(change)} ({looser})",
        why=[reason_of(change)],
        is_open=change.status == RuleChange.Status.REQUESTED and change.expires_at > timezone.now(),
        until=change.expires_at,
        page=page_of(change),
    )


def _loosened(change: RuleChange) -> str:
    if change.queue:
        return f"the review queue {change.queue}"
    rule = f"the review rule {change.rule}" if change.rule else "the review rules, by a new one before others,"
    return f"{rule} of {change.system}"


@letter("override.asked")
def override_asked(facts: Facts) -> Letter:
    """It names no outcome: whoever reads it may have to judge the decision blind."""
    made = Override.objects.get(pk=uuid.UUID(facts["request"]))
    system = AISystem.objects.get(pk=made.system_id)
    return asking(
        by=made.person_id,
        wants=f"override a decision of {system}",
        why=[made.reason_code],
        is_open=made.waits,
        until=made.at + Override.REQUEST_COUNTS,
        page=reverse("admin:decision", args=[made.decision_id]),
    )
