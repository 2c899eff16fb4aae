"""How much nobody outside has seen, in figures, on pages, in metrics and as one alert that ends by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.celery import app
from console.views.witnesses import PAGE_SIZE
from evidence.exposure import Exposure, exposures
from evidence.models import Anchor
from evidence.services.exposure_alerts import watch_exposure
from evidence.verification import verify_everything
from governance.models import Assignment
from governance.scopes import Scope
from ledger.entries import SERVER
from ledger.models import Log
from ledger.selectors import latest_head, open_log, registry_log
from notices.models import Alert
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_custody import sign_more_than_there_is
from tests.evidence.witnessing.authority import Authority, with_openssl
from tests.evidence.witnessing.conftest import Configure, later, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.factories.anchors import make_contradiction
from tests.factories.register import give_role, make_person, make_system


def of(log: Log) -> Exposure:
    return next(each for each in exposures() if each.log_id == log.id)


def not_closed() -> list[Alert]:
    return list(Alert.objects.filter(kind="ledger.not_anchored").exclude(status=Alert.Status.CLOSED))


class TestFigures:
    def test_without_anybody_outside_everything_is_exposed_from_the_first_entry(
        self, organisation: Organisation
    ) -> None:
        found, first = of(organisation.log), organisation.log.entries.order_by("leaf_index")[0]
        assert (found.entries, found.anchored_size) == (latest_head(organisation.log.id).tree_size, 0)
        assert found.since is not None and str(found.since.date()) in bytes(first.data).decode()

    def test_what_was_cosigned_is_not_and_what_came_after_is(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        assert (of(organisation.log).entries, of(organisation.log).since) == (0, None)
        before = timezone.now()
        record(organisation.log, organisation.account, 5)
        found = of(organisation.log)
        assert found.entries == 5 and found.since is not None and found.since >= before - timedelta(seconds=1)

    def test_a_quorum_that_is_not_met_covers_nothing(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness, second, quorum="both", more=["group both all w1 w2"])
        trust_all(witness)
        sweep()
        assert of(organisation.log).entries == latest_head(organisation.log.id).tree_size
        trust_all(second)
        later(hours=2)
        sweep()
        assert of(organisation.log).entries == 0

    @with_openssl
    def test_a_time_stamp_covers_as_well(
        self, organisation: Organisation, configure: Configure, stamping: Authority
    ) -> None:
        configure(authorities={"own": stamping})
        sweep()
        found = of(organisation.log)
        assert (found.entries, found.cosigned_size) == (0, 0) and found.stamped_size == found.tree_size

    def test_an_entry_whose_bytes_say_nothing_ends_nothing(
        self, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from evidence import exposure

        assert exposure.received_at(b"not json") is None
        assert exposure.received_at(b"[]") is None
        assert exposure.received_at(b'{"at": 5}') is None
        assert exposure.received_at(b'{"at": "yesterday"}') is None


class TestTheAlert:
    def test_one_for_all_logs_while_too_much_waits_for_too_long(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        configure(witness)
        settings.EXPOSURE_ALERT_MINUTES = 60
        assert watch_exposure(actor=SERVER) == 0 and not_closed() == []
        with _from_now(monkeypatch, hours=2):
            assert watch_exposure(actor=SERVER) == 2
            watch_exposure(actor=SERVER)
        [alert] = not_closed()
        assert (alert.severity, alert.facts["logs"], alert.occurrences) == (Alert.Severity.WARNING, 2, 1)
        trust_all(witness)
        later(hours=2)
        sweep()
        # the alert was an entry of the registry log, which is sent in its turn
        later(hours=2)
        sweep()
        assert watch_exposure(actor=SERVER) == 0 and not_closed() == []
        assert list(verify_everything()) == []

    def test_none_where_nobody_is_asked(self, organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        with _from_now(monkeypatch, days=400):
            assert watch_exposure(actor=SERVER) == 0

    def test_it_ends_when_nobody_is_asked_any_more(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        configure(witness)
        with _from_now(monkeypatch, days=1):
            watch_exposure(actor=SERVER)
        assert not_closed()
        settings.WITNESS_POLICY_FILE = ""
        watch_exposure(actor=SERVER)
        assert not_closed() == []


@contextmanager
def _from_now(monkeypatch: pytest.MonkeyPatch, **span: float) -> Iterator[None]:
    """The sweep looks at the clock later."""
    now = timezone.now() + timedelta(**span)
    with monkeypatch.context() as patch:
        patch.setattr("evidence.services.exposure_alerts.timezone.now", lambda: now)
        yield


class TestThePage:
    def test_says_that_nobody_is_asked(self, organisation: Organisation, client: Client) -> None:
        client.force_login(make_person(auditor=True))
        page = client.get("/admin/logs/witnesses/").content.decode()
        assert "No witness and no time-stamp authority is configured" in page
        assert "nobody is asked" in client.get("/admin/").content.decode()

    def test_says_who_has_seen_what_and_what_went_wrong(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness,
        client: Client,
    ) -> None:  # fmt: skip
        configure(witness, second, quorum="any-of-them", more=["group any-of-them any w1 w2"])
        trust_all(witness)
        sweep()
        client.force_login(make_person(auditor=True))
        page = client.get("/admin/logs/witnesses/").content.decode()
        for said in (
            "all seen outside", "the quorum is met", "any-of-them", witness.vkey, "It does not know this log (404)",
            "Given, and verified", "Last cosigned",
        ):  # fmt: skip
            assert said in page, said
        file = client.get(f"/admin/logs/{organisation.log.id}/witnessed")
        assert "attachment" in file["content-disposition"] and "witness.example/strict" in file.content.decode()
        assert "Unseen outside" in client.get("/admin/logs/").content.decode()

    def test_says_which_file_cannot_be_read(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, client: Client
    ) -> None:
        configure(witness).write_text("x y\n")
        client.force_login(make_person(auditor=True))
        assert "Nobody is asked: policy: line 1" in client.get("/admin/logs/witnesses/").content.decode()

    def test_shows_logs_to_those_who_may_see_them(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, client: Client
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        other = make_system(slug="other")
        viewer = make_person()
        give_role(viewer, Assignment.Role.VIEWER, Scope.system(other.pk))
        client.force_login(viewer)
        page = client.get("/admin/logs/witnesses/").content.decode()
        assert organisation.log.origin not in page and registry_log().origin in page
        assert client.get(f"/admin/logs/{organisation.log.id}/witnessed").status_code == 404
        client.force_login(make_person())
        assert client.get("/admin/logs/witnesses/").status_code == 403

    def test_what_somebody_has_to_look_at_stands_first_and_many_logs_take_several_pages(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, client: Client
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        last = make_system(slug="zz-last")
        for number in range(PAGE_SIZE):
            make_system(slug=f"more-{number}")
        make_contradiction(open_log(last.pk))
        client.force_login(make_person(auditor=True))
        first = client.get("/admin/logs/witnesses/").content.decode()
        assert first.index(open_log(last.pk).origin) < first.index(registry_log().origin)
        number = PAGE_SIZE + 3
        assert f"Logs 1 to {PAGE_SIZE} of {number}" in first and "<b>1 contradicted</b>" in first
        second = client.get("/admin/logs/witnesses/?page=2").content.decode()
        assert f"Logs {PAGE_SIZE + 1} to {number} of {number}" in second and registry_log().origin not in second
        assert client.get("/admin/logs/witnesses/?page=x").status_code == 200
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/logs/witnesses/")
        few = len(queries)
        for more in range(30):
            make_system(slug=f"yet-more-{more}")
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/logs/witnesses/")
        assert len(queries) <= few

    def test_a_log_that_cannot_be_signed_says_that_it_is_not_asked_about(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, client: Client
    ) -> None:
        configure(witness)
        trust_all(witness)
        sign_more_than_there_is(organisation.log)
        sweep()
        client.force_login(make_person(auditor=True))
        assert "no checkpoint is signed for this log now" in client.get("/admin/logs/witnesses/").content.decode()


def test_the_metrics_say_how_much_and_how_long(
    organisation: Organisation, configure: Configure, witness: StrictWitness, client: Client
) -> None:
    configure(witness)
    sweep()
    text = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    size = latest_head(organisation.log.id).tree_size
    assert f'answerable_log_exposed_entries{{origin="{organisation.log.origin}"}} {float(size)}' in text
    assert "answerable_log_exposed_seconds{" in text
    assert f"answerable_anchors_failing {float(Anchor.objects.count())}" in text


def test_what_beat_does_is_declared_and_what_waits_for_others_has_its_own_workers() -> None:
    tasks = {entry["task"] for entry in app.conf.beat_schedule.values()}
    app.loader.import_default_modules()
    for name in ("anchor_checkpoints", "look_at_witnesses", "watch_exposure"):
        assert f"evidence.tasks.{name}_task" in tasks
        assert f"evidence.tasks.{name}_task" in app.tasks
    for name in ("anchor_checkpoints", "anchor", "look_at_witnesses", "look_at_witness"):
        assert app.conf.task_routes[f"evidence.tasks.{name}_task"] == {"queue": "outgoing"}
        assert f"evidence.tasks.{name}_task" in app.tasks
