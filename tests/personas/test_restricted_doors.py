"""What is restricted until it is erased: no address shows its words to anybody but a data protection officer."""

from collections.abc import Iterator

import pytest

from audit.models import Decision
from audit.restrictions import restricted_among
from tests.factories.erasing import agreed, lift_all_holds
from tests.personas.crawling import Visitor, Way
from tests.personas.people import make_persona
from tests.personas.questions import addresses, posted
from tests.personas.world import World, make_neighbours, make_world, marked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rate_limit")]
BARRED = ("deputy", "reviewer", "investigator", "auditor")
"""Who reads payloads otherwise, by their role, by their case, by what they claimed; beside the accountable one."""
WORDS = ("pay", "appeal")
"""What was sent, and what people wrote about it."""
OF_AN_ERASURE = ("erasures", "exports")
"""Whoever agrees to an erasure, or to an export, is told of whom it is."""
A_DECISION = "decisions/<uuid"


def shown(visitor: Visitor, world: World, far: World, *, below: str = "") -> Iterator[str]:
    """The addresses at which somebody reads words of the decisions of a world; of all, or of those that say `below`."""
    for way in Way.all_of(world, far):
        if below not in way.route.pattern:
            continue
        text = visitor.get(way.near).without(way.near)[1].lower()
        if any(marked(world.mark, sort) in text for sort in WORDS):
            yield way.route.pattern
    if below:
        return
    for address in addresses(world, far):
        text = visitor.get(address).without(address)[1].lower()
        if any(marked(world.mark, sort) in text for sort in WORDS):
            yield address
    for each in posted(world, far):
        text = visitor.post(each.address, each.body).without(each.named)[1].lower()
        if any(marked(world.mark, sort) in text for sort in WORDS):
            yield each.named


def restrict_all(world: World) -> None:
    """An erasure of all decisions of the world, agreed to inside their floor."""
    lift_all_holds(world.staff.lead, world.staff.owner)
    ids = list(Decision.objects.filter(system_id=world.system.pk).values_list("pk", flat=True))
    agreed(kind="decision", decision_ids=ids)
    assert restricted_among(ids) == set(ids)


def test_words_of_what_is_restricted_are_shown_nowhere_but_to_the_officer() -> None:
    world, far = make_world("zqnear"), make_world("zqfar")
    make_neighbours(world, far)
    visitors = {name: Visitor(make_persona(name, world.system)) for name in ("accountable", "dpo")}
    before = {name: set(shown(visitor, world, far, below=A_DECISION)) for name, visitor in visitors.items()}
    assert all(before.values()), "else nothing would be seen here"
    restrict_all(world)
    after = {name: set(shown(visitor, world, far)) for name, visitor in visitors.items()}
    assert [each for each in after["accountable"] if not _is_of_erasing(each)] == []
    assert after["dpo"] >= before["accountable"] & before["dpo"]


def test_nor_to_anybody_else_who_reads_payloads_otherwise() -> None:
    world, far = make_world("zqnear"), make_world("zqfar")
    make_neighbours(world, far)
    visitors = {name: Visitor(make_persona(name, world.system)) for name in BARRED}
    restrict_all(world)
    told = {name: [*shown(visitor, world, far)] for name, visitor in visitors.items()}
    assert {name: [each for each in found if not _is_of_erasing(each)] for name, found in told.items()} == {
        name: [] for name in BARRED
    }


def _is_of_erasing(pattern: str) -> bool:
    return any(each in pattern for each in OF_AN_ERASURE)
