"""What orchestrators and Prometheus are told."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client, override_settings

from config import metrics
from config.health import Check, Remembered, Unready, readiness
from overrides import memory


def failing(error: Exception) -> None:
    raise error


def test_liveness_asks_nothing_of_the_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}  # pytest-django would refuse a query


def test_an_essential_failure_is_503_and_named() -> None:
    checks = [
        Check(name="fine", run=lambda: None),
        Check(name="partitions", run=lambda: failing(Unready("November is missing."))),
    ]
    answer = readiness(checks)
    body = json.loads(answer.content)

    assert (answer.status_code, body["status"]) == (503, "unready")
    assert body["checks"]["fine"]["status"] == "ok"
    assert body["checks"]["partitions"]["detail"] == "November is missing."
    assert body["checks"]["partitions"]["duration_ms"] >= 0


def test_a_missing_broker_only_degrades() -> None:
    answer = readiness(
        [Check(name="broker", run=lambda: failing(ConnectionError("amqp://user:secret@")), essential=False)]
    )

    assert (answer.status_code, json.loads(answer.content)["status"]) == (200, "degraded")
    assert b"secret" not in answer.content


def test_the_words_of_a_foreign_exception_are_not_shown() -> None:
    answer = readiness([Check(name="database", run=lambda: failing(OperationalError("password=secret")))])

    assert b"OperationalError" in answer.content
    assert b"secret" not in answer.content


def test_the_brokers_answer_stands_for_some_seconds() -> None:
    now, asked = [100.0], list[float]()

    def ask() -> None:
        asked.append(now[0])
        if len(asked) == 2:
            raise ConnectionError("amqp://user:secret@")

    check = Remembered(ask, 5.0, clock=lambda: now[0])
    check()
    now[0] += 4.9
    check()
    assert len(asked) == 1
    now[0] += 0.1
    for _ in range(2):
        with pytest.raises(Unready, match=r"^The check ended with ConnectionError\.$"):
            check()
    now[0] += 5
    check()
    assert len(asked) == 3


@pytest.mark.django_db
def test_readiness_names_each_check(client: Client) -> None:
    body = client.get("/readyz").json()

    assert set(body["checks"]) == {
        "database", "migrations", "broker", "head_store", "ledger", "origin", "digest_key", "signing_key", "partitions",
        "controls", "clock",
    }  # fmt: skip
    assert body["checks"]["head_store"]["status"] == "ok"
    assert body["checks"]["database"]["status"] == "ok"


@pytest.mark.django_db
def test_whoever_is_behind_with_the_switches_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.current()
    monkeypatch.setattr(memory, "current", lambda: None)  # the thread hangs: nobody looks
    monkeypatch.setattr(memory._memory, "looked_at", time.monotonic() - 40)
    answer = client.get("/readyz")
    check = answer.json()["checks"]["controls"]
    assert (answer.status_code, check["status"]) == (503, "failed")
    assert check["detail"].startswith(
        "This process does not hear of changes, and last compared its switches with the database 40 s ago"
    )


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "said"), [(1, "3600 s ahead of"), (-1, "3600 s behind")])
def test_a_clock_that_is_off_degrades_and_says_by_how_much(client: Client, hours: int, said: str) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        check = client.get("/readyz").json()["checks"]["clock"]
    assert check["status"] == "degraded" and said in check["detail"]


@pytest.mark.django_db
def test_metrics_are_for_this_machine_without_a_token(client: Client) -> None:
    here = client.get("/metrics")

    assert here.status_code == 200
    assert b"answerable_sealed_entries" in here.content
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


@pytest.mark.django_db
@override_settings(METRICS_TOKEN="a-token-of-some-length")
def test_metrics_are_for_the_token_alone_where_there_is_one(client: Client) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    with_token = {"Authorization": "Bearer a-token-of-some-length"}
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers=with_token).status_code == 200


@pytest.mark.django_db
@override_settings(METRICS_TOKEN="a-tökén-of-some-length")
@pytest.mark.parametrize(("sent", "status"), [("a-tökén-of-some-length", 200), ("a-токен", 401), ("\N{BOMB}", 401)])
def test_a_token_beyond_ascii_is_compared_and_not_stumbled_over(client: Client, sent: str, status: int) -> None:
    as_a_server_hands_it_over = f"Bearer {sent}".encode().decode("latin-1")
    answer = client.get("/metrics", headers={"Authorization": as_a_server_hands_it_over})
    assert answer.status_code == status


@pytest.mark.django_db
@override_settings(METRICS_TOKEN="a-token-of-some-length")
def test_a_header_of_any_bytes_is_only_a_wrong_token(client: Client) -> None:
    everything = bytes(range(0x80, 0x100)).decode("latin-1")
    assert client.get("/metrics", headers={"Authorization": everything}).status_code == 401


@pytest.mark.django_db
def test_a_scrape_adds_the_counters_of_live_siblings_only(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    sample = ["answerable_http_requests_total", {"method": "GET", "route": "r", "status": "200"}, 7.0]
    content = json.dumps([["answerable_http_requests", "counter", "Requests.", [sample]]])
    for name in ("host-1", "host-2"):
        (folder / f"{name}.json").write_text(content)
    long_ago = time.time() - 3600
    os.utime(folder / "host-2.json", (long_ago, long_ago))

    with override_settings(DATA_DIR=tmp_path):
        body = client.get("/metrics").content.decode()

    assert 'process="host-1",route="r",status="200"} 7.0' in body
    assert "host-2" not in body
    assert not (folder / "host-2.json").exists()
    assert body.count("# TYPE answerable_http_requests_total counter") == 1


def test_a_process_writes_its_own_counters_whole(tmp_path: Path) -> None:
    with override_settings(DATA_DIR=tmp_path):
        metrics.flush()

    [file] = (tmp_path / "metrics").iterdir()
    assert file.stem == metrics.process_name()
    assert "answerable_http_requests" in {family[0] for family in json.loads(file.read_text())}
