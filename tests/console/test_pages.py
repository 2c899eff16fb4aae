"""Pages of the console: who sees what, how many queries they take, and what looking at payloads leaves behind."""

import html
import json
import re
import shlex
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.flags import Flag
from audit.models import Decision
from audit.services.tallying import tally_decisions
from console import ledger_health
from console.decision_rows import FLAG_WORDS
from governance.models import AISystem, Person
from governance.services.versions import register_version
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.models import Entry
from ledger.signing import verifier_keys
from ledger.tlog import verify
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
LIST, SEARCH = "/admin/decisions/", "/admin/decisions/search"
PAGES = ["/admin/", LIST, "/admin/accountability/", "/admin/logs/"]


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(name="Grace Lindqvist", accountable=system)


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(decision: Any) -> str:
    return f"/admin/decisions/{decision.id}/"


def kinds_about(decision: Any) -> list[str]:
    return list(Entry.objects.filter(about_id=decision.id).values_list("kind", flat=True))


@pytest.mark.parametrize("path", [*PAGES, "/admin/decisions/01a1fd9c-bc38-7026-93b0-108ba8d1b7e3/"])
def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_for_an_owner_with_and_without_decisions(owner: Person, system: AISystem, path: str) -> None:
    assert browser(owner).get(path).status_code == 200
    record_decision(system)
    tally_decisions(actor=SERVER)
    assert browser(owner).get(path).status_code == 200


def test_administrators_read_no_decision_and_are_told_as_if_there_were_none(system: AISystem) -> None:
    decision, client = record_decision(system), browser(make_person(administrator=True))
    assert client.get(LIST).status_code == 403
    there, nowhere = client.get(page_of(decision)), client.get(f"/admin/decisions/{uuid.uuid4()}/")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert _without_ids(there.content) == _without_ids(nowhere.content)
    assert b"ask an administrator for access" in there.content


def _without_ids(page: bytes) -> bytes:
    return re.sub(rb"[0-9a-f]{8}-[0-9a-f-]{27}", b"", page)


def test_people_of_another_system_see_neither_list_nor_page_nor_proof(system: AISystem, owner: Person) -> None:
    foreign = record_decision(make_system())
    client = browser(owner)
    assert str(foreign.id).encode() not in client.get(LIST).content
    for path in ("", "proof", "proof.tlog-proof", "entry.json"):
        assert client.get(page_of(foreign) + path).status_code == 404
    assert client.get(f"/admin/systems/{foreign.system_id}/").status_code == 404


def test_a_viewer_sees_the_decision_and_not_its_payload(system: AISystem) -> None:
    decision, client = record_decision(system), browser(make_person(viewer=system))
    page = client.get(page_of(decision))
    assert b"Ask for access" in page.content
    assert b"Show input and output" not in page.content
    for path in ("payload", "payload/input", "disclosure"):
        assert client.post(page_of(decision) + path).status_code == 403
    assert kinds_about(decision) == []


def test_opening_the_page_shows_no_payload_and_leaves_no_entry(system: AISystem, owner: Person) -> None:
    decision = record_decision(system, parts={"input": {"income": 41234}, "output": 1})
    page = browser(owner).get(page_of(decision))
    assert b"41234" not in page.content
    assert kinds_about(decision) == []


def test_showing_the_payload_is_sealed_once_and_appears_on_the_timeline(system: AISystem, owner: Person) -> None:
    decision, client = record_decision(system, parts={"input": {"income": 41234}, "output": 1}), browser(owner)
    shown = client.post(page_of(decision) + "payload")
    assert b"41234" in shown.content
    fragment = client.post(page_of(decision) + "payload", headers={"HX-Request": "true"})
    assert b"41234" in fragment.content
    assert b"<html" not in fragment.content
    assert kinds_about(decision) == ["payload.viewed"]
    assert b"Grace Lindqvist was shown input and output." in client.get(page_of(decision)).content


def test_payloads_are_posted_for_never_fetched(system: AISystem, owner: Person) -> None:
    decision = record_decision(system)
    for path in ("payload", "payload/input", "disclosure"):
        assert browser(owner).get(page_of(decision) + path).status_code == 405


def test_the_page_names_who_was_accountable_and_that_they_had_not_accepted() -> None:
    asked = make_person(name="Omar Haddad")
    system = make_system(accountable=asked)
    page = browser(make_person(viewer=system)).get(page_of(record_decision(system)))
    assert b"Omar Haddad" in page.content
    assert b"had not accepted yet" in page.content


def test_an_explanation_is_drawn_and_any_other_json_is_a_tree(system: AISystem, owner: Person) -> None:
    drawn = record_decision(system)
    other = record_decision(system, parts={"input": 1, "output": 1, "explanation": ["because", {"x": "<script>"}]})
    client = browser(owner)
    assert b'class="a-bars a-bars-signed"' in client.post(page_of(drawn) + "payload").content
    tree = client.post(page_of(other) + "payload").content
    assert b"a-bars" not in tree
    assert b"&lt;script&gt;" in tree


def test_a_row_that_was_changed_is_shown_as_sealed_and_called_out(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = record_decision(system, outcome="refused")
    honest = Decision.objects.get(pk=decision.id)
    honest.outcome = "approved"
    monkeypatch.setattr("audit.selectors.Decision.objects", _Only(honest))
    page = browser(owner).get(page_of(decision)).content
    assert b"Somebody changed the database" in page
    assert b'data-sealed="outcome">refused<' in page


class _Only:
    """A manager that finds one row, changed in memory: the database refuses to change it."""

    def __init__(self, row: Decision) -> None:
        self.row = row

    def filter(self, *conditions: Any, **named: Any) -> "_Only":
        return self

    def all(self) -> Any:
        return Decision._default_manager.none()

    def first(self) -> Decision:
        return self.row

    def __getattr__(self, name: str) -> Any:
        """What looks for other rows finds none."""
        return getattr(Decision._default_manager.none(), name)


def test_the_list_takes_a_fixed_number_of_queries(system: AISystem, owner: Person) -> None:
    client = browser(owner)
    record_decision(system)
    client.get(LIST)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    for _ in range(20):
        record_decision(system)
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)
    assert len(many) == len(few) <= 31  # of which six are of savepoints and settings


def test_the_overview_takes_a_fixed_number_of_queries_whatever_the_number_of_systems() -> None:
    client = browser(make_person(auditor=True))
    make_system()
    client.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/")
    for _ in range(5):
        record_decision(make_system())
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/")
    assert len(many) == len(few)


def test_a_search_is_posted_and_its_terms_stand_in_no_address(system: AISystem, owner: Person) -> None:
    wanted = record_decision(system, subject="c-77")
    for number in range(60):
        record_decision(system, subject="k-78", outcome=f"o{number}")
    answer = browser(owner).post(SEARCH, {"subject": "c-77", "period": "7d"}, follow=True)
    assert str(wanted.id).encode() in answer.content
    many = browser(owner).post(SEARCH, {"subject": "k-78", "period": "7d"}, follow=True)
    assert b"Older" in many.content
    addresses = re.findall(rb'(?:href|action)="([^"]*)"', many.content)
    assert not [address for address in addresses if b"k-78" in address]
    assert Entry.objects.filter(kind="decisions.searched").count() == 2


def test_a_search_without_terms_is_refused_beside_the_form(owner: Person) -> None:
    answer = browser(owner).post(SEARCH, {"period": "7d"})
    assert answer.status_code == 422
    assert b"Say what to search for" in answer.content


def test_a_viewer_cannot_search_in_payloads(system: AISystem) -> None:
    record_decision(system)
    answer = browser(make_person(viewer=system)).post(SEARCH, {"text": "income", "period": "7d"})
    assert answer.status_code == 403
    assert Entry.objects.filter(kind="decisions.searched").count() == 0


def test_an_empty_record_says_how_to_post_the_first_decision(owner: Person) -> None:
    assert b"/api/v1/decisions" in browser(owner).get(LIST).content


def test_times_are_in_the_viewers_zone_with_utc_beside_them(system: AISystem, owner: Person) -> None:
    at = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    decision, client = record_decision(system, at=at), browser(owner)
    client.cookies["zone"] = "Pacific/Auckland"
    page = client.get(page_of(decision)).content.decode()
    assert at.strftime("%Y-%m-%d 12:00:00.000000 UTC") in page
    assert re.search(r">\d+ \w+ \d{4}, 0[01]:00:00[^<]*</time>", page)
    client.cookies["zone"] = "../../etc/passwd"
    assert client.get(page_of(decision)).status_code == 200


def test_a_rolled_back_database_is_said_on_every_page(system: AISystem, owner: Person) -> None:
    decision = record_decision(system)
    head_store().advance(decision.log_id, 10_000, b"\1" * 32)
    for path in PAGES:
        assert b"The ledger is in trouble" in browser(owner).get(path).content
    logs = browser(owner).get("/admin/logs/").content
    assert b"it was rolled back" in logs
    assert b"No checkpoint is signed" in logs


def test_proof_entry_and_checkpoint_can_be_downloaded(system: AISystem, owner: Person) -> None:
    decision, client = record_decision(system), browser(owner)
    assert client.get(page_of(decision) + "entry.json").content == decision.data
    assert client.get(page_of(decision) + "proof.tlog-proof").content.startswith(b"c2sp.org/tlog-proof@v1\n")
    assert b"\n\n" in client.get(f"/admin/logs/{decision.log_id}/checkpoint").content
    proof = json.loads(client.get(page_of(decision) + "proof").content)
    assert proof["leaf_hash"] == decision.leaf_hash.hex()
    assert proof["vkeys"] == verifier_keys(proof["origin"])
    for vkey in proof["vkeys"]:
        assert vkey.encode() in client.get("/admin/logs/").content


def test_the_offline_check_that_the_page_prints_verifies_what_it_lets_download(
    system: AISystem, owner: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decision, client = record_decision(system), browser(owner)
    printed = re.search(r"python -m ledger\.tlog\.verify (.*?)</code>", client.get(page_of(decision)).content.decode())
    assert printed
    proof, entry, option, key = shlex.split(html.unescape(printed[1]))
    assert option == "--vkey"
    for name, path in ((proof, "proof.tlog-proof"), (entry, "entry.json")):
        answer = client.get(page_of(decision) + path)
        assert f'filename="{name}"' in answer.headers["Content-Disposition"]
        (tmp_path / name).write_bytes(answer.content)
    vkey = verifier_keys(key.split("+")[0])[0]
    assert vkey.encode() in html.unescape(client.get("/admin/logs/").content.decode()).encode()
    files = [str(tmp_path / proof), str(tmp_path / entry)]
    assert verify.main([*files, "--vkey", vkey]) == verify.VERIFIED
    assert verify.main(files) == verify.INCOMPLETE
    (tmp_path / entry).write_bytes(decision.data + b" ")
    assert verify.main([*files, "--vkey", vkey]) == verify.TAMPERED


def test_short_moments_have_their_zone_and_utc_on_hover(system: AISystem, owner: Person) -> None:
    decision, client = record_decision(system), browser(owner)
    tally_decisions(actor=SERVER)
    client.cookies["zone"] = "Asia/Kolkata"
    utc = re.escape(decision.recorded_at.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
    for path in (LIST, page_of(decision), f"/admin/systems/{system.pk}/"):
        page = client.get(path).content.decode()
        assert re.search(rf'<time datetime="[^"]+" title="{utc}">\d+ \w+, [\d:]+ IST</time>', page), path
    assert re.search(r"counted to <time [^>]+>[\d:]+ IST</time>", client.get("/admin/").content.decode())


def test_lists_and_pages_of_the_admin_show_moments_the_same_way(system: AISystem, owner: Person) -> None:
    version = register_version(actor=COMMAND, system_id=system.pk, version="limits-9")
    client = browser(owner)
    utc = re.escape(version.created_at.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
    shown = client.get("/admin/governance/modelversion/").content.decode()
    assert re.search(rf'title="{utc}">[^<]+ UTC</time>', shown)
    mine = owner.assignments.get()
    assert mine.accepted_at
    page = client.get(f"/admin/governance/assignment/{mine.pk}/change/").content.decode()
    assert mine.accepted_at.strftime("%Y-%m-%d %H:%M:%S.%f UTC") in page


def test_the_list_of_systems_leads_to_their_pages_and_those_to_the_register(system: AISystem, owner: Person) -> None:
    client = browser(owner)
    assert f'href="/admin/systems/{system.pk}/' in client.get("/admin/governance/aisystem/").content.decode()
    page = client.get(f"/admin/systems/{system.pk}/").content.decode()
    assert f'href="/admin/governance/aisystem/{system.pk}/change/"' in page


def test_gaps_in_responsibility_are_called_out(system: AISystem) -> None:
    client = browser(make_person(viewer=system))
    assert b'data-tone="bad"' in client.get("/admin/accountability/").content
    assert b"An accountable person must have accepted." in client.get(f"/admin/systems/{system.pk}/").content


@pytest.mark.parametrize("path", ["/admin/", "/admin/accountability/"])
def test_acts_that_too_few_people_make_impossible_are_said(owner: Person, system: AISystem, path: str) -> None:
    told = browser(owner).get(path).content.decode()
    assert "Some acts are impossible for now" in told
    assert "Nobody is Operator: let what was stopped run again" in told


def test_every_flag_that_intake_can_write_has_words() -> None:
    assert set(FLAG_WORDS) == set(Flag)
    assert len(set(FLAG_WORDS.values())) == len(Flag)
    assert not any("_" in words for words in FLAG_WORDS.values())


def test_flags_are_said_in_words(owner: Person, system: AISystem) -> None:
    decision = record_decision(system, flags=("unaccepted_accountable", "not_live", "of_a_later_release"))
    for path in (LIST, page_of(decision)):
        page = browser(owner).get(path).content.decode()
        for words in ("responsibility not accepted", "AI system not live", "of a later release"):
            assert words in page


class Racing:
    """The head store of a host that seals on and on: around every look at it."""

    def __init__(self, seal: Any) -> None:
        self.seal, self.store = seal, head_store()

    def heads(self) -> Any:
        return self._sealing(self.store.heads)

    def head(self, log_id: uuid.UUID) -> Any:
        return self._sealing(lambda: self.store.head(log_id))

    def _sealing(self, look: Any) -> Any:
        self.seal()
        found = look()
        self.seal()
        return found


@pytest.mark.committing
def test_what_is_sealed_while_the_logs_are_looked_at_is_no_trouble(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_decision(system)
    racing = Racing(lambda: record_decision(system))
    monkeypatch.setattr(ledger_health, "head_store", lambda: racing)
    assert [state.trouble for state in ledger_health.log_states()] == [""] * 2
