"""The doors of investigation: cases and legal holds."""

from governance.acts import Act
from governance.models import Person
from tests.factories.cases import have_lead, make_case
from tests.factories.register import make_person
from tests.personas.doors.knocking import AGREE, AS_IT_IS, ASK, Door, calls, leads, now, opens, sends, slug
from tests.personas.world import World


def _takes_lead(person: Person, world: World) -> None:
    case = make_case(world.staff.lead, world.system)
    have_lead(case, person)


_names_a_lead = sends(
    "POST", "/api/v1/cases/{case}/lead", person_id=lambda world: str(make_person(investigator=True).pk)
)
INVESTIGATION: list[Door] = [
    Door(
        Act.CASE_OPEN,
        ASK,
        sends("POST", "/api/v1/cases", title="A complaint", severity="high", systems=lambda world: [world.system.slug]),
    ),
    Door(
        Act.LETTER_ISSUE,
        ASK,
        sends("POST", "/api/v1/decisions/{decision}/letters", language="en", text="You were refused."),
        meets={"investigator": leads},
    ),
    Door(Act.CASE_VIEW, ASK, opens("/api/v1/cases/{case}")),
    Door(Act.CASE_READ, ASK, opens("/api/v1/cases/{case}/notes"), meets={"investigator": leads}),
    Door(
        Act.CASE_WORK,
        ASK,
        sends("POST", "/api/v1/cases/{case}/notes", text="Asked the branch."),
        meets={"investigator": leads},
    ),
    Door(Act.CASE_LEAD, ASK, calls(_takes_lead), meets=AS_IT_IS),
    Door(Act.CASE_LEAD, AGREE, _names_a_lead),
    Door(Act.CASE_LEAD_ASSIGN, ASK, _names_a_lead),
    Door(
        Act.HOLD_PLACE,
        ASK,
        sends("POST", "/api/v1/holds", system=slug, since=now(days=-1), until=now(), reason="A claim."),
    ),
    Door(Act.HOLD_LIFT, ASK, sends("POST", "/api/v1/holds/{other_hold}/lift", reason="It is settled.")),
    Door(Act.HOLD_LIFT, AGREE, sends("POST", "/api/v1/holds/{hold}/approve")),
]
