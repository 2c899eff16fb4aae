"""What is served under a log's path is what C2SP tlog-tiles says, and others' tools accept it."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from config import rate_limits
from config.rate_limits import TokenBuckets
from evidence.api import logs
from governance import memory
from governance.services import accounts, keys, people, systems
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import open_log, registry_log
from ledger.tlog import (
    MalformedProof,
    Verifier,
    bundle_path,
    decode_bundle,
    leaf_hash,
    partial_tiles,
    root_from_leaf_hashes,
    tile_path,
    verify_tlog_proof,
)
from ledger.tlog.tiles import Tile, completed_tiles
from tests.evidence.conftest import Organisation, record
from tests.factories.keys import verifier_key
from tests.interop import verifiers

Get = Callable[..., Any]


def key_for(organisation: Organisation, *scopes: str) -> str:
    made = keys.create_service_key(
        actor=COMMAND, account=organisation.account, systems=[organisation.system], scopes=scopes
    )
    memory.refresh()
    return made.text


@pytest.fixture
def get(client: Client, organisation: Organisation) -> Get:
    known: dict[tuple[str, ...], str] = {}

    def fetch(path: str, *scopes: str) -> Any:
        wanted = scopes or ("ledger:read",)
        if wanted not in known:
            known[wanted] = key_for(organisation, *wanted)
        return client.get(path, headers={"authorization": f"Bearer {known[wanted]}"})

    fetch(f"{base(organisation.log)}/checkpoint")  # a key is an entry too: it is there before a test counts
    return fetch


def base(log: Log) -> str:
    return f"/logs/{log.id}"


def test_the_checkpoint_is_a_signed_note_that_is_not_cached_for_long(get: Get, organisation: Organisation) -> None:
    answer = get(f"{base(organisation.log)}/checkpoint")
    assert answer["content-type"] == "text/plain; charset=utf-8"
    assert answer["cache-control"] == "private, no-cache"
    assert answer.text.startswith(f"{organisation.log.origin}\n{organisation.log.entries.count()}\n")


def test_a_stranger_rebuilds_the_root_from_the_bundles(get: Get, organisation: Organisation) -> None:
    record(organisation.log, organisation.account, 400)
    note = get(f"{base(organisation.log)}/checkpoint").text.split("\n")
    size, root, entries = int(note[1]), note[2], []
    for index in range(-(-size // 256)):
        width = min(256, size - 256 * index)
        answer = get(f"{base(organisation.log)}/{bundle_path(index, width)}")
        assert answer["content-type"] == "application/octet-stream"
        assert "immutable" in answer["cache-control"]
        entries += decode_bundle(answer.content, width)
    assert base64.b64encode(root_from_leaf_hashes([leaf_hash(entry) for entry in entries])).decode() == root


def test_every_tile_a_checkpoint_implies_is_served_and_no_other(get: Get, organisation: Organisation) -> None:
    record(organisation.log, organisation.account, 700)
    size = organisation.log.entries.count()
    for tile in completed_tiles(0, size) + partial_tiles(size):
        answer = get(f"{base(organisation.log)}/{tile_path(tile)}")
        assert len(answer.content) == 32 * tile.width
    for tile in (Tile(0, size // 256 + 1), Tile(2, 0, 1), Tile(0, size // 256, size % 256 + 1)):
        answer = get(f"{base(organisation.log)}/{tile_path(tile)}")
        assert (answer.status_code, answer["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/64/000", "tile/entries/x", "tile/0/-1"]
)
def test_other_spellings_of_a_tile_are_not_found(get: Get, organisation: Organisation, path: str) -> None:
    assert get(f"{base(organisation.log)}/{path}").status_code == 404


def test_other_peoples_tools_accept_the_served_proof(get: Get, organisation: Organisation) -> None:
    vkey = verifier_key(organisation.log.origin)
    for decision in (organisation.decisions[0], organisation.decisions[-1]):
        proof = get(f"/api/v1/decisions/{decision}/proof").text
        entry = get(f"/api/v1/decisions/{decision}/entry").content
        verify_tlog_proof(
            proof, leaf_hash(entry), origin=organisation.log.origin, log_verifiers=[Verifier.from_vkey(vkey)]
        )
        verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry)
        with pytest.raises(verifiers.Refused):
            verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry + b" ")


@pytest.mark.skipif(not verifiers.go_available(), reason="Debian: apt-get install golang-go golang-golang-x-mod-dev")
def test_gos_tlog_accepts_the_whole_served_log(get: Get, organisation: Organisation, tmp_path: Path) -> None:
    record(organisation.log, organisation.account, 400)
    size = organisation.log.entries.count()
    paths = ["checkpoint", *(tile_path(tile) for tile in completed_tiles(0, size) + partial_tiles(size))]
    paths += [bundle_path(index, min(256, size - 256 * index)) for index in range(-(-size // 256))]
    for path in paths:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(get(f"{base(organisation.log)}/{path}").content)
    verifiers.verify_tiles_with_go(tmp_path, verifier_key(organisation.log.origin))


def test_the_list_names_what_a_key_may_read_with_the_keys_that_verify_it(get: Get, organisation: Organisation) -> None:
    listed = {row["origin"]: row for row in get("/api/v1/logs").json()}
    assert listed.keys() == {organisation.log.origin, registry_log().origin}
    mine = listed[organisation.log.origin]
    assert (mine["system"], mine["path"]) == ("credit-limits", base(organisation.log))
    assert mine["vkey"] == verifier_key(organisation.log.origin)
    own = get("/api/v1/logs", "decisions:write").json()
    assert [row["origin"] for row in own] == [organisation.log.origin]


class TestALogInTrouble:
    """Auditors need the keys of all logs most of all when one of them is in trouble."""

    @pytest.fixture
    def rows(self, get: Get, organisation: Organisation) -> Callable[[], dict[str, Any]]:
        return lambda: {row["origin"]: row for row in get("/api/v1/logs").json()}

    def test_a_log_that_was_rolled_back_is_listed_with_its_key_and_the_reason(
        self, rows: Callable[[], dict[str, Any]], organisation: Organisation
    ) -> None:
        log = organisation.log
        head_store().advance(log.id, log.entries.count() + 40, bytes(32))
        listed = rows()
        troubled, well = listed[log.origin], listed[registry_log().origin]
        assert (troubled["tree_size"], troubled["root_hash"]) == (None, None)
        assert (troubled["refusal"], troubled["vkey"]) == ("ledger-rolled-back", verifier_key(log.origin))
        assert (well["refusal"], well["tree_size"]) == (None, registry_log().entries.count())

    def test_a_log_without_a_head_on_this_host_is_listed_too(
        self, rows: Callable[[], dict[str, Any]], organisation: Organisation
    ) -> None:
        with head_store()._connection() as db:
            db.execute("DELETE FROM heads WHERE log_id = ?", (organisation.log.id.bytes,))
        assert rows()[organisation.log.origin]["refusal"] == "head-missing"

    def test_so_are_all_when_the_head_store_cannot_be_read(
        self, rows: Callable[[], dict[str, Any]], organisation: Organisation, settings: Any, tmp_path: Path
    ) -> None:
        rows()  # the key is made while everything works
        settings.HEAD_STORE = tmp_path
        assert {row["refusal"] for row in rows().values()} == {"head-store-unavailable"}


class TestRights:
    def test_without_a_key_there_is_nothing(self, client: Client, organisation: Organisation) -> None:
        answer = client.get(f"{base(organisation.log)}/checkpoint")
        assert (answer.status_code, answer["content-type"]) == (401, "application/problem+json")

    def test_a_writer_sees_checkpoints_and_hashes_of_its_own_logs_but_no_bundles(
        self, get: Get, organisation: Organisation
    ) -> None:
        assert get(f"{base(organisation.log)}/checkpoint", "decisions:write").status_code == 200
        assert get(f"{base(organisation.log)}/tile/0/000", "decisions:write").status_code == 200
        assert get(f"{base(organisation.log)}/tile/entries/000", "decisions:write").status_code == 403
        assert get("/logs/registry/checkpoint", "decisions:write").status_code == 404

    def test_the_log_of_somebody_elses_system_does_not_exist(self, get: Get, organisation: Organisation) -> None:
        other = systems.register_system(actor=COMMAND, slug="other", name="Other")
        hidden, absent = get(f"{base(open_log(other.id))}/checkpoint"), get("/logs/not-a-log/checkpoint")
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["title"] == absent.json()["title"]

    def test_a_key_without_the_scope_may_not(self, get: Get, organisation: Organisation) -> None:
        assert get(f"{base(organisation.log)}/checkpoint", "register:write").status_code == 403
        assert get(f"/api/v1/decisions/{organisation.decisions[0]}/proof", "register:write").status_code == 403

    def test_a_key_of_another_environment_sees_neither_entry_nor_proof(
        self, client: Client, organisation: Organisation
    ) -> None:
        staging = keys.create_service_key(
            actor=COMMAND,
            account=organisation.account,
            systems=[organisation.system],
            environment="staging",
            scopes=["decisions:read", "ledger:read"],
        )
        memory.refresh()
        for part in ("entry", "proof"):
            path = f"/api/v1/decisions/{organisation.decisions[0]}/{part}"
            assert client.get(path, headers={"authorization": f"Bearer {staging.text}"}).status_code == 404

    def test_who_only_writes_sees_its_own_accounts_decisions(
        self, client: Client, get: Get, organisation: Organisation
    ) -> None:
        owner = people.register_person(actor=COMMAND, name="Other", email="other@example.org")
        other = accounts.register_account(actor=COMMAND, slug="other", name="Other", owner=owner)
        made = keys.create_service_key(
            actor=COMMAND, account=other, systems=[organisation.system], scopes=["decisions:write"]
        )
        memory.refresh()
        for part in ("entry", "proof"):
            path = f"/api/v1/decisions/{organisation.decisions[0]}/{part}"
            assert get(path, "decisions:write").status_code == 200
            assert client.get(path, headers={"authorization": f"Bearer {made.text}"}).status_code == 404

    def test_an_entry_that_is_no_decision_has_no_proof_here(self, get: Get, organisation: Organisation) -> None:
        opened = organisation.log.entries.get(leaf_index=0)
        assert get(f"/api/v1/decisions/{opened.id}/proof").status_code == 404


def test_a_proof_that_was_cut_is_malformed(get: Get, organisation: Organisation) -> None:
    proof = get(f"/api/v1/decisions/{organisation.decisions[0]}/proof").text
    verifier = Verifier.from_vkey(verifier_key(organisation.log.origin))
    with pytest.raises(MalformedProof):
        verify_tlog_proof(proof[:40], bytes(32), origin=organisation.log.origin, log_verifiers=[verifier])


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_a_key_past_its_allowance_is_told_when_to_return(
    client: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    greedy, other = (key_for(organisation, "ledger:read") for _ in range(2))
    clock = iter([0.0] * 20)
    buckets = TokenBuckets(name="requests", per_second=0.5, burst=2, clock=lambda: next(clock))
    monkeypatch.setattr(logs, "REQUESTS", buckets)

    def ask(key: str) -> Any:
        return client.get(f"{base(organisation.log)}/{path}", headers={"authorization": f"Bearer {key}"})

    assert [ask(greedy).status_code for _ in range(3)] == [200, 200, 429]
    refusal = ask(greedy)
    assert refusal["content-type"] == "application/problem+json"
    assert (refusal["retry-after"], refusal["ratelimit"]) == ("2", '"requests";r=0;t=2')
    assert ask(other).status_code == 200
    clock = iter([2.0] * 20)
    assert ask(greedy).status_code == 200


def test_the_allowance_is_the_one_that_other_requests_take_from() -> None:
    assert vars(logs)["REQUESTS"] is rate_limits.REQUESTS
