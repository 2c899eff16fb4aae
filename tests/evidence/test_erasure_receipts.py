"""The signed receipt of an erasure: it verifies, names nobody, and claims no more than is so."""

import pytest
from pytest_django import Settings

from audit.models import ErasureRequest
from evidence.erasure.documents import document_about
from evidence.services.erasure_answers import approve_erasure, refuse_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.services.erasures import ask_erasure
from governance.models import AISystem
from ledger.models import Entry
from ledger.selectors import registry_log
from ledger.signing import verifier_keys
from ledger.tlog import Verifier, open_note
from notices.letters import letter_for
from notices.models import Message
from tests.factories.erasing import SECONDS, agreeing, erased, long_ago, no_floor, officer, prepared
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


# --- documents --------------------------------------------------------------------------------------------------------
def test_the_receipt_is_signed_verifies_and_names_nobody(system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = erased(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    document = document_about(request.pk)
    assert document is not None
    origin = registry_log().origin
    verifiers = [Verifier.from_vkey(vkey) for vkey in verifier_keys(origin)]
    text = open_note(document.note, verifiers).text
    assert text.startswith(f"answerable/erasure-receipt/v1\nby: {origin}\nrequest: {request.pk}\n")
    assert "took: payloads 1" in text and "unreached: backups" in text
    assert "c-1907" not in text and "Lovelace" not in text
    entry = Entry.objects.get(about_id=decision.id, kind="erasure.performed")
    assert f"entry: {entry.id}" in text


def receipt(request: ErasureRequest) -> str:
    document = document_about(request.pk)
    assert document is not None
    return document.note


def test_the_receipt_says_who_refused_and_what_is_kept_there(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    no_floor(system, other)
    for each in (system, other, other):
        record_decision(each, subject="c-1907")
    request = prepared(kind="subject", subject="c-1907")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        for each, says in ((system, approve_erasure), (other, refuse_erasure)):
            says(actor=actor_of(agreeing(each)), consent_id=request.consents.get(system_id=each.pk).pk)
    run_erasures(seconds=SECONDS)
    note = receipt(request)
    assert f"by {agreeing(other).pk} of {other.pk}; 2 decisions are kept" in note
    assert f"of {system.pk};" not in note
    message = Message.objects.get(kind="erasure.done", person_id=officer().pk)
    assert "2 decisions are kept, since whoever is accountable there refused." in letter_for(message).lines


def test_the_receipt_says_of_e_mails_and_backups_no_more_than_is_so(system: AISystem, settings: Settings) -> None:
    settings.BACKUP_DAYS = 30
    no_floor(system)
    one, two = (record_decision(system, subject=each) for each in ("c-1907", "c-1908"))
    by_words = receipt(erased(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"]))
    single = receipt(erased(kind="decision", decision_ids=[two.id]))
    assert "e-mails: those in a folder of this installation that name them were deleted" in by_words
    assert "e-mails: not looked through" in single
    for note in (by_words, single):
        assert "unreached: backups made before, kept until the first one that is made after 20" in note
        assert "unreached: e-mails that a mail server was given" in note
    assert one.id


def test_a_second_run_erases_nothing_more_and_signs_nothing_else(system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1907")
    request = erased(kind="subject", subject="c-1907")
    before = (Entry.objects.count(), document_about(request.pk))
    assert run_erasures(seconds=SECONDS) == 0
    assert (Entry.objects.count(), document_about(request.pk)) == before
