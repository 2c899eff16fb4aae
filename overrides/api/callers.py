"""Who calls about a decision, and whether they may know of it: keys by their reach, people by their rights."""

import uuid

from rest_framework.request import Request

from audit.errors import DecisionNotFound
from audit.reach import Reach
from audit.selectors import SealedDecision, decision_by_id, visible_decision
from audit.services.disclosure import may_see
from governance.api.authentication import actor_of
from governance.errors import KeyOutOfScope
from governance.register import KeyGrant
from overrides.selectors import require_unhidden


def decision_for(request: Request, decision_id: uuid.UUID, *scopes: str) -> SealedDecision:
    """A decision that whoever asks may know of: a key of one of these scopes, or a person.

    Errors: `DecisionNotFound`, `KeyOutOfScope`, `HiddenWhileBlind`.
    """
    if isinstance(request.auth, KeyGrant):
        if not any(request.auth.allows(scope) for scope in scopes):
            raise KeyOutOfScope()
        return visible_decision(decision_id, Reach.of_key(request.auth))
    actor, decision = actor_of(request), decision_by_id(decision_id)
    if not may_see(actor, decision):
        raise DecisionNotFound()
    require_unhidden(actor, decision_id)
    return decision
