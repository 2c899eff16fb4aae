"""What was erased and comes back with an older database: remembered beside the head store, found, and erased again."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.test import Client

from audit.models import ErasureRequest, Payload, SavedFilter
from audit.reach import Reach
from audit.services.saved_filters import FilterValues, save_filter
from config.errors import Forbidden
from evidence.erasure.errors import MemoryUnavailable, NothingToErase, PersonStillHere
from evidence.erasure.memory import Asked, ErasureMemory, Gone, erasure_memory
from evidence.erasure.places import DECISION_PLACE, TEXT_PLACE
from evidence.erasure.reading import standing_of
from evidence.services.erased_again import FORGETFUL, PERSON_PLACE, UNDONE, alert_returned, prepare_again, returned
from evidence.services.erased_again import remember_erasures as remember
from evidence.services.erasure_answers import approve_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.services.erasures import ask_erasure, withdraw_erasure
from evidence.tasks import run_erasures_task
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from ledger.entries import SERVER
from ledger.models import Entry, Particulars
from notices.models import Alert
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, agreeing, long_ago, look_at_finds, no_floor
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
LOST = uuid.UUID("01910000-0000-7000-8000-000000000001")
"""A request that this database has never heard of."""


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> ErasureMemory:
    """One of the test's own: that of the installation is every test's."""
    monkeypatch.setattr("evidence.erasure.memory.NAME", f"erased-{uuid.uuid4()}.sqlite3")
    return erasure_memory()


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> Person:
    return make_person(dpo=True)


def was_erased(memory: ErasureMemory, *items: tuple[str, uuid.UUID, uuid.UUID], of: uuid.UUID | None = None) -> None:
    """As it is after an older database was restored: this host remembers it, the database knows nothing of it."""
    gone = [Gone(LOST, item, place, row) for place, item, row in items]
    memory.remember(Asked(LOST, "subject", "objection", of), gone)


def agree_to(request: ErasureRequest, asks: Person) -> None:
    look_at_finds(request)
    with long_ago(days=2):
        ask_erasure(actor=actor_of(asks), request_id=request.pk)
        for consent in request.consents.all():
            agrees = agreeing(AISystem.objects.get(pk=consent.system_id) if consent.system_id else None)
            approve_erasure(actor=actor_of(agrees), consent_id=consent.pk)


# --- remembering ------------------------------------------------------------------------------------------------------
def test_what_the_server_erases_is_remembered_by_ids_alone(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    no_floor(system)
    decision = record_decision(system, subject="lovelace-1815")
    case, lead = make_led_case(system, title="What Lovelace-1815 complained of")
    save_filter(actor=actor_of(lead), reach=Reach.of_person(lead), values=FilterValues(name="lovelace-1815"))
    request = agreed(kind="subject", subject="lovelace-1815")
    assert not memory.path.exists()
    run_erasures_task()
    found = [each for some in memory.slices() for each in some]
    assert {each.item_id for each in found} == set(request.steps.values_list("item_id", flat=True))
    assert {each.place for each in found} == {DECISION_PLACE, TEXT_PLACE, "saved_filters"}
    assert decision.id in {each.item_id for each in found} and case.pk in {each.row_id for each in found}
    assert memory.asked() == {request.pk: Asked(request.pk, "subject", "objection", None)}
    assert b"lovelace" not in memory.path.read_bytes().lower()
    assert returned() == [] and alert_returned(actor=SERVER) == 0
    assert remember() == 0, "it is known by now"


def test_two_remember_at_once_and_nothing_is_forgotten(memory: ErasureMemory) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    was_erased(memory, (DECISION_PLACE, one, one))
    was_erased(ErasureMemory(memory.path), (DECISION_PLACE, one, one), (DECISION_PLACE, two, two))
    assert memory.counts() == {LOST: 2}


def test_a_copy_and_what_it_teaches_another(memory: ErasureMemory, tmp_path: Path) -> None:
    items = [uuid.uuid4() for _ in range(12_000)]
    was_erased(memory, *((DECISION_PLACE, each, each) for each in items))
    memory.copy_to(tmp_path / "copy")
    other = ErasureMemory(tmp_path / "other")
    mine = uuid.uuid4()
    other.remember(Asked(mine, "person", "other", mine), [Gone(mine, mine, PERSON_PLACE, mine)])
    other.learn(ErasureMemory(tmp_path / "copy"))
    assert other.counts() == {LOST: 12_000, mine: 1}
    assert {each.item_id for some in other.slices() for each in some} == {*items, mine}


def test_looking_makes_no_file_and_a_damaged_one_is_named(memory: ErasureMemory) -> None:
    assert returned() == [] and not memory.path.exists()
    memory.path.write_bytes(b"no database at all" * 100)
    with pytest.raises(MemoryUnavailable, match=memory.path.name):
        returned()
    assert alert_returned(actor=SERVER) == 0
    alert = Alert.objects.get(kind=FORGETFUL)
    memory.path.unlink()
    alert_returned(actor=SERVER)
    alert.refresh_from_db()
    assert alert.status == Alert.Status.CLOSED


# --- found, and erased again ------------------------------------------------------------------------------------------
def test_what_is_back_is_erased_again_by_two_people(system: AISystem, dpo: Person, memory: ErasureMemory) -> None:
    no_floor(system)
    gone, kept = record_decision(system, subject="c-1907"), record_decision(system, subject="c-1908")
    lead = make_led_case(system, title="What c-1907 said")[1]
    save_filter(actor=actor_of(lead), reach=Reach.of_person(lead), values=FilterValues(name="c-1907"))
    text = Particulars.objects.filter(row_id__in=[make_led_case(system, title="Of c-1907")[0].pk]).order_by("-pk")[0]
    saved = SavedFilter.objects.get()
    was_erased(
        memory, (DECISION_PLACE, gone.id, gone.id), (TEXT_PLACE, text.pk, text.row_id),
        ("saved_filters", saved.pk, saved.pk), (DECISION_PLACE, LOST, LOST),
    )  # fmt: skip
    [found] = returned()
    assert {each.item_id for each in found.left} == {gone.id, text.pk, saved.pk}, "not what is not here"
    assert alert_returned(actor=SERVER) == 3
    alert = Alert.objects.get(kind=UNDONE)
    assert (alert.severity, alert.owner_id, alert.facts) == ("critical", dpo.pk, {"returned": 3, "erasures": 1})

    [request] = prepare_again(actor=actor_of(dpo))
    [entry] = Entry.objects.filter(about_id=request.pk)
    body = json.loads(bytes(entry.data))["body"]
    assert (entry.kind, body["again"], body["basis"]) == ("erasure.prepared", str(LOST), "objection")
    assert str(LOST) in request.reason
    [found] = returned()
    assert found.left == [] and len(found.waiting) == 3
    with pytest.raises(NothingToErase):
        prepare_again(actor=actor_of(dpo))
    assert Payload.objects.get(pk=gone.id).secret is not None, "nobody has agreed to it yet"

    agree_to(request, dpo)
    run_erasures_task()
    request.refresh_from_db()
    assert (request.status, request.reason) == ("performed", "")
    assert Payload.objects.get(pk=gone.id).secret is None and Payload.objects.get(pk=kept.id).secret is not None
    assert Particulars.objects.get(pk=text.pk).secret is None and not SavedFilter.objects.exists()
    assert returned() == [] and alert_returned(actor=SERVER) == 0
    alert.refresh_from_db()
    assert alert.status == Alert.Status.CLOSED
    assert list(verify_everything()) == []


def test_only_a_data_protection_officer_prepares_it(system: AISystem, dpo: Person, memory: ErasureMemory) -> None:
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id))
    for person in (make_person(administrator=True), agreeing(system), make_person(auditor=True)):
        with pytest.raises(Forbidden):
            prepare_again(actor=actor_of(person))
    assert not ErasureRequest.objects.exists()


def test_a_file_that_somebody_wrote_erases_nothing_within_a_floor(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id))
    [request] = prepare_again(actor=actor_of(dpo))
    agree_to(request, dpo)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "scheduled" and standing_of(request).restricted == 1
    assert Payload.objects.get(pk=decision.id).secret is not None


def test_what_was_taken_back_is_left_for_another_request(system: AISystem, dpo: Person, memory: ErasureMemory) -> None:
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id))
    [request] = prepare_again(actor=actor_of(dpo))
    withdraw_erasure(actor=actor_of(dpo), request_id=request.pk)
    assert len(returned()[0].left) == 1
    assert prepare_again(actor=actor_of(dpo))[0].pk != request.pk


def test_of_an_ai_system_that_is_not_there_any_more_the_organisation_is_asked(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id), of=LOST)
    [request] = prepare_again(actor=actor_of(dpo))
    assert request.system_id is None and request.targets.count() == 1


def test_somebody_who_has_not_left_yet_in_this_database_leaves_first(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    somebody, decision = make_person(), record_decision(system)
    was_erased(memory, (PERSON_PLACE, somebody.pk, somebody.pk))
    with pytest.raises(PersonStillHere):
        prepare_again(actor=actor_of(dpo))
    other = uuid.UUID(int=LOST.int + 1)
    memory.remember(Asked(other, "decision", "other", None), [Gone(other, decision.id, DECISION_PLACE, decision.id)])
    [request] = prepare_again(actor=actor_of(dpo))
    assert request.targets.count() == 1, "what stands in the way of one holds up no other"
    assert [each.asked.id for each in returned() if each.left] == [LOST]


def test_a_draft_that_was_emptied_and_written_anew_is_not_taken_for_the_old_one(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    was_erased(memory, ("reviews_begun", LOST, LOST), ("searches", LOST, LOST))
    assert returned() == []


def test_an_erasure_that_the_older_database_has_open_goes_on_by_itself(
    system: AISystem, dpo: Person, memory: ErasureMemory
) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    gone = [Gone(request.pk, decision.id, DECISION_PLACE, decision.id)]
    memory.remember(Asked(request.pk, "subject", "objection", None), gone)
    [found] = returned()
    assert found.left == [] and found.waiting == {decision.id}
    run_erasures(seconds=SECONDS)
    assert returned() == []


# --- at the host and on the page --------------------------------------------------------------------------------------
def test_the_command_says_what_is_back_and_ends_with_three(
    system: AISystem, memory: ErasureMemory, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("after_restore")
    said = capsys.readouterr().out
    assert "nobody knows here what was erased after the backup was made" in said
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id))
    with pytest.raises(SystemExit) as end:
        call_command("after_restore")
    said = capsys.readouterr().out
    assert end.value.code == 3
    assert f"erasure {LOST}: 1 thing back" in said and "Prepare again" in said


def test_files_of_exports_that_the_database_does_not_know_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = FileSystemStorage(tmp_path / "files")
    monkeypatch.setattr("evidence.exports.storage._storage", lambda: folder)
    for name in (f"{LOST}.zip", "notes.txt", "somebodys.zip"):
        folder.save(name, ContentFile(b"of before"))
    call_command("after_restore")
    assert "Deleted: 1 file of exports" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"notes.txt", "somebodys.zip"}


def test_the_page_says_so_to_the_officer_who_prepares_it(system: AISystem, dpo: Person, memory: ErasureMemory) -> None:
    decision = record_decision(system)
    was_erased(memory, (DECISION_PLACE, decision.id, decision.id))
    client = Client()
    client.force_login(dpo)
    assert b"What was erased is back" not in client.get("/admin/erasures/").content
    alert_returned(actor=SERVER)
    assert b"What was erased is back" in client.get("/admin/erasures/").content
    done: Any = client.post("/admin/erasures/again", follow=True)
    assert b"1 is prepared. Look at each, and ask for it." in done.content
    page = client.get(f"/admin/erasures/{ErasureRequest.objects.get().pk}/")
    assert page.status_code == 200 and str(LOST).encode() in page.content
    done = client.post("/admin/erasures/again", follow=True)
    assert b"Nothing that was erased is back, or it is asked for already." in done.content
    others = Client()
    others.force_login(agreeing(system))
    assert others.post("/admin/erasures/again").status_code == 404
    assert b"What was erased is back" not in others.get("/admin/erasures/").content
