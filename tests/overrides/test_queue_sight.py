"""Which review queues somebody may know of."""

import pytest

from governance.acts import Role
from governance.scopes import Scope
from overrides.review_errors import QueueNotFound
from overrides.selectors import queue_in_use, visible_queues
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue

pytestmark = pytest.mark.django_db


def test_queues_of_other_ai_systems_are_not_there_and_who_has_no_role_sees_none() -> None:
    owner, system = make_person(), make_system()
    ours, theirs = (make_queue(owner, system=each, slug=f"of-{each.slug}") for each in (system, make_system()))
    shared = make_queue(owner, slug="shared")
    viewer, in_part = make_person(viewer=system), make_person()
    give_role(in_part, Role.REVIEWER, Scope.of_capability(system.pk, "limits"))
    for person in (viewer, in_part):
        assert set(visible_queues(actor_of(person))) == {ours, shared}
        with pytest.raises(QueueNotFound):
            queue_in_use(actor_of(person), theirs.slug)
    assert set(visible_queues(actor_of(owner))) == {ours, theirs, shared}
    assert not visible_queues(actor_of(make_person())).exists()
