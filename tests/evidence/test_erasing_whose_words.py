"""Whose words are found: each goes by the word of whoever answers for it, and stays where they said no."""

import uuid

import pytest

from audit.models import ErasureConsent, ErasureFind, ErasureRequest, Payload
from evidence.erasure.counting import counted_finds
from evidence.services.erasure_answers import approve_erasure, refuse_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.services.erasures import ask_erasure, choose_finds
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Particulars
from overrides.services.overriding import override_decision
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreeing, long_ago, no_floor, officer, prepared
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def credit() -> AISystem:
    """Of it are the decisions."""
    made = make_system(slug="credit", accountable=make_person())
    no_floor(made)
    record_decision(made, subject="c-1907")
    return made


@pytest.fixture
def hiring() -> AISystem:
    """Of it are a note about somebody else's decision, and what the register says: both name them."""
    made = make_system(slug="hiring", accountable=make_person(), intended_purpose="Asked for by Ada Lovelace.")
    no_floor(made)
    return made


def note_on(system: AISystem) -> uuid.UUID:
    made = override_decision(
        actor=actor_of(agreeing(system)), decision_id=record_decision(system, subject="c-2").id, outcome="refused",
        reason_code="other", note="Ada Lovelace said so.",
    )  # fmt: skip
    return made.pk


def looked_for(**given: object) -> ErasureRequest:
    return prepared(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"], **given)


def asked(request: ErasureRequest) -> dict[uuid.UUID | None, ErasureConsent]:
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    return {each.system_id: each for each in request.consents.exclude(status="void")}


def agree(consent: ErasureConsent, system: AISystem | None) -> None:
    with long_ago():
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)


def is_kept(row_id: uuid.UUID) -> bool:
    return Particulars.objects.filter(row_id=row_id, part="particulars", data__isnull=False).exists()


def test_each_find_is_of_whoever_answers_for_its_words(credit: AISystem, hiring: AISystem) -> None:
    note, (case, _) = note_on(hiring), make_led_case(credit, title="About Ada Lovelace")
    request = looked_for()
    assert dict(request.finds.values_list("row_id", "system_id")) == {
        note: hiring.pk,
        hiring.pk: hiring.pk,
        case.pk: None,
    }
    consents = asked(request)
    assert set(consents) == {credit.pk, hiring.pk, None}
    digests = {system: each.texts_digest for system, each in consents.items()}
    assert len(set(digests.values())) == 3, "nothing, two finds, one"
    told = {system: {each.what: each.count for each in counted_finds(consent)} for system, consent in consents.items()}
    assert told == {credit.pk: {}, hiring.pk: {"override": 1, "AI system": 1}, None: {"case": 1}}


@pytest.mark.parametrize("says_no", ["hiring", "organisation"])
def test_what_somebody_refused_stays_and_the_rest_goes(credit: AISystem, hiring: AISystem, says_no: str) -> None:
    note, (case, _) = note_on(hiring), make_led_case(credit, title="About Ada Lovelace")
    request = looked_for()
    consents = asked(request)
    refused = hiring.pk if says_no == "hiring" else None
    for system_id, consent in consents.items():
        if system_id != refused:
            agree(consent, AISystem.objects.get(pk=system_id) if system_id else None)
    person = agreeing(hiring) if refused else agreeing(credit)
    with long_ago():
        refuse_erasure(actor=actor_of(person), consent_id=consents[refused].pk)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "performed"
    assert (is_kept(note), is_kept(hiring.pk), is_kept(case.pk)) == (bool(refused), bool(refused), not refused)
    assert not Payload.objects.filter(pk__in=request.targets.values("decision_id"), secret__isnull=False).exists()
    assert list(verify_everything()) == []


def test_nobody_answers_for_words_of_another_ai_system(credit: AISystem, hiring: AISystem) -> None:
    """Where the only decisions are of one, and all that was found is of the other."""
    note = note_on(hiring)
    request = looked_for()
    consents = asked(request)
    agree(consents[credit.pk], credit)
    request.refresh_from_db()
    assert request.status == "requested", "the other one was not heard"
    assert run_erasures(seconds=SECONDS) == 0
    assert is_kept(note)


def test_of_one_ai_system_alone_nothing_of_others_is_found(credit: AISystem, hiring: AISystem) -> None:
    note, _ = note_on(hiring), make_led_case(credit, title="About Ada Lovelace")
    mine = note_on(credit)
    assert set(looked_for(system_id=credit.pk).finds.values_list("row_id", flat=True)) == {mine}
    assert set(looked_for(system_id=hiring.pk).finds.values_list("row_id", flat=True)) == {note, hiring.pk}


def test_where_all_words_of_one_are_left_out_it_is_not_asked(credit: AISystem, hiring: AISystem) -> None:
    note_on(hiring)
    request = looked_for()
    left_out = list(request.finds.values_list("item_id", flat=True))
    choose_finds(actor=actor_of(officer()), request_id=request.pk, left_out=left_out)
    assert set(asked(request)) == {credit.pk}


def test_a_row_that_says_that_a_find_is_of_another_one_frees_nothing(credit: AISystem, hiring: AISystem) -> None:
    """Moved before it is asked for: the one who agrees is not the one whose words they are, and the database knows."""
    note = note_on(hiring)
    request = looked_for()
    ErasureFind.objects.filter(request=request).update(system_id=credit.pk)
    consents = asked(request)
    assert set(consents) == {credit.pk}
    agree(consents[credit.pk], credit)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "scheduled" and is_kept(note) and is_kept(hiring.pk)
    assert not Payload.objects.filter(pk__in=request.targets.values("decision_id"), secret__isnull=False).exists()
