"""What is said on top of pages while too few people hold the roles that acts need."""

import pytest

from console.act_words import ACT_WORDS
from console.banners import missing_people
from governance.acts import LOOKS, RULES
from governance.models import AISystem
from governance.rights import impossible_acts
from tests.factories.register import make_person, make_system
from tests.personas.table import WORDS

pytestmark = pytest.mark.django_db


def impossible() -> set[str]:
    return {each.act.value for each in impossible_acts()}


def test_acts_are_called_as_people_know_them() -> None:
    assert ACT_WORDS == WORDS


def test_what_is_not_built_and_what_only_looks_is_called_impossible_by_nobody() -> None:
    make_system()
    assert impossible().isdisjoint({act for act, rule in RULES.items() if not rule.is_built} | LOOKS)
    assert {"switch.loosen", "card.publish", "hold.lift"} <= impossible()


def test_without_an_ai_system_only_acts_of_the_organisation_are_missed() -> None:
    make_person(administrator=True)
    missed = {"log.close", "head.adopt", "signing_key.rotate", "privileged_role.assign"}
    assert impossible() == missed
    system = make_system()
    assert "system.go_live" in impossible()
    AISystem.objects.filter(pk=system.pk).update(status=AISystem.Status.RETIRED)
    assert impossible() == missed


def test_acts_that_lack_the_same_person_are_told_in_one_line() -> None:
    make_person(administrator=True)
    (banner,) = missing_people()
    assert banner.details == [
        "Nobody else is Administrator: close a log; adopt a head; rotate signing keys; "
        "assign administrator, approver, emergency operator, data protection officer, auditor, investigator."
    ]
