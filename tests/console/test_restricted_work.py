"""What is restricted, where people work on it: between two judgements, in drafts, in quarantine."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.errors import PayloadRestricted
from audit.models import Decision
from audit.restricted_texts import NOTICE as SAID_INSTEAD
from audit.restrictions import restricted_among
from evidence.services import erasure_answers
from governance.locks import hold
from governance.models import AISystem, Person
from intake.admin.quarantine import STEPS
from intake.models import QuarantineCase, QuarantinedRecord
from intake.services import replays
from intake.services.quarantine import RESTRICTING, lock_name
from intake.services.replays import correct, replay
from intake.services.sweeps import seal_arrivals
from ledger.models import Entry
from ledger.sealing import sealing
from overrides.models import Review, ReviewAssignment
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim, save_draft
from overrides.services.deciding import Answer, submit
from overrides.services.overriding import override_decision
from tests.factories import letters
from tests.factories.erasing import agreed, agreeing, officer, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.intake.conftest import make_sender
from tests.personas.people import Persona

pytestmark = pytest.mark.django_db
MARKED = "Nobody but data protection officers reads it until it is erased"
NOTE, OUTPUT, DRAFT = "note-of-ada", "output-of-ada", "draft-of-ada"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def api(person: Person) -> APIClient:
    return Persona("reviewer", True, person).api()


def restrict(*decision_ids: uuid.UUID) -> None:
    agreed(kind="decision", decision_ids=list(decision_ids))
    assert restricted_among(decision_ids) == set(decision_ids)


def between_two(system: AISystem) -> tuple[Review, Person, ReviewAssignment]:
    """A review on which two disagree, and the work of the third, who has begun to write."""
    first, second, third = (make_person(reviewer=system) for _ in range(3))
    review = open_review(system, rule=make_rule(system, make_queue(make_person()), reviews_required=2))
    changed = Answer(
        decision="modify", outcome="approved", output=f'{{"said":"{OUTPUT}"}}', reason_code="other", note=NOTE
    )
    for person, answer in ((first, Answer(decision="confirm")), (second, changed)):
        work = claim(actor=actor_of(person), review_id=review.pk)
        review.refresh_from_db()
        submit(actor=actor_of(person), token=work.token, version=review.version, answer=answer)
    work = claim(actor=actor_of(third), review_id=review.pk)
    save_draft(actor=actor_of(third), token=work.token, draft={"decision": "reject", "note": DRAFT})
    return review, third, work


def test_whoever_decides_between_two_reads_no_words_of_what_is_restricted(system: AISystem) -> None:
    review, third, work = between_two(system)
    page = f"/admin/reviews/work/{work.token}/"
    before = browser(third).get(page).content.decode()
    assert all(each in before for each in (NOTE, OUTPUT, DRAFT))
    restrict(review.decision_id)
    after = browser(third).get(page).content.decode()
    assert "What both reviewers said" in after and "are restricted" in after
    assert not any(each in after for each in (NOTE, OUTPUT, DRAFT))
    kept = ReviewAssignment.objects.get(pk=work.pk)
    assert kept.draft == {"decision": "reject", "note": DRAFT}, "it is hidden, not thrown away"
    assert ReviewAssignment.objects.filter(review=review, note=NOTE).exists()


def test_nor_does_the_api_give_a_draft_of_what_is_restricted(system: AISystem) -> None:
    review, third, work = between_two(system)
    client = api(third)
    (mine,) = client.get("/api/v1/reviews/mine").json()["work"]
    assert mine["draft"] == {"decision": "reject", "note": DRAFT}
    restrict(review.decision_id)
    (mine,) = client.get("/api/v1/reviews/mine").json()["work"]
    assert (mine["id"], mine["draft"]) == (str(work.pk), None)
    again = client.post(f"/api/v1/reviews/{review.pk}/claim")
    assert (again.status_code, again.json()["draft"]) == (201, None)


@pytest.mark.committing
def test_the_original_of_what_is_restricted_is_read_by_the_officer_alone() -> None:
    sender = make_sender("credit", accountable=make_person())
    record_id = refused(sender, subject="c-1907", extra=1, labels={"of": "Ada"})
    engineer, dpo = make_person(technical_owner=sender.systems[0]), make_person(dpo=True)
    correct(actor=actor_of(engineer), record_id=record_id, corrections={"extra": None}, reason="A typo.")
    replay(actor=actor_of(engineer), record_id=record_id, reason="Right now.")
    seal_arrivals()
    assert Decision.objects.filter(pk=record_id).exists()
    page, listed = f"/admin/intake/quarantinedrecord/{record_id}/change/", "/admin/intake/quarantinedrecord/"
    assert "c-1907" in browser(engineer).get(page).content.decode()
    assert "/extra" in browser(engineer).get(listed).content.decode()
    restrict(record_id)
    looks = Entry.objects.filter(kind="quarantine.viewed").count()
    after = browser(engineer).get(page).content.decode()
    assert "only a data protection officer reads it" in after
    assert "c-1907" not in after and "extra" not in after
    assert Entry.objects.filter(kind="quarantine.viewed").count() == looks, "nobody saw it, so no look is sealed"
    assert "/extra" not in browser(engineer).get(listed).content.decode()
    assert "c-1907" in browser(dpo).get(page).content.decode()
    assert QuarantinedRecord.objects.get(pk=record_id).original is not None


def refused(sender: Any, **wrong: Any) -> uuid.UUID:
    answer = sender.post(sender.record(**wrong))
    assert answer.status_code == 422, answer.content
    return uuid.UUID(answer.json()["quarantine_id"])


# --- restricted by themselves: found by words, of decisions that nobody erases ----------------------------------------
def restrict_words(word: str) -> None:
    assert agreed(kind="subject", subject="nobody-of-this-name", identifiers=[word]).text_restrictions.exists()


def test_words_on_a_decision_are_restricted_and_its_payload_is_not(system: AISystem) -> None:
    decision, owner = record_decision(system, parts={"input": "the-input", "output": 1}), agreeing(system)
    actor, output = actor_of(owner), f'{{"said":"{OUTPUT}"}}'
    said: dict[str, Any] = {"outcome": "no", "reason_code": "other", "output": output, "note": NOTE}
    override_decision(actor=actor, decision_id=decision.id, **said)
    page, effective = f"/admin/decisions/{decision.id}/", f"/api/v1/decisions/{decision.id}/effective"
    assert NOTE in browser(owner).get(page).content.decode() and OUTPUT in str(api(owner).get(effective).json())
    restrict_words(NOTE)
    shown, told = browser(owner).get(page).content.decode(), api(owner).get(effective)
    assert (NOTE in shown, OUTPUT in shown, SAID_INSTEAD in shown) == (False, False, True), "a text goes whole"
    assert told.json()["output"] is None and told.json()["effective_outcome"] == "no"
    assert "the-input" in browser(owner).post(f"{page}payload").content.decode()
    whole = browser(officer()).get(page).content.decode()
    assert NOTE in whole and OUTPUT in whole.replace("&quot;", '"')
    assert (MARKED in shown, MARKED in whole) == (False, True)


def test_an_appeal_and_a_letter_tell_the_officer_that_they_are_restricted(system: AISystem) -> None:
    decision, owner = record_decision(system, parts={"input": 1, "output": 1}), agreeing(system)
    given: dict[str, Any] = {"ground_code": "wrong-data", "statement": NOTE}
    appeal = open_appeal(actor=actor_of(owner), decision_id=decision.id, **given)
    letter = letters.issue(decision, owner, text=f"Dear {NOTE},\n\nno.", addressee=NOTE)
    pages = [f"/admin/reviews/appeals/{appeal.pk}/", f"/admin/letters/{letter.pk}/"]
    assert [MARKED in browser(officer()).get(each).content.decode() for each in pages] == [False, False]
    restrict_words(NOTE)
    for page in pages:
        assert MARKED in browser(officer()).get(page).content.decode(), page
        told = browser(owner).get(page).content.decode()
        assert MARKED not in told and NOTE not in told, page


def test_between_two_what_names_somebody_is_restricted_by_itself(system: AISystem) -> None:
    _, third, work = between_two(system)
    restrict_words(NOTE)
    item = browser(third).get(f"/admin/reviews/work/{work.token}/").content.decode()
    assert NOTE not in item and OUTPUT not in item and SAID_INSTEAD in item


@pytest.mark.committing
def test_a_record_in_quarantine_is_restricted_by_itself() -> None:
    sender = make_sender("credit", accountable=make_person())
    system = sender.systems[0]
    record_id = refused(sender, subject="c-1907", extra=1, labels={"of": "Ada"})
    engineer = make_person(technical_owner=system)
    put_in_force("quarantine", system, floor=60)
    page, listed = f"/admin/intake/quarantinedrecord/{record_id}/change/", "/admin/intake/quarantinedrecord/"
    assert "c-1907" in browser(engineer).get(page).content.decode()
    request = agreed(kind="subject", subject="c-1907")
    assert list(request.text_restrictions.values_list("item_id", flat=True)) == [record_id]
    looks = Entry.objects.filter(kind="quarantine.viewed").count()
    after = browser(engineer).get(page).content.decode()
    assert "only a data protection officer reads it" in after
    assert "c-1907" not in after and "extra" not in after and "Replay" not in after
    assert "/extra" not in browser(engineer).get(listed).content.decode()
    assert Entry.objects.filter(kind="quarantine.viewed").count() == looks, "nobody saw it, so no look is sealed"
    for act in (replay, partial(correct, corrections={"extra": None})):
        with pytest.raises(PayloadRestricted):
            act(actor=actor_of(engineer), record_id=record_id, reason="Right now.")
    assert not Decision.objects.filter(pk=record_id).exists(), "it would be a decision that nobody restricted"
    assert "c-1907" in browser(make_person(dpo=True)).get(page).content.decode()
    both = make_person(dpo=True, technical_owner=system)
    read = browser(both).get(page).content.decode()
    assert "c-1907" in read, "an officer reads it"
    assert STEPS["request_dismissal"] in read and STEPS["replay"] not in read and STEPS["correct"] not in read
    sent = browser(both).post(page, {"step": "replay", "corrections": "{}", "reason": "Right now."})
    assert sent.status_code == 200 and not Decision.objects.filter(pk=record_id).exists()


@pytest.mark.committing
@pytest.mark.parametrize("act", [replay, partial(correct, corrections={"labels": None})])
def test_a_record_that_is_restricted_while_somebody_works_on_it_stays(
    monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any]
) -> None:
    sender = make_sender("credit", accountable=make_person())
    system = sender.systems[0]
    record_id = refused(sender, subject="c-1907", extra=1)
    engineer = actor_of(make_person(technical_owner=system))
    correct(actor=engineer, record_id=record_id, corrections={"extra": None}, reason="A typo.")
    put_in_force("quarantine", system, floor=60)

    @contextmanager
    def sealing_later() -> Iterator[Any]:
        """Two people agree behind the first look, before anything is locked."""
        monkeypatch.setattr(replays, "sealing", sealing)
        restrict_words("c-1907")
        with sealing() as seal:
            yield seal

    monkeypatch.setattr(replays, "sealing", sealing_later)
    with pytest.raises(PayloadRestricted):
        act(actor=engineer, record_id=record_id, reason="Right now.")
    assert not Decision.objects.filter(pk=record_id).exists()
    assert QuarantineCase.objects.get(record=record_id).corrections == {"extra": None}


@pytest.mark.committing
def test_whoever_restricts_waits_for_whoever_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = make_sender("credit", accountable=make_person())
    record_id = refused(sender, subject="c-1907", extra=1)
    engineer = actor_of(make_person(technical_owner=sender.systems[0]))
    held, there = list[str](), list[str]()

    def noting(into: list[str]) -> Callable[..., None]:
        def noted(*names: str) -> None:
            into.extend(names)
            hold(*names)

        return noted

    monkeypatch.setattr(replays, "hold", noting(held))
    correct(actor=engineer, record_id=record_id, corrections={"extra": None}, reason="A typo.")
    assert held == [RESTRICTING, lock_name(record_id)]
    put_in_force("quarantine", sender.systems[0], floor=60)
    monkeypatch.setattr(erasure_answers, "hold", noting(there))
    restrict_words("c-1907")
    assert there == [RESTRICTING]
