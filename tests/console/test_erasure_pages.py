"""The pages of erasures and retention: from the wish to the receipt, with a second person and nothing to the others."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponseRedirect
from django.test import Client
from django.utils import timezone

from audit.models import ErasureConsent, ErasureRequest, Payload, Purge, RetentionClass, RetentionRule, SavedFilter
from audit.services.holds import place_span_hold
from config.ids import new_id
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.purges import announce_purge, run_purges
from governance.models import AISystem, Person
from tests.factories.cases import make_led_case
from tests.factories.erasing import (
    SECONDS,
    agreed,
    agreeing,
    erased,
    long_ago,
    no_floor,
    prepared,
    put_in_force,
)
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
ERASURES, RETENTION, MINE = "/admin/erasures/", "/admin/retention/", "/admin/mine/"
SHOWN = re.compile(r'name="shown" value="([0-9a-f-]+)"')
SUBJECT = {"subject": "c-1907", "basis": "objection", "reason": "They ask for it.", "identifiers": "Ada Lovelace\n"}


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> Client:
    return browser(make_person(dpo=True))


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content
    return re.sub(r"\s+", " ", answer.content.decode())


def page_of(request: ErasureRequest) -> str:
    return f"{ERASURES}{request.pk}/"


# --- erasures ---------------------------------------------------------------------------------------------------------
def test_from_the_wish_to_the_receipt(system: AISystem, dpo: Client) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    case, _ = make_led_case(system, title="About Ada Lovelace")
    other, _ = make_led_case(system, title="Ada Lovelace Street")
    assert dpo.post(f"{ERASURES}begin/subject", SUBJECT).status_code == 302
    request = ErasureRequest.objects.get()
    search_for_finds(seconds=SECONDS)
    page = text(dpo, page_of(request))
    assert "c-1907" in page and "About Ada Lovelace" in page and "Ada Lovelace Street" in page
    finds = {find.row_id: str(find.item_id) for find in request.finds.all()}
    chosen = {"shown": list(finds.values()), "chosen": [finds[case.pk]]}
    assert dpo.post(f"{page_of(request)}finds", chosen).status_code == 302
    with long_ago():
        assert dpo.post(f"{page_of(request)}ask").status_code == 302
    owner = browser(agreeing(system))
    assert page_of(request) in text(owner, MINE)
    page = text(owner, page_of(request))
    assert "Found by words: case (1)" in page and "About Ada" not in page, "kinds and counts, no words"
    for consent in request.consents.all():  # of the AI system's decision, and of a case, which belongs to none
        with long_ago():
            assert owner.post(f"{ERASURES}answers/{consent.pk}/approve", {"answer": "Yes."}).status_code == 302
    assert "waits for its time" in text(dpo, page_of(request))
    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is None
    case.refresh_from_db()
    other.refresh_from_db()
    assert (case.title, other.title) == ("", "Ada Lovelace Street")
    done = text(dpo, page_of(request))
    assert "performed" in done and "c-1907" not in done and "Lovelace" not in done
    note = dpo.get(f"{page_of(request)}receipt")
    assert note.content.decode().startswith("answerable/erasure-receipt/v1\n")
    assert "attachment" in note["Content-Disposition"]


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        ("subject", SUBJECT | {"subject": ""}, "This field is required"),
        ("subject", SUBJECT | {"subject": "x" * 201}, "at most 200 characters"),
        ("subject", SUBJECT | {"identifiers": "ab"}, "found everywhere"),
        ("subject", SUBJECT | {"basis": ""}, "This field is required"),
        ("decision", SUBJECT | {"decisions": "no id"}, "no id of a decision"),
        ("decision", SUBJECT | {"decisions": str(uuid.UUID(int=7))}, "not there"),
        ("person", SUBJECT | {"person": str(uuid.UUID(int=7))}, "Select a valid choice"),
    ],
)
def test_what_is_refused_keeps_what_was_typed(dpo: Client, kind: str, wrong: dict[str, Any], said: str) -> None:
    answer = dpo.post(f"{ERASURES}begin/{kind}", wrong)
    page = answer.content.decode()
    assert answer.status_code == 422 and said in page and "They ask for it." in page
    assert not ErasureRequest.objects.exists()


def test_of_501_finds_every_page_is_looked_at_before_it_is_asked_for(system: AISystem, dpo: Client) -> None:
    record_decision(system, subject="c-1907")
    filters = [SavedFilter(owner_id=new_id(), name=f"of Ada Lovelace {n}", conditions={}) for n in range(501)]
    SavedFilter.objects.bulk_create(filters)
    assert dpo.post(f"{ERASURES}begin/subject", SUBJECT).status_code == 302
    search_for_finds(seconds=SECONDS)
    request = ErasureRequest.objects.get()
    page = text(dpo, page_of(request))
    assert "Shown are 200 of 501" in page and "301 nobody has looked at yet" in page
    refused = dpo.post(f"{page_of(request)}ask")
    assert refused.status_code == 422 and "301 of what was found was shown to nobody yet" in refused.content.decode()
    seen, address = set(SHOWN.findall(page)), page_of(request)
    left_out = min(seen)
    kept = {"shown": sorted(seen), "chosen": sorted(seen - {left_out})}
    assert dpo.post(f"{address}finds", kept).status_code == 302
    while following := re.search(r'rel="next" href="(\?finds=[^"]+)"', page):
        page = text(dpo, address + following[1])
        here = set(SHOWN.findall(page))
        assert here and not here & seen
        seen |= here
        answer = dpo.post(f"{address}finds", {"shown": sorted(here), "chosen": sorted(here), "finds_page": "x"})
        assert isinstance(answer, HttpResponseRedirect) and answer.url == f"{address}?finds=x"
    assert len(seen) == 501
    assert dpo.post(f"{address}ask").status_code == 302
    request.refresh_from_db()
    assert (request.status, request.texts) == ("requested", 500)
    assert str(request.finds.get(is_chosen=False).item_id) == left_out, "another page's choice leaves it as it was"


def test_others_find_neither_the_pages_nor_the_request(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    request = prepared(kind="subject", subject="c-1907")
    for person in (agreeing(system), make_person(administrator=True), make_person(auditor=True), make_person()):
        theirs = browser(person)
        assert theirs.get(page_of(request)).status_code == 404
        assert theirs.post(f"{page_of(request)}ask").status_code in {404, 422}
        assert theirs.get(f"{ERASURES}begin/subject").status_code == 404
        assert "c-1907" not in theirs.get(ERASURES).content.decode()
    request.refresh_from_db()
    assert request.status == "draft"


def test_whoever_is_accountable_sees_what_they_agree_to_but_not_the_finds(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    make_led_case(system, title="About Ada Lovelace")
    request = agreed(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    page = text(browser(agreeing(system)), page_of(request))
    assert "Objection" in page and "About Ada Lovelace" not in page


def test_it_is_stopped_from_the_page_and_asked_for_again(system: AISystem, dpo: Client) -> None:
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    owner = browser(agreeing(system))
    assert owner.post(f"{page_of(request)}hold", {"reason": ""}).status_code == 422
    assert owner.post(f"{page_of(request)}hold", {"reason": "A claim came in."}).status_code == 302
    page = text(dpo, page_of(request))
    assert "Stopped by somebody" in page and "A claim came in." in page
    assert dpo.post(f"{page_of(request)}ask").status_code == 302
    assert ErasureConsent.objects.filter(request=request, status="waiting").exists()
    assert dpo.post(f"{page_of(request)}withdraw", {"reason": ""}).status_code == 302
    request.refresh_from_db()
    assert request.status == "withdrawn"
    assert dpo.post(f"{page_of(request)}withdraw", {"reason": ""}).status_code == 422


def test_asking_and_agreeing_take_a_factor_of_a_moment_ago(
    system: AISystem, dpo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_decision(system, subject="c-1907")
    request = prepared(kind="subject", subject="c-1907")
    monkeypatch.setattr("console.views.erasures.interruption", lambda request: HttpResponseRedirect("/is-it-you"))
    assert dpo.post(f"{page_of(request)}ask")["Location"] == "/is-it-you"
    request.refresh_from_db()
    assert request.status == "draft"


def test_a_restricted_decision_says_so_to_others_and_shows_itself_to_the_officer(system: AISystem, dpo: Client) -> None:
    decision = record_decision(system, subject="c-1907", parts={"input": {"needle": 1}, "output": 2})
    erased(kind="subject", subject="c-1907")
    address = f"/admin/decisions/{decision.id}/"
    owner = text(browser(agreeing(system)), address)
    assert "restricted" in owner.lower() and "c-1907" not in owner and "needle" not in owner
    assert "restricted" in text(dpo, address).lower()


def test_of_a_hold_only_the_officer_is_told(system: AISystem, dpo: Client) -> None:
    no_floor(system)
    record_decision(system, subject="c-1907")
    now = timezone.now()
    place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk, since=now - timedelta(days=1),
        until=now + timedelta(days=1), reason="A claim.",
    )  # fmt: skip
    request = erased(kind="subject", subject="c-1907")
    assert "legal hold" in text(dpo, page_of(request))
    assert "legal hold" not in text(browser(agreeing(system)), page_of(request))


# --- retention --------------------------------------------------------------------------------------------------------
CLASS = {
    "kind": "payloads", "name": "Credit", "floor_days": 190, "floor_source": "Article 26(6)", "ceiling_days": 365,
    "purpose": "Complaints.", "why_lower": "",
}  # fmt: skip


def test_a_class_comes_into_force_by_two_people(system: AISystem, dpo: Client) -> None:
    assert dpo.post(RETENTION, CLASS).status_code == 302
    page = text(dpo, RETENTION)
    assert "Credit" in page and "Article 26(6)" in page
    chosen = RetentionClass.objects.get()
    asked = {"class_id": str(chosen.pk), "system": str(system.pk), "reason": "As agreed."}
    assert dpo.post(RETENTION, asked).status_code == 302
    rule, owner = RetentionRule.objects.get(), browser(agreeing(system))
    assert RETENTION in text(owner, MINE)
    assert dpo.post(f"{RETENTION}rules/{rule.pk}/approve", {"answer": ""}).status_code == 422, "not the same person"
    assert owner.post(f"{RETENTION}rules/{rule.pk}/approve", {"answer": "Fine."}).status_code == 302
    rule.refresh_from_db()
    assert rule.status == "in_force"


def test_a_class_that_is_refused_keeps_what_was_typed(dpo: Client) -> None:
    answer = dpo.post(RETENTION, CLASS | {"floor_days": 30, "ceiling_days": 20})
    page = answer.content.decode()
    assert answer.status_code == 422 and "Complaints." in page


def test_what_is_due_is_shown_before_it_goes_and_can_be_stopped(system: AISystem, dpo: Client) -> None:
    put_in_force("payloads", system, ceiling=30)
    record_decision(system, at=timezone.now() - timedelta(days=60))
    assert "payloads of decisions" in text(dpo, RETENTION)
    purge = announce_purge()
    assert purge is not None
    address = f"{RETENTION}purges/{purge.pk}/"
    owner = browser(agreeing(system))
    page = text(owner, address)
    assert "Credit" in page and "announced" in page.lower()
    assert owner.post(f"{address}stop", {"reason": ""}).status_code == 422
    assert owner.post(f"{address}stop", {"reason": "A claim."}).status_code == 302
    assert Purge.objects.get().status == "held"
    for person in (make_person(), make_person(accountable=make_system())):
        assert browser(person).get(address).status_code in {403, 404}


def test_a_purge_that_is_over_has_its_report(system: AISystem, dpo: Client) -> None:
    put_in_force("payloads", system, ceiling=30)
    record_decision(system, at=timezone.now() - timedelta(days=60))
    with long_ago(days=20):
        purge = announce_purge()
    assert purge is not None
    run_purges(seconds=SECONDS)
    note = dpo.get(f"{RETENTION}purges/{purge.pk}/report").content.decode()
    assert note.startswith("answerable/purge-report/v2\n")
    assert browser(make_person()).get(f"{RETENTION}purges/{purge.pk}/report").status_code in {403, 404}
