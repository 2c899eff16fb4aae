"""Pages of system cards: written in a form, published by another, read, compared, and kept from others."""

import hashlib
import json
import re
from typing import Any

import pytest
from django.test import Client

from audit.services.tallying import tally_decisions
from config.ids import new_id
from governance.acts import Role
from governance.cards.content import checked_content, digest_of, read_document
from governance.cards.fields import MAX_ROWS, Rows
from governance.cards.sections import SECTIONS
from governance.models import AISystem, Person, SystemCard
from governance.reauthentication import PROVEN_AT
from governance.scopes import Scope
from governance.selectors import card_in_force, last_save, open_card
from ledger.entries import SERVER
from tests.factories import cards
from tests.factories.cards import COMPLETE, RANGE, content
from tests.factories.record import record_decision
from tests.factories.register import give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def writer(system: AISystem) -> Person:
    return cards.writer_of(system)


@pytest.fixture
def publisher(system: AISystem) -> Person:
    return cards.publisher_of(system)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def url(system: AISystem, path: str = "") -> str:
    return f"/admin/systems/{system.pk}/cards/{path}"


def typed(document: dict[str, Any], base: int, **more: Any) -> dict[str, str]:
    """A card as the form sends it."""
    sent = {"base": str(base)}
    for section in SECTIONS:
        said = document.get(section.name, {})
        for field in section.fields:
            name, value = f"{section.name}-{field.name}", said.get(field.name)
            if not isinstance(field, Rows):
                sent[name] = _as_typed(value)
                continue
            rows = [*(value or []), {}]
            sent[f"{name}-rows"] = str(len(rows))
            for number, row in enumerate(rows):
                for column in field.columns:
                    sent[f"{name}-{number}-{column.name}"] = _as_typed(row.get(column.name))
    return sent | more


def _as_typed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\n".join(value) if isinstance(value, list) else "" if value is None else str(value)


def saved(system: AISystem) -> dict[str, Any]:
    card = open_card(system.pk)
    assert card is not None
    return read_document(last_save(card).content)


# --- writing --------------------------------------------------------------------------------------------------------
def test_the_form_says_exactly_what_the_api_would(system: AISystem, writer: Person) -> None:
    document = content(
        RANGE,
        {"pointer": "/language", "check": "language", "values": ["de", "fr"], "required": True},
        classification={"annex_iii": "5", "profiling": False, "jurisdictions": ["Austria", "Germany"]},
        review={"next_on": "2027-01-31"},
    )
    client = browser(writer)
    assert client.post(url(system, "start"))["Location"] == url(system, "draft/edit")
    answer = client.post(url(system, "draft/edit"), typed(document, 1))
    assert answer.status_code == 302, re.findall(r'c-error"[^>]*>([^<]*)', answer.content.decode())
    assert saved(system) == checked_content(document)
    assert "Saved" in client.get(answer["Location"]).content.decode()


def test_the_form_of_a_card_that_nobody_writes_leads_to_where_one_is_begun(system: AISystem, writer: Person) -> None:
    page = browser(writer).get(url(system, "draft/edit"), follow=True)
    assert page.redirect_chain[-1][0] == url(system, "")
    assert "Nobody is writing a card just now." in page.content.decode()
    assert browser(make_person()).get(url(system, "draft/edit")).status_code == 404


def test_saving_what_stands_there_changes_nothing(system: AISystem, writer: Person) -> None:
    cards.draft(system, writer, content(RANGE))
    page = browser(writer).get(url(system, "draft/edit")).content.decode()
    assert 'value="1000"' in page and "Applications of three years." in page
    browser(writer).post(url(system, "draft/edit"), typed(content(RANGE), 2))
    card = open_card(system.pk)
    assert card is not None and last_save(card).number == 2


def test_another_row_is_there_with_what_was_typed_and_nothing_is_saved(system: AISystem, writer: Person) -> None:
    cards.draft(system, writer)
    sent = typed(COMPLETE, 2, more="performance-results") | {"purpose-intended": "Typed, not saved."}
    page = browser(writer).post(url(system, "draft/edit"), sent).content.decode()
    assert 'name="performance-results-2-metric"' in page and "Typed, not saved." in page
    assert 'name="performance-results-rows" value="3"' in page
    assert 'data-focus="f-performance-results-2-metric"' in page
    assert "Typed" not in json.dumps(saved(system))


def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(system: AISystem, writer: Person) -> None:
    cards.draft(system, writer)
    sent = typed(COMPLETE, 2) | {
        "performance-results-0-value": "good",
        "review-next_on": "soon",
        "purpose-users": "Tellers.",
    }
    answer = browser(writer).post(url(system, "draft/edit"), sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="f-performance-results-0-value-error"' in page and 'id="f-review-next_on-error"' in page
    assert "Tellers." in page and 'value="good"' in page


@pytest.mark.parametrize("rows", ["-1", "1e9", "99999999999999999999", "٣", "", "x"])
def test_a_made_up_number_of_rows_breaks_nothing(system: AISystem, writer: Person, rows: str) -> None:
    cards.draft(system, writer)
    answer = browser(writer).post(url(system, "draft/edit"), typed(COMPLETE, 2) | {"risk-register-rows": rows})
    assert answer.status_code in (302, 422)


def test_a_card_whose_tables_are_full_can_be_sent(system: AISystem, writer: Person) -> None:
    full = {section.name: _full(section.fields) for section in SECTIONS}
    document = content() | {name: found for name, found in full.items() if found}
    cards.draft(system, writer, document)
    answer = browser(writer).post(url(system, "draft/edit"), _without_blank_rows(typed(document, 2)))
    assert answer.status_code == 302
    assert saved(system) == checked_content(document)


def _full(fields: Any) -> dict[str, Any]:
    return {
        field.name: [{field.columns[0].name: "2026-01-01" if field.columns[0].name == "on" else "x"}] * MAX_ROWS
        for field in fields
        if isinstance(field, Rows)
    }


def _without_blank_rows(sent: dict[str, str]) -> dict[str, str]:
    return {name: str(MAX_ROWS) if name.endswith("-rows") else value for name, value in sent.items()}


def test_two_tabs_both_stand_on_the_page_and_the_second_save_is_a_choice(system: AISystem, writer: Person) -> None:
    cards.draft(system, writer)
    client = browser(writer)
    client.post(url(system, "draft/edit"), typed(content(data={"sources": "From the first tab."}), 2))
    second = typed(content(data={"sources": "From the second tab."}), 2)
    answer = client.post(url(system, "draft/edit"), second)
    page = answer.content.decode()
    assert answer.status_code == 409 and "From the first tab." in page and "From the second tab." in page
    assert 'name="base" value="3"' in page
    assert saved(system)["data"] == {"sources": "From the first tab."}
    assert client.post(url(system, "draft/edit"), second | {"base": "3"}).status_code == 302
    assert saved(system)["data"] == {"sources": "From the second tab."}


def test_what_was_typed_stays_when_the_draft_was_submitted_or_given_up_meanwhile(
    system: AISystem, writer: Person
) -> None:
    card, client = cards.submit(system, writer), browser(writer)
    sent = typed(content(data={"sources": "Typed for an hour."}), 2)
    answer = client.post(url(system, "draft/edit"), sent)
    assert answer.status_code == 409 and "waits for a second person" in answer.content.decode()
    assert "Typed for an hour." in answer.content.decode()
    client.post(url(system, "draft/give-up"))
    answer = client.post(url(system, "draft/edit"), sent)
    assert answer.status_code == 409 and "Typed for an hour." in answer.content.decode()
    assert SystemCard.objects.get() == card


def test_the_end_of_a_line_is_one_character(system: AISystem, writer: Person) -> None:
    cards.draft(system, writer)
    text = "\r\n".join(["x" * 99] * 100)
    sent = typed(COMPLETE, 2) | {"purpose-users": text, "classification-jurisdictions": "Austria\r\n\r\nGermany "}
    assert browser(writer).post(url(system, "draft/edit"), sent).status_code == 302
    assert saved(system)["purpose"]["users"] == text.replace("\r\n", "\n")
    assert saved(system)["classification"]["jurisdictions"] == ["Austria", "Germany"]


# --- the second person ------------------------------------------------------------------------------------------------
def test_submitted_looked_at_and_published(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.draft(system, writer)
    mine, theirs = browser(writer), browser(publisher)
    assert mine.post(url(system, "draft/submit"), {"base": "2", "note": "Ready."}).status_code == 302
    page = theirs.get(url(system, "draft/")).content.decode()
    assert "Ready." in page and "Publish what stands here" in page
    assert "Publish what stands here" not in mine.get(url(system, "draft/")).content.decode()
    digest = re.search(r'name="content_digest" value="([^"]+)"', page)
    assert digest
    answer = theirs.post(url(system, "draft/publish"), {"content_digest": digest[1]})
    assert answer["Location"] == url(system, "1/")
    # a second click leads on too
    assert theirs.post(url(system, "draft/publish"), {"content_digest": digest[1]})["Location"] == url(system)
    assert "waits for you" not in theirs.get(f"/admin/systems/{system.pk}/").content.decode()


def test_whoever_is_to_publish_is_told_before_they_write(system: AISystem, writer: Person, publisher: Person) -> None:
    warned = "somebody else has to publish this one"
    cards.draft(system, writer)
    assert warned in browser(publisher).get(url(system, "draft/edit")).content.decode()
    assert warned not in browser(writer).get(url(system, "draft/edit")).content.decode()
    cards.draft(system, publisher, content(RANGE))
    assert warned not in browser(publisher).get(url(system, "draft/edit")).content.decode(), "they did"
    page = browser(writer).get(url(system, "draft/")).content.decode()
    assert f"{publisher} wrote of it and so cannot publish it." in page and "Give this draft up" in page


def test_publishing_asks_again_who_it_is(system: AISystem, writer: Person, publisher: Person) -> None:
    card = cards.submit(system, writer)
    client = browser(publisher)
    session = client.session
    session[PROVEN_AT] -= 11 * 60
    session.save()
    answer = client.post(url(system, "draft/publish"), {"content_digest": card.content_digest})
    assert "Is it you?" in answer.content.decode()
    assert card_in_force(system.pk) is None


def test_what_is_refused_stands_on_the_page(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.submit(system, writer)
    theirs = browser(publisher)
    answer = theirs.post(url(system, "draft/publish"), {"content_digest": "sha256:older"})
    assert answer.status_code == 409 and "Another text was submitted" in answer.content.decode()
    assert theirs.post(url(system, "draft/send-back"), {"reason": ""}).status_code == 422
    assert theirs.post(url(system, "draft/send-back"), {"reason": "Name the <b>test</b>."}).status_code == 302
    page = browser(writer).get(url(system, "draft/")).content.decode()
    assert "Name the &lt;b&gt;test&lt;/b&gt;." in page


def test_an_incomplete_draft_says_what_is_needed_and_leads_there(system: AISystem, writer: Person) -> None:
    document = content()
    del document["purpose"]["failures"]
    cards.draft(system, writer, document)
    client = browser(writer)
    page = client.get(url(system, "draft/")).content.decode()
    assert "Failure modes is not said" in page and "draft/edit#s-purpose" in page and "Art. 13" in page
    answer = client.post(url(system, "draft/submit"), {"base": "2", "note": "Kept words."})
    assert answer.status_code == 409 and "lacks what no card goes without" in answer.content.decode()


def test_whoever_publishes_is_told_on_the_overview(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.submit(system, writer)
    assert "waits for you" in browser(publisher).get("/admin/").content.decode()
    assert "waits for you" not in browser(writer).get("/admin/").content.decode()


def test_it_is_given_up_and_can_still_be_read(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.submit(system, writer, note="Ready.")
    browser(publisher).post(url(system, "draft/send-back"), {"reason": "Which test?"})
    client = browser(writer)
    assert client.post(url(system, "draft/give-up"), {"reason": "Superfluous."})["Location"] == url(system)
    assert client.get(url(system, "draft/")).status_code == 404
    place = f"given-up/{SystemCard.objects.get().pk}/"
    assert place in client.get(url(system)).content.decode()
    page = client.get(url(system, place)).content.decode()
    for words in ("Scores applications.", "“Ready.”", "“Which test?”", "“Superfluous.”"):
        assert words in page
    viewer = make_person()
    give_role(viewer, Role.VIEWER)
    assert browser(viewer).get(url(system, place)).status_code == 404
    assert "Given up" not in browser(viewer).get(url(system)).content.decode()


# --- reading ----------------------------------------------------------------------------------------------------------
def test_a_card_is_read_counted_compared_and_downloaded(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.publish(system, content(RANGE), writer=writer, publisher=publisher)
    record_decision(system, card=1, flags=("outside_scope",))
    record_decision(system, card=1)
    tally_decisions(actor=SERVER)
    cards.publish(system, content(data={"sources": "Newer."}), writer=writer, publisher=publisher)
    client = browser(publisher)
    page = client.get(url(system, "1/")).content.decode()
    assert (
        "from 1,000 up to 9,000" in page
        and "superseded" in page
        and "50.0%" in page
        and "flagged=outside_scope" in page
    )
    file = client.get(url(system, "1.json"))
    card = SystemCard.objects.get(system=system, number=1)
    assert digest_of(file.content.decode()) == card.content_digest and card.content_digest in page
    opened = hashlib.sha256(bytes.fromhex(card.check_key) + file.content).hexdigest()
    assert opened == card.digest and card.check_key in page and card.digest in page
    compared = client.get(url(system, "2/compared-with/1")).content.decode()
    assert "Newer." in compared and "Applications of three years." in compared and "/income" in compared
    listed = client.get(url(system)).content.decode()
    assert "1 of 2" in listed
    assert client.get(url(system, "in-force"))["Location"] == url(system, "2/")
    assert "Card 2" in client.get(f"/admin/systems/{system.pk}/").content.decode()


def test_what_they_said_to_each_other_is_for_those_who_write(system: AISystem, writer: Person) -> None:
    cards.submit(system, writer, note="Between us.")
    publisher = cards.publisher_of(system)
    card = open_card(system.pk)
    assert card is not None
    browser(publisher).post(url(system, "draft/publish"), {"content_digest": card.content_digest})
    viewer = make_person()
    give_role(viewer, Role.VIEWER)
    assert "Between us." in browser(publisher).get(url(system, "1/")).content.decode()
    page = browser(viewer).get(url(system, "1/")).content.decode()
    assert "Between us." not in page and "Begun" in page


def test_a_result_that_misses_its_threshold_says_so(system: AISystem, publisher: Person) -> None:
    result = COMPLETE["performance"]["results"][0]
    missed = result | {"direction": "at_most", "accepted_because": "People decide."}
    results = [result, missed, result | {"threshold": None}]
    cards.publish(system, content(performance={"results": results}), publisher=publisher)
    page = browser(publisher).get(url(system, "1/")).content.decode()
    assert page.count(">met<") == page.count(">not met<") == 1
    assert '>not met</span><p class="k-note">Accepted: People decide.</p>' in page


def test_which_card_was_in_force_on_a_day(system: AISystem, publisher: Person) -> None:
    cards.publish(system, publisher=publisher)
    client = browser(publisher)
    assert "to this day" in client.get(url(system), {"on": "2099-01-01"}).content.decode()
    assert "None was published" in client.get(url(system), {"on": "2020-01-01"}).content.decode()
    assert client.get(url(system), {"on": "3 March"}).status_code == 200


def test_nothing_in_a_card_becomes_part_of_the_page(system: AISystem, publisher: Person) -> None:
    attack = "<script>alert(1)</script>"
    document = content(purpose=COMPLETE["purpose"] | {"intended": attack}, build={"models": [{"name": attack}]})
    cards.publish(system, document, publisher=publisher)
    for path in ("1/", ""):
        assert attack not in browser(publisher).get(url(system, path)).content.decode()


# --- the decision's page ----------------------------------------------------------------------------------------------
def test_a_decision_shows_the_card_of_its_time_and_the_broken_rule_to_who_reads_the_input(
    system: AISystem, publisher: Person
) -> None:
    cards.publish(system, content(RANGE), publisher=publisher)
    facts: dict[str, Any] = {"card": 1, "flags": ("outside_scope",)}
    decision = record_decision(system, parts={"input": {"income": 1}, "output": {}}, **facts)
    viewer = make_person()
    give_role(viewer, Role.VIEWER)
    page = browser(viewer).get(f"/admin/decisions/{decision.id}/").content.decode()
    assert url(system, "1/") in page and "input outside its scope" in page and "/income" not in page
    answer = browser(publisher).post(f"/admin/decisions/{decision.id}/payload")
    assert "from 1,000 up to 9,000" in answer.content.decode()
    fragment = browser(publisher).post(f"/admin/decisions/{decision.id}/payload", headers={"HX-Request": "true"})
    assert "from 1,000 up to 9,000" in fragment.content.decode()


# --- out of sight -----------------------------------------------------------------------------------------------------
GETS = ("", "in-force", "1/", "1.json", "9/", "1/compared-with/1", "draft/", "draft/edit")
POSTS = ("start", "draft/edit", "draft/submit", "draft/send-back", "draft/give-up", "draft/publish")


def test_a_stranger_learns_nothing_from_any_page(system: AISystem, writer: Person) -> None:
    cards.publish(system, writer=writer)
    cards.draft(system, writer, content(RANGE))
    stranger, nowhere = browser(make_person(operator=make_system())), f"/admin/systems/{new_id()}/cards/"
    for method, paths in (("get", GETS), ("post", POSTS)):
        for path in paths:
            there, not_there = (getattr(stranger, method)(base + path) for base in (url(system), nowhere))
            assert there.status_code == not_there.status_code == 404, path


def test_a_viewer_reads_what_is_published_and_sees_no_draft(system: AISystem, writer: Person) -> None:
    cards.publish(system, writer=writer)
    cards.draft(system, writer, content(data={"sources": "Not yet public."}))
    viewer = make_person()
    give_role(viewer, Role.VIEWER, Scope.system(system.pk))
    client = browser(viewer)
    for path in GETS[:4]:
        answer = client.get(url(system, path))
        assert answer.status_code in (200, 302)
        assert "draft" not in answer.content.decode().lower().replace("draft-", "")
    for path in ("draft/", "draft/edit"):
        assert client.get(url(system, path)).status_code == 404
    for path in POSTS:
        assert client.post(url(system, path), {"base": "2"}).status_code in (403, 404)
    assert "draft/" not in client.get(f"/admin/systems/{system.pk}/").content.decode()


def test_an_administrator_sees_no_counts_of_decisions(system: AISystem) -> None:
    cards.publish(system, content(RANGE))
    page = browser(make_person(administrator=True)).get(url(system, "1/")).content.decode()
    assert "Decisions under it" not in page
