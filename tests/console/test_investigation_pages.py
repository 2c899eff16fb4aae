"""The pages of the investigation: what the list offers, what is kept, two decisions side by side, rows into a case."""

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit import selectors
from audit.models import Case, CaseDecision, SavedFilter, SearchRun
from audit.scanning import Scan
from audit.services import searching
from audit.services.search_runs import end_left_searches
from config.ids import new_id
from console.views import searches
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from ledger.models import Entry
from tests.factories.cases import make_led_case
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system

pytestmark = pytest.mark.django_db
LIST, SEARCH, COUNTS = "/admin/decisions/", "/admin/decisions/search", "/admin/decisions/counts"
COMPARE, FILTERS = "/admin/decisions/compare", "/admin/decisions/filters/"
FRAGMENT = {"X-Fragment": "1"}


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(name="Grace Lindqvist", accountable=system)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def shown(answer: Any) -> str:
    assert answer.status_code == 200, answer.content[-2000:]
    return str(answer.content.decode())


def test_what_is_in_force_stands_above_the_list_and_each_can_be_taken_away(system: AISystem, owner: Person) -> None:
    record_decision(system, outcome="refused")
    page = shown(browser(owner).get(LIST, {"outcome": "refused", "confidence_min": "0.5"}))
    assert "outcome: <b>refused</b>" in page
    assert 'href="?confidence_min=0.5" aria-label="Take away the filter outcome: refused"' in page


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"confidence_min": "9"}, "confidence_min"),
        ({"score_min": "1", "score_max": "0"}, "score_max"),
        ({"outcome": "a b"}, "outcome"),
        ({"case": "2026-99999"}, "case"),
        ({"case": "nonsense"}, "case"),
        ({"parent": "no uuid"}, "parent"),
        ({"accountable": "01a1fd9c-bc38-7026-93b0-108ba8d1b7e3"}, "accountable"),
        ({"overridden": "perhaps"}, "overridden"),
    ],
)
def test_a_value_that_cannot_be_is_refused_beside_its_field_and_nothing_is_lost(
    owner: Person, asked: dict[str, str], field: str
) -> None:
    answer = browser(owner).get(LIST, {"model_version": "1.0", **asked})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="f-{field}-error"' in page
    assert 'name="model_version" value="1.0"' in page


def test_columns_are_chosen_once_and_kept_by_the_browser(system: AISystem, owner: Person) -> None:
    record_decision(system, capability="raise")
    client = browser(owner)
    assert ">Capability</th>" not in shown(client.get(LIST))
    assert client.get(LIST, {"column": ["capability", "outcome"]}).headers["Location"] == LIST
    again = shown(client.get(LIST))
    assert ">Capability</th>" in again and ">Confidence</th>" not in again


def test_the_address_of_a_list_has_what_narrows_it_and_nothing_else(system: AISystem, owner: Person) -> None:
    record_decision(system, outcome="refused")
    client = browser(owner)
    sent = {"system": "", "period": "7d", "outcome": "refused", "since": "", "column": ["system", "outcome"]}
    tidied = client.get(LIST, sent)
    assert tidied.headers["Location"] == f"{LIST}?period=7d&outcome=refused"
    page = shown(client.get(tidied.headers["Location"], {"period": "7d", "outcome": "refused"}))
    assert '<a class="a-button c-small" href="/admin/cases/attach?period=7d&amp;outcome=refused">' in page
    attach = shown(client.get("/admin/cases/attach?period=7d&outcome=refused&nonsense=1&flagged="))
    assert "<dt>Recorded</dt><dd>last 7 days</dd>" in attach and "<dt>Outcome</dt><dd>refused</dd>" in attach
    assert "nonsense" not in attach


def test_a_list_of_one_system_does_not_repeat_it_in_each_row(system: AISystem, owner: Person) -> None:
    record_decision(system, environment="production")
    client = browser(owner)
    assert '<th role="columnheader" scope="col">AI system</th>' in shown(client.get(LIST))
    narrowed = shown(client.get(LIST, {"system": "credit-limits"}))
    assert '<th role="columnheader" scope="col">AI system</th>' not in narrowed
    assert 'class="c-where"' not in narrowed


def test_counts_link_to_the_narrowed_list_and_know_of_nothing_out_of_reach(system: AISystem, owner: Person) -> None:
    record_decision(system, outcome="refused")
    record_decision(make_system(slug="elsewhere"), outcome="secret")
    fragment = shown(browser(owner).get(COUNTS, {"period": "7d"}, headers=FRAGMENT))
    assert "Exact: <b>1</b>" in fragment
    assert "period=7d&amp;outcome=refused" in fragment
    assert "secret" not in fragment and "elsewhere" not in fragment


def test_each_time_links_to_what_it_counts_also_in_an_hour_that_comes_twice(system: AISystem, owner: Person) -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # half past two in Berlin, for the second time
    wanted = record_decision(system, at=second)
    for hours in (-1, 1):
        record_decision(system, at=second + timedelta(hours=hours))
    client = browser(owner)
    client.cookies["zone"] = "Europe/Berlin"
    fragment = shown(client.get(COUNTS, headers=FRAGMENT))
    assert "By hour" in fragment
    link = "since=2026-10-25T01%3A00Z&amp;until=2026-10-25T02%3A00Z"
    assert link in fragment
    page = shown(client.get(f"{LIST}?{unescape(link)}"))
    assert re.findall(r'data-decision="([^"]+)"', page) == [str(wanted.id)]
    assert 'value="2026-10-25T02:00"' in page and 'value="2026-10-25T03:00"' in page
    typed = shown(client.get(LIST, {"since": "2026-10-25T02:00", "until": "2026-10-25T02:59"}))
    assert len(re.findall("data-decision=", typed)) == 2


def test_two_decisions_are_compared_and_a_look_inside_is_sealed_for_both(system: AISystem, owner: Person) -> None:
    one = record_decision(system, outcome="approved", parts={"input": {"income": 1}, "output": 1})
    other = record_decision(system, outcome="refused", parts={"input": {"income": 2}, "output": 1})
    client, both = browser(owner), {"decision": [str(one.id), str(other.id)]}
    page = shown(client.get(COMPARE, both))
    assert "/income" not in page and "refused" in page
    assert not Entry.objects.filter(kind="payload.viewed").exists()
    inside = shown(client.post(f"{COMPARE}/inside?decision={one.id}&decision={other.id}"))
    assert "/income" in inside and "Identical, byte for byte." in inside
    views = Entry.objects.filter(kind="payload.viewed")
    assert {entry.about_id for entry in views} == {one.id, other.id}


def test_two_decisions_that_differ_in_nothing_say_so(system: AISystem, owner: Person) -> None:
    one, other = (record_decision(system, parts={"input": {"a": 1}, "output": 1}) for _ in range(2))
    page = shown(browser(owner).post(f"{COMPARE}/inside?decision={one.id}&decision={other.id}"))
    assert "differ in nothing but when they were made" in page


def test_nothing_is_compared_with_what_may_not_be_seen_or_read(system: AISystem, owner: Person) -> None:
    one, foreign, client = record_decision(system), record_decision(make_system()), browser(owner)
    assert client.get(COMPARE, {"decision": [str(one.id), str(foreign.id)]}).status_code == 404
    this = str(one.id)
    for asked in ([this], [this, this], [this, "nonsense"], list[str]()):
        assert client.get(COMPARE, {"decision": asked}).status_code == 422
    other, viewer = record_decision(system), browser(make_person(viewer=system))
    assert "You may not read the payloads of both." in shown(
        viewer.get(COMPARE, {"decision": [str(one.id), str(other.id)]})
    )
    assert viewer.post(f"{COMPARE}/inside?decision={one.id}&decision={other.id}").status_code == 403
    assert not Entry.objects.filter(kind="payload.viewed").exists()


def test_a_filter_is_kept_shared_changed_and_deleted(system: AISystem, owner: Person) -> None:
    client, other = browser(owner), browser(make_person(viewer=system))
    kept = {"system": "credit-limits", "outcome": "refused", "name": "Refusals", "shared": "system"}
    assert client.post(f"{FILTERS}save", kept).status_code == 302
    assert "?system=credit-limits&amp;outcome=refused" in shown(other.get(LIST))
    (row,) = SavedFilter.objects.all()
    assert other.post(f"{FILTERS}{row.pk}/delete").status_code == 404
    again = client.post(f"{FILTERS}save", kept)
    assert again.status_code == 422 and b"Choose another name" in again.content
    changed = client.post(f"{FILTERS}{row.pk}/change", {"name": "Refused", "shared": "nobody"})
    assert changed.status_code == 302
    assert "Refused" not in shown(other.get(FILTERS))
    client.post(f"{FILTERS}{row.pk}/delete")
    assert client.post(f"{FILTERS}{row.pk}/delete").status_code == 404


def test_a_search_is_kept_for_oneself_alone(system: AISystem, owner: Person) -> None:
    client = browser(owner)
    kept = {"subject": "c-1", "period": "7d", "name": "Complaint", "is_search": "1"}
    refused = client.post(f"{FILTERS}save", {**kept, "shared": "everybody"})
    assert refused.status_code == 422 and b"yours alone" in refused.content
    assert client.post(f"{FILTERS}save", kept).status_code == 302
    row = SavedFilter.objects.get()
    assert (row.terms, row.conditions) == ({"subject": "c-1"}, {"period": "7d"})
    assert "c-1" not in shown(browser(make_person(viewer=system)).get(LIST))


def test_what_is_kept_to_be_searched_for_stands_on_no_page_until_its_owner_asks(
    system: AISystem, owner: Person
) -> None:
    wanted, client = record_decision(system, subject="kept-77"), browser(owner)
    client.post(f"{FILTERS}save", {"subject": "kept-77", "period": "7d", "name": "Complaint", "is_search": "1"})
    place = f"{FILTERS}{SavedFilter.objects.get().pk}/"
    for page in (shown(client.get(LIST)), shown(client.get(FILTERS))):
        assert "kept-77" not in page and f'action="{place}search"' in page
    assert "<dt>Subject</dt><dd>kept-77</dd>" in shown(client.get(place))
    for method in (browser(make_person(deputy=system)).get, browser(make_person(deputy=system)).post):
        assert method(place + ("search" if method.__name__ == "post" else "")).status_code == 404
    began = client.post(f"{place}search")
    assert f'data-decision="{wanted.id}"' in shown(client.get(began.headers["Location"]))


def test_a_search_that_is_not_at_its_end_does_not_say_that_it_looked_at_the_whole_time(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "PAGE_SIZE", 1)
    for _ in range(3):
        record_decision(system, parts={"input": "needle", "output": 1})
    page = shown(browser(owner).post(SEARCH, {"text": "needle", "period": "7d"}, follow=True))
    assert "found so far" in page and "recorded up to" in page and "data-back" not in page


def test_a_search_that_goes_on_is_told_in_parts_and_can_be_given_up(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    for number in range(6):
        record_decision(system, parts={"input": "needle" if number == 1 else "hay", "output": 1})
    client = browser(owner)
    page = shown(client.post(SEARCH, {"text": "needle", "period": "7d"}, follow=True))
    assert "<b data-looked>2</b>" in page and "found so far" in page
    onward = page.split("data-next")[0].split('action="')[-1].split('"')[0]
    told = json.loads(client.post(onward, headers=FRAGMENT).content)
    assert (told["is_over"], told["rows"].strip()) == (False, "")
    assert "<b data-looked>4</b>" in told["words"]
    cancel = page.split('data-cancel="')[1].split('"')[0]
    assert browser(make_person(deputy=system)).post(cancel).status_code == 404
    assert json.loads(client.post(cancel).content)["is_over"] is True
    after = client.post(onward, headers=FRAGMENT)
    assert after.status_code == 409 and after.json()["code"] == "search-cancelled"
    assert "You stopped it" in shown(client.get(onward.removesuffix("on")))


def test_a_search_has_an_address_to_come_back_to_which_searches_nothing_again_and_opens_for_its_asker_alone(
    system: AISystem, owner: Person
) -> None:
    for _ in range(60):
        record_decision(system, subject="k-78")
    client = browser(owner)
    begun = client.post(SEARCH, {"subject": "k-78", "period": "7d"})
    place, mark = begun.headers["Location"].split("#")
    assert begun.status_code == 302 and "k-78" not in place + mark
    first = shown(client.get(place))
    assert first.count("data-decision=") == 50 and 'name="subject" value="k-78"' in first
    before = Entry.objects.count()
    assert shown(client.get(place)).count("data-decision=") == 50
    assert Entry.objects.count() == before
    older = client.post(f"{place}on")
    assert older.headers["Location"] == f"{place}?page=2"
    second = shown(client.get(older.headers["Location"]))
    assert second.count("data-decision=") == 10 and "That is all there is: <b>60</b> found." in second
    assert shown(client.get(place)).count("data-decision=") == 50, "what was on its first page stands there still"
    other = browser(make_person(deputy=system))
    assert (other.get(place).status_code, other.post(f"{place}on").status_code) == (404, 404)


def test_coming_back_to_a_search_shows_nothing_that_was_erased_or_is_out_of_reach_since(
    system: AISystem, owner: Person
) -> None:
    kept, gone = (record_decision(system, subject="k-78") for _ in range(2))
    client = browser(owner)
    place = client.post(SEARCH, {"subject": "k-78", "period": "7d"}).headers["Location"]
    erase(gone.id)
    page = shown(client.get(place))
    assert f'data-decision="{kept.id}"' in page and str(gone.id) not in page
    Assignment.objects.filter(person=owner).update(status=Assignment.Status.ENDED, ends_at=timezone.now())
    assert client.get(place).status_code == 403


def test_all_that_a_search_finds_goes_into_a_case_and_not_what_was_searched_for(
    system: AISystem, owner: Person
) -> None:
    wanted = [record_decision(system, subject="k-78", outcome="refused") for _ in range(60)]
    record_decision(system, subject="k-78", outcome="approved")
    record_decision(system, subject="other", outcome="refused")
    client = browser(owner)
    begun = client.post(SEARCH, {"subject": "k-78", "period": "7d", "outcome": "refused"})
    page = shown(client.get(begun.headers["Location"]))
    place = page.split('href="/admin/cases/attach?')[1].split('"')[0]
    assert place == f"search={SearchRun.objects.get().pk}"
    asked = shown(client.get(f"/admin/cases/attach?{place}"))
    assert "<strong>60</strong> decisions" in asked and "k-78" not in asked
    assert asked.index("<dt>From</dt>") < asked.index("<dt>To</dt>") < asked.index("<dt>Outcome</dt><dd>refused</dd>")
    made = {"title": "Complaint", "severity": "high", "why": "", "key": str(new_id())}
    assert client.post(f"/admin/cases/attach?{place}", made).status_code == 302
    case = Case.objects.get()
    held = CaseDecision.current().filter(case_id=case.pk).values_list("decision_id", flat=True)
    assert (case.origin, set(held)) == ("search", {each.id for each in wanted})
    (attachment,) = case.attachments.all()
    run = SearchRun.objects.get()
    assert attachment.question == run.question | {"search": str(run.entry_id)}
    assert attachment.is_all and "k-78" not in json.dumps(attachment.question)
    stranger = browser(make_person(deputy=system))
    assert stranger.get(f"/admin/cases/attach?{place}").status_code == 404


def test_of_a_search_in_payloads_goes_into_a_case_what_it_has_found_so_far(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    for _ in range(6):
        record_decision(system, parts={"input": "needle", "output": 1})
    client = browser(owner)
    client.post(SEARCH, {"text": "needle", "period": "7d"})
    place = f"/admin/cases/attach?search={SearchRun.objects.get().pk}"
    asked = shown(client.get(place))
    assert "<strong>2</strong> decisions" in asked and "it has not looked at everything" in asked
    made = {"title": "Complaint", "severity": "high", "why": "", "key": str(new_id())}
    assert client.post(place, made).status_code == 302
    (attachment,) = Case.objects.get().attachments.all()
    assert (attachment.count, attachment.is_all) == (2, False)


def test_a_search_that_was_left_alone_says_so_goes_on_and_is_not_put_into_a_case_as_all_there_is(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    for _ in range(6):
        record_decision(system, parts={"input": "needle", "output": 1})
    client = browser(owner)
    begun = client.post(SEARCH, {"text": "needle", "period": "7d"}).headers["Location"]
    run = SearchRun.objects.get()
    SearchRun.objects.update(last_at=timezone.now() - timedelta(minutes=11))
    assert end_left_searches() == 1
    page = shown(client.get(begun))
    assert "Left alone at" in page and "there may be more" in page and "That is all there is" not in page
    assert "data-next" in page and "data-over" not in page and 'data-tone="ok" role="status" data-progress' not in page
    place = f"/admin/cases/attach?search={run.pk}"
    assert "it has not looked at everything" in shown(client.get(place))
    made = {"title": "Complaint", "severity": "high", "why": "", "key": str(new_id())}
    assert client.post(place, made).status_code == 302
    (attachment,) = Case.objects.get().attachments.all()
    assert (attachment.count, attachment.is_all) == (2, False)
    told = json.loads(client.post(f"/admin/decisions/searches/{run.pk}/on", headers=FRAGMENT).content)
    assert (told["is_over"], told["is_whole"]) == (False, False)
    assert "<b data-hits>4</b> found so far." in told["words"] and "Looked into the payloads of" in told["words"]


def test_only_whoever_just_asked_is_led_to_a_page_that_goes_on_by_itself(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    for _ in range(3):
        record_decision(system, parts={"input": "needle", "output": 1})
    client, asked = browser(owner), {"text": "needle", "period": "7d"}
    begun = client.post(SEARCH, asked).headers["Location"]
    place, mark = begun.split("#")
    assert mark == "go-on" and place.endswith("/")
    assert client.post(f"{place}on").headers["Location"] == place
    monkeypatch.setattr(searching, "FIRST_WINDOW", 1000)
    assert "#" not in client.post(SEARCH, asked).headers["Location"], "there is nothing left to go on with"


def test_a_list_of_what_is_rare_is_told_in_parts_and_says_how_far_back_it_looked(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "Scan", partial(Scan, patience=0, first_window=2))
    rare = record_decision(system, outcome="rare")
    for _ in range(4):
        record_decision(system)
    client, asked = browser(owner), {"outcome": "rare"}
    page = shown(client.get(LIST, asked))
    assert "data-going" in page
    assert "Looked back to <time" in page
    assert "<b>Nothing" not in page
    cursor = re.search(r'rel="next" href="\?outcome=rare&amp;cursor=([^"]+)"', page)
    assert cursor
    told = client.get(LIST, asked | {"cursor": cursor[1]}, headers=FRAGMENT).json()
    assert (told["count"], told["rows"].strip()) == (0, "")
    assert told["words"].startswith("Looked back to <time")
    last = client.get(LIST, asked | {"cursor": told["cursor"]}, headers=FRAGMENT).json()
    assert (last["count"], last["cursor"], last["words"]) == (1, None, "Looked at all there is")
    assert str(rare.id) in last["rows"]


def test_chosen_rows_go_into_a_case(system: AISystem, owner: Person) -> None:
    chosen = [record_decision(system) for _ in range(2)]
    client, foreign = browser(owner), record_decision(make_system())
    place = "/admin/cases/attach?" + "&".join(f"decision={each.id}" for each in chosen)
    page = shown(client.get(place))
    assert "<strong>2</strong> decisions, chosen one by one" in page
    assert client.get(f"{place}&decision={foreign.id}").status_code == 404


def test_who_is_appointed_to_one_case_finds_its_decisions_in_list_counts_and_search_and_no_others(
    system: AISystem,
) -> None:
    mine = record_decision(system, subject="c-1", outcome="refused", parts={"input": "needle", "output": 1})
    other = record_decision(system, subject="c-1", outcome="other", parts={"input": "needle", "output": 1})
    case, lead = make_led_case(system, decisions=[mine])
    person = make_person()
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    client = browser(person)
    pages = [
        shown(client.get(LIST)),
        shown(client.get(LIST, {"system": "credit-limits"})),
        shown(client.get(LIST, {"case": case.reference})),
        shown(client.post(SEARCH, {"subject": "c-1", "period": "7d"}, follow=True)),
        shown(client.post(SEARCH, {"text": "needle", "period": "7d"}, follow=True)),
    ]
    for page in pages:
        assert f'data-decision="{mine.id}"' in page
        assert str(other.id) not in page
    counts = shown(client.get(COUNTS, headers=FRAGMENT))
    assert "<b>1</b>" in counts and "other" not in counts.replace("others", "")
    with_case = browser(make_person(viewer=system)).get(LIST, {"case": case.reference})
    assert with_case.status_code == 422
    assert lead.pk != person.pk


def test_two_decisions_are_compared_in_words_and_in_the_zone_of_who_looks(system: AISystem, owner: Person) -> None:
    at = datetime(2026, 11, 3, 12, tzinfo=UTC)
    asked: dict[str, Any] = {"ai_role": "sole", "phase": "proposed", "directive": "hold"}
    one = record_decision(system, at=at, **asked)
    other = record_decision(system, at=at + timedelta(hours=1), **asked | {"ai_role": "advisory"})
    client = browser(owner)
    client.cookies["zone"] = "Asia/Kolkata"
    page = shown(client.get(COMPARE, {"decision": [str(one.id), str(other.id)]}))
    assert "1 difference in what" in page
    facts = page.split('class="a-table d-compare')[1].split("</table>")[0]
    for words in ("decides alone", "advises a person who decides", "a person decides first", "by the model alone"):
        assert words in facts
    for code in (">sole<", ">advisory<", ">proposed<", ">model<", ">hold<", "T12:00:00.000000Z<"):
        assert code not in facts
    assert "3 Nov 2026, 17:30:00 IST</time>" in facts
