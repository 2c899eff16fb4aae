"""Who asks for decisions over the API, a service key or a person, and what they may know of."""

import uuid
from dataclasses import dataclass

from rest_framework.request import Request

from audit.case_access import readable_case
from audit.errors import DecisionNotFound
from audit.filters import DecisionFilter
from audit.reach import Reach
from audit.selectors import SealedDecision, decision_by_id, visible_decision
from audit.services.disclosure import may_see
from evidence.questions import system_within
from governance import memory, rights
from governance.acts import Act
from governance.api.authentication import KeyGrant, actor_of, grant_of
from governance.models import ServiceKey
from governance.register import Register
from governance.scopes import Scope
from ledger.entries import Actor
from overrides.selectors import hidden_from, require_unhidden


@dataclass(frozen=True, slots=True)
class Asker:
    """Made once a request; what it names is looked up within reach."""

    request: Request
    actor: Actor
    reach: Reach

    @classmethod
    def of(cls, request: Request) -> "Asker":
        actor = actor_of(request)
        if isinstance(request.auth, KeyGrant):
            return cls(request, actor, Reach.of_key(request.auth))
        return cls(request, actor, Reach.of_person(actor, hidden=hidden_from(actor.id)))

    @property
    def register(self) -> Register:
        return self.request.auth.register if isinstance(self.request.auth, KeyGrant) else memory.fresh()

    def system_id(self, slug: str) -> uuid.UUID:
        """Errors: `KeyOutOfScope`, `SystemNotFound`: the same for one out of sight and for none."""
        if isinstance(self.request.auth, KeyGrant):
            return self.request.auth.system(slug).id
        return system_within(self.reach)(slug)

    def decision(self, decision_id: uuid.UUID) -> SealedDecision:
        """Errors: `DecisionNotFound`, `HiddenWhileBlind`."""
        if isinstance(self.request.auth, KeyGrant):
            return visible_decision(decision_id, self.reach)
        found = decision_by_id(decision_id)
        if not may_see(self.actor, found):
            raise DecisionNotFound()
        require_unhidden(self.actor, decision_id)
        return found

    def may_ask(self, asked: DecisionFilter) -> DecisionFilter:
        """The filter again, where it names no case that may not be read. Errors: `CaseNotFound`, `Forbidden`."""
        if asked.case_id:
            readable_case(self.actor, asked.case_id)
        return asked

    def may_read_configuration(self, system_id: uuid.UUID) -> bool:
        """A key as where they are read one by one: with `register:write`; people who see the AI system."""
        if isinstance(self.request.auth, KeyGrant):
            return grant_of(self.request).allows(ServiceKey.Scope.REGISTER_WRITE)
        return rights.can(self.actor, Act.SYSTEM_VIEW, Scope.system(system_id))

    def require_payloads(self) -> None:
        """A key must say that it reads payloads; of people rights are asked for each. Errors: `KeyOutOfScope`."""
        if isinstance(self.request.auth, KeyGrant):
            grant_of(self.request).require(ServiceKey.Scope.PAYLOADS_READ)
