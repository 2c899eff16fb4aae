"""A record with everything in it, and what somebody does to it who is the database's superuser.

The world is made once a run, in a database of its own that nobody commits to again: each damage is done in a
transaction that is rolled back, with every trigger out of the way, and the triggers put back as a careful person would.
"""

import json
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from django.conf import settings
from django.db import connections, transaction
from psycopg import sql
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from audit.filters import DecisionFilter
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services.searching import search_decisions
from config.ids import new_id
from config.standalone.cluster import ROOT_ROLE
from evidence.models import Timestamp
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.witness_heads import seal_contradictions
from evidence.verification import Finding, verify_everything
from evidence.witnessing import der
from evidence.witnessing.authorities import stamped_in
from governance import memory as register
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.models import Checkpoint, Entry, Log
from ledger.selectors import latest_head, open_log, registry_log
from ledger.tlog import split_note
from overrides import memory as control
from tests import databases
from tests.evidence.conftest import Organisation, found_organisation, record
from tests.evidence.everything import make_everything
from tests.evidence.test_control_tampering import confirmed, recovered
from tests.evidence.witnessing.authority import Authority, Certificates
from tests.factories.anchors import make_contradiction, make_cosigned
from tests.factories.erasing import erase, erased
from tests.factories.purging import hold_over
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system


@dataclass(frozen=True, slots=True)
class World:
    """A database with its head store, and what is where in it: names that statements and expectations use."""

    database: str
    heads: Path
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Damage:
    """What somebody does, and what the self-audit must say of it.

    `does`: SQL; `{names}` stand for literals of the world's. `says`: the findings that must be there, each the code and
    all the words of its place, in which `{names}` stand for the same. `also`: codes of further findings that it brings.
    Any other finding is one too many.
    """

    does: str
    says: tuple[str, ...]
    also: tuple[str, ...] = ()
    heads: str = ""
    """The same on this host's head store, beside or instead."""
    by: Callable[[Any, dict[str, Any]], None] | None = None
    """What takes more than SQL; it may add names."""
    alone: bool = False
    """Whether no other may be done with it: as in a tree, where one edit has several findings."""

    @property
    def codes(self) -> set[str]:
        """What the self-audit has to say of it."""
        return {each.split()[0] for each in self.says}

    @property
    def touches(self) -> set[str]:
        """The names in it: what has none in common can be done at once."""
        said = (self.does, self.heads, *self.says)
        return {name for text in said for _, name, _, _ in Formatter().parse(text) if name} - SHARED


SHARED = {"log", "log_id", "log_size", "other", "other_id", "registry", "registry_id", "system"}
"""What many rows belong to: a damage of one row of a log does nothing to another row of it."""


def build(folder: Path) -> Iterator[World]:
    """The world in a database of its own, which goes when the generator is closed."""
    with databases.own_head_store(folder) as heads, databases.clone() as name:
        with databases.connected_to(name), pytest.MonkeyPatch.context() as patch:
            for memory in (register, control):
                patch.setattr(memory, "polling", False)
                memory.forget()
            patch.setattr(settings, "STORAGES", settings.STORAGES)
            names = _make(folder)
            head_store().close()
        for memory in (register, control):
            memory.forget()
        kept = folder / "kept.sqlite3"
        head_store().copy_to(kept)
        head_store().close()
        assert heads.exists()
        yield World(name, kept, names)


@contextmanager
def as_superuser(world: World, folder: Path) -> Iterator[Any]:
    """Connected to the world as the database's superuser, with a head store of one's own, until all is undone."""
    configured, before, heads = connections.settings["default"], settings.HEAD_STORE, folder / "heads-of-world.sqlite3"
    shutil.copyfile(world.heads, heads)
    user = configured["USER"]
    with databases.connected_to(world.database):
        configured["USER"] = connections["default"].settings_dict["USER"] = ROOT_ROLE
        settings.HEAD_STORE = heads
        try:
            undone = transaction.atomic()
            undone._from_testcase = True  # type: ignore[attr-defined] # what is durable may be inside, as in TestCase
            with undone, connections["default"].cursor() as cursor:
                yield cursor
                transaction.set_rollback(True)
        finally:
            head_store().close()
            settings.HEAD_STORE = before
            connections.close_all()
            configured["USER"] = connections["default"].settings_dict["USER"] = user


def together(table: dict[str, Damage]) -> list[dict[str, Damage]]:
    """The damages of a table in as few rounds as can be, none with anything in common with another of its round."""
    rounds: list[dict[str, Damage]] = []
    for name, each in table.items():
        for fits in rounds:
            if not any(each.alone or other.alone or each.touches & other.touches for other in fits.values()):
                fits[name] = each
                break
        else:
            rounds.append({name: each})
    return rounds


def do(cursor: Any, damages: Iterable[Damage], names: dict[str, Any]) -> None:
    """Do them all."""
    for each in damages:
        damage(cursor, names, each.does)
        if each.heads:
            with closing(sqlite3.connect(settings.HEAD_STORE)) as heads, heads:
                assert heads.execute(each.heads.format_map(names)).rowcount == 1
        if each.by:
            each.by(cursor, names)


def damage(cursor: Any, names: dict[str, Any], does: str) -> None:
    """Do it past every trigger and every reference, and leave the guard as it was."""
    cursor.execute(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgenabled = 'A' AND NOT t.tgisinternal"
    )
    guard = cursor.fetchall()
    cursor.execute("SET LOCAL session_replication_role = replica")
    _alter(cursor, guard, "DISABLE TRIGGER")
    literals = {name: sql.Literal(value).as_string(None) for name, value in names.items()}
    for statement in does.format_map(literals).split(";"):
        if statement.strip():
            cursor.execute(statement)
            assert cursor.rowcount, f"it does nothing: {statement}"
    _alter(cursor, guard, "ENABLE ALWAYS TRIGGER")
    cursor.execute("SET LOCAL session_replication_role = origin")


def _alter(cursor: Any, guard: list[tuple[str, str]], how: str) -> None:
    for table, trigger in guard:
        cursor.execute(
            sql.SQL("ALTER TABLE ONLY {} " + how + " {}").format(sql.Identifier(table), sql.Identifier(trigger))
        )


def wrong_with(found: Iterable[Finding], damages: dict[str, Damage], names: dict[str, Any]) -> list[str]:
    """What the self-audit should have said of damages and did not, and what it said that it should not have."""
    lines = [(str(each).split(":")[0], set(_words(str(each)))) for each in found]
    wrong, expected = [], []
    for name, each in damages.items():
        for said in each.says:
            code, *words = said.format_map(names).split()
            expected.append((code, set(words)))
            if not any(line == code and set(words) <= there for line, there in lines):
                wrong.append(f"{name}: not said: {code} {' '.join(words)}")
    also = {code for each in damages.values() for code in each.also}
    for code, there in lines:
        if code not in also and not any(code == line and words <= there for line, words in expected):
            wrong.append(f"{', '.join(damages)}: said: {code} {' '.join(sorted(there))}")
    return wrong


def _words(line: str) -> list[str]:
    return [word.strip("(),:") for word in line.split()]


def verified() -> list[Finding]:
    """What `verify_logs` finds."""
    return list(verify_everything())


# --- the world --------------------------------------------------------------------------------------------------------
def _make(folder: Path) -> dict[str, Any]:
    organisation = found_organisation(260)
    log, account = organisation.log, organisation.account
    other = make_system(slug="other-limits")
    make_everything()
    confirmed()
    recovered()
    closed = _lose_a_tail()
    _search(organisation)
    _erase()
    hold_over(organisation.system)
    record(open_log(other.pk), account, 5)
    record_checkpoints(actor=SERVER)
    cosignature = make_cosigned(log)
    _stamp(folder, cosignature.checkpoint)
    assert verified() == []
    logs = {"log": log, "other": open_log(other.pk), "registry": registry_log(), "closed": closed}
    names: dict[str, Any] = {f"forged{number}": str(new_id()) for number in range(12)}
    for name, each in logs.items():
        names |= {name: each.origin, f"{name}_id": str(each.pk), f"{name}_size": latest_head(each.pk).tree_size}
    for number, decision in enumerate(organisation.decisions[:6]):
        names |= {f"decision{number}": decision, f"at{number}": Entry.objects.get(id=decision).leaf_index}
    names |= {"other_system": str(other.pk), "other_hex": logs["other"].pk.hex}
    theirs = Entry.objects.filter(log=logs["other"], kind="decision.recorded").order_by("leaf_index")
    names |= {"theirs": str(theirs[0].id), "theirs_at": theirs[0].leaf_index}
    return names | _rows()


ROWS = {
    "system": "SELECT id FROM governance_aisystem WHERE slug = 'credit-limits'",
    "person": "SELECT id FROM governance_person WHERE is_active ORDER BY id LIMIT 1",
    "assignment": "SELECT id FROM governance_assignment WHERE role = 'auditor' ORDER BY id LIMIT 1",
    "grant": "SELECT id FROM audit_payloadgrant LIMIT 1",
    "hold": "SELECT id FROM audit_legalhold WHERE status = 'in_force' ORDER BY id DESC LIMIT 1",
    "consent": "SELECT id FROM audit_erasureconsent WHERE status = 'approved' ORDER BY id LIMIT 1",
    "export": "SELECT id FROM evidence_export LIMIT 1",
    "class": "SELECT id FROM audit_retentionclass ORDER BY id LIMIT 1",
    "rule": "SELECT id FROM audit_retentionrule ORDER BY id LIMIT 1",
    "key": "SELECT id FROM governance_servicekey ORDER BY id LIMIT 1",
    "switch": "SELECT switch_id FROM overrides_switchchange WHERE status = 'confirmed' LIMIT 1",
}
"""Governed rows: `{name}` is the id, `{name}_log` and `{name}_at` where its last change was sealed."""
OTHERS = {
    "change": "SELECT id FROM overrides_switchchange WHERE status = 'confirmed' LIMIT 1",
    "recovery": "SELECT id FROM overrides_controlrecovery LIMIT 1",
    "recovery_log": "SELECT l.origin FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id JOIN"
    " overrides_controlrecovery r ON r.entry_id = e.id",
    "recovery_at": "SELECT leaf_index FROM ledger_entry e JOIN overrides_controlrecovery r ON r.entry_id = e.id",
    "confirmed_log": "SELECT l.origin FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id"
    " WHERE e.kind = 'switch.confirmed' ORDER BY e.id LIMIT 1",
    "changed_at": "SELECT e.leaf_index FROM ledger_entry e JOIN overrides_switchchange c ON c.switch_id = e.about_id"
    " WHERE c.status = 'confirmed' AND position(c.id::text::bytea IN e.data) > 0 LIMIT 1",
    "confirmed_at": "SELECT leaf_index FROM ledger_entry WHERE kind = 'switch.confirmed' ORDER BY id LIMIT 1",
    "stamp": "SELECT id FROM evidence_timestamp WHERE authority = 'first'",
    "stamp_of_another": "SELECT id FROM evidence_timestamp WHERE authority = 'second'",
    "cosignature": "SELECT id FROM evidence_cosignature LIMIT 1",
    "recorded": "SELECT c.id FROM ledger_checkpoint c JOIN ledger_log l ON l.id = c.log_id"
    " WHERE c.purpose = 'recorded' AND l.kind = 'system' ORDER BY c.id LIMIT 1",
    "recorded_of_other": "SELECT c.id FROM ledger_checkpoint c JOIN ledger_log l ON l.id = c.log_id JOIN"
    " governance_aisystem s ON s.id = l.system_id WHERE c.purpose = 'recorded' AND s.slug = 'other-limits'",
    "recorded_at": "SELECT leaf_index FROM ledger_entry WHERE kind = 'checkpoint.recorded' ORDER BY id LIMIT 1",
    "recorded_log": "SELECT l.origin FROM ledger_checkpoint c JOIN ledger_log l ON l.id = c.log_id"
    " WHERE c.purpose = 'recorded' AND l.kind = 'system' ORDER BY c.id LIMIT 1",
    "contradicted_at": "SELECT leaf_index FROM ledger_entry WHERE kind = 'checkpoint.contradicted'",
    "anchored": "SELECT id FROM ledger_checkpoint WHERE purpose = 'anchored' LIMIT 1",
    "contradiction": "SELECT id FROM ledger_contradiction LIMIT 1",
    "document": "SELECT id FROM evidence_signeddocument LIMIT 1",
    "erased": "SELECT id FROM audit_payload WHERE secret IS NULL LIMIT 1",
    "erased_request": "SELECT s.request_id FROM audit_erasurestep s JOIN audit_payload p ON p.id = s.item_id"
    " WHERE p.secret IS NULL LIMIT 1",
    "restricted": "SELECT decision_id FROM audit_restriction LIMIT 1",
    "restricting": "SELECT request_id FROM audit_restriction LIMIT 1",
    "warrant": "SELECT consent_id FROM audit_erasurewarrant LIMIT 1",
    "step": "SELECT item_id FROM audit_erasurestep LIMIT 1",
    "asked": "SELECT request_id FROM audit_erasuretarget LIMIT 1",
    "search": "SELECT row_id FROM ledger_particulars WHERE part = 'terms' ORDER BY id LIMIT 1",
    "search_log": "SELECT l.origin FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id JOIN ledger_particulars p"
    " ON p.row_id = e.id WHERE p.part = 'terms' ORDER BY p.id LIMIT 1",
    "search_at": "SELECT e.leaf_index FROM ledger_entry e JOIN ledger_particulars p ON p.row_id = e.id"
    " WHERE p.part = 'terms' ORDER BY p.id LIMIT 1",
    "quarantined": "SELECT record_id FROM intake_quarantinereceipt LIMIT 1",
    "quarantined_log": "SELECT l.origin FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id JOIN"
    " intake_quarantinereceipt r ON r.entry_id = e.id LIMIT 1",
    "quarantined_at": "SELECT leaf_index FROM ledger_entry e JOIN intake_quarantinereceipt r ON r.entry_id = e.id"
    " LIMIT 1",
    "review": "SELECT id FROM overrides_review WHERE revision = 0 LIMIT 1",
    "review_log": "SELECT l.origin FROM ledger_log l JOIN ledger_entry e ON e.log_id = l.id JOIN overrides_review r"
    " ON r.decision_id = e.id WHERE r.revision = 0",
    "review_at": "SELECT e.leaf_index FROM ledger_entry e JOIN overrides_review r ON r.decision_id = e.id"
    " WHERE r.revision = 0",
    "attachment": "SELECT id FROM audit_caseattachment WHERE act = 'attached' ORDER BY id LIMIT 1",
    "attached": "SELECT decision_id FROM audit_casedecision WHERE attachment_id ="
    " (SELECT id FROM audit_caseattachment WHERE act = 'attached' ORDER BY id LIMIT 1) LIMIT 1",
    "case": "SELECT case_id FROM audit_casedecision LIMIT 1",
    "incident": "SELECT id FROM audit_incident LIMIT 1",
    "app": "SELECT id FROM governance_totpfactor LIMIT 1",
}


def _rows() -> dict[str, Any]:
    found: dict[str, Any] = {name: _one(query) for name, query in OTHERS.items()}
    for name, query in ROWS.items():
        found[name] = _one(query)
        last = Entry.objects.filter(about_id=found[name]).select_related("log")
        said = [each for each in last if b'"state":' in bytes(each.data)]
        newest = max(said, key=lambda each: json.loads(bytes(each.data))["at"])
        found |= {f"{name}_log": newest.log.origin, f"{name}_at": newest.leaf_index}
    return found


def _one(query: str) -> Any:
    with connections["default"].cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchone()
    assert found is not None, query
    return str(found[0]) if isinstance(found[0], uuid.UUID) else found[0]


def _lose_a_tail() -> Log:
    """A log that a witness contradicted and two administrators closed; what was found stands in the registry log."""
    log = open_log(make_system(slug="old-limits").pk)
    make_contradiction(log)
    seal_contradictions(actor=SERVER)
    first, second = (make_person(administrator=True) for _ in range(2))
    close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
    return log


def _search(organisation: Organisation) -> None:
    reader = make_person(dpo=True)
    search_decisions(
        actor=actor_of(reader),
        reach=Reach.of_person(reader),
        terms=Terms(subject="subject-2"),
        within=DecisionFilter(system_id=organisation.system.pk),
    )


def _erase() -> None:
    """One decision that was erased, and one that is restricted since it must be kept."""
    system = make_system(slug="erased-limits", accountable=make_person())
    gone = record_decision(system, subject="c-1", parts={"input": 1})
    erase(gone.id)
    kept = make_system(slug="kept-limits", accountable=make_person())
    record_decision(kept, subject="c-1907", parts={"input": 2})
    erased(kind="subject", subject="c-1907")


def _stamp(folder: Path, checkpoint: Checkpoint) -> None:
    """Time-stamps by two authorities over one checkpoint."""
    text = split_note(checkpoint.note)[0].encode()
    for name in ("first", "second"):
        place = folder / name
        place.mkdir()
        query = (
            TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).cert_request(cert_request=True)
            .build().as_bytes()
        )  # fmt: skip
        token = der.sort_certificates(Authority(Certificates(place).make()).stamp(query))
        Timestamp.objects.create(
            checkpoint=checkpoint, log=checkpoint.log, tree_size=checkpoint.tree_size,
            authority=name, token=token, stamped_at=stamped_in(token)[1],
        )  # fmt: skip
