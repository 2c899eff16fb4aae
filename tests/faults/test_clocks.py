"""Clocks that are wrong: of clients, by what an id may claim, and where it is kept; and of a host of ours."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from config.ids import id_at
from config.standalone.processes import wait_until
from overrides.models import SwitchChange
from overrides.services.confirming import confirmation_of
from overrides.standing import Epoch
from tests.faults import claims
from tests.faults.conftest import NewClient, Sender
from tests.faults.installation import REAL, Installation, Web
from tests.faults.test_control_in_force import Governed

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[Web]:
    with installation.web(REAL) as server:
        yield server


def id_of(clock: timedelta) -> str:
    """An id of a client whose clock is off by this much: its time, and random bits as UUIDv7 has them."""
    moment = id_at(datetime.now(UTC) + clock).int
    return str(uuid.UUID(int=moment | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def test_a_clock_up_to_5_minutes_ahead_or_35_days_behind_is_recorded(
    installation: Installation, web: Web, sender: Sender, new_client: NewClient
) -> None:
    client = new_client(web, sender)
    client.try_known(sender.record())
    offsets = [timedelta(minutes=4), timedelta(), timedelta(days=-1), timedelta(days=-34)]
    receipts = [client.post(sender.record(id=id_of(offset))) for offset in offsets]
    assert [receipt["leaf_index"] for receipt in receipts] == sorted(receipt["leaf_index"] for receipt in receipts)
    claims.assert_nothing_lost(installation, client, receipts)


@pytest.mark.parametrize(
    ("clock", "problem"),
    [
        (timedelta(minutes=6), "/problems/invalid-decision"),
        (timedelta(days=400), "/problems/invalid-decision"),
        (timedelta(days=-36), "/problems/id-too-old"),
        (timedelta(days=-20_000), "/problems/id-too-old"),
    ],
)
def test_a_clock_further_off_is_refused_and_kept_in_quarantine(
    installation: Installation, web: Web, sender: Sender, new_client: NewClient, clock: timedelta, problem: str
) -> None:
    client = new_client(web, sender)
    wrong = sender.record(id=id_of(clock))
    answer = client.try_known(wrong)
    assert (answer.status_code, answer.json()["type"]) == (422, problem)
    assert answer.json()["quarantine_id"]
    assert installation.query("SELECT 1 FROM ledger_entry WHERE id = %s", wrong["id"]) == []


def test_two_clients_whose_clocks_disagree_share_one_order(
    installation: Installation, web: Web, sender: Sender, new_client: NewClient
) -> None:
    client = new_client(web, sender)
    behind, ahead = id_of(timedelta(days=-2)), id_of(timedelta(minutes=3))
    client.try_known(sender.record())
    receipts = [client.post(sender.record(id=given)) for given in (ahead, behind)]
    assert receipts[0]["leaf_index"] < receipts[1]["leaf_index"]
    claims.assert_nothing_lost(installation, client, receipts)


@pytest.mark.parametrize(("hours", "said"), [("1", "ahead of"), ("-1", "behind")])
def test_a_stop_thrown_by_a_host_whose_clock_is_off_is_obeyed_and_confirmed(
    installation: Installation, web: Web, hours: str, said: str
) -> None:
    with installation.control("tests.faults.skewed:application", extra={"SKEW_HOURS": hours}) as control:
        governed = Governed(web, control, scopes=("decisions:write", "control:read", "control:tighten"))
        governed.wait_known()
        assert said in control.readiness()["clock"]["detail"]
        before = Epoch.parse(governed.acknowledge("run"))
        stopped = governed.post(control, "/api/v1/control/tighten", mode="stop", reason_code="harm-reported")
        assert wait_until(lambda: governed.directive() == "stop", patience=15)
        after = Epoch.parse(stopped["epoch"])
        assert before is not None and after is not None and after > before
        # that the AI system is new may have been noticed meanwhile, and is an epoch of its own
        shown = [Epoch.parse(governed.state(each).json()["epoch"]) for each in (web, control)]
        assert all(each is not None and each >= after for each in shown)
        assert stopped["change"]["expected"] == 1, "whoever was heard of just now, whatever the hour is here"
        governed.acknowledge("stop")
        change = SwitchChange.objects.get(switch__system_id=governed.system.pk)
        assert confirmation_of(change).in_words == "1 of 1 confirmed"
