"""Texts that are restricted until they are erased: no address shows them to anybody but a data protection officer."""

from collections.abc import Iterator

import pytest

from audit.models import TextRestriction
from audit.restricted_texts import NOTICE, texts_in_force
from tests.factories.erasing import agreed, lift_all_holds, put_in_force
from tests.personas.crawling import Visitor, Way
from tests.personas.people import Persona, make_persona
from tests.personas.questions import addresses, posted
from tests.personas.world import World, make_neighbours, make_world, marked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_rate_limit")]
OF_THE_CASE = ("case", "title", "todo")
"""What people wrote in it: summary, notes, findings, the incident and its reports; its title; corrective actions."""
OF_DECISIONS = ("pay-why", "pay-letter", "appeal")
"""What people wrote about decisions that nobody erases: notes, letters, appeals."""
WORDS = (*OF_THE_CASE, *OF_DECISIONS)
OF_AN_ERASURE = ("erasures", "exports")
"""Whoever agrees to an erasure, or to an export, is told of whom it is."""
BARRED = ("accountable", "reviewer", "auditor")


def shown(visitor: Visitor, world: World, far: World) -> Iterator[tuple[str, str]]:
    """Each address at which somebody reads some of these words, and which."""
    asked = [(way.route.pattern, way.near, visitor.get(way.near)) for way in Way.all_of(world, far)]
    asked += [(each, each, visitor.get(each)) for each in addresses(world, far)]
    asked += [(each.named, each.named, visitor.post(each.address, each.body)) for each in posted(world, far)]
    for name, address, seen in asked:
        text = seen.without(address)[1].lower()
        if not any(each in name for each in OF_AN_ERASURE):
            yield from ((name, word) for word in WORDS if marked(world.mark, word) in text)


def restrict_texts(world: World) -> None:
    """An erasure of somebody whom all of these name, and whose texts have a floor."""
    lift_all_holds(world.staff.lead, world.staff.owner)
    put_in_force("cases", floor=200)
    agreed(kind="subject", subject="nobody else", identifiers=[marked(world.mark, each) for each in WORDS])
    assert texts_in_force().count() == TextRestriction.objects.count() > 10


def test_restricted_texts_are_shown_nowhere_but_to_the_officer() -> None:
    world, far = make_world("zqnear"), make_world("zqfar")
    make_neighbours(world, far)
    visitors = {name: Visitor(make_persona(name, world.system)) for name in (*BARRED, "dpo")}
    visitors["lead"] = Visitor(Persona("lead", True, world.staff.lead))
    before = {name: set(shown(visitor, world, far)) for name, visitor in visitors.items()}
    assert {word for _, word in before["lead"]} >= {"case", "title", "todo"}, "else nothing would be seen here"
    restrict_texts(world)
    after = {name: set(shown(visitor, world, far)) for name, visitor in visitors.items()}
    assert after.pop("dpo") >= before.pop("dpo")
    assert {name: seen for name, seen in after.items() if seen} == {}
    page = f"/admin/cases/{world.case.pk}/"
    assert visitors["lead"].get(page).text.count(NOTICE) > 5
    assert NOTICE not in visitors["dpo"].get(page).text
