"""Taking decisions out: those of an act, those of an outcome, and nothing learned of what is hidden or out of sight."""

import uuid
from typing import Any

import pytest

from audit.case_document import EVERYTHING, Seen, acts_seen, document_of, entry_seen
from audit.case_errors import NotAttached
from audit.case_selectors import CaseFilter, facets_of
from audit.models import Case, CaseAttachment, CaseDecision
from audit.reach import Reach
from audit.selectors import SealedDecision
from audit.services.detaching import Taken, detach_decisions
from config.errors import InvalidInput
from config.ids import new_id
from evidence.verification import verify_everything
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.factories.cases import attach, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def take_out(case: Case, person: Person, hidden: SealedDecision | None = None, **taken: Any) -> CaseAttachment:
    reach = Reach.of_person(person, hidden=frozenset({hidden.id} if hidden else ()))
    return detach_decisions(
        actor=actor_of(person), reach=reach, case_id=case.pk, taken=Taken(**taken), why="Not of this."
    )


def test_a_whole_act_is_taken_out_again(system: AISystem) -> None:
    case, lead = make_led_case(system)
    kept = attach(case, lead, record_decision(system))
    wrong = attach(case, lead, *(record_decision(system) for _ in range(3)))
    made = take_out(case, lead, attachment_id=wrong.pk)
    assert (made.count, made.digest, made.by, made.system_ids) == (3, wrong.digest, "attachment", [system.pk])
    assert made.question == {"attachment": str(wrong.pk)}
    assert [each.attachment_id for each in CaseDecision.current().filter(case_id=case.pk)] == [kept.pk]
    with pytest.raises(NotAttached):
        take_out(case, lead, attachment_id=wrong.pk)
    assert list(verify_everything()) == []


def test_all_that_a_list_is_narrowed_to_is_taken_out(system: AISystem) -> None:
    case, lead = make_led_case(system)
    outcomes = ("refused", "refused", "approved")
    attach(case, lead, *(record_decision(system, outcome=outcome) for outcome in outcomes))
    made = take_out(case, lead, within=CaseFilter(outcome="refused"))
    assert (made.count, made.by, made.question) == (2, "filter", {"outcome": "refused"})
    assert dict(facets_of(case).outcomes) == {"approved": 1}
    nothings: list[dict[str, Any]] = [{}, {"within": CaseFilter()}]
    for nothing in nothings:
        with pytest.raises(InvalidInput):
            take_out(case, lead, **nothing)
    assert facets_of(case).total == 1, "everything is not taken out for want of a filter"


def test_an_act_of_another_case_is_none_of_this_one(system: AISystem) -> None:
    case, lead = make_led_case(system)
    other, _ = make_led_case(system, lead=lead)
    with pytest.raises(NotAttached):
        take_out(case, lead, attachment_id=attach(other, lead, record_decision(system)).pk)


@pytest.mark.parametrize("is_inside", [True, False])
def test_whether_what_is_hidden_is_in_the_case_is_not_told(system: AISystem, *, is_inside: bool) -> None:
    case, lead = make_led_case(system)
    shown, hidden = record_decision(system), record_decision(system)
    attach(case, lead, *([shown, hidden] if is_inside else [shown]))
    with pytest.raises(NotAttached):
        take_out(case, lead, hidden, ids=(shown.id, hidden.id))
    assert take_out(case, lead, hidden, ids=(shown.id,)).count == 1
    assert facets_of(case).total == is_inside


def test_what_is_of_ai_systems_out_of_sight_stays_and_is_not_counted(system: AISystem) -> None:
    foreign, lead = make_system(), make_person(investigator=system)
    case, _ = make_led_case(system, lead=lead)
    helper = make_person(investigator=True)
    give_role(helper, Role.INVESTIGATOR, Scope.case(case.pk))
    mine, theirs = record_decision(system), record_decision(foreign)
    both = attach(case, helper, mine, theirs)
    (narrow,) = acts_seen(case.attachments.all(), Seen(named=[system.pk], systems=[system.pk]))
    assert (narrow.count, narrow.digest, narrow.question) == (None, "", {})
    (whole,) = acts_seen(case.attachments.all(), EVERYTHING)
    assert (whole.count, whole.digest) == (2, case.attachments.get().digest)
    with pytest.raises(NotAttached):
        take_out(case, lead, ids=(theirs.id,))
    assert take_out(case, lead, attachment_id=both.pk).count == 1
    assert CaseDecision.current().get(case_id=case.pk).decision_id == theirs.id


def test_of_what_is_judged_blind_no_count_and_no_digest_is_told(system: AISystem) -> None:
    case, lead = make_led_case(system)
    attach(case, lead, hidden := record_decision(system))
    blind = Seen(hidden=frozenset({hidden.id}), is_blind=True)
    (act,) = acts_seen(case.attachments.all(), blind)
    assert (act.count, act.digest, act.question) == (None, "", {})
    said = {"count": 1, "digest": "ab", "systems": [str(system.pk)]}
    assert entry_seen(said, blind) == {"systems": [str(system.pk)]}
    assert entry_seen(said, EVERYTHING) == said
    assert document_of(case, blind)["decisions"] == {"count": None, "digest": "", "listed": []}


def test_a_filter_is_told_without_the_case_that_a_reader_may_not_know_of(system: AISystem) -> None:
    case, lead = make_led_case(system)
    row = attach(case, lead, record_decision(system))
    other = str(new_id())
    row.question = {"case_id": other, "outcome": "denied"}
    (unknown,) = acts_seen([row], Seen(cases=frozenset()))
    assert unknown.question == {"outcome": "denied"}
    (known,) = acts_seen([row], Seen(cases=frozenset({uuid.UUID(other)})))
    assert known.question["case_id"] == other
