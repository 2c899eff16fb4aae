"""Quarantine: nothing that reached us is silently dropped, and what people do about it is sealed."""

import json
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.entries import read_entry
from audit.models import Decision, Payload
from audit.selectors import decision_by_id
from config.errors import Forbidden, InvalidInput
from console.metrics import DatabaseCollector
from governance.acts import Role
from governance.errors import RequestVoid
from governance.models import Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import end_assignment
from governance.services.people import deactivate_person
from intake.errors import InvalidDecision
from intake.models import QuarantineArrival, QuarantineCase, QuarantinedRecord
from intake.services.quarantine import original_commitment, problems_commitment, record_digest
from intake.services.replays import (
    AlreadySettled,
    NotReplayable,
    correct,
    decide_dismissal,
    replay,
    request_dismissal,
)
from intake.services.sweeps import expire_quarantine, seal_arrivals
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.erasing import arrived
from tests.factories.register import actor_of, give_role, make_person
from tests.intake.conftest import Sender, record

pytestmark = pytest.mark.committing


@pytest.fixture
def owner(sender: Sender) -> Actor:
    return member(sender, Role.TECHNICAL_OWNER)


def member(sender: Sender, role: Role) -> Actor:
    person: Person = make_person()
    give_role(person, role, Scope.system(sender.systems[0].pk))
    return actor_of(person)


def refused(sender: Sender, **wrong: Any) -> uuid.UUID:
    answer = sender.post(sender.record(**wrong))
    assert answer.status_code == 422
    return uuid.UUID(answer.json()["quarantine_id"])


def test_arrivals_are_sealed_as_one_counted_entry_a_key(sender: Sender) -> None:
    for confidence in (2, 3, 4):
        refused(sender, confidence=confidence)
    assert seal_arrivals() == 1
    assert seal_arrivals() == 0
    body = json.loads(bytes(Entry.objects.get(kind="quarantine.received").data))["body"]
    kept = [(record, original_commitment(record), problems_commitment(record)) for record in by_id()]
    digests = [record_digest(record, original=original, problems=problems) for record, original, problems in kept]
    joined = b"".join(map(bytes.fromhex, digests))
    assert (body["count"], body["refused"], body["digest"]) == (3, 0, sha256(joined).hexdigest())
    assert not QuarantineArrival.objects.exists()


def by_id() -> list[QuarantinedRecord]:
    return list(QuarantinedRecord.objects.order_by("id"))


def test_the_same_bytes_again_are_kept_once_under_one_id(sender: Sender) -> None:
    wrong = sender.record(confidence=2)
    first, second = sender.post(wrong), sender.post(wrong)
    assert first.json()["quarantine_id"] == second.json()["quarantine_id"]
    assert QuarantinedRecord.objects.count() == 1


def test_past_the_keys_quota_arrivals_are_counted_not_kept(sender: Sender, settings: Any) -> None:
    settings.QUARANTINE_RECORDS_PER_KEY = 2
    answer = sender.batch([sender.record(confidence=n) for n in (2, 3, 4, 5)]).json()
    kept = ["quarantine_id" in each["problem"] for each in answer["results"]]
    assert kept == [True, True, False, False]
    seal_arrivals()
    body = json.loads(bytes(Entry.objects.get(kind="quarantine.received").data))["body"]
    assert (body["count"], body["refused"]) == (2, 2)


def test_past_the_keys_bytes_arrivals_are_counted_in_one_row(sender: Sender, settings: Any) -> None:
    settings.QUARANTINE_BYTES_PER_KEY = 1_500
    kept = ["quarantine_id" in sender.post(sender.record(confidence=n, input="x" * 1_000)).json() for n in (2, 3, 4)]
    assert kept == [True, False, False]
    assert QuarantineArrival.objects.filter(record_ids__len=0).count() <= 2  # a minute may have ended between
    assert QuarantinedRecord.objects.count() == 1
    seal_arrivals()
    body = json.loads(bytes(Entry.objects.get(kind="quarantine.received").data))["body"]
    assert (body["count"], body["refused"]) == (1, 2)


def test_what_is_too_large_to_be_read_is_counted(sender: Sender) -> None:
    assert sender.post(b" " * ((1 << 20) + 1)).status_code == 413
    assert sender.raw("/api/v1/decisions/batch", b" " * ((16 << 20) + 1)).status_code == 413
    assert sender.raw("/api/v1/decisions/batch", b"[" + b"1," * 5_000 + b"1]").status_code == 413
    seal_arrivals()
    body = json.loads(bytes(Entry.objects.get(kind="quarantine.received").data))["body"]
    assert (body["count"], body["refused"]) == (0, 3)


def test_a_corrected_record_is_replayed_under_its_quarantine_id(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, environment="a b", extra=1, source={"id": "s", "seq": 1}, input={"a": 1.50})
    with pytest.raises(InvalidDecision):
        replay(actor=owner, record_id=record_id)
    correct(actor=owner, record_id=record_id, corrections={"environment": "production", "extra": None}, reason="typo")
    case = replay(actor=owner, record_id=record_id, reason="corrected")
    assert (case.status, case.decision_id) == ("replayed", record_id)
    decision, entry = Decision.objects.get(pk=record_id), Entry.objects.get(id=record_id)
    said = read_entry(bytes(entry.data))
    assert (said.actor.type, said.actor.id) == ("person", str(owner.id))
    assert said.body.account == str(decision.service_account_id) == str(sender.account.pk)
    assert decision_by_id(record_id).service_account_id == sender.account.pk
    assert "replayed" in decision.flags
    assert bytes(Payload.objects.get(pk=record_id).input or b"") == b'{"a": 1.5}'
    sealed = json.loads(bytes(Entry.objects.get(kind="quarantine.replayed").data))["body"]
    assert sealed["original"] == original_commitment(QuarantinedRecord.objects.get(pk=record_id))
    assert sealed["decision"] == str(record_id)
    with pytest.raises(AlreadySettled):
        replay(actor=owner, record_id=record_id)


def test_a_replay_agrees_with_the_self_audit(sender: Sender, owner: Actor) -> None:
    from evidence.verification import verify_everything

    record_id = refused(sender, extra=1)
    correct(actor=owner, record_id=record_id, corrections={"extra": None}, reason="unknown field")
    replay(actor=owner, record_id=record_id)
    sender.batch([sender.record(subject="p", labels={"a": "b"}, source={"id": "s", "seq": n}) for n in range(600)])
    seal_arrivals()
    assert list(verify_everything()) == []


@pytest.mark.parametrize(
    "name", ["input", "output", "outcome", "confidence", "subject", "id", "explanation", "nonsense"]
)
def test_what_the_model_said_cannot_be_corrected(sender: Sender, owner: Actor, name: str) -> None:
    record_id = refused(sender, extra=1)
    with pytest.raises(InvalidInput) as error:
        correct(actor=owner, record_id=record_id, corrections={name: "x"}, reason="no")
    assert error.value.errors[0].pointer == f"/{name}"


def test_a_record_whose_outcome_is_wrong_stays(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, outcome="was approved")
    with pytest.raises(InvalidDecision):
        replay(actor=owner, record_id=record_id)


def test_a_repeated_name_needs_an_explicit_value(sender: Sender, owner: Actor) -> None:
    body = json.dumps(sender.record()).encode()
    answer = sender.post(body[:-1] + b', "environment": "staging", "environment": "production"}')
    record_id = uuid.UUID(answer.json()["quarantine_id"])
    with pytest.raises(InvalidDecision):
        replay(actor=owner, record_id=record_id)
    correct(actor=owner, record_id=record_id, corrections={"environment": "production"}, reason="the second")
    assert replay(actor=owner, record_id=record_id).status == "replayed"


def test_an_id_that_is_too_old_is_replayed_under_the_servers(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, id="01893b2c-7c00-7000-8000-000000000000")
    assert replay(actor=owner, record_id=record_id).decision_id == record_id


def test_a_conflicting_record_can_be_replayed_as_another_decision(sender: Sender, owner: Actor) -> None:
    sent = sender.record()
    sender.post(sent)
    kept = uuid.UUID(sender.post(sent | {"outcome": "refused"}).json()["quarantine_id"])
    replay(actor=owner, record_id=kept)
    assert Decision.objects.get(pk=kept).outcome == "refused"


def test_what_cannot_be_read_cannot_be_replayed(sender: Sender, owner: Actor) -> None:
    broken = uuid.UUID(sender.post(b'{"system": ').json()["quarantine_id"])
    with pytest.raises(NotReplayable):
        replay(actor=owner, record_id=broken)
    cut = uuid.UUID(
        sender.post(json.dumps(sender.record(subject="@")).encode().replace(b"@", b"\xff")).json()["quarantine_id"]
    )
    with pytest.raises(NotReplayable):
        replay(actor=owner, record_id=cut)


def test_only_people_with_the_right_replay(sender: Sender) -> None:
    record_id = refused(sender, extra=1)
    for actor in (actor_of(make_person()), member(sender, Role.REVIEWER), Actor("service", sender.account.pk)):
        with pytest.raises(Forbidden):
            replay(actor=actor, record_id=record_id)
    with pytest.raises(Forbidden):
        replay(actor=actor_of(make_person()), record_id=uuid.uuid4())


def test_giving_up_takes_a_reason_and_two_people(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)
    accountable = member(sender, Role.ACCOUNTABLE)
    with pytest.raises(InvalidInput):
        request_dismissal(actor=owner, record_id=record_id, reason=" ")
    request_dismissal(actor=owner, record_id=record_id, reason="a test record")
    with pytest.raises(Forbidden):
        decide_dismissal(actor=owner, record_id=record_id, approve=True, reason="mine")
    with pytest.raises(AlreadySettled):
        replay(actor=owner, record_id=record_id)
    decide_dismissal(actor=accountable, record_id=record_id, approve=False, reason="look again")
    assert QuarantineCase.objects.get().status == "waiting"
    request_dismissal(actor=owner, record_id=record_id, reason="really")
    decide_dismissal(actor=accountable, record_id=record_id, approve=True, reason="agreed")
    assert QuarantineCase.objects.get().status == "dismissed"
    kinds = Entry.objects.filter(kind__startswith="quarantine.").values_list("kind", flat=True)
    assert sorted(kinds) == [
        "quarantine.dismissal_refused", "quarantine.dismissal_requested", "quarantine.dismissal_requested",
        "quarantine.dismissed",
    ]  # fmt: skip


@pytest.mark.parametrize("leaves", [True, False])
def test_the_request_of_somebody_who_left_or_lost_the_right_is_void(sender: Sender, leaves: bool) -> None:
    record_id, asker = refused(sender, extra=1), make_person()
    held = give_role(asker, Role.TECHNICAL_OWNER, Scope.system(sender.systems[0].pk))
    accountable = member(sender, Role.ACCOUNTABLE)
    request_dismissal(actor=actor_of(asker), record_id=record_id, reason="a test record")
    if leaves:
        deactivate_person(actor=COMMAND, person_id=asker.pk)
    else:
        end_assignment(actor=actor_of(asker), assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        decide_dismissal(actor=accountable, record_id=record_id, approve=True, reason="agreed")
    decide_dismissal(actor=accountable, record_id=record_id, approve=False, reason="keep it")
    assert QuarantineCase.objects.get().status == "waiting"


@dataclass
class Unaddressed:
    """A record that says nothing about whose it is, sent with a key for three AI systems; and people around it."""

    sender: Sender
    record_id: uuid.UUID

    @classmethod
    def of(cls, senders: Callable[..., Sender], body: dict[str, Any] | bytes = b'{"system": ') -> "Unaddressed":
        sender = senders("credit", "hiring", "claims")
        answer = sender.post(body)
        assert answer.status_code in (400, 422), answer.content
        return cls(sender, uuid.UUID(answer.json()["quarantine_id"]))

    def person(self, role: Role, place: int | None) -> Person:
        """`place`: one of the three AI systems, or None for the whole organisation."""
        person = make_person()
        give_role(person, role, ORGANISATION if place is None else Scope.system(self.sender.systems[place].pk))
        return person


PERSONAS: list[tuple[Role, int | None, set[str]]] = [
    (Role.TECHNICAL_OWNER, 0, {"see", "correct", "ask"}),
    (Role.TECHNICAL_OWNER, 2, {"see", "correct", "ask"}),
    (Role.ACCOUNTABLE, 1, {"see", "correct", "agree"}),
    (Role.DEPUTY, 2, {"see", "correct"}),
    (Role.DPO, None, {"see"}),
    (Role.REVIEWER, 0, set()),
    (Role.OPERATOR, 1, set()),
    (Role.AUDITOR, None, set()),
    (Role.ADMINISTRATOR, None, set()),
]


@pytest.mark.parametrize(("role", "place", "may"), PERSONAS)
def test_a_record_of_no_known_system_is_for_those_of_any_system_its_key_reaches(
    senders: Callable[..., Sender], role: Role, place: int | None, may: set[str]
) -> None:
    kept = Unaddressed.of(senders)
    person, other = kept.person(role, place), kept.person(Role.TECHNICAL_OWNER, 0)
    actor, record_id = actor_of(person), kept.record_id

    assert sees(person, record_id) == ("see" in may)
    with nullcontext() if "correct" in may else pytest.raises(Forbidden):
        correct(actor=actor, record_id=record_id, corrections={"extra": None}, reason="a try")
    with pytest.raises(NotReplayable if "correct" in may else Forbidden):
        replay(actor=actor, record_id=record_id)
    if "ask" in may:
        request_dismissal(actor=actor, record_id=record_id, reason="broken")
    else:
        with pytest.raises(Forbidden):
            request_dismissal(actor=actor, record_id=record_id, reason="broken")
        request_dismissal(actor=actor_of(other), record_id=record_id, reason="broken")
    with nullcontext() if "agree" in may else pytest.raises(Forbidden):
        decide_dismissal(actor=actor, record_id=record_id, approve=True, reason="agreed")
    assert QuarantineCase.objects.get().status == ("dismissed" if "agree" in may else "dismissal_requested")


def sees(person: Person, record_id: uuid.UUID) -> bool:
    """Whether the list and the page show it; they must agree."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    listed = client.get("/admin/intake/quarantinedrecord/")
    in_list = listed.status_code == 200 and [row.pk for row in listed.context["cl"].result_list] == [record_id]
    on_page = client.get(address_of(record_id)).status_code == 200
    assert in_list == on_page
    return on_page


def test_people_of_systems_out_of_the_keys_reach_have_no_part_in_it(senders: Callable[..., Sender]) -> None:
    kept, stranger = Unaddressed.of(senders), make_person()
    elsewhere = senders("pricing").systems[0]
    for role in (Role.TECHNICAL_OWNER, Role.ACCOUNTABLE, Role.DEPUTY):
        give_role(stranger, role, Scope.system(elsewhere.pk))
    assert not sees(stranger, kept.record_id)
    for attempt in (replay, request_dismissal):
        with pytest.raises(Forbidden):
            attempt(actor=actor_of(stranger), record_id=kept.record_id, reason="not mine")


def test_the_two_who_give_it_up_may_be_of_different_systems_but_not_one_person(senders: Callable[..., Sender]) -> None:
    kept = Unaddressed.of(senders)
    both = kept.person(Role.TECHNICAL_OWNER, 0)
    give_role(both, Role.ACCOUNTABLE, Scope.system(kept.sender.systems[1].pk))
    request_dismissal(actor=actor_of(both), record_id=kept.record_id, reason="broken")
    with pytest.raises(Forbidden):
        decide_dismissal(actor=actor_of(both), record_id=kept.record_id, approve=True, reason="mine")
    second = kept.person(Role.ACCOUNTABLE, 2)
    page = Client(SERVER_NAME="localhost")
    page.force_login(second)
    shown = page.get(address_of(kept.record_id)).content.decode()
    assert all(str(system) in shown for system in kept.sender.systems)
    sent = {"step": "approve_dismissal", "corrections": "", "reason": "agreed"}
    assert page.post(address_of(kept.record_id), sent).status_code == 302
    assert QuarantineCase.objects.get().status == "dismissed"


def test_a_replay_takes_the_right_in_the_system_it_goes_to(senders: Callable[..., Sender]) -> None:
    kept = Unaddressed.of(senders, record(system=None))
    credit, hiring = kept.person(Role.TECHNICAL_OWNER, 0), kept.person(Role.TECHNICAL_OWNER, 1)
    correct(actor=actor_of(hiring), record_id=kept.record_id, corrections={"system": "credit"}, reason="was left out")
    with pytest.raises(Forbidden):
        replay(actor=actor_of(hiring), record_id=kept.record_id)
    assert not Decision.objects.exists()
    assert replay(actor=actor_of(credit), record_id=kept.record_id).status == "replayed"
    assert Decision.objects.get().system_id == kept.sender.systems[0].pk


def test_a_readable_record_is_moved_to_another_system_only_by_who_may_there(senders: Callable[..., Sender]) -> None:
    kept = Unaddressed.of(senders, record(system="credit", extra=1))
    credit = kept.person(Role.TECHNICAL_OWNER, 0)
    moved = {"system": "hiring", "extra": None}
    correct(actor=actor_of(credit), record_id=kept.record_id, corrections=moved, reason="was for hiring")
    with pytest.raises(Forbidden):
        replay(actor=actor_of(credit), record_id=kept.record_id)
    give_role(Person.objects.get(pk=credit.pk), Role.DEPUTY, Scope.system(kept.sender.systems[1].pk))
    assert replay(actor=actor_of(credit), record_id=kept.record_id).status == "replayed"


def test_records_past_their_time_are_erased_and_that_is_sealed(sender: Sender) -> None:
    refused(sender, extra=2)
    assert expire_quarantine() == 0
    with arrived(days=settings.QUARANTINE_DAYS + 1):
        record_id = refused(sender, extra=1)
    assert expire_quarantine() == 1
    kept = QuarantinedRecord.objects.get(pk=record_id)
    assert (kept.original, kept.secret, kept.problems) == (None, None, None)
    assert Entry.objects.filter(kind="quarantine.expired").count() == 1


def test_the_page_shows_the_record_replays_it_and_says_who_looked(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)
    client = Client(SERVER_NAME="localhost")
    client.force_login(Person.objects.get(pk=str(owner.id)))
    address = f"/admin/intake/quarantinedrecord/{record_id}/change/"
    assert b"invalid-decision" in client.get("/admin/intake/quarantinedrecord/").content
    page = client.get(address)
    assert page.status_code == 200
    assert b"/extra" in page.content
    assert Entry.objects.filter(kind="quarantine.viewed").count() == 1
    stays = client.post(address, {"step": "replay", "corrections": "", "reason": ""})
    assert stays.status_code == 200
    corrected = {"step": "correct", "corrections": '{"extra": null}', "reason": "unknown"}
    assert client.post(address, corrected).status_code == 302
    assert client.post(address, {"step": "replay", "corrections": "", "reason": "now right"}).status_code == 302
    assert Decision.objects.filter(pk=record_id).exists()
    other = Client(SERVER_NAME="localhost")
    other.force_login(make_person())
    assert other.get(address).status_code in (302, 403)


def test_a_record_nobody_has_touched_is_counted_as_waiting(sender: Sender) -> None:
    record_id = refused(sender, extra=1)
    client = browser(sender, Role.TECHNICAL_OWNER)
    page, sizes = client.get("/admin/"), "\n".join(map(str, DatabaseCollector().collect()))
    assert page.context["quarantine"] == 1
    assert "labels={'status': 'waiting'}, value=1" in sizes
    owner = member(sender, Role.TECHNICAL_OWNER)
    correct(actor=owner, record_id=record_id, corrections={"extra": None}, reason="unknown field")
    assert client.get("/admin/").context["quarantine"] == 1
    replay(actor=owner, record_id=record_id)
    assert client.get("/admin/").context["quarantine"] == 0


def browser(sender: Sender, role: Role) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(Person.objects.get(pk=str(member(sender, role).id)))
    return client


@pytest.mark.parametrize("corrections", ["[1]", '"x"', "7", "[]"])
def test_corrections_are_an_object(sender: Sender, owner: Actor, corrections: str) -> None:
    record_id = refused(sender, extra=1)
    with pytest.raises(InvalidInput) as error:
        correct(actor=owner, record_id=record_id, corrections=json.loads(corrections), reason="no")
    assert error.value.errors[0].pointer == "/corrections"
    sent = {"step": "correct", "corrections": corrections, "reason": "no"}
    page = browser(sender, Role.TECHNICAL_OWNER).post(address_of(record_id), sent)
    assert (page.status_code, b"Write a JSON object" in page.content) == (200, True)
    assert not QuarantineCase.objects.exists()


def address_of(record_id: uuid.UUID) -> str:
    return f"/admin/intake/quarantinedrecord/{record_id}/change/"


def test_a_replay_that_fails_says_where_and_what_is_expected(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)
    page = browser(sender, Role.TECHNICAL_OWNER).post(address_of(record_id), {"step": "replay", "reason": ""})
    assert "/extra: There is no field of this name. Expected: a field of the record." in page.content.decode()


def test_the_list_says_whose_record_it_is_what_is_wrong_and_how_large(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)
    client, address = browser(sender, Role.TECHNICAL_OWNER), "/admin/intake/quarantinedrecord/"
    page = client.get(address).content.decode()
    for said in (str(sender.systems[0]), str(sender.account), "/extra: There is no field of this name.", " bytes"):
        assert said in page
    assert [len(client.get(f"{address}?state={state}").context["cl"].result_list) for state in STATES] == [1, 0, 0, 0]
    request_dismissal(actor=owner, record_id=record_id, reason="a test record")
    assert [len(client.get(f"{address}?state={state}").context["cl"].result_list) for state in STATES] == [0, 1, 0, 0]


STATES = ("waiting", "dismissal_requested", "replayed", "dismissed")


def test_the_form_offers_the_steps_that_state_and_person_allow(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)

    def steps(role: Role) -> list[str]:
        page = browser(sender, role).get(address_of(record_id))
        assert "Ask to give it up: Technical Owner." in page.content.decode()
        if not page.context["has_change_permission"]:
            return []
        return [step for step, _ in page.context["adminform"].form.fields["step"].choices]

    assert steps(Role.TECHNICAL_OWNER) == ["correct", "replay", "request_dismissal"]
    assert steps(Role.DEPUTY) == ["correct", "replay"]
    with pytest.raises(Forbidden, match="Technical Owner"):
        request_dismissal(actor=member(sender, Role.DEPUTY), record_id=record_id, reason="no")
    request_dismissal(actor=owner, record_id=record_id, reason="a test record")
    assert steps(Role.TECHNICAL_OWNER) == []


def test_after_a_replay_the_page_leads_to_the_decision(sender: Sender, owner: Actor) -> None:
    record_id = refused(sender, extra=1)
    correct(actor=owner, record_id=record_id, corrections={"extra": None}, reason="unknown field")
    replay(actor=owner, record_id=record_id)
    page = browser(sender, Role.TECHNICAL_OWNER).get(address_of(record_id))
    assert f'<a href="/admin/decisions/{record_id}/">' in page.content.decode()
    assert not page.context["has_change_permission"]
