"""One AI system: what it is for, who answers for it, which versions run, what is missing before it may be live."""

import uuid
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from audit.case_access import visible_cases
from audit.filters import DecisionFilter
from audit.models import Case
from audit.restricted_texts import for_reading
from audit.selectors import list_decisions
from console.attention import attention_for, parameters_in_force
from console.blind import countable, reach_of
from console.charts import decisions_by_outcome
from console.decision_rows import rows_of
from console.figures import last_day, last_decisions, rates
from console.ledger_health import log_states
from console.pages import page, show, viewer
from console.register import matrix, visible_systems
from console.switchboard.histories import ChangeLine, lines_of
from console.switchboard.names import names_of
from governance import rights
from governance.acts import Act
from governance.errors import SystemNotFound
from governance.models import AISystem, Person
from governance.rights import as_actor
from governance.scopes import Scope
from governance.selectors import card_in_force, letter_templates, open_card
from governance.services.systems import gaps
from ledger.entries import Actor
from notices.selectors import alerts_for, not_closed
from overrides.selectors import hidden_from
from overrides.switch_selectors import changes_at, strictest_modes

LATEST = 8


@page
@require_safe
def system(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    person = viewer(request)
    found = visible_systems(person).filter(pk=system_id).first()
    if found is None:
        raise SystemNotFound()
    scope = Scope.system(found.pk)
    sees_decisions = rights.can(person, Act.DECISION_VIEW, scope)
    latest = list_decisions(DecisionFilter(system_id=found.pk), reach_of(person), limit=LATEST)
    (row,) = matrix([found])
    counted = countable(Q(system_id=found.pk), hidden_from(person.pk))
    return show(
        request,
        "system.html",
        title=str(found),
        system=found,
        row=row,
        missing=gaps(found) if found.status != AISystem.Status.RETIRED else [],
        versions=found.model_versions.order_by("-id")[:20],
        environments=found.environments.all(),
        rates=rates([found.pk])[found.pk],
        last=last_decisions([found.pk])[found.pk],
        day=last_day(counted),
        chart=decisions_by_outcome(counted),
        latest=rows_of(latest.items) if sees_decisions else None,
        attention=attention_for(person, [found.pk]),
        parameters=parameters_in_force(found.pk),
        alerts=not_closed(alerts_for(person)).filter(system_id=found.pk)[:LATEST],
        logs=[log for log in log_states() if log.system_id == found.pk],
        may_add_environment=rights.can(person, Act.ENVIRONMENT_REGISTER, scope),
        mode=strictest_modes([found.pk])[found.pk],
        may_stop=rights.can(person, Act.SWITCH_TIGHTEN, scope),
        may_edit=rights.can(person, Act.SYSTEM_EDIT, scope),
        card=card_in_force(found.pk),
        templates=letter_templates(found.pk).filter(status="published"),
        changes=_changes(found),
        cases=_cases(as_actor(person), found),
        **_next_card(person, found),
    )


def _cases(actor: Actor, system: AISystem) -> list[Case]:
    return for_reading(actor, visible_cases(actor).filter(system_ids__contains=[system.pk]).order_by("-id")[:LATEST])


def _changes(system: AISystem) -> list[ChangeLine]:
    changes = changes_at(system.pk, LATEST)
    return lines_of(changes, names_of((each.actor_type, each.actor_id) for each in changes))


def _next_card(person: Person, system: AISystem) -> dict[str, Any]:
    """What is being written, for those who may write it."""
    may_write = rights.can(person, Act.CARD_EDIT, Scope.system(system.pk))
    return {"may_write_card": may_write, "next_card": open_card(system.pk) if may_write else None}
