"""What the demonstration's people have set up to stay in control: what is held, who looks, what may be turned."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from console.demo.stream import ASKING_CHANNEL, HELD_BELOW, MOST, THRESHOLD
from governance.models import AISystem, Person
from governance.rights import as_actor
from ledger.sealing import sealing
from overrides.drill_kinds import DRILL_CONCLUDED
from overrides.models import Drill, ReviewQueue
from overrides.services.drills import plan_drill, write_drill
from overrides.services.parameters import define_parameter
from overrides.services.queues import give_skill, register_queue
from overrides.services.rules import register_rule

HELD_FOR_S = 30 * 60
"""As long as a customer may wait at the counter. The demonstration's service waits a little longer."""
SKILL = "recruiting-law"
SINCE_LAST_DRILL = timedelta(days=110)
"""More than the quarter that high risk asks for."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who sets it up, of the cast."""

    administrator: Person
    engineer: Person
    operator: Person
    reviewers: tuple[Person, ...]


def set_up(crew: Crew, systems: dict[str, AISystem], owners: dict[str, Person]) -> None:
    """Parameters, queues, rules and a drill. Each act by whom it asks for. Inside the loading's `sealing()`."""
    _parameters(crew, systems["credit-limits"])
    for slug, name in (("credit-limits", "credit-close-calls"), ("cv-triage", "recruiting-checks")):
        queue = register_queue(
            actor=as_actor(crew.administrator), slug=name, owner_id=owners[slug].pk, system_id=systems[slug].pk,
            is_default=True, deadline_s=HELD_FOR_S,
        )  # fmt: skip
        _rule(crew, systems[slug], queue)
    _skills(crew)
    _drilled_long_ago(crew, systems["cv-triage"])
    plan_drill(
        actor=as_actor(crew.operator), system_id=systems["credit-limits"].pk, drill_type=Drill.Type.TABLE_TOP,
        starts_at=timezone.now() + timedelta(days=7),
        expectation="The duty desk finds the switchboard, and the branches have the queue open within ten minutes.",
    )  # fmt: skip


def _parameters(crew: Crew, system: AISystem) -> None:
    by = as_actor(crew.engineer)
    define_parameter(
        actor=by, system_id=system.pk, name="max-amount", value_type="number", default=MOST, safe_direction="lower",
        minimum=0, maximum=20_000, unit="EUR", description="The highest limit that the model may grant.",
    )  # fmt: skip
    define_parameter(
        actor=by, system_id=system.pk, name="threshold", value_type="number", default=THRESHOLD,
        safe_direction="higher", minimum=0, maximum=1, description="The score from which on the model approves.",
    )  # fmt: skip


def _rule(crew: Crew, system: AISystem, queue: ReviewQueue) -> None:
    """Close calls of credit wait for a person; of proposed declines some are looked at afterwards, blind."""
    held = {
        "name": "close-calls",
        "condition": {"confidence_below": HELD_BELOW, "label": {"name": "channel", "value": ASKING_CHANNEL}},
        "deadline_s": HELD_FOR_S,
    }
    sampled = {
        "name": "declines-checked-blind",
        "condition": {"outcome_in": ["declined"], "share": 0.2},
        "deadline_s": 24 * 3600,
        "is_blind": True,
        "required_skill": SKILL,
    }
    values = held if system.slug == "credit-limits" else sampled
    register_rule(actor=as_actor(crew.operator), system_id=system.pk, values={**values, "queue_id": queue.pk})


def _skills(crew: Crew) -> None:
    for reviewer in crew.reviewers:
        give_skill(actor=as_actor(crew.administrator), person_id=reviewer.pk, skill=SKILL)


def _drilled_long_ago(crew: Crew, system: AISystem) -> None:
    """A drill before the demonstration's time, which makes the next one overdue: nothing else here is back-dated."""
    began = timezone.now() - SINCE_LAST_DRILL
    drill = plan_drill(
        actor=as_actor(crew.operator), system_id=system.pk, drill_type=Drill.Type.TABLE_TOP, starts_at=timezone.now(),
        expectation="Team leads know who turns the proposals off in the applicant tracker.",
    )  # fmt: skip
    drill.starts_at, drill.window_ends_at = began, began + timedelta(hours=1)
    drill.status, drill.conclusion = Drill.Status.CONCLUDED, Drill.Conclusion.PASSED
    drill.started_by_id = drill.concluded_by_id = crew.operator.pk
    drill.started_at, drill.ended_at = began, began + timedelta(minutes=40)
    drill.concluded_at, drill.ended_by = drill.ended_at, Drill.EndedBy.PERSON
    drill.conclusion_note = "They did, and the list of contacts was out of date; it was put right the same day."
    with sealing() as seal:
        write_drill(seal, actor=as_actor(crew.operator), kind=DRILL_CONCLUDED, drill=drill)
