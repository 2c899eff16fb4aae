"""What came after an erasure was looked for: nobody agreed to erase it, and whoever asked is told of it."""

import json
import uuid

import pytest
from django.test import Client

from audit.models import ErasureRequest, ErasureScan, SavedFilter
from evidence.erasure.documents import Since, came_since, document_about
from evidence.services.erasure_answers import approve_erasure, hold_erasure, refuse_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.services.erasures import ask_erasure
from governance.models import AISystem, Person
from ledger.models import Entry, Particulars
from notices.letters import letter_for
from notices.models import Message
from overrides.services.overriding import override_decision
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, agreeing, long_ago, no_floor, officer, prepared
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
ADA = "Ada Lovelace"


@pytest.fixture
def system() -> AISystem:
    made = make_system(slug="credit", accountable=make_person())
    no_floor(made)
    return made


def performed(request: ErasureRequest) -> ErasureRequest:
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "performed"
    return request


def named(row_id: uuid.UUID) -> int:
    """How many versions of a row's texts name her."""
    rows = Particulars.objects.filter(row_id=row_id, data__isnull=False)
    return sum(b"Lovelace" in bytes(row.data or b"") for row in rows)


def test_texts_that_came_since_are_counted_and_told(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    before, _ = make_led_case(system, title=f"About {ADA}")
    request = agreed(kind="subject", subject="c-1907", identifiers=[ADA])
    later, _ = make_led_case(system, title="Again about ada  lovelace")
    owner = make_person()
    SavedFilter.objects.create(owner_id=owner.pk, name=f"of {ADA}", conditions={}, terms={})
    late = record_decision(system, subject="c-1907")
    performed(request)
    assert named(before.pk) == 0
    texts = Particulars.objects.filter(row_id=later.pk, data__isnull=False).count() + 1
    assert came_since(request.pk) == Since(decisions=1, texts=texts, is_searched=True)
    (row,) = Entry.objects.filter(about_id=request.pk, kind="erasure.completed")
    body = json.loads(bytes(row.data))["body"]
    assert (body["came_since"], body["texts_since"]) == (1, texts)
    document = document_about(request.pk)
    assert document is not None and f"since: 1 decision and {texts} texts came" in document.note.replace(",", "")
    message = Message.objects.get(kind="erasure.done", person_id=officer().pk)
    assert f"1 decision and {texts} texts" in "".join(letter_for(message).lines)
    assert f"1 decision and {texts} texts" in page_of(request, officer())
    assert late.id


def test_where_nothing_came_nothing_is_said(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    make_led_case(system, title=f"About {ADA}")
    request = performed(agreed(kind="subject", subject="c-1907", identifiers=[ADA]))
    assert came_since(request.pk) == Since(0, 0, is_searched=True)
    document = document_about(request.pk)
    assert document is not None and "since:" not in document.note
    assert "came in after" not in page_of(request, officer())


def test_what_stands_about_a_decision_that_somebody_refused_did_not_come_since(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    no_floor(other)
    record_decision(system, subject="c-1907")
    kept = record_decision(other, subject="c-1907", outcome="approved")
    override_decision(
        actor=actor_of(agreeing(other)), decision_id=kept.id, outcome="refused", reason_code="other", note=ADA
    )
    request = prepared(kind="subject", subject="c-1907", identifiers=[ADA])
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get(system_id=system.pk).pk)
        refuse_erasure(actor=actor_of(agreeing(other)), consent_id=request.consents.get(system_id=other.pk).pk)
    assert came_since(performed(request).pk).texts == 0


def test_it_is_looked_for_in_slices_and_goes_on(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.erasure.since.AT_ONCE", 2)
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907", identifiers=[ADA])
    cases = [make_led_case(system, title=f"About {ADA}")[0] for _ in range(3)]
    for _ in range(1_000):
        run_erasures(seconds=0.0)
        request.refresh_from_db()
        if request.status == "performed":
            break
    assert ErasureScan.objects.get(request=request).newer["is_over"]
    assert came_since(request.pk).texts == sum(named(case.pk) for case in cases) > 2


def test_asked_for_again_it_is_looked_for_anew(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907", identifiers=[ADA])
    ErasureScan.objects.filter(request=request).update(newer={"is_over": True, "found": 7, "place": ""})
    hold_erasure(actor=actor_of(officer()), request_id=request.pk, reason="A claim came in.")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get(status="waiting").pk)
    assert came_since(performed(request).pk).texts == 0


def page_of(request: ErasureRequest, person: Person) -> str:
    client = Client()
    client.force_login(person)
    return client.get(f"/admin/erasures/{request.pk}/").content.decode()
