"""Cards from the first word to the number: who may, what blocks, and what happens to two at once."""

import hashlib
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from config.errors import Forbidden, InvalidInput, ServiceError
from governance import memory
from governance.acts import Role
from governance.cards.content import checked_content, read_document
from governance.cards.errors import (
    CardDraftChanged,
    CardDraftExists,
    CardDraftNotFound,
    CardIncomplete,
    CardNotSubmitted,
    CardSubmittedAnew,
    CardUnchanged,
    CardWaits,
)
from governance.errors import ApprovalForbidden, PersonNeeded, SystemNotReady
from governance.models import AISystem, CardSave, Person, SystemCard
from governance.scopes import ORGANISATION, Scope
from governance.selectors import card_in_force, last_save, open_card, published_cards
from governance.services.cards import (
    may_publish,
    publish_card,
    return_card,
    save_draft,
    start_card,
    submit_card,
    withdraw_card,
)
from governance.services.offers import NAMED_ONLY
from governance.services.systems import gaps, take_live
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories import cards
from tests.factories.cards import RANGE, content
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status = SystemCard.Status
WRITERS = (Role.TECHNICAL_OWNER, Role.ACCOUNTABLE, Role.DEPUTY)


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def writer(system: AISystem) -> Person:
    return cards.writer_of(system)


@pytest.fixture
def publisher(system: AISystem) -> Person:
    return cards.publisher_of(system)


def save(person: Person, system: AISystem, base: int, document: dict[str, Any] | None = None) -> CardSave:
    return save_draft(actor=actor_of(person), system_id=system.pk, content=document or content(), base=base)


def publish(person: Person, card: SystemCard) -> SystemCard:
    return publish_card(actor=actor_of(person), system_id=card.system_id, content_digest=card.content_digest)


def kinds(system: AISystem) -> list[str]:
    found = Entry.objects.filter(log__system_id=system.pk, kind__startswith="card.")
    return list(found.order_by("leaf_index").values_list("kind", flat=True))


def test_from_a_draft_to_a_number(system: AISystem, writer: Person, publisher: Person) -> None:
    card = cards.submit(system, writer, note="First one.")
    assert (card.status, card.note, card.number) == (Status.SUBMITTED, "First one.", None)
    published = publish(publisher, card)
    assert (published.status, published.number) == (Status.PUBLISHED, 1)
    assert read_document(published.content) == checked_content(content())
    assert card_in_force(system.pk) == published and open_card(system.pk) is None
    assert not CardSave.objects.exists()
    assert kinds(system) == ["card.drafted", "card.submitted", "card.published"]


def test_the_entry_of_a_publication_opens_with_the_key_and_the_file_alone(system: AISystem) -> None:
    card = cards.publish(system)
    entry = Entry.objects.get(kind="card.published")
    body = json.loads(bytes(entry.data))["body"]
    opened = hashlib.sha256(bytes.fromhex(card.check_key) + card.content.encode()).hexdigest()
    assert (entry.about_id, body["card"], body["digest"]) == (card.pk, 1, opened) and opened == card.digest
    assert b"Credit models" not in bytes(entry.data)


def test_a_guess_of_an_erased_text_is_tried_on_nothing_that_stays(system: AISystem) -> None:
    """The plain digest stands with the text, and goes with it."""
    card = cards.publish(system)
    plain = card.content_digest.removeprefix("sha256:").encode()
    entries = Entry.objects.filter(kind__startswith="card.").values_list("data", flat=True)
    states = card.history.values_list("state", flat=True)
    assert len(plain) == 64 and not any(plain in bytes(each) for each in [*entries, *states])
    assert not {"content", "content_digest", "check_key"} & {each.name for each in card.history.model._meta.fields}


def test_each_submission_has_a_key_of_its_own(system: AISystem, writer: Person) -> None:
    first = cards.submit(system, writer)
    return_card(actor=actor_of(writer), system_id=system.pk, reason="Once more.")
    again = submit_card(actor=actor_of(writer), system_id=system.pk, base=2)
    assert first.content_digest == again.content_digest and first.digest != again.digest


def test_the_next_one_supersedes_it_and_the_past_is_kept(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.publish(system, writer=writer, publisher=publisher)
    then = timezone.now() + timedelta(days=5)
    with time_machine.travel(then + timedelta(days=5), tick=False):
        second = cards.publish(system, content(RANGE), writer=writer, publisher=publisher)
    assert second.number == 2 and second.begun_from == 1
    assert [each.number for each in published_cards(system.pk)] == [2, 1]
    at_that_time, before_any = card_in_force(system.pk, then), card_in_force(system.pk, then - timedelta(days=6))
    assert at_that_time is not None and at_that_time.number == 1 and before_any is None
    assert at_that_time.superseded_at == second.published_at
    assert card_in_force(system.pk, second.published_at) == second
    assert kinds(system)[-3:] == ["card.submitted", "card.superseded", "card.published"]


def test_a_new_draft_begins_with_the_card_in_force_or_blank(system: AISystem, writer: Person) -> None:
    published = cards.publish(system, writer=writer)
    assert start_card(actor=actor_of(writer), system_id=system.pk).content == published.content
    withdraw_card(actor=actor_of(writer), system_id=system.pk)
    assert read_document(start_card(actor=actor_of(writer), system_id=system.pk, blank=True).content) == {}


def test_one_draft_at_a_time(system: AISystem, writer: Person) -> None:
    start_card(actor=actor_of(writer), system_id=system.pk)
    with pytest.raises(CardDraftExists):
        start_card(actor=actor_of(writer), system_id=system.pk)


def test_two_tabs_lose_nothing(system: AISystem, writer: Person, publisher: Person) -> None:
    start_card(actor=actor_of(writer), system_id=system.pk)
    save(writer, system, 1, content(data={"sources": "Theirs."}))
    with pytest.raises(CardDraftChanged) as caught:
        save(publisher, system, 1, content(data={"sources": "Mine."}, oversight={"measures": "Mine too."}))
    assert {each.pointer for each in caught.value.errors} == {"/data/sources", "/oversight/measures"}
    card = open_card(system.pk)
    assert card is not None and "Theirs." in last_save(card).content


def test_a_double_click_saves_once(system: AISystem, writer: Person) -> None:
    start_card(actor=actor_of(writer), system_id=system.pk)
    assert save(writer, system, 1).number == save(writer, system, 1).number == 2
    assert CardSave.objects.count() == 2


def test_what_was_submitted_is_not_changed(system: AISystem, writer: Person) -> None:
    cards.submit(system, writer)
    with pytest.raises(CardWaits):
        save(writer, system, 2, content(RANGE))
    with pytest.raises(CardWaits):
        submit_card(actor=actor_of(writer), system_id=system.pk, base=2)


def test_a_submission_is_of_what_its_writer_saw(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.draft(system, writer)
    save(publisher, system, 2, content(RANGE))
    with pytest.raises(CardDraftChanged):
        submit_card(actor=actor_of(writer), system_id=system.pk, base=2)


def test_what_lacks_blocks_and_is_named(system: AISystem, writer: Person) -> None:
    document = content()
    del document["purpose"]["failures"]
    with pytest.raises(CardIncomplete) as caught:
        cards.submit(system, writer, document)
    (problem,) = caught.value.errors
    assert problem.pointer == "/purpose/failures" and problem.expected and "Art. 13" in problem.expected


def test_the_same_content_gets_no_second_number(system: AISystem, writer: Person) -> None:
    cards.publish(system, writer=writer)
    start_card(actor=actor_of(writer), system_id=system.pk)
    with pytest.raises(CardUnchanged):
        submit_card(actor=actor_of(writer), system_id=system.pk, base=1)


# --- the second person --------------------------------------------------------------------------------------------
def test_nobody_publishes_alone(system: AISystem, writer: Person) -> None:
    give_role(writer, Role.ACCOUNTABLE, Scope.system(system.pk))
    card = cards.submit(system, writer)
    with pytest.raises(ApprovalForbidden):
        publish(writer, card)


def test_nobody_who_wrote_of_it_publishes_it(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.draft(system, writer)
    save(publisher, system, 2, content(RANGE))
    save(writer, system, 3, content(RANGE, data={"sources": "Mine, on top of theirs."}))
    card = submit_card(actor=actor_of(writer), system_id=system.pk, base=4)
    assert card.written_by == [writer.pk, publisher.pk] and not may_publish(actor_of(publisher), card)
    with pytest.raises(ApprovalForbidden):
        publish(publisher, card)
    withdraw_card(actor=actor_of(writer), system_id=system.pk)
    assert publish(publisher, cards.submit(system, writer)).number == 1


def test_beginning_with_the_card_in_force_writes_nothing(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.publish(system, writer=writer, publisher=publisher)
    start_card(actor=actor_of(publisher), system_id=system.pk)
    card = cards.submit(system, writer, content(RANGE))
    assert card.written_by == [writer.pk] and publish(publisher, card).number == 2


def test_who_wrote_it_is_sealed_and_stays_when_the_saves_are_gone(system: AISystem, writer: Person) -> None:
    colleague = cards.writer_of(system)
    cards.draft(system, colleague)
    card = cards.publish(system, content(RANGE), writer=writer)
    assert not CardSave.objects.exists()
    sealed = json.loads(bytes(card.history.get(history_type="~", status="published").state))
    assert sealed["written_by"] == [str(colleague.pk), str(writer.pk)]


def test_the_database_holds_two_people_too(system: AISystem, publisher: Person) -> None:
    card = cards.publish(system, publisher=publisher)
    for changes in ({"submitted_by_id": publisher.pk}, {"drafted_by_id": publisher.pk}):
        with pytest.raises(IntegrityError, match="card_published_by_another"), transaction.atomic():
            SystemCard.objects.filter(pk=card.pk).update(**changes)
    with pytest.raises(IntegrityError, match="card_not_published_by_a_writer"), transaction.atomic():
        SystemCard.objects.filter(pk=card.pk).update(written_by=[card.drafted_by_id, publisher.pk])


def test_what_is_published_is_what_was_looked_at(system: AISystem, writer: Person, publisher: Person) -> None:
    seen = cards.submit(system, writer)
    return_card(actor=actor_of(writer), system_id=system.pk, reason="One more thing.")
    cards.submit(system, writer, content(RANGE))
    with pytest.raises(CardSubmittedAnew):
        publish(publisher, seen)


def test_a_second_click_on_publish_says_that_it_is_done(system: AISystem, writer: Person, publisher: Person) -> None:
    card = cards.submit(system, writer)
    publish(publisher, card)
    with pytest.raises(CardNotSubmitted):
        publish(publisher, card)
    assert published_cards(system.pk).count() == 1


def test_it_goes_back_with_a_reason_and_comes_again(system: AISystem, writer: Person, publisher: Person) -> None:
    cards.submit(system, writer)
    with pytest.raises(InvalidInput):
        return_card(actor=actor_of(publisher), system_id=system.pk, reason=" ")
    card = return_card(actor=actor_of(publisher), system_id=system.pk, reason="Name the test.")
    assert (card.status, card.answer) == (Status.DRAFT, "Name the test.")
    again = cards.submit(system, writer, content(RANGE))
    assert again.answer == "" and publish(publisher, again).number == 1


def test_what_is_given_up_stays_in_its_history(system: AISystem, writer: Person) -> None:
    card = cards.draft(system, writer)
    withdrawn = withdraw_card(actor=actor_of(writer), system_id=system.pk, reason="Superfluous.")
    assert withdrawn.status == Status.WITHDRAWN and "Scores applications." in withdrawn.content
    assert not CardSave.objects.exists() and open_card(system.pk) is None
    with pytest.raises(CardDraftNotFound):
        withdraw_card(actor=actor_of(writer), system_id=system.pk)
    assert start_card(actor=actor_of(writer), system_id=system.pk).card != card


# --- rights -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", [None, *(each for each in Role if each not in WRITERS)])
def test_others_neither_write_nor_publish(system: AISystem, writer: Person, role: Any) -> None:
    other = make_person()
    if role:
        give_role(other, role, Scope.system(system.pk) if role in NAMED_ONLY else ORGANISATION)
    card = cards.submit(system, writer)
    actor = actor_of(other)
    with pytest.raises(Forbidden):
        start_card(actor=actor, system_id=system.pk)
    with pytest.raises(Forbidden):
        save(other, system, 2)
    with pytest.raises(Forbidden):
        submit_card(actor=actor, system_id=system.pk, base=2)
    with pytest.raises(Forbidden):
        withdraw_card(actor=actor, system_id=system.pk)
    with pytest.raises(ApprovalForbidden):
        publish(other, card)
    with pytest.raises(ApprovalForbidden):
        return_card(actor=actor, system_id=system.pk, reason="No.")


def test_rights_in_one_system_are_none_in_another(system: AISystem, writer: Person, publisher: Person) -> None:
    foreign = make_system()
    card = cards.submit(foreign, cards.writer_of(foreign))
    with pytest.raises(Forbidden):
        start_card(actor=actor_of(writer), system_id=foreign.pk)
    with pytest.raises(ApprovalForbidden):
        publish(publisher, card)


def test_a_deputy_writes_and_does_not_ask_to_publish(system: AISystem) -> None:
    deputy = make_person()
    give_role(deputy, Role.DEPUTY, Scope.system(system.pk))
    cards.draft(system, deputy)
    with pytest.raises(Forbidden):
        submit_card(actor=actor_of(deputy), system_id=system.pk, base=2)


def test_no_command_writes_a_card(system: AISystem) -> None:
    with pytest.raises((Forbidden, PersonNeeded)):
        start_card(actor=COMMAND, system_id=system.pk)


def test_a_system_that_is_not_there_is_refused_as_a_foreign_one(writer: Person) -> None:
    with pytest.raises(Forbidden):
        start_card(actor=actor_of(writer), system_id=writer.pk)


# --- what follows from it -----------------------------------------------------------------------------------------
def test_no_ai_system_goes_live_without_a_published_card(system: AISystem, publisher: Person) -> None:
    assert "/card" in {gap.pointer for gap in gaps(system)}
    with pytest.raises(SystemNotReady, match="may not go live"):
        take_live(actor=actor_of(publisher), system_id=system.pk)
    cards.publish(system)
    assert "/card" not in {gap.pointer for gap in gaps(system)}


def test_every_process_knows_the_number_and_the_scope(system: AISystem) -> None:
    def known() -> Any:
        record = memory.current().system_by_id(system.pk)
        assert record is not None
        return record.card

    assert known() is None
    cards.publish(system)
    assert (known().number, known().scope) == (1, None)
    cards.publish(system, content(RANGE))
    assert known().number == 2 and known().scope.is_outside(b'{"income":1}')


@pytest.mark.django_db(transaction=True)
def test_two_who_start_publish_or_save_at_once() -> None:
    system = make_system()
    writer, publisher = cards.writer_of(system), cards.publisher_of(system)
    assert _at_once(lambda: start_card(actor=actor_of(writer), system_id=system.pk)) == ["CardDraftExists"]
    documents = iter([content(data={"sources": "One."}), content(data={"sources": "Two."})])
    assert _at_once(lambda: save(writer, system, 1, next(documents))) == ["CardDraftChanged"]
    card = submit_card(actor=actor_of(writer), system_id=system.pk, base=2)
    assert _at_once(lambda: publish(publisher, card)) == ["CardNotSubmitted"]
    assert published_cards(system.pk).count() == 1


def _at_once(act: Any) -> list[str]:
    """Two threads do it; what went wrong."""
    barrier, wrong = threading.Barrier(2), []

    def run() -> None:
        barrier.wait()
        try:
            act()
        except ServiceError as error:
            wrong.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return wrong
