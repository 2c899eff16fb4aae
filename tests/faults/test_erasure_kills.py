"""The worker killed in the middle of an erasure: a slice is done or not, and the next worker goes on to the end."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import ErasureRequest, Payload, Purge
from config.standalone.options import PROJECT
from config.standalone.processes import wait_until
from evidence.erasure.documents import document_about
from evidence.services.erasure_runs import run_erasures
from evidence.services.purges import announce_purge, run_purges
from governance.models import AISystem
from ledger.models import Entry, Erasure
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.factories.erasing import SECONDS, agreed, agreeing, long_ago, no_floor, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.faults import claims
from tests.faults.faultpoints import COMMIT_UNANSWERED, THREADS, Action
from tests.faults.installation import Installation

pytestmark = pytest.mark.e2e
MANY = 40
PATIENCE = 90.0
STEPS = ("lock", "copies", COMMIT_UNANSWERED, "committed", "head_store")


def eraser(installation: Installation) -> "subprocess.Popen[bytes]":
    environment = installation.environment() | {THREADS: "MainThread"}
    return subprocess.Popen([sys.executable, "-m", "tests.faults.eraser"], cwd=PROJECT, env=environment)


def kill_it_half_way(installation: Installation, step: str, begun: str, *values: object) -> None:
    """Once some slices are done, at a step of the next one."""
    process = eraser(installation)
    try:
        assert wait_until(lambda: bool(installation.query(begun, *values)), patience=PATIENCE, pause=0.01)
        installation.faults.arm(step, Action.KILL_WEB)
        assert process.wait(PATIENCE) == -9, "it was over before it could be killed"
    finally:
        installation.faults.disarm()
        process.kill()
        process.wait()


def a_system(installation: Installation) -> AISystem:
    return make_system(accountable=make_person())


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_goes_on_where_it_was_killed(installation: Installation, step: str) -> None:
    system = a_system(installation)
    no_floor(system)
    owner, subject = actor_of(agreeing(system)), f"subject-{step}"
    decisions = [record_decision(system, subject=subject) for _ in range(MANY)]
    for decision in decisions[::10]:
        override_decision(
            actor=owner, decision_id=decision.id, outcome="refused", reason_code="other", note=f"About {subject}."
        )
    request = agreed(kind="subject", subject=subject)
    kill_it_half_way(
        installation, step, "SELECT FROM audit_erasurestep WHERE request_id = %s OFFSET 9 LIMIT 1", request.pk
    )
    assert_each_slice_whole(request)
    assert eraser(installation).wait(PATIENCE) == 0
    request.refresh_from_db()
    assert request.status == "performed"
    ids = [decision.id for decision in decisions]
    assert not Payload.objects.filter(pk__in=ids, secret__isnull=False).exists()
    assert not Override.objects.filter(decision_id__in=ids).exclude(note="").exists()
    performed = Entry.objects.filter(kind="erasure.performed", about_id__in=ids).values_list("about_id", flat=True)
    assert sorted(map(str, performed)) == sorted(map(str, ids)), "each once"
    document = document_about(request.pk)
    assert document is not None and f"took: payloads {MANY}\n" in document.note
    before = Entry.objects.count()
    assert run_erasures(seconds=SECONDS) == 0
    assert Entry.objects.count() == before
    claims.assert_verifies()


def assert_each_slice_whole(request: ErasureRequest) -> None:
    """What is empty has its step, its entry and its permission; what is not has none of these."""
    targets = set(request.targets.values_list("decision_id", flat=True))
    gone = set(Payload.objects.filter(pk__in=targets, secret=None).values_list("pk", flat=True))
    assert 0 < len(gone) < len(targets)
    assert set(request.steps.values_list("item_id", flat=True)) == gone
    assert set(Erasure.objects.filter(row_id__in=targets).values_list("row_id", flat=True)) == gone
    about = Entry.objects.filter(kind="erasure.performed", about_id__in=targets)
    assert set(about.values_list("about_id", flat=True)) == gone
    written = Override.objects.filter(decision_id__in=targets)
    assert {row.decision_id for row in written if not row.note} == {row.decision_id for row in written} & gone


def test_a_purge_goes_on_where_it_was_killed(installation: Installation) -> None:
    system = a_system(installation)
    put_in_force("payloads", system, ceiling=30)
    ids = [record_decision(system, at=timezone.now() - timedelta(days=60)).id for _ in range(MANY)]
    with long_ago(days=20):
        purge = announce_purge()
    assert purge is not None
    kill_it_half_way(
        installation, COMMIT_UNANSWERED, "SELECT FROM audit_payload WHERE secret IS NULL AND id = ANY(%s)", ids
    )
    left = Payload.objects.filter(pk__in=ids, secret__isnull=False).count()
    assert 0 < left < MANY
    assert eraser(installation).wait(PATIENCE) == 0
    done = Purge.objects.get(pk=purge.pk)
    assert (done.status, [part["count"] for part in done.done if part["system"] == str(system.pk)]) == ("done", [MANY])
    assert not Payload.objects.filter(pk__in=ids, secret__isnull=False).exists()
    assert run_purges(seconds=SECONDS) == 0
    claims.assert_verifies()
