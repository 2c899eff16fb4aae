"""The doors of people and of looking."""

from http import HTTPStatus

from governance.acts import Act, Role
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from tests.factories.register import actor_of, make_person
from tests.personas.doors.knocking import AGREE, ASK, Door, after, fills, leads, opens, sends, slug
from tests.personas.world import World


def _proposal(world: World) -> None:
    by = actor_of(make_person(administrator=True))
    offer_assignment(actor=by, person=make_person(), role=Role.AUDITOR, scope=Scope())


PEOPLE: list[Door] = [
    Door(
        Act.PRIVILEGED_ROLE_ASSIGN,
        ASK,
        sends("POST", "/api/v1/assignments", person=lambda world: make_person().email, role="auditor"),
    ),
    Door(Act.PRIVILEGED_ROLE_ASSIGN, AGREE, after(_proposal, sends("POST", "/api/v1/assignments/{offer}/approve"))),
    Door(
        Act.ROLE_ASSIGN,
        ASK,
        sends("POST", "/api/v1/assignments", person=lambda world: make_person().email, role="viewer", system=slug),
    ),
    Door(Act.PEOPLE_MANAGE, ASK, fills("/admin/governance/person/add/", name="New", email="new@example.org")),
    Door(Act.ACCOUNTS_MANAGE, ASK, fills("/admin/governance/serviceaccount/add/", slug="new", name="New")),
    Door(Act.SETTINGS_MANAGE, ASK, opens("/admin/notices/message/")),
    Door(Act.ALERT_VIEW, ASK, opens("/admin/notices/alert/{notices__alert}/change/")),
    Door(Act.ALERT_HANDLE, ASK, fills("/admin/notices/alert/{notices__alert}/acknowledge/")),
    Door(
        Act.WEBHOOK_MANAGE,
        ASK,
        sends(
            "POST",
            "/api/v1/webhooks",
            name="Ticketing",
            url="https://hooks.example.org/x",
            event_types=["*"],
            systems=lambda world: [world.system.slug],
        ),
        refusals=frozenset({HTTPStatus.UNPROCESSABLE_ENTITY}),
    ),
    Door(Act.SYSTEM_VIEW, ASK, opens("/admin/systems/{system}/")),
    Door(Act.DECISION_VIEW, ASK, opens("/admin/decisions/{decision}/")),
    Door(Act.DECISION_SEARCH, ASK, sends("POST", "/api/v1/decisions/search", system=slug, subject="nobody")),
    Door(Act.PAYLOAD_READ, ASK, fills("/admin/decisions/{decision}/payload/input"), meets={"investigator": leads}),
    Door(Act.PEOPLE_VIEW, ASK, opens("/admin/governance/person/"), anywhere=True),
]
