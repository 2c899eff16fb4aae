"""A record that nobody touched verifies, whole or in slices, and while it grows."""

import io

import pytest
from django.core.management import call_command

from evidence.models import AuditProgress, WalkProgress
from evidence.services.checkpoints import record_checkpoints
from evidence.services.self_audit import audit_loose_ends, audit_slice
from evidence.verification import verify_everything
from ledger.entries import SERVER
from ledger.heads import head_store
from ledger.models import Checkpoint, Entry
from ledger.selectors import open_log, registry_log
from tests.evidence.conftest import Organisation, record
from tests.factories.register import make_system


def test_an_untouched_record_has_no_finding(organisation: Organisation) -> None:
    record(organisation.log, organisation.account, 700)
    assert list(verify_everything()) == []


def test_the_command_says_so_and_exits_with_0(organisation: Organisation) -> None:
    out = io.StringIO()
    call_command("verify_logs", "--quiet", stdout=out)
    assert "Verified" in out.getvalue()


def test_slices_of_the_self_audit_go_through_every_log_and_begin_again(organisation: Organisation) -> None:
    verified = audit_slice(actor=SERVER, seconds=20)
    assert verified == Entry.objects.count()
    assert not AuditProgress.objects.filter(pass_finished_at=None).exists()
    assert audit_loose_ends(actor=SERVER, seconds=20) == 0
    assert not WalkProgress.objects.filter(pass_finished_at=None).exists()
    assert audit_slice(actor=SERVER, seconds=20) == Entry.objects.count()


def test_a_slice_that_runs_out_of_time_is_taken_up_where_it_stopped(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.verification.engine.SLICE", 256)
    record(organisation.log, organisation.account, 700)
    total, verified, rounds = Entry.objects.count(), 0, 0
    while AuditProgress.objects.filter(pass_finished_at=None).exists() or not rounds:
        verified += audit_slice(actor=SERVER, seconds=0.001)
        rounds += 1
        assert rounds < 100
    assert verified >= total
    assert not [found for progress in AuditProgress.objects.all() for found in progress.findings]


def test_a_log_that_cannot_be_signed_does_not_keep_the_others_from_the_registry(organisation: Organisation) -> None:
    other = open_log(make_system().id)
    head_store().advance(organisation.log.id, 10_000, bytes(32))
    assert record_checkpoints(actor=SERVER) == 1
    assert list(Checkpoint.objects.values_list("log_id", flat=True)) == [other.id]


def test_the_registry_log_records_the_checkpoint_of_each_log_that_grew_once(organisation: Organisation) -> None:
    assert record_checkpoints(actor=SERVER) == 1
    assert record_checkpoints(actor=SERVER) == 0
    record(organisation.log, organisation.account, 1)
    assert record_checkpoints(actor=SERVER) == 1
    assert Checkpoint.objects.filter(log=organisation.log).count() == 2
    assert Entry.objects.filter(log=registry_log(), kind="checkpoint.recorded").count() == 2
    assert list(verify_everything()) == []
