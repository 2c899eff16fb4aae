"""Webhook endpoints over the API and in the web admin."""

import json
import re
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from celery import current_app
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from config.outgoing import FILES
from governance.models import Person
from governance.services.tokens import create_token
from notices.models import Delivery, EndpointSecret, Message, WebhookEndpoint
from notices.outbox import announce, tell
from notices.services.fan_out import fan_out
from notices.webhooks import signing
from tests.factories.register import actor_of, make_key, make_person, make_system
from tests.governance.test_reauthentication import ASKS, stale_browser
from tests.notices.endpoints import make_endpoint, sweep, verified
from tests.notices.receivers import receiver

pytestmark = pytest.mark.django_db
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
GIVEN = {"name": "Ticketing", "url": "https://hooks.example.org/x", "event_types": ["switch.*"]}


def api(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="laptop", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def _secret(kept: EndpointSecret) -> bytes:
    return signing.opened(bytes(kept.secret), kept.endpoint_id)


def test_a_person_registers_an_endpoint_and_sees_the_secret_once() -> None:
    system = make_system(slug="credit")
    caller = api(make_person(technical_owner=system))
    made = caller.post("/api/v1/webhooks", GIVEN | {"systems": ["credit"]})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    assert made.json()["secret"] == signing.as_text(_secret(EndpointSecret.objects.get()))
    [listed] = caller.get("/api/v1/webhooks").json()["items"]
    assert "secret" not in listed
    assert (listed["system_ids"], listed["status"]) == ([str(system.pk)], "enabled")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": 7}, "/url"),
        ({"systems": ["nothing"]}, "/systems/0"),
        ({"event_types": []}, "/event_types"),
        ({"event_types": ["*", "no"]}, "/event_types"),
        ({"evnt_types": ["*"]}, "/evnt_types"),
        ({"name": "a\0b"}, "/name"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    refused = api(make_person(administrator=True)).post("/api/v1/webhooks", GIVEN | changes, format="json")
    assert refused.status_code == 422
    assert [problem["pointer"] for problem in refused.json()["errors"]] == [pointer]


def test_an_ai_system_that_one_may_not_name_is_not_there() -> None:
    caller = api(make_person(technical_owner=make_system(slug="credit")))
    make_system(slug="secret-plan")
    refused = [caller.post("/api/v1/webhooks", GIVEN | {"systems": [slug]}) for slug in ("secret-plan", "nothing")]
    assert [(each.status_code, each.json()["errors"]) for each in refused] == [(422, refused[0].json()["errors"])] * 2


def test_an_endpoint_and_its_secret_ask_for_a_fresh_factor() -> None:
    admin = make_person(administrator=True)
    caller, made = api(admin), make_endpoint(owner=admin)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert caller.post("/api/v1/webhooks", GIVEN).json()["type"] == "/problems/factor-not-fresh"
    browser, address = stale_browser(admin), f"/admin/notices/webhookendpoint/{made.row.pk}"
    for page, form in (("rotate", {"hours": "0"}), ("change", {"name": "Mine", "url": "https://x.example.org/"})):
        assert ASKS in browser.post(f"{address}/{page}/", form).content.decode()
    assert EndpointSecret.objects.count() == WebhookEndpoint.objects.count() == 1


def test_the_form_names_the_ai_systems_that_one_may_tell_of() -> None:
    browser, other = Client(), make_system(slug="secret-plan")
    browser.force_login(make_person(technical_owner=make_system(slug="credit")))
    page = browser.get("/admin/notices/webhookendpoint/add/").content.decode()
    assert "Credit" in page and str(other.pk) not in page


def test_keys_and_people_without_the_right_are_refused() -> None:
    key = make_key(make_system(), scopes=("register:write",))
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    stranger = api(make_person())
    for caller, code in ((service, "person-needed"), (stranger, "forbidden")):
        for answer in (caller.get("/api/v1/webhooks"), caller.post("/api/v1/webhooks", GIVEN)):
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, code)
    assert not WebhookEndpoint.objects.exists()


# --- the pages -------------------------------------------------------------------------------------------------------
def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.committing
def test_the_way_through_the_pages(loopback: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    nudged: list[str] = []
    monkeypatch.setattr("notices.nudging._begin", nudged.append)
    admin = make_person(administrator=True)
    client = browser(admin)
    with receiver() as there:
        filled = {
            "name": "Ticketing",
            "url": there.url,
            "event_types": ["switch.*", "alert.opened"],
            "format": "standard",
        }
        page = client.post("/admin/notices/webhookendpoint/add/", filled).content.decode()
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
        assert secret
        endpoint = WebhookEndpoint.objects.get()
        assert endpoint.event_types == ["switch.*", "alert.opened"]
        base = f"/admin/notices/webhookendpoint/{endpoint.pk}"
        assert secret[0] not in client.get(f"{base}/change/").content.decode()
        client.post(f"{base}/test/")
        assert nudged == ["notices.tasks.send_webhooks_task"]
        sweep()
        verified(secret[0], there.last)
        delivery = Delivery.objects.get()
        page = client.get(f"/admin/notices/delivery/{delivery.pk}/change/").content.decode()
        assert "Delivered, HTTP 204" in page
        client.post(f"/admin/notices/delivery/{delivery.pk}/again/")
        sweep()
        assert len(there.requests) == 2
        client.post(f"{base}/disable/", {"reason": "Moves"})
    assert client.get(f"{base}/deliveries/").headers["Location"].endswith(f"?endpoint={endpoint.pk}")
    assert "somebody disabled it" in client.get("/admin/notices/webhookendpoint/").content.decode()


@pytest.mark.committing
def test_a_broker_that_is_down_does_not_spoil_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*of: object, **how: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app, "send_task", fail)
    made = make_endpoint()
    answer = browser(made.row.owner).post(f"/admin/notices/webhookendpoint/{made.row.pk}/test/")
    assert answer.status_code == 302
    assert Delivery.objects.count() == 1


def test_an_address_that_is_refused_stands_beside_its_field() -> None:
    filled = GIVEN | {"url": "https://127.0.0.1/", "event_types": "*", "format": "standard"}
    page = browser(make_person(administrator=True)).post("/admin/notices/webhookendpoint/add/", filled)
    assert "It leads to an address that is not public." in page.content.decode()


def test_a_technical_owner_sees_the_endpoints_of_their_systems_alone() -> None:
    mine, other = make_system(), make_system()
    owner = make_person(technical_owner=mine)
    make_endpoint("https://a.example.org/", mine, owner=owner)
    theirs = make_endpoint("https://b.example.org/", other)
    everything = make_endpoint("https://c.example.org/")
    announce(event="switch.stopped", system_id=mine.pk)
    announce(event="switch.stopped", system_id=other.pk)
    fan_out()
    client = browser(owner)
    listed = client.get("/admin/notices/webhookendpoint/").content.decode()
    assert listed.count("/change/") >= 1
    assert not any(str(each.row.pk) in listed for each in (theirs, everything))
    deliveries = client.get("/admin/notices/delivery/").content.decode()
    seen = {str(pk) for pk in Delivery.objects.values_list("pk", flat=True) if str(pk) in deliveries}
    assert seen == {str(Delivery.objects.get(endpoint__owner=owner).pk)}
    answer = client.get(f"/admin/notices/webhookendpoint/{theirs.row.pk}/change/")
    assert answer.status_code in (302, 403)
    forged = client.get(f"/admin/notices/delivery/?endpoint={theirs.row.pk}")
    assert str(Delivery.objects.filter(endpoint=theirs.row).first()) not in forged.content.decode()


def test_emails_are_for_administrators_and_one_that_was_given_up_is_tried_again(settings: Settings) -> None:
    admin = make_person(administrator=True)
    message = tell(person_id=admin.pk, kind="alert.opened", fingerprint="x", facts={})
    assert message
    Message.objects.update(status=Message.Status.GIVEN_UP, attempts=7, last_error="OSError")
    assert browser(make_person(operator=make_system())).get("/admin/notices/message/").status_code == 403
    client = browser(admin)
    settings.EMAIL_BACKEND = FILES
    listed = client.get("/admin/notices/message/").content.decode()
    assert "Given up" in listed
    assert "No mail server is named" in listed
    client.post(f"/admin/notices/message/{message.pk}/again/")
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Message.Status.WAITING, 0)


# --- what the documentation tells receivers to do --------------------------------------------------------------------
def sample(language: str) -> str:
    """The block of the documentation that verifies without a library."""
    [found] = [
        block
        for block in re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
        if "is_genuine" in block or "isGenuine" in block
    ]
    return str(found)


BODY = b'{"type":"webhook.test"}'


def signed(secret: bytes, *others: bytes) -> dict[str, str]:
    return signing.signed_headers(webhook_id="01a1", timestamp=int(time.time()), body=BODY, signing=(*others, secret))


def test_the_documented_python_tells_genuine_from_forged() -> None:
    place: dict[str, Any] = {}
    exec(sample("python"), place)
    secret, other = signing.new_secret(), signing.new_secret()
    text = signing.as_text(secret)
    assert place["is_genuine"](text, signed(secret), BODY)
    assert place["is_genuine"](text, signed(secret, other), BODY)
    assert not place["is_genuine"](text, signed(other), BODY)
    assert not place["is_genuine"](text, signed(secret), BODY + b" ")
    assert not place["is_genuine"](text, signed(secret) | {"webhook-timestamp": "1795000000"}, BODY)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_documented_javascript_tells_genuine_from_forged(tmp_path: Path) -> None:
    secret, other = signing.new_secret(), signing.new_secret()
    cases = [signed(secret), signed(secret, other), signed(other), signed(secret) | {"webhook-id": "01a2"}]
    script = tmp_path / "verify.mjs"
    calls = f"const body = Buffer.from({json.dumps(BODY.decode())});\n" + "".join(
        f"console.log(isGenuine({json.dumps(signing.as_text(secret))}, {json.dumps(case)}, body));\n" for case in cases
    )
    script.write_text(sample("js") + calls)
    said = subprocess.run(["node", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["true", "true", "false", "false"]


# --- one endpoint over the API ----------------------------------------------------------------------------------------
def test_the_secret_is_rotated_and_both_sign_for_the_overlap(loopback: Settings) -> None:
    with receiver() as there:
        made = make_endpoint(there.url)
        answer = api(made.row.owner).post(f"/api/v1/webhooks/{made.row.pk}/rotate", {"overlap_h": 1}, format="json")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
        announce(event="switch.stopped", system_id=None)
        sweep()
        for secret in (made.text, answer.json()["secret"]):
            verified(secret, there.last)


@pytest.mark.parametrize("hours", [-1, 169, "soon"])
def test_an_overlap_is_a_week_at_most(hours: object) -> None:
    made = make_endpoint()
    refused = api(made.row.owner).post(f"/api/v1/webhooks/{made.row.pk}/rotate", {"overlap_h": hours}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/overlap_h")


@pytest.mark.parametrize("act", ["rotate", "enable"])
def test_what_reaches_further_asks_for_a_fresh_factor(act: str) -> None:
    made = make_endpoint()
    caller = api(made.row.owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        refused = caller.post(f"/api/v1/webhooks/{made.row.pk}/{act}")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/factor-not-fresh")


def test_it_is_disabled_and_enabled_again() -> None:
    made = make_endpoint()
    caller, base = api(made.row.owner), f"/api/v1/webhooks/{made.row.pk}"
    assert caller.post(f"{base}/disable", {"reason": "It moves."}, format="json").json()["status"] == "disabled"
    assert caller.get(base).json()["disabled_why"] == "by_a_person"
    assert caller.post(f"{base}/test").json()["type"] == "/problems/webhook-disabled"
    assert caller.post(f"{base}/enable").json()["status"] == "enabled"
    assert caller.post(f"{base}/test").status_code == 202


def test_deliveries_are_listed_by_state_page_by_page_and_sent_again() -> None:
    made = make_endpoint()
    caller, address = api(made.row.owner), f"/api/v1/webhooks/{made.row.pk}/deliveries"
    for _ in range(3):
        announce(event="switch.stopped", system_id=None)
    fan_out()
    failed = Delivery.objects.order_by("id")[:2]
    for each in failed:
        Delivery.objects.filter(pk=each.pk).update(status="failed", ended_at=timezone.now())
    first = caller.get(f"{address}?status=failed&limit=1").json()
    [second] = caller.get(f"{address}?status=failed&limit=1&cursor={first['next_cursor']}").json()["items"]
    assert [first["items"][0]["id"], second["id"]] == [str(failed[1].pk), str(failed[0].pk)]
    assert (second["event_type"], second["next_attempt_at"]) == ("switch.stopped", None)
    again = caller.post(f"/api/v1/webhooks/deliveries/{second['id']}/again")
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    assert (
        caller.post(f"/api/v1/webhooks/deliveries/{second['id']}/again").json()["type"]
        == "/problems/delivery-under-way"
    )
    assert len(caller.get(address, {"status": "waiting"}).json()["items"]) == 2
    assert caller.get(address, {"status": "lost"}).json()["errors"][0]["pointer"] == "/status"


def test_what_is_not_theirs_to_manage_is_not_there() -> None:
    """The same for what there is and what there is not."""
    made = make_endpoint()
    announce(event="switch.stopped", system_id=None)
    fan_out()
    stranger = api(make_person(technical_owner=make_system()))
    for pk, delivery in ((made.row.pk, Delivery.objects.get().pk), (uuid4(), uuid4())):
        base = f"/api/v1/webhooks/{pk}"
        assert stranger.get(base).json()["type"] == "/problems/webhook-not-found"
        assert stranger.get(f"{base}/deliveries").json()["type"] == "/problems/webhook-not-found"
        assert {stranger.post(f"{base}/{act}").status_code for act in ("rotate", "disable", "enable", "test")} == {403}
        assert (
            stranger.post(f"/api/v1/webhooks/deliveries/{delivery}/again").json()["type"]
            == "/problems/delivery-not-found"
        )
