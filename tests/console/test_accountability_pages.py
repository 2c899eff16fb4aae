"""The pages about who answers for what: what each may do there, and what is refused in words."""

import html
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from governance.acts import Role
from governance.models import AccountabilityGap, AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import end_assignment, offer_assignment
from ledger.entries import COMMAND
from tests.factories.live import make_live
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.sign_in import with_password

pytestmark = pytest.mark.django_db
MATRIX, MINE, ON_A_DAY = "/admin/accountability/", "/admin/mine/", "/admin/accountability/on-a-day"
ACCEPT, ASSIGN = "/admin/accountability/accept", "/admin/accountability/assign"
Status = Assignment.Status


def browser(person: Person) -> Client:
    """Signed in just now: a factor is proven."""
    client = Client()
    client.force_login(person)
    return client


def shown(client: Client, address: str, **query: Any) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content
    return " ".join(answer.content.decode().split())


def act(assignment: Assignment, name: str) -> str:
    return f"/admin/accountability/{assignment.pk}/{name}"


def offer(person: Person, role: Role, system: AISystem | None = None) -> Assignment:
    scope = Scope.system(system.pk) if system else ORGANISATION
    return offer_assignment(actor=COMMAND, person=person, role=role, scope=scope)


# --- giving ----------------------------------------------------------------------------------------------------------
def test_an_administrator_assigns_from_the_matrix_and_a_viewer_is_not_shown_how() -> None:
    system, admin, heir = make_system(), make_person(administrator=True), make_person()
    address = f"{ASSIGN}?system={system.pk}&amp;role=deputy"
    assert address in shown(browser(admin), MATRIX)
    assert ASSIGN not in shown(browser(make_person(viewer=True)), MATRIX)
    given = {"system": system.pk, "role": "deputy", "person": heir.pk, "reason": "Stands in."}
    assert browser(admin).post(ASSIGN, given).url == MATRIX  # type: ignore[attr-defined]
    made = Assignment.objects.get(person=heir)
    assert (made.role, made.status, made.system) == ("deputy", Status.OFFERED, system)


def test_what_is_refused_stands_in_the_form_with_what_was_typed() -> None:
    system, admin = make_system(), make_person(administrator=True)
    operator = make_person(name="Olga", operator=system)
    given = {"system": system.pk, "role": "auditor", "person": operator.pk, "reason": "Looks at it."}
    answer = browser(admin).post(ASSIGN, given)
    assert answer.status_code == 422
    assert "An auditor does not audit their own work." in answer.content.decode()
    assert "Looks at it." in answer.content.decode()
    past = given | {"role": "deputy", "ends_at": "2020-01-01T00:00"}
    assert "The end must be in the future." in browser(admin).post(ASSIGN, past).content.decode()


def test_a_double_click_asks_once() -> None:
    system, admin, heir = make_system(), make_person(administrator=True), make_person()
    given = {"system": system.pk, "role": "deputy", "person": heir.pk}
    answers = [browser(admin).post(ASSIGN, given).status_code for _ in range(2)]
    assert answers == [302, 422]
    assert Assignment.objects.filter(person=heir).count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_give_no_role_there_learns_nothing(method: str) -> None:
    mine, foreign = make_system(), make_system()
    client = browser(make_person(accountable=mine))
    for wanted in (foreign.pk, uuid.uuid4(), "x", ""):
        answer = getattr(client, method)(ASSIGN, {"system": wanted, "role": "deputy"})
        assert answer.status_code == 404
        assert foreign.name not in answer.content.decode()


def test_an_accountable_person_is_offered_only_what_they_may_give() -> None:
    system = make_system()
    page = shown(browser(make_person(accountable=system)), ASSIGN, system=system.pk)
    assert 'value="operator"' in page
    assert 'value="approver"' not in page


def ticked(made: Assignment) -> str:
    """As the page has it: the offer, as it was shown."""
    return f"{made.pk}:{made.revision}"


# --- accepting -------------------------------------------------------------------------------------------------------
def test_several_offers_are_accepted_at_once_and_only_the_ticked_ones() -> None:
    person, systems = make_person(), [make_system(), make_system(), make_system()]
    offers = [offer(person, Role.DEPUTY, system) for system in systems]
    client = browser(person)
    assert "You are asked to take on 3 roles" in shown(client, MINE)
    client.post(ACCEPT, {"offer": [ticked(each) for each in offers[:2]], "back": "mine"})
    assert [Assignment.objects.get(pk=each.pk).status for each in offers] == ["accepted", "accepted", "offered"]
    assert "2 accepted." in shown(client, MINE)


def test_accepting_asks_for_a_factor_and_carries_what_was_ticked() -> None:
    person, system = with_password(make_person()), make_system()
    made, client = offer(person, Role.OPERATOR, system), browser(person)
    session = client.session
    session["factor_proven_at"] = timezone.now().timestamp() - 3600
    session.save()
    asked = client.post(ACCEPT, {"offer": [ticked(made)]})
    assert f'name="offer" value="{ticked(made)}"' in asked.content.decode()
    assert Assignment.objects.get(pk=made.pk).status == Status.OFFERED


@pytest.mark.parametrize("what", ["foreign", "garbage", "taken back", "nothing"])
def test_nothing_is_accepted_that_is_not_ones_own_and_open(what: str) -> None:
    person, system = make_person(), make_system()
    mine = offer(person, Role.OPERATOR, system)
    foreign = ticked(offer(make_person(), Role.OPERATOR, system))
    chosen = {"foreign": foreign, "garbage": "1 OR 1"}.get(what, ticked(mine))
    if what == "taken back":
        end_assignment(actor=COMMAND, assignment_id=mine.pk)
    browser(person).post(ACCEPT, {} if what == "nothing" else {"offer": [chosen]})
    assert not Assignment.objects.filter(status=Status.ACCEPTED).exists()


# --- moving and ending -----------------------------------------------------------------------------------------------
def test_a_holder_delegates_hands_over_and_ends_from_the_matrix() -> None:
    owner, helper, heir = make_person(), make_person(), make_person()
    system = make_live(owner)
    held, client = system.assignments.get(role=Role.ACCOUNTABLE), browser(owner)
    page = shown(client, MATRIX)
    assert all(act(held, name) in page for name in ("delegate", "hand-over", "end"))
    client.post(act(held, "delegate"), {"person": helper.pk, "ends_at": "2099-01-01T00:00"})
    client.post(act(held, "hand-over"), {"person": heir.pk, "reason": "New post."})
    assert {(each.person, each.role) for each in Assignment.objects.filter(status=Status.OFFERED)} == {
        (helper, "deputy"),
        (heir, "accountable"),
    }


def test_ending_what_a_live_system_rests_on_asks_to_confirm_the_gap_by_name() -> None:
    owner = make_person()
    system = make_live(owner)
    held, client = system.assignments.get(role=Role.ACCOUNTABLE), browser(owner)
    assert f"nobody answers for {system.name} from then on" in shown(client, act(held, "end"))
    assert client.post(act(held, "end"), {"reason": "Gone."}).status_code == 422
    assert client.post(act(held, "end"), {"accepts_gap": "on", "reason": ""}).status_code == 422
    assert not AccountabilityGap.objects.exists()
    assert client.post(act(held, "end"), {"accepts_gap": "on", "reason": "Gone."}).status_code == 302
    assert AccountabilityGap.objects.get().system == system


def test_a_form_from_before_somebody_else_ended_it_is_said() -> None:
    system, person = make_system(), make_person()
    held = give_role(person, Role.OPERATOR, Scope.system(system.pk))
    end_assignment(actor=COMMAND, assignment_id=held.pk)
    for address in (act(held, "end"), act(held, "hand-over")):
        assert browser(person).post(address, {"person": person.pk}).status_code == 409


def test_an_assignment_of_others_is_not_there() -> None:
    held = give_role(make_person(), Role.OPERATOR, Scope.system(make_system().pk))
    strangers = [make_person(), make_person(viewer=True), make_person(accountable=make_system())]
    for address in (act(held, "end"), act(held, "delegate"), act(held, "hand-over"), act(held, "burn")):
        assert {browser(person).get(address).status_code for person in strangers} == {404}
    assert browser(strangers[0]).get(f"/admin/accountability/{uuid.uuid4()}/end").status_code == 404


def test_what_takes_two_to_give_is_neither_delegated_nor_handed_over() -> None:
    person = make_person(approver=True)
    held = person.assignments.get()
    page = shown(browser(person), MINE)
    assert act(held, "end") in page
    assert act(held, "hand-over") not in page
    assert browser(person).get(act(held, "hand-over")).status_code == 404


# --- seeing ----------------------------------------------------------------------------------------------------------
def test_the_matrix_shows_only_where_somebody_is_missing_when_asked_to() -> None:
    owner = make_person()
    whole, bare = make_live(owner), make_system()
    for role in (Role.DEPUTY, Role.OPERATOR):
        give_role(make_person(), role, Scope.system(whole.pk))
    viewer = browser(make_person(viewer=True, approver=True))
    assert {whole.name, bare.name} <= set(_names(shown(viewer, MATRIX), whole, bare))
    assert _names(shown(viewer, MATRIX, show="gaps"), whole, bare) == [bare.name]


def test_a_long_matrix_is_paged_and_searched_and_asks_no_more_the_longer_it_is(
    django_assert_max_num_queries: Any,
) -> None:
    systems = [make_system(slug=f"place-{number:03}") for number in range(70)]
    for system in systems[:30]:
        give_role(make_person(), Role.OPERATOR, Scope.system(system.pk))
    admin = browser(make_person(administrator=True))
    with django_assert_max_num_queries(40):
        first = shown(admin, MATRIX)
    assert _names(first, *systems) == [each.name for each in systems[:50]]
    assert "1 to 50 of 70" in first and "70 AI systems without an accountable person" in first
    assert _names(shown(admin, MATRIX, page=2), *systems) == [each.name for each in systems[50:]]
    assert _names(shown(admin, MATRIX, q="place-007"), *systems) == ["Place-007"]
    assert "No AI system that you may see is called that" in shown(admin, MATRIX, q="elsewhere")


def test_two_roles_held_against_the_rule_are_named_to_who_sees_both() -> None:
    system, both = make_system(), make_person(name="Both Hands", approver=True)
    give_role(both, Role.OPERATOR, Scope.system(system.pk))
    assert "Both Hands: Operator" in shown(browser(make_person(viewer=True)), MATRIX)
    assert "does not hold together" not in shown(browser(make_person(viewer=make_system())), MATRIX)


def test_my_work_shows_what_i_answer_for_and_what_waits() -> None:
    owner = make_person()
    system = make_live(owner, ends_at=timezone.now() + timedelta(days=9))
    admin = make_person(administrator=True)
    offer_assignment(actor=actor_of(admin), person=make_person(name="Ada"), role=Role.DPO, scope=ORGANISATION)
    second = browser(make_person(administrator=True))
    assert "asks to make Ada data protection officer" in shown(second, MINE)
    assert "asks to make Ada" not in shown(browser(admin), MINE)
    page = shown(browser(owner), MINE)
    assert system.name in page
    assert "Accountable since" in page
    assert "until" in page
    assert "No AI system." in shown(browser(make_person()), MINE)


def test_who_answered_on_a_day_is_asked_for_what_one_may_see() -> None:
    owner, system = make_person(name="Petra"), make_system()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    viewer = browser(make_person(viewer=system))
    assert "<strong>Petra</strong> was accountable" in shown(viewer, ON_A_DAY, system=system.slug)
    stranger = browser(make_person(viewer=make_system()))
    foreign, none = (stranger.get(ON_A_DAY, {"system": slug}) for slug in (system.slug, "nowhere"))
    assert (foreign.status_code, none.status_code) == (422, 422)
    assert system.name not in foreign.content.decode()
    early = viewer.get(ON_A_DAY, {"system": system.slug, "at": "2020-01-01T00:00"})
    assert "This AI system has been in the register since" in early.content.decode()


def _names(page: str, *systems: AISystem) -> list[str]:
    return [system.name for system in systems if f">{system.name}</a>" in page]


def test_a_decisions_page_leads_to_every_role_at_its_moment() -> None:
    system = make_system()
    owner = make_person(name="Petra", accountable=system)
    decision = record_decision(system)
    client = browser(owner)
    page = client.get(f"/admin/decisions/{decision.id}/").content.decode()
    link = html.unescape(page.split(ON_A_DAY, 1)[1].split('"', 1)[0])
    assert "<strong>Petra</strong> was accountable" in shown(client, ON_A_DAY + link)


# --- duties, and the past --------------------------------------------------------------------------------------------
def test_terms_are_asked_for_with_the_role_changed_by_who_gives_it_and_shown_to_their_holder() -> None:
    system, admin, person = make_system(), make_person(administrator=True), make_person()
    given = {"system": system.pk, "role": "deputy", "person": person.pk, "duties": "Stands in.", "powers": ["stop"]}
    browser(admin).post(ASSIGN, given)
    made = Assignment.objects.get(person=person)
    assert (made.duties, made.powers) == ("Stands in.", ["stop"])
    assert "Stands in." in shown(browser(person), MINE), "before they accept it"
    page = act(made, "terms")
    assert "Stands in." in shown(browser(admin), page)
    changed: dict[str, Any] = {
        "duties": "Stands in, on weekdays.",
        "competence": "Course.",
        "competence_until": "2040-01-31",
    }
    assert f'name="revision" value="{made.revision}"' in shown(browser(admin), page)
    changed |= {"revision": made.revision}
    assert browser(admin).post(page, changed).url == MATRIX  # type: ignore[attr-defined]
    made.refresh_from_db()
    assert (made.duties, made.powers, str(made.competence_until)) == ("Stands in, on weekdays.", [], "2040-01-31")
    late = browser(admin).post(page, changed | {"duties": "Swapped."})
    assert (late.status_code, "not what you read" in late.content.decode()) == (422, True)
    wrong = browser(admin).post(page, {"competence_until": "2040-01-31", "revision": made.revision})
    assert (wrong.status_code, "Say what it is" in wrong.content.decode()) == (422, True)
    assert browser(person).get(page).status_code == 404
    own = f"/admin/governance/assignment/{made.pk}/change/"
    assert "Course." in shown(browser(person), own) and "Course." in shown(browser(admin), own)
    viewer = browser(make_person(viewer=system))
    assert "Course." not in shown(viewer, own)
    told, past = own.replace("change/", "trail"), [browser(person), browser(admin), viewer]
    pages = [each.get(told, follow=True).content.decode() for each in past]
    assert all("Stands in, on weekdays." in each for each in pages)
    assert ["Course." in each or "2040-01-31" in each for each in pages] == [True, True, False]


def test_an_offer_that_was_changed_after_it_was_shown_is_not_accepted() -> None:
    system, admin, person = make_system(), make_person(administrator=True), make_person()
    given = {"system": system.pk, "role": "deputy", "person": person.pk, "duties": "Stands in."}
    browser(admin).post(ASSIGN, given)
    made, client = Assignment.objects.get(person=person), browser(person)
    assert f'value="{ticked(made)}"' in shown(client, MINE)
    detail = f"/admin/governance/assignment/{made.pk}/accept/"
    page = shown(client, detail)
    assert f'name="revision" value="{made.revision}"' in page and "Duties: Stands in." in page
    browser(admin).post(act(made, "terms"), {"duties": "Does everything.", "revision": made.revision})
    client.post(ACCEPT, {"offer": [ticked(made)], "back": "mine"})
    assert "Nothing was accepted." in shown(client, MINE)
    assert client.post(detail, {"revision": made.revision}).status_code != 302
    made.refresh_from_db()
    assert made.status == Status.OFFERED
    assert client.post(detail, {"revision": made.revision}).status_code == 302
    made.refresh_from_db()
    assert (made.status, made.duties) == (Status.ACCEPTED, "Does everything.")


def test_a_note_is_put_beside_the_past_and_read_there() -> None:
    with time_machine.travel(timezone.now() - timedelta(days=1)):
        system, admin = make_system(), make_person(administrator=True, name="Adele")
    page = f"/admin/accountability/note?system={system.slug}"
    assert page.replace("&", "&amp;") in shown(browser(admin), ON_A_DAY, system=system.slug)
    moment = timezone.localtime(timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    answer = browser(admin).post(page, {"system": system.slug, "since": moment, "text": "Ada was away."})
    assert answer.status_code == 302, answer.content
    seen = shown(browser(make_person(viewer=True)), answer.headers["Location"])
    assert "Ada was away." in seen and "Adele" in seen and "/admin/accountability/note" not in seen
    refused = browser(admin).post(page, {"system": system.slug, "since": "2999-01-01T00:00", "text": "x"})
    assert (refused.status_code, "has not come yet" in refused.content.decode()) == (422, True)
    for stranger in (make_person(), make_person(viewer=system)):
        assert browser(stranger).get(page).status_code == 404


# --- choosing somebody among many ------------------------------------------------------------------------------------
def test_among_many_people_one_types_a_name_and_is_proposed_who_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    system, admin = make_system(), make_person(administrator=True)
    heir = make_person(name="Grace Hopper", email="grace@example.org")
    assert "<option" in shown(browser(admin), ASSIGN, system=system.pk)
    monkeypatch.setattr("console.people_field.FEW", 0)
    page = shown(browser(admin), ASSIGN, system=system.pk)
    assert 'data-people="/admin/people/suggested"' in page and "Grace Hopper" not in page
    found = browser(admin).post("/admin/people/suggested", {"q": "hop"}).json()
    assert found == {"people": [{"name": "Grace Hopper", "email": "grace@example.org"}]}
    wrong = browser(admin).post(ASSIGN, {"system": system.pk, "role": "deputy", "person": "nobody@example.org"})
    assert wrong.status_code == 422 and "nobody@example.org" in wrong.content.decode()
    browser(admin).post(ASSIGN, {"system": system.pk, "role": "deputy", "person": "Grace@Example.org"})
    assert Assignment.objects.get(person=heir).role == "deputy"
    assert browser(make_person()).post("/admin/people/suggested", {"q": "g"}).status_code == 403
    assert browser(admin).get("/admin/people/suggested", {"q": "hop"}).status_code == 405, "no name in an address"
