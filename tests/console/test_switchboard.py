"""The switchboard: who sees and does what, what is said of clients, old pages, double clicks, the way back by two."""

import re
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import DecisionTally
from console.switchboard import words
from console.switchboard.answers import Times
from governance import rights
from governance.acts import RULES, Act, Role
from governance.models import AISystem, Person
from governance.reauthentication import PROVEN_AT
from governance.rights import held_by
from governance.scopes import Scope
from ledger.models import Entry
from overrides import memory
from overrides.models import BreachCount, ClientInstance, LooseningRequest, Probe, Switch, SwitchChange
from overrides.services import changing, drill_running, recovery
from overrides.services.probing import send_probe
from overrides.standing import LAPSED, Mode
from tests.factories.control import ack, approver_of, ask_for, clear, decided, operator_of, reading, stop
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
BOARD, LIVE, TIGHTEN = "/admin/switchboard/", "/admin/switchboard/live", "/admin/switchboard/tighten"
PASSWORD = "a long password for tests"
PROOF = {"proof": "1", "proof_password": PASSWORD}
MOST_QUERIES = 15


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits", environments=["production", "staging"], shutdown_steps="Call the desk.")


@pytest.fixture
def operator(system: AISystem) -> Person:
    return with_password(operator_of(system))


def with_password(person: Person) -> Person:
    person.set_password(PASSWORD)
    Person.objects.filter(pk=person.pk).update(password=person.password)
    return person


def browser(person: Person) -> Client:
    """Signed in; the last factor was proven a while ago."""
    client = Client()
    client.force_login(person)
    session = client.session
    session[PROVEN_AT] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()
    return client


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def confirm(client: Client, system: AISystem | None, *, place: str = "", **given: str) -> Any:
    address = f"{TIGHTEN}?system={system.pk if system else ''}{place}"
    return client.post(address, {"reason_code": "harm-reported", "in_flight": "hold", "note": ""} | given)


def mode_of(system: AISystem, environment: str = "production") -> Mode:
    return memory.current().control.mode(system.pk, environment)


# --- the board --------------------------------------------------------------------------------------------------------
def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page() -> None:
    for path in (BOARD, LIVE, TIGHTEN):
        assert Client().get(path).headers["Location"].startswith("/admin/login/")


def test_the_board_says_mode_reason_who_and_who_confirmed(system: AISystem, operator: Person) -> None:
    grant = reading(system)
    ack(grant, system, None, instance="host-1")
    ack(grant, system, None, instance="host-2")
    done = stop(system, actor=actor_of(operator))
    ack(grant, system, done.epoch, Mode.STOP, instance="host-1")
    said = text_of(browser(operator).get(BOARD))
    assert "Stopped" in said
    assert f"by {operator.name}" in said
    assert "People may come to harm" in said
    assert "1 of 2 clients confirmed" in said
    assert "1 silent since" in said


def test_nobody_listening_is_never_confirmed(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    assert "Nobody is listening" in text_of(client.get(BOARD))
    stop(system)
    said = text_of(client.get(BOARD))
    assert "Nobody to ask" in said
    assert "confirmed" not in said.replace("Who confirmed", "")


def test_ungoverned_keys_are_named_beside_the_clients(system: AISystem, operator: Person) -> None:
    account = make_account(slug="old-batch")
    key = make_key(system, account=account)
    decided(key.row)
    asks = make_key(system, account=make_account(slug="stock-client"))
    decided(asks.row, reads=True)
    client = browser(operator)
    assert "Reads, does not confirm: Stock-Client" in text_of(client.get(BOARD))
    assert "Ungoverned, deciding without asking: Old-Batch" in text_of(client.get(BOARD))
    stop(system)
    said = text_of(client.get(BOARD))
    assert "1 ungoverned key" in said
    assert "1 reads and does not confirm" in said
    assert "No client acknowledges" in said


def test_once_all_have_answered_who_ever_does_nothing_is_on_its_way(system: AISystem, operator: Person) -> None:
    grant = reading(system)
    ack(grant, system, None)
    decided(make_key(system, account=make_account(slug="old-batch")).row)
    done, client = stop(system), browser(operator)
    address = f"{BOARD}changes/{done.change.pk}/live"
    assert "Requested" in text_of(client.get(address))
    ack(grant, system, done.epoch, Mode.STOP)
    said = text_of(client.get(address))
    assert "Partly confirmed" in said
    assert "On its way" not in said


def test_breaches_of_what_the_switch_says_now_are_shown(system: AISystem, operator: Person) -> None:
    done, client = stop(system), browser(operator)
    now = timezone.now()
    place = {"system_id": system.pk, "switch_id": done.switch.pk, "generation": done.epoch.generation}
    rest = {"first_decision_id": uuid.uuid4(), "first_at": now, "last_at": now}
    BreachCount.objects.create(**place, number=done.epoch.number, count=3, **rest)
    BreachCount.objects.create(**place, number=done.epoch.number + 7, count=90, **rest)
    assert "3 breaches" in text_of(client.get(BOARD))
    assert "3 breaches" in text_of(client.get(f"{BOARD}changes/{done.change.pk}/"))


def test_a_narrower_stop_stands_on_the_card_though_the_system_runs(system: AISystem, operator: Person) -> None:
    stop(system, environment="production")
    said = text_of(browser(operator).get(BOARD))
    assert "environment production: Stopped" in re.sub(r"\s+", " ", said)
    assert "Running" in said


def test_a_stop_of_everything_shows_on_each_system_and_its_own_stays_visible_below(
    system: AISystem, operator: Person
) -> None:
    stop(system)
    stop(None)
    said = text_of(browser(operator).get(BOARD))
    assert "Every AI system" in said
    own = text_of(browser(operator).get(f"{BOARD}systems/{system.pk}/"))
    assert "All of it" in own


def test_an_emergency_clear_that_is_over_shows_stop_before_any_sweep(system: AISystem, operator: Person) -> None:
    done = stop(system)
    past = timezone.now() - timedelta(seconds=1)
    Switch.objects.filter(pk=done.switch.pk).update(mode="review", expires_at=past)
    said = text_of(browser(operator).get(BOARD))
    assert "Stopped" in said
    assert "An emergency clear ended by itself" in said


def test_filtered_by_name(system: AISystem, operator: Person) -> None:
    other = make_system(slug="cv-triage")
    give_role(operator, Role.OPERATOR, Scope.system(other.pk))
    client = browser(operator)
    assert "Cv-Triage" in text_of(client.get(BOARD))
    narrowed = text_of(client.get(BOARD + "?q=credit"))
    assert "Credit-Limits" in narrowed
    assert "Cv-Triage" not in narrowed
    assert "None that you may see is called that" in text_of(client.get(BOARD + "?q=nowhere"))


def test_a_picture_that_is_the_same_is_not_sent_again(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    first = client.get(LIVE)
    again = client.get(LIVE, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(LIVE, headers={"If-None-Match": "W/" + first.headers["ETag"]}).status_code == 304
    stop(system)
    changed = client.get(LIVE, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert b"<html" not in changed.content


def test_an_acknowledgement_changes_the_picture(system: AISystem, operator: Person) -> None:
    grant = reading(system)
    ack(grant, system, None)
    done, client = stop(system), browser(operator)
    address = f"{BOARD}changes/{done.change.pk}/live"
    first = client.get(address)
    assert "0 of 1 client confirmed" in text_of(first)
    assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    ack(grant, system, done.epoch, Mode.STOP, has_drained=True)
    second = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert "1 of 1 client confirmed" in text_of(second)
    assert [row for row in ("Seen", "Applied", "Drained") if row in text_of(second)] == ["Seen", "Applied", "Drained"]


def test_a_client_that_misses_a_probe_is_not_armed(system: AISystem, operator: Person) -> None:
    grant, client = reading(system), browser(operator)
    ack(grant, system, None, instance="deaf")
    ClientInstance.objects.update(first_heard_at=timezone.now() - timedelta(hours=1))
    assert "armed" not in text_of(client.get(LIVE))
    epoch = send_probe()
    Probe.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    assert "1 not armed" in text_of(client.get(LIVE))
    ack(grant, system, epoch, instance="deaf")
    assert "1 client applied the last probe" in text_of(client.get(LIVE))


def test_an_overdue_drill_is_shown_as_debt(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    AISystem.objects.filter(pk=system.pk).update(status="live", created_at=timezone.now() - timedelta(days=91))
    assert "Drill overdue" not in text_of(client.get(LIVE))
    AISystem.objects.filter(pk=system.pk).update(created_at=timezone.now() - timedelta(days=93))
    assert "Drill overdue" in text_of(client.get(LIVE))


# --- how much it takes ------------------------------------------------------------------------------------------------
def _queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as taken:
        assert client.get(path).status_code == 200
    return len(taken)


def test_queries_are_few_and_do_not_grow_with_systems_switches_or_clients(system: AISystem) -> None:
    client = browser(operator_of())

    def fill(number: int) -> None:
        for _ in range(number):
            one = make_system()
            grant = reading(one)
            ack(grant, one, None)
            ask_for(stop(one, actor=actor_of(operator_of(one))), operator_of(one))
            stop(one, environment="production", mode=Mode.REVIEW)

    stop(None, actor=actor_of(operator_of()))
    fill(1)
    few = [_queries(client, path) for path in (BOARD, LIVE)]
    fill(6)
    many = [_queries(client, path) for path in (BOARD, LIVE)]
    assert many == few
    assert max(many) < MOST_QUERIES + 6  # those of the frame, of the sidebar, and of flags that are missing
    assert many[1] < MOST_QUERIES


# --- stopping ---------------------------------------------------------------------------------------------------------
def test_the_confirmation_names_scope_and_blast_radius(system: AISystem, operator: Person) -> None:
    ack(reading(system), system, None, in_flight=7)
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    DecisionTally.objects.create(minute=minute, system_id=system.pk, outcome="approved", count=120, adverse=0, held=0)
    page = browser(operator).get(f"{TIGHTEN}?system={system.pk}")
    said = text_of(page)
    for word in (
        "production, staging",
        "every capability",
        "2 a minute",
        "1 client listening",
        "7 reported by clients",
    ):
        assert word in said, word
    assert page.content.count(b'name="reason_code"') == 8


def test_a_press_stops_and_leads_to_who_confirmed(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    answer = confirm(client, system, note="Complaints came in")
    change = SwitchChange.objects.get()
    assert answer.headers["Location"].startswith(f"{BOARD}changes/{change.pk}/")
    assert mode_of(system) is Mode.STOP
    assert (change.actor_id, change.source, change.in_flight) == (operator.pk, "page", "hold")
    said = text_of(client.get(answer.headers["Location"]))
    assert "Call the desk." in said
    assert Entry.objects.filter(kind="switch.stopped").count() == 1


def test_pressed_twice_or_in_two_tabs_it_is_one_change(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    first, second = confirm(client, system), confirm(client, system)
    assert SwitchChange.objects.count() == 1
    assert first.headers["Location"].split("?")[0] == second.headers["Location"].split("?")[0]
    assert "nothing was changed" in text_of(client.get(second.headers["Location"]))


def test_an_old_page_says_so_and_the_tightening_goes_through(system: AISystem, operator: Person) -> None:
    client = browser(operator)
    old = client.get(f"{TIGHTEN}?system={system.pk}").context["changed"]
    stop(system, mode=Mode.REVIEW, actor=actor_of(make_person(name="Ida Old", operator=system)))
    answer = confirm(client, system, epoch=str(old))
    assert mode_of(system) is Mode.STOP
    said = text_of(client.get(answer.headers["Location"]))
    assert "The page you pressed on was old" in said
    assert "Ida Old" in said
    fresh = confirm(client, system, epoch=str(Switch.objects.get().epoch))
    assert "was old" not in text_of(client.get(fresh.headers["Location"]))


@pytest.mark.parametrize("epoch", ["", "rubbish", "9.99999999999999999999"])
def test_a_broken_page_still_stops(system: AISystem, operator: Person, epoch: str) -> None:
    answer = confirm(browser(operator), system, epoch=epoch)
    assert answer.status_code == 302
    assert mode_of(system) is Mode.STOP
    assert browser(operator).get(answer.headers["Location"]).status_code == 200


def test_without_a_reason_nothing_happens_and_the_page_says_so(system: AISystem, operator: Person) -> None:
    answer = confirm(browser(operator), system, reason_code="")
    assert "Nothing was changed yet" in text_of(answer)
    assert mode_of(system) is Mode.RUN


def test_a_stop_never_asks_for_a_factor_and_is_open_before_one_was_added(
    system: AISystem, operator: Person, settings: Any
) -> None:
    settings.SECOND_FACTOR_FORCED = True
    client = browser(operator)
    assert client.get("/admin/").headers["Location"] == "/admin/your-sign-in/"
    assert client.get(BOARD).status_code == 200
    assert confirm(client, system).status_code == 302
    assert mode_of(system) is Mode.STOP
    ask = f"{BOARD}switches/{Switch.objects.get().pk}/resume"
    assert client.get(ask).headers["Location"] == "/admin/your-sign-in/"


def test_a_part_is_stopped_alone(system: AISystem, operator: Person) -> None:
    assert confirm(browser(operator), system, place="&environment=staging").status_code == 302
    assert (mode_of(system, "staging"), mode_of(system)) == (Mode.STOP, Mode.RUN)


def test_review_shows_first_what_it_asks_of_people(system: AISystem, operator: Person) -> None:
    DecisionTally.objects.create(
        minute=timezone.now() - timedelta(hours=3), system_id=system.pk, outcome="a", count=2400, adverse=0, held=0
    )
    make_person(reviewer=system)
    client = browser(operator)
    said = text_of(client.get(f"{TIGHTEN}?system={system.pk}&mode=review"))
    assert "100 items an hour for 1 reviewer : 100 an hour each, 36 s for one" in said
    assert "more than people can look at" in said
    assert "nobody answers for one" in said
    confirm(client, system, place="&mode=review")
    assert mode_of(system) is Mode.REVIEW


def test_what_went_live_an_hour_ago_is_not_spread_over_a_day(system: AISystem, operator: Person) -> None:
    DecisionTally.objects.create(
        minute=timezone.now() - timedelta(minutes=30), system_id=system.pk, outcome="a", count=240, adverse=0, held=0
    )
    make_person(reviewer=system)
    said = text_of(browser(operator).get(f"{TIGHTEN}?system={system.pk}&mode=review"))
    assert "240 items an hour for 1 reviewer : 240 an hour each" in said


def test_fallback_without_an_alternative_is_said_before_it_is_pressed(system: AISystem, operator: Person) -> None:
    page = browser(operator).get(f"{TIGHTEN}?system={system.pk}&mode=fallback")
    assert "nothing to fall back to" in text_of(page)
    assert b'name="reason_code"' not in page.content
    AISystem.objects.filter(pk=system.pk).update(fallback_kind="rule", fallback="by-hand")
    confirm(browser(operator), system, place="&mode=fallback")
    assert mode_of(system) is Mode.FALLBACK


def test_the_page_never_loosens(system: AISystem, operator: Person) -> None:
    assert browser(operator).get(f"{TIGHTEN}?system={system.pk}&mode=run").status_code == 403


# --- who sees and does what -------------------------------------------------------------------------------------------
def test_a_viewer_sees_and_is_offered_nothing(system: AISystem) -> None:
    done, client = stop(system), browser(make_person(viewer=system))
    page = client.get(BOARD)
    assert "Stopped" in text_of(page)
    assert b"/switchboard/tighten" not in page.content
    assert b"/resume" not in page.content
    assert confirm(client, system).status_code == 403
    assert client.get(f"{BOARD}switches/{done.switch.pk}/resume").status_code == 403


def test_what_one_may_not_see_is_as_if_it_were_not_there(system: AISystem, operator: Person) -> None:
    other = make_system(slug="secret-one")
    done = stop(other)
    asked = ask_for(done, operator_of(other))
    client, nowhere = browser(operator), uuid.uuid4()
    assert "Secret-One" not in text_of(client.get(BOARD + "?q=secret"))
    for path, known in (
        ("changes/{}/", done.change.pk),
        ("changes/{}/live", done.change.pk),
        ("switches/{}/", done.switch.pk),
        ("switches/{}/resume", done.switch.pk),
        ("switches/{}/emergency", done.switch.pk),
        ("requests/{}/", asked.pk),
        ("systems/{}/", other.pk),
    ):
        there, gone = client.get(BOARD + path.format(known)), client.get(BOARD + path.format(nowhere))
        assert (there.status_code, gone.status_code) == (404, 404), path
        assert _without_ids(there) == _without_ids(gone)
    for target in (other.pk, nowhere):
        assert client.post(f"{TIGHTEN}?system={target}", {"reason_code": "precaution"}).status_code == 403
    for act in ("approve", "refuse", "withdraw"):
        assert client.post(f"{BOARD}requests/{asked.pk}/{act}", PROOF).status_code == 404


def _without_ids(answer: Any) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text_of(answer))


def test_whoever_holds_no_role_is_told_whom_to_ask() -> None:
    make_system()
    said = text_of(browser(make_person()).get(BOARD))
    assert "Ask for access" in said
    assert "does not say whether there are others" in said


def test_only_an_operator_of_the_organisation_sees_the_big_switch(system: AISystem, operator: Person) -> None:
    assert b"Stop everything" not in browser(operator).get(BOARD).content
    assert confirm(browser(operator), None).status_code == 403
    client = browser(operator_of())
    assert b"Stop everything" in client.get(BOARD).content
    assert "Credit-Limits" in text_of(client.get(f"{TIGHTEN}?mode=stop"))
    assert confirm(client, None).status_code == 302
    assert mode_of(system) is Mode.STOP


def test_a_stop_of_everything_opens_for_everybody_it_concerns_with_their_own_clients(
    system: AISystem, operator: Person
) -> None:
    other = make_system(slug="secret-one")
    ack(reading(system), system, None, instance="mine-1")
    ack(reading(other), other, None, instance="theirs-1")
    done = stop(None)
    asked = ask_for(done, operator_of())
    pages = f"changes/{done.change.pk}/", f"changes/{done.change.pk}/live", f"switches/{done.switch.pk}/"
    answers = [browser(operator).get(BOARD + path) for path in (*pages, f"requests/{asked.pk}/")]
    assert [each.status_code for each in answers] == [200] * 4
    said = " ".join(text_of(each) for each in answers)
    assert "0 of 2 clients confirmed" in said
    assert "mine-1" in said
    assert "theirs-1" not in said
    assert "Secret-One" not in said
    assert "theirs-1" in text_of(browser(operator_of()).get(BOARD + pages[0]))
    assert [browser(make_person()).get(BOARD + path).status_code for path in pages] == [404] * 3


def test_an_operator_of_one_capability_stops_that_one(system: AISystem) -> None:
    person = make_person()
    give_role(person, Role.OPERATOR, Scope.of_capability(system.pk, "limits"))
    client = browser(person)
    board = client.get(BOARD)
    assert f"stop-{system.pk}".encode() not in board.content
    assert b"capability=limits" in client.get(f"{BOARD}systems/{system.pk}/").content
    assert confirm(client, system).status_code == 403
    done = confirm(client, system, place="&capability=limits")
    assert done.status_code == 302
    assert client.get(done.headers["Location"]).status_code == 200


def test_what_is_held_is_what_rights_says(system: AISystem) -> None:
    person, other = make_person(), make_system()
    give_role(person, Role.OPERATOR, Scope.of_capability(system.pk, "limits"))
    give_role(person, Role.REVIEWER, Scope.system(other.pk))
    give_role(person, Role.APPROVER)
    places = [Scope(), Scope.system(system.pk), Scope.of_capability(system.pk, "limits"), Scope.system(other.pk)]
    held = held_by(person)
    for act in Act:
        for place in places:
            assert held.can(act, place) == rights.can(person, act, place), (act, place)
            asker = uuid.uuid4()
            assert (
                held.may_approve(act, place, requested_by=asker)
                == rights.may_approve(person, act, place, requested_by=asker)
                or RULES[act].approves_if is not None
            )


# --- the way back -----------------------------------------------------------------------------------------------------
def asking(done: Any, **given: str) -> dict[str, str]:
    asked = {"epoch": str(done.epoch), "mode": "review", "reason_code": "cause-removed", "note": ""}
    return asked | {"evidence_url": "https://example.org/incident/4"} | given


def test_asking_and_approving_each_ask_who_it_is_and_take_two(system: AISystem, operator: Person) -> None:
    done, client = stop(system), browser(operator)
    address = f"{BOARD}switches/{done.switch.pk}/resume"
    form = client.get(address)
    assert b'value="review"' in form.content
    assert b"checked" in form.content.split(b'value="review"')[1][:60]
    assert "Is it you?" in text_of(client.post(address, asking(done)))
    assert not LooseningRequest.objects.exists()
    sent = client.post(address, asking(done) | PROOF)
    asked = LooseningRequest.objects.get()
    assert sent.headers["Location"] == f"{BOARD}requests/{asked.pk}/"
    assert mode_of(system) is Mode.STOP
    own = client.get(sent.headers["Location"])
    assert "You asked, so somebody else approves" in text_of(own)
    assert client.post(f"{BOARD}requests/{asked.pk}/approve").status_code == 403

    approver = browser(with_password(approver_of()))
    assert "Waits for you" in text_of(approver.get(BOARD))
    page = text_of(approver.get(sent.headers["Location"]))
    for word in (operator.name, "https://example.org/incident/4", "The cause was found and removed", "Approve"):
        assert word in page, word
    assert "Is it you?" in text_of(approver.post(f"{BOARD}requests/{asked.pk}/approve"))
    assert mode_of(system) is Mode.STOP
    approved = approver.post(f"{BOARD}requests/{asked.pk}/approve", PROOF)
    assert approved.headers["Location"].startswith(f"{BOARD}changes/")
    assert mode_of(system) is Mode.REVIEW
    assert "Approved" in text_of(client.get(sent.headers["Location"]))


def test_a_request_is_void_in_clear_words_once_the_switch_moved_on(system: AISystem, operator: Person) -> None:
    done = stop(system, mode=Mode.REVIEW)
    asked = ask_for(done, operator)
    stop(system)
    approver = browser(with_password(approver_of()))
    page = approver.get(f"{BOARD}requests/{asked.pk}/")
    assert "This request counts no more" in text_of(page)
    assert "switch was changed since" in text_of(page)
    assert b"/approve" not in page.content
    refused = approver.post(f"{BOARD}requests/{asked.pk}/approve", PROOF)
    assert refused.status_code == 409
    assert "Nothing was done" in text_of(refused)
    assert mode_of(system) is Mode.STOP


def test_an_old_form_asks_again_for_the_switch_as_it_is(system: AISystem, operator: Person) -> None:
    done, client = stop(system, mode=Mode.REVIEW), browser(operator)
    stop(system)
    answer = client.post(f"{BOARD}switches/{done.switch.pk}/resume", asking(done, mode="run", note="Found it") | PROOF)
    assert answer.status_code == 409
    assert "was changed since you opened this page" in text_of(answer)
    assert "Found it" in answer.content.decode()
    assert str(Switch.objects.get().epoch).encode() in answer.content
    assert not LooseningRequest.objects.exists()


def test_asked_twice_it_is_one_request(system: AISystem, operator: Person) -> None:
    done, client = stop(system), browser(operator)
    address = f"{BOARD}switches/{done.switch.pk}/resume"
    first = client.post(address, asking(done) | PROOF)
    second = client.post(address, asking(done) | PROOF)
    assert first.headers["Location"] == second.headers["Location"]
    assert LooseningRequest.objects.count() == 1


def test_a_request_that_is_answered_between_two_presses_leads_to_the_switch(
    system: AISystem, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, client = stop(system), browser(operator)
    address = f"{BOARD}switches/{done.switch.pk}/resume"
    client.post(address, asking(done) | PROOF)
    monkeypatch.setattr("overrides.switch_selectors.open_loosenings", lambda switches: {})
    answer = client.post(address, asking(done) | PROOF)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{BOARD}switches/{done.switch.pk}/")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"reason_code": ""}, "required"),
        ({"mode": "stop"}, "valid choice"),
        ({"epoch": "x"}, "Load it again"),
        ({"evidence_url": "javascript:alert(1)"}, "valid URL"),
        ({"evidence_url": ""}, "required"),
    ],
)
def test_a_request_with_something_wrong_says_what(
    system: AISystem, operator: Person, given: dict[str, str], word: str
) -> None:
    done = stop(system)
    answer = browser(operator).post(f"{BOARD}switches/{done.switch.pk}/resume", asking(done, **given) | PROOF)
    assert word in text_of(answer)
    assert not LooseningRequest.objects.exists()


def test_what_another_switch_keeps_is_said_before_approving(system: AISystem, operator: Person) -> None:
    done = stop(system)
    asked = ask_for(done, operator)
    stop(None)
    said = text_of(browser(approver_of()).get(f"{BOARD}requests/{asked.pk}/"))
    assert "another switch keeps it at: stopped" in said
    assert "Every AI system: Stopped" in said


def test_refused_with_a_note_and_withdrawn_by_who_asked(system: AISystem, operator: Person) -> None:
    done = stop(system)
    first = ask_for(done, operator)
    approver = browser(with_password(approver_of()))
    approver.post(f"{BOARD}requests/{first.pk}/refuse", {"note": "No evidence"} | PROOF)
    assert LooseningRequest.objects.get(pk=first.pk).status == "refused"
    second = ask_for(done, operator)
    assert approver.post(f"{BOARD}requests/{second.pk}/withdraw").status_code == 404
    assert browser(operator).post(f"{BOARD}requests/{second.pk}/withdraw").status_code == 302
    assert LooseningRequest.objects.get(pk=second.pk).status == "withdrawn"


def test_a_request_that_lost_its_asker_is_explained(system: AISystem, operator: Person) -> None:
    asked = ask_for(stop(system), operator)
    operator.assignments.update(ends_at=timezone.now())
    answer = browser(with_password(approver_of())).post(f"{BOARD}requests/{asked.pk}/approve", PROOF)
    assert "Nothing was done" in text_of(answer)
    assert mode_of(system) is Mode.STOP


def test_the_emergency_clear_is_offered_to_holders_alone_and_says_what_follows(
    system: AISystem, operator: Person
) -> None:
    done = stop(system)
    page, address = f"{BOARD}switches/{done.switch.pk}/", f"{BOARD}switches/{done.switch.pk}/emergency"
    assert b"Emergency clear" not in browser(operator).get(page).content
    assert browser(operator).get(address).status_code == 403
    holder = with_password(operator_of(system, Role.EMERGENCY_OPERATOR))
    client = browser(holder)
    assert b"Emergency clear" in client.get(page).content
    assert "After 4 hours it is stopped again" in text_of(client.get(address))
    given = {"epoch": str(done.epoch), "reason_code": "nobody-to-approve", "note": ""}
    assert "required" in text_of(client.post(address, given | PROOF))
    assert client.post(address, given | {"note": "Night, ward waits"} | PROOF).status_code == 302
    assert mode_of(system) is Mode.REVIEW
    assert "An emergency clear: back to stop at" in text_of(client.get(page))
    again = stop(system)
    assert b"Emergency clear" not in client.get(page).content
    refused = client.post(address, given | {"epoch": str(again.epoch), "note": "Once more"} | PROOF)
    assert "Nobody has looked at the last emergency clear yet" in text_of(refused)


# --- history ----------------------------------------------------------------------------------------------------------
def test_history_lists_changes_with_people_times_and_a_picture(system: AISystem, operator: Person) -> None:
    grant = reading(system)
    ack(grant, system, None)
    done = stop(system, actor=actor_of(operator))
    SwitchChange.objects.filter(pk=done.change.pk).update(
        status="confirmed", confirmed_count=1, confirmed_at=done.change.requested_at + timedelta(seconds=0.4)
    )
    clear(done, system)
    page = browser(operator).get(f"{BOARD}switches/{done.switch.pk}/")
    said = text_of(page)
    assert "Running to stopped" in said
    assert "Stopped to running" in said
    assert "all in 0.40 s" in said
    assert page.content.count(b'<rect class="c-m-') == 2


def test_times_are_taken_over_all_clients_also_those_that_the_table_leaves_out(
    system: AISystem, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.views.switchboard.SHOWN_CLIENTS", 1)
    grant = reading(system)
    ack(grant, system, None, instance="silent-1")
    ack(grant, system, None, instance="quick-1")
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP, instance="quick-1")
    said = text_of(browser(operator).get(f"{BOARD}changes/{done.change.pk}/"))
    assert "How long it took" in said
    assert "1 of 2" in said
    assert "silent-1" in said
    assert "quick-1" not in said


def test_every_way_and_reason_that_the_service_itself_writes_has_words() -> None:
    """None of them is chosen from a list by a person."""
    for source in (changing.LAPSE, changing.RECOVERY, drill_running.REASON):
        assert words.WAYS[source] != source
    for code in (LAPSED, recovery.REINSTATED, recovery.KNOWN_TO_CLIENT, drill_running.REASON):
        assert words.reason(code) != code


def test_percentiles_are_values_that_were_measured() -> None:
    times = Times([0.1 * number for number in range(1, 21)])
    assert [times.median, times.p95, times.longest] == pytest.approx([1.0, 1.9, 2.0])
    assert Times([]).p95 is None
    assert (Times([3.0]).median, Times([3.0]).p95) == (3.0, 3.0)


def test_a_client_that_moved_on_is_confirmed_without_a_time(system: AISystem, operator: Person) -> None:
    grant = reading(system)
    ack(grant, system, None)
    first = stop(system, mode=Mode.REVIEW)
    second = stop(system)
    ack(grant, system, second.epoch, Mode.STOP)
    assert ClientInstance.objects.get().obeys(Mode.STOP)
    said = text_of(browser(operator).get(f"{BOARD}changes/{first.change.pk}/"))
    assert "1 of 1 client confirmed" in said
    assert "How long it took" not in said
    assert "It was changed again since" in said


# --- elsewhere --------------------------------------------------------------------------------------------------------
def test_overview_and_system_page_say_the_mode_and_lead_to_the_stop(system: AISystem) -> None:
    owner = make_person(accountable=system)
    client, page = browser(owner), f"/admin/systems/{system.pk}/"
    assert f"{TIGHTEN}?system={system.pk}".encode() in client.get(page).content
    stop(system)
    assert "Stopped" in text_of(client.get(page))
    assert "Stopped" in text_of(client.get("/admin/"))


def test_what_took_effect_before_a_stop_is_not_called_frozen(system: AISystem) -> None:
    done, asked = record_decision(system), record_decision(system, phase="proposed")
    client = browser(make_person(accountable=system))
    stop(system)
    assert "frozen" not in text_of(client.get(f"/admin/decisions/{done.id}/"))
    assert "frozen: a stop is in force" in text_of(client.get(f"/admin/decisions/{asked.id}/"))


def test_a_hundred_switches_are_shown_quickly(system: AISystem) -> None:
    client = browser(operator_of())
    for _ in range(20):
        one = make_system()
        stop(one)
        for capability in "abcd":
            stop(one, capability=capability)
    client.get(LIVE)
    begun = time.perf_counter()
    assert client.get(LIVE).status_code == 200
    took = time.perf_counter() - begun
    print(f"live part with 100 switches: {took * 1000:.0f} ms")
    assert took < 2
