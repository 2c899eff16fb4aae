"""A subject with decisions of two AI systems, and all that people did about them: erased by the running product, then
looked for in everything that it keeps. Eighty of them with every change, a thousand as a drill.

What is looked at: a dump of the whole database in the forms that bytes take there, the planner's samples, every file of
the data folder (exports, e-mails, logs, the broker's file), and PostgreSQL's tables once they were rewritten.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.db import connections
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from audit.models import ErasureRequest, Payload
from audit.reach import Reach
from audit.search_terms import Terms
from audit.selectors import SealedDecision, decision_by_id
from audit.services.attaching import Chosen, attach_decisions
from audit.services.investigating import add_note, record_finding
from audit.services.saved_filters import FilterValues, save_filter
from config.standalone import layout
from config.standalone.cluster import ROOT_ROLE
from config.standalone.processes import wait_until
from evidence.erasure.documents import document_about
from evidence.exports.models import Export
from evidence.models import CustodyRequest
from evidence.services.custody_requests import ask_custody
from evidence.services.letter_drafts import begin_letter
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.tokens import create_token
from intake.services.replays import correct, replay
from ledger.entries import Actor
from ledger.signing import verifier_keys
from ledger.tlog import Verifier, leaf_hash
from ledger.tlog.tlog_proof import verify_tlog_proof
from monitoring.services.outcomes import NewOutcome, record_outcome
from overrides.services.appeals import open_appeal
from overrides.services.claiming import claim, save_draft
from overrides.services.deciding import Answer, submit
from overrides.services.effects import confirm_effect
from overrides.services.overriding import override_decision, report_override
from tests import running
from tests.evidence.everywhere import dump, files, found_in, found_in_file
from tests.evidence.exports.verifying import require_verified_file
from tests.factories import letters
from tests.factories.cases import make_led_case
from tests.factories.erasing import agreed, no_floor
from tests.factories.exports import agree, ask
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.sign_in import with_app
from tests.faults.client import RetryingClient, record
from tests.faults.installation import Installation

pytestmark = pytest.mark.e2e
FEW, MANY = 80, 1_000
OTHERS = 40
SUBJECT, NAME, EMAIL = "kunde-1815-XQ7", "Zoë Lovelace-Babbage", "zoe.lovelace@example.org"
OTHER = "kunde-1816-XQ8"
PATIENCE = 300.0


# --- the installation -------------------------------------------------------------------------------------------------
@dataclass
class Place:
    """The product that runs, and what leads to its database."""

    product: running.Product
    installation: Installation

    @property
    def folder(self) -> Path:
        return self.product.data_dir


@pytest.fixture
def place(
    throwaway_cluster: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Place]:
    with running.data_folder(installed=True) as folder, running.running(folder) as product, django_db_blocker.unblock():
        installation = Installation(folder)
        layout.remember_ports(folder, product.port, product.control_port)
        with installation.connected():
            yield Place(product, installation)
            connections.close_all()


# --- what there is to find --------------------------------------------------------------------------------------------
def sent(system: AISystem, number: int, subject: str = SUBJECT, name: str = NAME) -> dict[str, Any]:
    return record(
        system.slug,
        subject=subject,
        external_id=f"{subject}/{number}",
        labels={"customer": subject},
        trace_id=f"{number:032x}",
        input={"name": name, "email": EMAIL if name == NAME else "x@example.org", "income": number},
        output={"letter": f"Dear {name}"},
        explanation={"summary": f"{name} pays late.", "reasons": [{"code": "LATE", "weight": 0.7}]},
        context={"asked_by": subject},
        occurred_at=timezone.now().isoformat(),
        outcome="approved",
    )


@dataclass
class Story:
    """What callers and people left behind of one subject."""

    system: AISystem
    owner: Person
    client: RetryingClient
    many: int
    ids: list[str]
    others: list[str]
    auditor: Person
    exports: list[Export]


def a_story(place: Place, many: int) -> Story:
    elsewhere, batch = many // 5, many // 10
    system = make_system(slug="credit")
    owner = make_person(accountable=system)
    account = make_account(owner=owner)
    scopes = ("decisions:write", "ledger:read", "feedback:write")
    client = RetryingClient(place.product.url, make_key(system, scopes=scopes, account=account).text)
    client.try_known(record(system.slug, subject=OTHER))
    ids = [
        receipt["id"]
        for start in range(0, many - elsewhere, batch)
        for receipt in client.post_batch([sent(system, start + number) for number in range(batch)])
    ]
    others = [
        each["id"] for each in client.post_batch([sent(system, n, OTHER, "Mary Somerville") for n in range(OTHERS)])
    ]
    ids += _elsewhere(place, owner, elsewhere, batch)
    story = Story(system, owner, client, many, ids, others, make_person(auditor=True), [])
    _of_callers(story, Actor("service", account.pk))
    _of_reviewers(story)
    _of_letters(story)
    _of_searches(story, place)
    _of_a_case(story)
    _of_quarantine(story)
    _of_exports(story)
    _of_custody()
    return story


def _elsewhere(place: Place, owner: Person, many: int, batch: int) -> list[str]:
    """What another AI system decided about the same subject."""
    system = make_system(slug="hiring", accountable=owner)
    client = RetryingClient(place.product.url, make_key(system, scopes=("decisions:write",)).text)
    client.try_known(record(system.slug, subject=OTHER))
    starts = range(0, many, batch)
    found = [
        each["id"] for start in starts for each in client.post_batch([sent(system, start + n) for n in range(batch)])
    ]
    client.close()
    return found


def decision(story: Story, number: int) -> SealedDecision:
    return decision_by_id(uuid.UUID(story.ids[number]))


def _of_callers(story: Story, caller: Actor) -> None:
    now = timezone.now()
    for number in range(5):
        about = uuid.UUID(story.ids[number])
        report_override(
            actor=caller, decision_id=about, outcome="refused", occurred_at=now, reviewer=NAME, note=f"About {SUBJECT}."
        )
        confirm_effect(actor=caller, decision_id=about, outcome="refused", occurred_at=now, detail=f"Told {NAME}.")
        open_appeal(actor=caller, decision_id=about, ground_code="wrong-data", statement=f"I am {NAME}, {EMAIL}.")
        seen = NewOutcome(decision=decision(story, number), outcome="refused", observed_at=now, note=f"{NAME} paid.")
        record_outcome(actor=caller, new=seen)


def _of_reviewers(story: Story) -> None:
    owner = actor_of(story.owner)
    for number in range(10, 15):
        override_decision(
            actor=owner, decision_id=uuid.UUID(story.ids[number]), outcome="refused", reason_code="other",
            output=json.dumps({"letter": f"Dear {NAME}"}), note=f"{SUBJECT} was right.",
        )  # fmt: skip
    rule = make_rule(story.system, make_queue(story.owner, system=story.system))
    parts = {"input": {"name": NAME}, "output": {"limit": 0}}
    decided, begun = (open_review(story.system, rule=rule, parts=parts) for _ in range(2))
    work = claim(actor=owner, review_id=decided.pk)
    answer = Answer(decision="modify", outcome="approved", reason_code="other", note=f"{NAME} earns more.")
    submit(actor=owner, token=work.token, version=1, answer=answer)
    work = claim(actor=owner, review_id=begun.pk)
    save_draft(actor=owner, token=work.token, draft={"note": f"Ask {NAME} at {EMAIL}."})


def _of_letters(story: Story) -> None:
    letters.publish(story.system, by=story.owner)
    first = letters.issue(decision(story, 20), story.owner, addressee=NAME)
    letters.issue(decision(story, 20), story.owner, addressee=f"{NAME}, {EMAIL}", replaces_id=first.pk)
    begin_letter(actor=actor_of(story.owner), decision_id=uuid.UUID(story.ids[21]), language="en", addressee=NAME)


def _of_searches(story: Story, place: Place) -> None:
    reach = Reach.of_person(story.owner)
    for name, terms in (
        (f"About {NAME}", {}),
        ("A customer", {"subject": SUBJECT}),
        ("A text", {"text": NAME}),
        ("Alike", {"same_as": story.ids[0]}),
    ):
        values = FilterValues(name=name, terms=terms)
        save_filter(actor=actor_of(story.owner), reach=reach, values=values)
    assert Terms(subject=SUBJECT).kept()
    with_app(story.owner)
    token = create_token(actor=actor_of(story.owner), name="test", proven_at=timezone.now()).text
    asked: list[dict[str, Any]] = [{"subject": SUBJECT}, {"text": NAME.upper()}, {"labels": {"customer": SUBJECT}}]
    for terms in (*asked, {"text": EMAIL}):
        answer = httpx.post(
            f"{place.product.url}/api/v1/decisions/search", json={"system": "credit", **terms},
            headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert answer.json()["items"]


def _of_a_case(story: Story) -> None:
    case, lead = make_led_case(story.system, title=f"{NAME} complains", summary=f"By e-mail of {EMAIL}.")
    chosen = Chosen(ids=tuple(uuid.UUID(each) for each in story.ids[:50]))
    attach_decisions(
        actor=actor_of(lead), reach=Reach.of_person(lead), case_id=case.pk, chosen=chosen, why=f"All of {SUBJECT}."
    )
    add_note(actor=actor_of(lead), case_id=case.pk, text=f"Asked {NAME}.")
    record_finding(
        actor=actor_of(lead), case_id=case.pk, text=f"{NAME} was read as somebody else.", severity="high",
        root_cause="data",
    )  # fmt: skip


def _of_quarantine(story: Story) -> None:
    by = make_person()
    give_role(by, Role.TECHNICAL_OWNER, Scope.system(story.system.pk))
    kept = []
    for number in (1, 2):
        wrong = sent(story.system, story.many + number) | {"extra": NAME, "id": None}
        answer = story.client.http.post("/api/v1/decisions", json={k: v for k, v in wrong.items() if v is not None})
        assert answer.status_code == 422, answer.text
        kept.append(uuid.UUID(answer.json()["quarantine_id"]))
    cut = json.dumps(sent(story.system, story.many)).encode()[:-20]
    answer = story.client.http.post("/api/v1/decisions", content=cut, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    corrections = {"extra": None, "labels": {"customer": SUBJECT, "name": NAME}}
    correct(actor=actor_of(by), record_id=kept[0], corrections=corrections, reason=f"{NAME} wrote.")
    replay(actor=actor_of(by), record_id=kept[0], reason=f"For {NAME}.")


def _of_exports(story: Story) -> None:
    """Made by the product, with contents and without; one waits for its second person."""
    everything = ["input", "output", "explanation", "context", "refs", "state", "particulars", "reason"]
    reason = f"{NAME} asks what is kept."
    asked = [
        agree(ask(story.auditor, story.system, parts=everything, reason=reason)),
        agree(ask(story.auditor, question="subject", subject=SUBJECT, form="csv", parts=["input", "refs"])),
        ask(story.auditor, question="subject", subject=SUBJECT, reason=f"About {SUBJECT}."),
    ]
    ask(story.auditor, question="subject", subject=SUBJECT, parts=["input"], reason=f"About {SUBJECT}, {EMAIL}.")
    story.exports += [_made(each) for each in asked]


def _of_custody() -> None:
    asker = actor_of(make_person(administrator=True))
    ask_custody(actor=asker, what=CustodyRequest.What.BEGIN_ROTATION, reason=f"{NAME} saw the key.")


# --- looking for it ---------------------------------------------------------------------------------------------------
VALUES = (SUBJECT, NAME, EMAIL)


def samples(place: Place) -> bytes:
    """What the planner keeps of each column."""
    with owner(place) as db:
        return "\n".join(row[0] or "" for row in db.execute("SELECT s::text FROM pg_stats s")).encode()


def owner(place: Place) -> "psycopg.Connection[Any]":
    return psycopg.connect(layout.database_url(place.folder, role="keeper"), autocommit=True)


def found_in_files(place: Place) -> dict[Path, dict[str, bytes]]:
    """Every file of the installation that holds one of the values, and what the product said to the terminal."""
    every = [place.product.output_file, *files(place.folder)]
    return {path: found for path in every if (found := found_in_file(path, VALUES))}


@pytest.mark.parametrize("many", [FEW, pytest.param(MANY, marks=pytest.mark.drill)])
def test_of_many_decisions_nothing_is_found_anywhere_and_every_proof_still_holds(
    place: Place, tmp_path: Path, many: int
) -> None:
    story = a_story(place, many)
    proofs = {each: _proof(story, each) for each in (*story.ids[:: many // 4], story.others[0])}
    for escape in (False, True):
        assert found_in(dump(place.folder, escape=escape), VALUES).keys() == {*VALUES}, "it finds what is there"
    with owner(place) as db:
        db.execute("ANALYZE")
    assert SUBJECT in found_in(samples(place), VALUES), "the planner keeps samples of it"
    both = {"files", "mail"}  # exports, and e-mails once they are sent
    assert wait_until(lambda: _kept(place) == both, patience=60.0, pause=1.0), _kept(place)
    earlier = [_handed_out(place, export, tmp_path) for export in story.exports if export.form == "bundle"]
    assert len(earlier) == 2
    no_floor(*AISystem.objects.all())
    request = agreed(
        kind="subject", subject=SUBJECT, identifiers=[NAME, EMAIL], look_into_payloads=True, system_id=None
    )
    assert request.decisions == many + 3, "those of two reviews and of one replay among them"
    assert wait_until(lambda: _status(request) in {"performed", "held", "scheduled"}, patience=PATIENCE, pause=1.0)
    assert _status(request) == "performed"
    receipt = document_about(request.pk)
    assert receipt is not None and f"took: payloads {many + 3}\n" in receipt.note

    for escape in (False, True):
        assert found_in(dump(place.folder, escape=escape), VALUES) == {}
    assert found_in(samples(place), VALUES) == {}
    assert found_in_files(place) == {}
    looked_at = list(files(place.folder))
    assert any("broker" in path.parts for path in looked_at), "the broker's file was looked at"
    assert any(path.suffix == ".log" for path in looked_at), "and the logs"
    _look_into_the_database_itself(place)

    for bundle in earlier:
        require_verified_file(bundle)
    again = _made(agree(ask(story.auditor, story.system, parts=["input", "refs", "particulars", "reason"])))
    require_verified_file(bundle := _handed_out(place, again, tmp_path))
    assert found_in_file(bundle, VALUES) == {}

    for each, (proof, entry) in proofs.items():
        assert _proof(story, each)[1] == entry
        _verify(story, proof, entry)
        _verify(story, *_proof(story, each))
    others = Payload.objects.filter(pk__in=story.others)
    assert others.filter(secret__isnull=False).count() == OTHERS, "nobody else's is gone"
    place.product.manage("verify_logs", "--quiet")
    story.client.close()


def _kept(place: Place) -> set[str]:
    """The folders in which a value is found."""
    return {path.parent.name for path in found_in_files(place)}


def _look_into_the_database_itself(place: Place) -> None:
    """Its files, after what docs/retention.md says to do where they must not hold it either."""
    database = layout.database_url(place.folder, role=ROOT_ROLE)
    with psycopg.connect(database, autocommit=True) as db:
        for statement in ("VACUUM FULL", "CHECKPOINT"):
            db.execute(statement)
    data = place.folder / "pg" / "data" / "base"
    found = {path: held for path in data.rglob("*") if path.is_file() and (held := found_in_file(path, VALUES))}
    assert found == {}


def _made(export: Export) -> Export:
    """By the product's own worker."""
    assert wait_until(lambda: Export.objects.get(pk=export.pk).status == "finished", patience=PATIENCE, pause=0.5)
    return Export.objects.get(pk=export.pk)


def _handed_out(place: Place, export: Export, folder: Path) -> Path:
    """A copy that somebody fetched: it is theirs, and verifies whatever is erased here."""
    path = folder / f"{export.pk}.zip"
    path.write_bytes((place.folder / "exports" / "files" / path.name).read_bytes())
    require_verified_file(path)
    return path


def _status(request: ErasureRequest) -> str:
    request.refresh_from_db()
    return str(request.status)


def _proof(story: Story, decision_id: str) -> tuple[str, bytes]:
    base = f"/api/v1/decisions/{decision_id}"
    return story.client.get(f"{base}/proof").text, story.client.get(f"{base}/entry").content


def _verify(story: Story, proof: str, entry: bytes) -> None:
    (log,) = [
        each
        for each in story.client.get("/api/v1/logs").json()
        if f"/logs/{decision(story, 0).log_id}" in each["origin"]
    ]
    verifiers = [Verifier.from_vkey(vkey) for vkey in verifier_keys(log["origin"])]
    verify_tlog_proof(proof, leaf_hash(entry), origin=log["origin"], log_verifiers=verifiers)
