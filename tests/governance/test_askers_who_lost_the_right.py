"""What somebody asked for counts while they may ask for it: a role that ended takes its open requests along."""

from collections.abc import Callable

import pytest

from governance.acts import Role
from governance.errors import RequestVoid
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from governance.services.cards import publish_card
from governance.services.letter_templates import publish_letter_template
from ledger.entries import COMMAND
from tests.factories import cards, letters
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.versions import approve as approve_version
from tests.factories.versions import make_proposed

pytestmark = pytest.mark.django_db
Approval = Callable[[Person], object]


def a_card(system: AISystem, asker: Person) -> Approval:
    made = cards.submit(system, asker)
    digest = made.content_digest
    return lambda owner: publish_card(actor=actor_of(owner), system_id=system.pk, content_digest=digest)


def a_version(system: AISystem, asker: Person) -> Approval:
    made = make_proposed(system, by=asker)
    return lambda owner: approve_version(owner, made)


def a_letter_template(system: AISystem, asker: Person) -> Approval:
    made = letters.submit(asker, letters.save(system, asker))
    return lambda owner: publish_letter_template(
        actor=actor_of(owner), system_id=system.pk, language=made.language, base=made.revision
    )


@pytest.mark.parametrize("asked", [a_card, a_version, a_letter_template], ids=lambda asked: asked.__name__)
def test_nobody_agrees_to_what_an_asker_may_not_ask_for_any_more(
    asked: Callable[[AISystem, Person], Approval],
) -> None:
    system, asker, owner = make_system(), make_person(), make_person()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    held = give_role(asker, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    approve = asked(system, asker)
    end_assignment(actor=COMMAND, assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        approve(owner)
    give_role(asker, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    approve(owner)
