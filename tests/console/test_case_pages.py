"""The pages of cases: who sees what, what each act does, and that nothing typed is lost."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Case, CaseNote, CorrectiveAction, Incident, LegalHold
from config.ids import new_id
from console.cases import choosing
from console.views import cases as views
from governance.models import AISystem, Person
from governance.reauthentication import PROVEN_AT
from ledger.entries import SERVER
from notices.models import Alert
from notices.services import open_alert
from tests.factories.cases import act, attach, declare, find, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
LIST, ATTACH = "/admin/cases/", "/admin/cases/attach"
NOWHERE = "01990000-0000-7000-8000-000000000000"


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person(name="Grace Lindqvist"))


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def address(case: Case) -> str:
    return f"{LIST}{case.pk}/"


def do(client: Client, case: Case, name: str, **sent: Any) -> Any:
    return client.post(f"{address(case)}act/{name}", sent)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


# --- who sees what ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["administrator", "operator", "technical_owner", "viewer", "stranger"])
def test_a_case_is_not_there_for_others(system: AISystem, role: str) -> None:
    case, _ = make_led_case(system)
    roles: dict[str, Any] = {} if role == "stranger" else {role: True if role == "administrator" else system}
    client = browser(make_person(**roles))
    assert case.title not in text_of(client.get(LIST))
    for page in ("", "report", "incident"):
        assert client.get(address(case) + page).status_code == 404
    assert do(client, case, "note", text="x", key=new_id()).status_code == 404


def test_who_answers_for_it_sees_state_and_actions_and_nothing_that_was_written(system: AISystem) -> None:
    foreign = make_system()
    case, lead = make_led_case(system, decisions=[record_decision(system), record_decision(foreign, outcome="secret")])
    find(case, lead, text="It was the till.")
    act(case, lead, lead, what="Mend the till.")
    client = browser(make_person(accountable=system))
    seen = text_of(client.get(address(case)))
    assert "Mend the till." in seen and "1 decision" in seen
    assert "It was the till." not in seen and "secret" not in seen
    assert client.get(f"{address(case)}report").status_code == 403
    Case.objects.filter(pk=case.pk).update(status="concluded", concluded_at=timezone.now())
    assert "It was the till." in text_of(client.get(address(case)))


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page(system: AISystem) -> None:
    case, _ = make_led_case(system)
    for page in (LIST, address(case), ATTACH):
        assert Client().get(page).status_code == 302


def test_the_list_puts_the_overdue_first(system: AISystem) -> None:
    late, lead = make_led_case(system)
    declare(late, lead, awareness_at=timezone.now() - timedelta(days=20))
    newer = make_case(lead, system)
    page = text_of(browser(lead).get(LIST))
    assert page.index(late.reference) < page.index(newer.reference)
    assert "report overdue since" in page


def test_whoever_has_something_to_do_finds_it(system: AISystem) -> None:
    (case, lead), engineer = make_led_case(system), make_person()
    action = act(case, lead, engineer, what="Mend the till.")
    client = browser(engineer)
    assert "Mend the till." in text_of(client.get(LIST))
    done = do(client, case, "settle", action_id=action.pk, outcome="done", text="Release 4.")
    assert done.status_code == 302
    assert CorrectiveAction.objects.get().done_at


# --- acts -------------------------------------------------------------------------------------------------------------
def test_the_work_of_an_investigator(system: AISystem) -> None:
    person = make_person(investigator=True)
    decision, client = record_decision(system), browser(person)
    sent = {"key": new_id(), "title": "A complaint", "severity": "high", "system": system.pk, "why": "They rang."}
    opened = client.post(f"{ATTACH}?complaint=1", sent)
    case = Case.objects.get()
    assert opened.headers["Location"] == address(case)
    into = {"key": new_id(), "case_id": case.pk, "severity": "high", "why": "This one."}
    assert client.post(f"{ATTACH}?decision={decision.id}", into).status_code == 302
    assert do(client, case, "lead", person_id=person.pk).status_code == 422, "nobody names themself"
    assert do(browser(make_person(dpo=True)), case, "lead", person_id=person.pk).status_code == 302
    do(client, case, "note", key=new_id(), text="Rang back.")
    do(client, case, "finding", key=new_id(), text="The till.", severity="high", root_cause="data")
    due = timezone.localdate() + timedelta(days=3)
    do(client, case, "action", key=new_id(), kind="correct", what="Mend.", owner_id=person.pk, due_on=due)
    do(client, case, "hold", reason="A claim.")
    page = text_of(client.get(address(case)))
    for said in ("Rang back.", "The till.", "Mend.", "A claim.", "in force", "1 decision", "They rang."):
        assert said in page, said
    assert "Grace Lindqvist, not accepted" in page
    assert case.reference in text_of(client.get(f"/admin/decisions/{decision.id}/"))
    printed = text_of(client.get(f"{address(case)}report"))
    assert case.attachments.get().digest in printed and "The till." in printed


def test_what_is_refused_stands_in_its_form_with_what_was_typed(system: AISystem) -> None:
    case, lead = make_led_case(system)
    client = browser(lead)
    yesterday = timezone.localdate() - timedelta(days=1)
    sent = {"key": new_id(), "kind": "correct", "what": "Mend it well.", "owner_id": lead.pk, "due_on": yesterday}
    answer = do(client, case, "action", **sent)
    assert answer.status_code == 422
    assert "Not in the past." in text_of(answer) and "Mend it well." in text_of(answer)
    assert do(client, case, "nonsense").status_code == 403
    assert do(client, case, "detach", key=new_id(), which="ticked", decision="no ids", why="x").status_code == 422


def test_a_stale_form_saves_nothing_and_says_so(system: AISystem) -> None:
    case, lead = make_led_case(system)
    client, old = browser(lead), Case.objects.get(pk=case.pk).revision
    for title, status in (("First", 302), ("Second", 422)):
        answer = do(client, case, "edit", title=title, severity="low", summary="", revision=old)
        assert answer.status_code == status
    assert "Somebody changed it" in text_of(answer) and Case.objects.get(pk=case.pk).title == "First"
    said = text_of(answer)
    assert "By now it says: First" in said and "Second" in said, "what stands, beside what was typed"
    assert "By now it says: low" not in said.casefold(), "what is the same is left alone"
    shown = Case.objects.get(pk=case.pk).revision
    assert f'name="revision" value="{shown}"' in answer.content.decode()
    assert do(client, case, "edit", title="Second", severity="low", summary="", revision=shown).status_code == 302


def test_a_double_click_writes_one_note(system: AISystem) -> None:
    (case, lead), key = make_led_case(system), new_id()
    for _ in range(2):
        do(browser(lead), case, "note", key=key, text="Once.")
    assert CaseNote.objects.count() == 1


def test_a_conflict_is_said_beside_the_choice(system: AISystem) -> None:
    case, lead = make_led_case(system)
    owner = make_person(investigator=True, deputy=system)
    answer = do(browser(lead), case, "lead", person_id=owner.pk)
    assert answer.status_code == 422 and "deputy of an AI system" in text_of(answer)


def test_lifting_a_hold_asks_who_it_is(system: AISystem) -> None:
    (case, lead), dpo = make_led_case(system), make_person(dpo=True)
    do(browser(lead), case, "hold", reason="A claim.")
    do(browser(lead), case, "lift", reason="It is over.")
    client = browser(dpo)
    session = client.session
    session[PROVEN_AT] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()
    assert "Is it you?" in text_of(do(client, case, "approve"))
    assert LegalHold.objects.get().is_in_force
    assert do(browser(dpo), case, "approve").status_code == 302
    assert not LegalHold.objects.get().is_in_force


def test_an_incident_is_declared_and_completed(system: AISystem) -> None:
    case, lead = make_led_case(system)
    client, page = browser(lead), f"{address(case)}incident"
    now = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    sent = {"limbs": ["death"], "awareness_at": now, "narrative": "It fell.", "causal_link": "likely", "use": "unknown"}
    refused = client.post(page, sent | {"member_state": "fr"})
    assert refused.status_code == 422 and "Two capital letters" in text_of(refused) and "It fell." in text_of(refused)
    assert client.post(page, sent).status_code == 302
    incident = Incident.objects.get()
    assert incident.days == 10
    assert "left to report" in text_of(client.get(address(case)))
    more = sent | {"harm": "One person.", "revision": incident.revision}
    assert client.post(page, more).status_code == 302
    stale = text_of(client.post(page, more | {"harm": "None."}))
    assert "Somebody changed it" in stale and "By now it says: One person." in stale
    assert stale.count("By now it says") == 1, "moments and ticks that are the same are left alone"
    assert do(client, case, "report", key=new_id(), stage="initial", reported_at=_soon()).status_code == 302
    assert "Reported" in text_of(client.get(address(case)))


def _soon() -> str:
    """The next minute, as a form sends it: awareness was in this one."""
    return (timezone.localtime() + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")


# --- putting in -------------------------------------------------------------------------------------------------------
def test_a_filter_says_how_many_before_it_puts_them_in(system: AISystem) -> None:
    for _ in range(3):
        record_decision(system, outcome="refused")
    record_decision(system)
    client = browser(make_person(accountable=system))
    asked = f"{ATTACH}?system={system.slug}&outcome=refused"
    assert "<strong>3</strong> decisions" in text_of(client.get(asked))
    client.post(asked, {"key": new_id(), "title": "Refusals", "severity": "low", "why": ""})
    case = Case.objects.get()
    assert (case.origin, case.attachments.get().count) == ("filter", 3)
    assert "Put what this finds into a case" in text_of(client.get("/admin/decisions/?outcome=refused"))


def test_a_case_is_opened_from_an_alert(system: AISystem) -> None:
    alert = open_alert(
        actor=SERVER, kind="drill.overdue", severity=Alert.Severity.WARNING, fingerprint="x", system_id=system.pk
    )
    client = browser(make_person(accountable=system))
    leads_to = client.get(f"/admin/notices/alert/{alert.pk}/case/")
    assert leads_to.headers["Location"] == f"{ATTACH}?alert={alert.pk}"
    client.post(f"{ATTACH}?alert={alert.pk}", {"key": new_id(), "title": "Why", "severity": "low", "why": ""})
    assert Case.objects.get().alert_id == alert.pk


@pytest.mark.parametrize("asked", ["decision=no", f"decision={NOWHERE}", "alert=no", f"alert={NOWHERE}", "since=x"])
def test_what_is_not_there_is_not_put_in(system: AISystem, asked: str) -> None:
    client = browser(make_person(investigator=True))
    assert client.get(f"{ATTACH}?{asked}").status_code == 404


def test_a_decision_out_of_reach_is_not_put_in(system: AISystem) -> None:
    foreign = record_decision(make_system())
    assert browser(make_person(accountable=system)).get(f"{ATTACH}?decision={foreign.id}").status_code == 404


def test_a_case_takes_as_many_queries_with_many_decisions_as_with_few(system: AISystem) -> None:
    queries = []
    lead = make_person(investigator=True)
    for number in (2, 30):
        case, _ = make_led_case(system, lead=lead)
        attach(case, lead, *(record_decision(system) for _ in range(number)))
        client = browser(lead)
        client.get(address(case))
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(address(case)).status_code == 200
        queries.append(len(caught))
    assert queries[0] == queries[1], queries


def test_decisions_are_ticked_and_taken_out_or_all_of_an_outcome_or_of_an_act(system: AISystem) -> None:
    case, lead = make_led_case(system)
    first, *rest = (record_decision(system, outcome=outcome) for outcome in ("approved", "refused", "refused"))
    attach(case, lead, first, *rest)
    late = attach(case, lead, record_decision(system, outcome="later"))
    client = browser(lead)
    page = client.get(f"{address(case)}?outcome=refused").content.decode()
    assert f'name="decision" value="{rest[0].id}"' in page and 'value="listed"' in page
    assert do(client, case, "detach", key=new_id(), which="ticked", why="x").status_code == 422, "nothing was ticked"
    unsaid = do(client, case, "detach", key=new_id(), which="ticked", decision=[first.id], why="")
    assert "Nothing was changed. Why they do not belong here: This field is required." in unsaid.content.decode()
    done = do(client, case, "detach", key=new_id(), which="ticked", decision=[first.id], why="Another day.")
    assert done.status_code == 302
    do(client, case, "detach", key=new_id(), which="listed", within="outcome=refused", why="Another reason.")
    do(client, case, "detach", key=new_id(), which="attachment", attachment_id=late.pk, why="By mistake.")
    taken = case.attachments.filter(act="detached").order_by("id")
    assert list(taken.values_list("count", "by")) == [(1, "choice"), (2, "filter"), (1, "attachment")]
    page = text_of(client.get(address(case)))
    assert "took 2 decisions out." in page


def test_what_happened_is_told_in_whole_sentences(system: AISystem) -> None:
    case, lead = make_led_case(system, decisions=[record_decision(system)])
    owner = make_person(name="Olga Ek")
    act(case, lead, owner)
    page = text_of(browser(lead).get(address(case)))
    for said in (f"{lead.name} opened the case.", f"{lead.name} put 1 decision in.", f"named {lead.name} as lead"):
        assert said in page, said
    assert f"{lead.name} planned a corrective action for Olga Ek, due on" in page


# --- choosing a case --------------------------------------------------------------------------------------------------
def test_each_form_of_putting_in_says_what_is_wrong_with_it_and_no_other(system: AISystem) -> None:
    (case, lead), decision = make_led_case(system), record_decision(system)
    place, client = f"{ATTACH}?decision={decision.id}", browser(lead)
    wrong_new = client.post(place, {"key": new_id(), "title": "", "severity": "high"})
    assert wrong_new.status_code == 422
    text = wrong_new.content.decode()
    assert text.count('role="alert"') + text.count('class="c-error"') == 1
    assert "Say in a few words what it is about." in text and "Choose a case." not in text
    wrong_case = client.post(place, {"key": new_id(), "case_id": new_id()})
    assert wrong_case.status_code == 422
    assert "Say in a few words" not in wrong_case.content.decode()
    outsider = browser(make_person(accountable=system)).get(place).content.decode()
    assert "Into a case that is open" not in outsider, "there is none"
    assert "Find by number or title" not in browser(lead).get(f"{ATTACH}?complaint=1").content.decode()
    assert case.attachments.count() == 0


def test_an_older_case_is_found_by_its_number_or_title_among_ones_own(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, lead = make_led_case(system, title="Ada was refused in spring")
    for _ in range(2):
        make_case(lead, system)
    foreign = make_case(make_person(investigator=True), system, title="Ada again")
    monkeypatch.setattr(choosing, "OFFERED", 2)
    decision, client = record_decision(system), browser(lead)
    place = f"{ATTACH}?decision={decision.id}"
    assert str(old.pk) not in client.get(place).content.decode()
    for typed in ("ada", old.reference):
        found = client.post(place, {"key": new_id(), "case_id": "", "find": typed, "look": "1", "why": "Kept."})
        text = found.content.decode()
        assert found.status_code == 200 and str(old.pk) in text and str(foreign.pk) not in text
        assert "Kept." in text and old.attachments.count() == 0
    sent = {"key": new_id(), "case_id": old.pk, "find": "ada", "why": "Kept."}
    assert client.post(place, sent).status_code == 302
    assert old.attachments.get().count == 1


def test_what_is_put_in_is_what_was_counted_also_after_a_while(system: AISystem) -> None:
    person = make_person(investigator=True)
    record_decision(system, outcome="refused")
    client = browser(person)
    page = client.get(f"{ATTACH}?outcome=refused&period=24h&planted=x").content.decode()
    place = html.unescape(re.search(r'form method="post" action="([^"]+attach[^"]+)"', page)[1])  # type: ignore[index]
    record_decision(system, outcome="refused")
    assert client.post(place, {"key": new_id(), "title": "Refused", "severity": "low"}).status_code == 302
    made = Case.objects.get().attachments.get()
    assert made.count == 1, "the one that was recorded since is not among them"
    assert made.question["outcome"] == "refused" and not {"planted", "period"} & set(made.question)
    assert all(made.question[name].endswith("Z") for name in ("from", "to"))


# --- lists ------------------------------------------------------------------------------------------------------------
def test_the_list_is_narrowed_and_a_case_is_found(system: AISystem) -> None:
    led, lead = make_led_case(system, title="Till broke", severity="high")
    second = make_system()
    waiting = make_case(lead, second, title="Feed broke", severity="low")
    client = browser(lead)

    def shown(answer: Any) -> set[Any]:
        text = answer.content.decode()
        return {each.pk for each in (led, waiting) if f"/admin/cases/{each.pk}/" in text}

    for asked, expected in (
        ("", {led.pk, waiting.pk}),
        ("?show=unled", {waiting.pk}),
        ("?severity=high", {led.pk}),
        (f"?system={second.slug}", {waiting.pk}),
        ("?status=investigating", {led.pk}),
        ("?show=mine", {led.pk, waiting.pk}),
    ):
        assert shown(client.get(f"/admin/cases/{asked}")) == expected, asked
    for typed, expected in (("till", {led.pk}), (waiting.reference, {waiting.pk}), ("nothing", set())):
        assert shown(client.post("/admin/cases/", {"q": typed}, follow=True)) == expected, typed
    outsider = browser(make_person(investigator=make_system()))
    assert shown(outsider.post("/admin/cases/", {"q": "broke"}, follow=True)) == set()


def test_what_was_found_is_turned_and_come_back_to_and_its_words_stand_in_no_address(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = make_person(investigator=True)
    for number in range(3):
        make_case(opener, system, title=f"Till broke {number}")
    make_case(opener, system, title="Feed broke")
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    client = browser(opener)
    found = client.post("/admin/cases/?severity=moderate", {"q": "till"})["Location"]
    assert ("till" in found.lower(), "severity=moderate" in found) == (False, True)
    assert client.get(found).context["sought"] == "till"
    titles: list[str] = []
    address: str | None = found
    while address:
        page = client.get(address)
        titles += [case.title for case, *_ in page.context["rows"]]
        cursor = page.context["found"].next_cursor
        address = f"{found}&cursor={cursor}" if cursor else None
    assert titles == ["Till broke 2", "Till broke 1", "Till broke 0"]
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        late = client.get(found)
    assert late.context["is_forgotten"] and len(late.context["rows"]) == 2
    assert browser(opener).get(found).context["sought"] is None, "it is kept in the session it was typed in"
