"""The words of the e-mail that asks a second administrator to agree to an act of custody."""

import uuid

from django.urls import reverse

from evidence.models import CustodyRequest
from notices.approvals import asking
from notices.letters import Facts, Letter, letter


@letter("custody.asked")
def custody_asked(facts: Facts) -> Letter:
    request = CustodyRequest.objects.get(pk=uuid.UUID(facts["request"]))
    return asking(
        by=request.requested_by_id,
        wants=request.get_what_display(),
        why=[request.reason],
        is_open=request.status == CustodyRequest.Status.ASKED and request.is_live,
        until=request.expires_at,
        page=reverse("admin:custody_request", args=[request.pk]),
    )
