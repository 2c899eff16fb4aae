"""The words of the e-mail that asks a data protection officer for a grant."""

import uuid

from audit.models import PayloadGrant
from governance.models import AISystem
from notices.approvals import asking, page_of
from notices.letters import Facts, Letter, letter


@letter("payload_grant.asked")
def grant_asked(facts: Facts) -> Letter:
    grant = PayloadGrant.objects.get(pk=uuid.UUID(facts["request"]))
    system = AISystem.objects.get(pk=grant.system_id)
    return asking(
        by=grant.person_id,
        wants=f"read payloads of {system} until {grant.ends_at:%Y-%m-%d}",
        why=[grant.reason],
        is_open=grant.status == PayloadGrant.Status.REQUESTED,
        until=grant.ends_at,
        page=page_of(grant),
    )
