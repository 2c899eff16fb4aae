"""Each act at its doors: who is let in, and who is not, by the table that people are promised."""

import re
from pathlib import Path

import pytest

from governance.acts import RULES, Act
from ledger.sealing import sealing
from tests.personas.crawling import Visitor
from tests.personas.doors import DOORS
from tests.personas.doors.knocking import AGREE, AS_IT_IS, ASK, Door
from tests.personas.people import PERSONAS, make_persona
from tests.personas.table import ACTS, EVERYWHERE
from tests.personas.world import World, make_world

PROJECT = Path(__file__).parents[2]
FLOORS = ("audit", "config", "console", "evidence", "governance", "intake", "monitoring", "notices", "overrides")
NO_DOOR = {act for act, rule in RULES.items() if not rule.is_built}
"""Acts that stand in the table and are not built yet."""
BY_KEYS_ALONE = {Act.VERSION_REGISTER_UNVERIFIED}
"""Done by sending a decision: tests of intake and of keys try it."""

CLAIMED_AS_THE_FIRST = {Act.DECISION_CONFIRM}
"""The second place of a review is taken by the same door as the first."""


class _UndoError(Exception):
    """Takes back what a door has done."""


def test_every_act_has_a_door() -> None:
    assert {door.act for door in DOORS} == set(RULES) - NO_DOOR - BY_KEYS_ALONE


def test_every_act_that_takes_two_has_a_door_for_each() -> None:
    by_two = {act for act, rule in RULES.items() if rule.approves} - NO_DOOR - CLAIMED_AS_THE_FIRST
    assert {door.act for door in DOORS if door.side == AGREE} == by_two
    assert by_two <= {door.act for door in DOORS if door.side == ASK}


def test_an_act_without_a_door_is_asked_nowhere() -> None:
    text = "".join(path.read_text() for floor in FLOORS for path in (PROJECT / floor).rglob("*.py"))
    asked = set(re.findall(r"(?:can|require|may_approve|systems_where|can_anywhere)\([^)]*Act\.(\w+)", text))
    assert asked.isdisjoint(act.name for act in NO_DOOR)


@pytest.mark.django_db
@pytest.mark.usefixtures("no_rate_limit")
def test_every_door_lets_in_whom_the_table_says_and_nobody_else() -> None:
    near, far = make_world("zqnear"), make_world("zqfar")
    wrong = []
    for name in PERSONAS:
        visitor = Visitor(make_persona(name, near.system))
        for door in DOORS:
            wrong += _wrong(door, visitor, near)
            if name not in EVERYWHERE and not door.anywhere and _tried(door, visitor, far):
                wrong.append(f"{name} is let in to {door.act} ({door.side}) of another AI system")
    assert wrong == [], "\n".join(wrong)


def _wrong(door: Door, visitor: Visitor, world: World) -> list[str]:
    name = visitor.persona.name
    letter = ACTS[door.act][name]
    is_conditional = letter in "cw" and door.side == ASK
    expected = letter in ("ab" if door.side == ASK else "vbw")
    if is_conditional and door.meets.get(name) is AS_IT_IS.get(name, door):
        expected = True
    found = []
    if _tried(door, visitor, world) != expected:
        found.append(f"{name} is {'not ' if expected else ''}let in to {door.act} ({door.side})")
    if is_conditional and name in door.meets and not _tried(door, visitor, world, met=True):
        found.append(f"{name} is not let in to {door.act} though the condition is met")
    return found


def _tried(door: Door, visitor: Visitor, world: World, *, met: bool = False) -> bool:
    """Whether somebody is let in. Nothing stays of it."""
    found = False
    try:
        with sealing():
            if met:
                door.meets[visitor.persona.name](visitor.persona.person, world)
            found = door.lets_in(visitor, world)
            raise _UndoError
    except _UndoError:
        return found
