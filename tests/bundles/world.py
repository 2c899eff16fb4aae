"""An installation in memory: logs, keys, decisions, erasures, closures, as docs/log-format.md has them."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any

from tests.bundles import merkle
from tests.bundles.merkle import Signer

Json = dict[str, Any]
ORIGIN = "answerable.example.com"
PARTS = ("input", "output", "explanation", "context", "refs")
START = 1_772_323_200  # 2026-03-01T00:00:00Z


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Sealed:
    """An entry with the secrets of what it commits to."""

    data: bytes
    parts: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """By name: part key and content."""
    said: Json | None = None
    """What the builder reads in it, where its bytes say nothing that can be read."""

    _read: tuple[bytes, Json] = (b"", {})

    @property
    def json(self) -> Json:
        if self.said is None and self._read[0] != self.data:
            self._read = (self.data, json.loads(self.data))
        return self.said or self._read[1]


@dataclass
class Log:
    """One log: its entries, and the sizes at which its keys changed."""

    name: str
    origin: str
    system: str | None
    entries: list[Sealed] = field(default_factory=list)
    predecessor: str | None = None
    closed: bool = False

    @property
    def leaves(self) -> list[bytes]:
        return [merkle.leaf(entry.data) for entry in self.entries]

    @property
    def kind(self) -> str:
        return "registry" if self.system is None else "system"


class World:
    """Everything that seals. The clock goes on by one second an entry."""

    def __init__(self, seed: int = 1, origin: str = ORIGIN) -> None:
        self.random, self.origin = Random(seed), origin
        self.now = float(START)
        self.signers = [Signer(self.random.randbytes(32))]
        self.logs: dict[str, Log] = {}
        self.person, self.approver, self.account = self.uuid(), self.uuid(), self.uuid()
        self.registry = self._add(Log("registry", f"{origin}/logs/registry", None))
        self.say(self.registry, "registry.opened", {"origin": self.registry.origin}, about=self.uuid())
        self._announce(self.registry, self.signers[0])

    def uuid(self) -> str:
        text = self.random.randbytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-8{text[17:20]}-{text[20:]}"

    def _add(self, log: Log) -> Log:
        self.logs[log.origin] = log
        return log

    def say(
        self, log: Log, kind: str, body: Json, *, about: str | None = None, actor: Json | None = None, **more: Any
    ) -> str:
        """Seal an entry. Out: its id."""
        identifier = more.pop("id", None) or self.uuid()
        body = ({"about": about} if about else {}) | body
        entry = {
            "v": 1, "id": identifier, "kind": kind, "at": timestamp(self.now), "actor": actor or {"type": "server"},
            "body": body,
        }  # fmt: skip
        self.now += 1
        log.entries.append(Sealed(json.dumps(entry, separators=(",", ":")).encode(), more.pop("parts", {})))
        assert not more
        return identifier

    # --- logs and keys ------------------------------------------------------------------------------------------------
    def open_system(self, system: str | None = None) -> Log:
        """A first log of an AI system."""
        system, name = system or self.uuid(), self.uuid()
        log = self._add(Log(name, f"{self.origin}/logs/{name}", system))
        facts = {"origin": log.origin, "system": system, "registry": self.registry.origin}
        self.say(log, "log.opened", facts, about=name)
        self._announce_log(log)
        return log

    def _announce_log(self, log: Log) -> None:
        body = {"log": log.name, "system": log.system} | self.named(self.signers[0], log)
        self.say(self.registry, "log.announced", body, about=log.name)

    def named(self, signer: Signer, log: Log) -> Json:
        return {"origin": log.origin, "key_id": signer.id(log.origin).hex(), "public_key": signer.public.hex()}

    def _announce(self, log: Log, signer: Signer, by: Signer | None = None) -> None:
        body = self.named(signer, log)
        if by:
            text = f"answerable/key-announcement/v1\n{signer.vkey(log.origin)}\n"
            signature = base64.b64encode(by.key.sign(text.encode())).decode().rstrip("=")
            body |= {"previous": by.public.hex(), "signature": signature}
        self.say(log, "key.announced", body, about=self._about(log))

    def _about(self, log: Log) -> str:
        return str(log.entries[0].json["body"]["about"])

    @property
    def open_logs(self) -> list[Log]:
        return [log for log in self.logs.values() if not log.closed]

    def rotate(self, *, finish: bool = True) -> Signer:
        """A new key, announced in every open log; then the old ones are retired. Out: the new one."""
        new, old = Signer(self.random.randbytes(32)), self.signers[0]
        for log in self.open_logs:
            self._announce(log, new, old)
        self.signers.insert(0, new)
        if finish:
            for log in self.open_logs:
                self.say(log, "key.retired", self.named(old, log), about=self._about(log))
            self.signers.remove(old)
        return new

    def close(self, log: Log, *, lost: int = 0, **stated: Any) -> Log:
        """Close a log that lost its last entries, and open its successor, which says `stated` otherwise or beside."""
        signed = log.leaves
        del log.entries[len(log.entries) - lost :]
        log.closed = True
        name, found = self.uuid(), len(log.entries)
        successor = self._add(Log(name, f"{self.origin}/logs/{name}", log.system, predecessor=log.origin))
        facts: Json = {
            "origin": successor.origin,
            "predecessor": {
                "origin": log.origin, "tree_size": len(signed), "root_hash": merkle.root(signed).hex(),
                "found": found, "missing": [found, len(signed)],
            } | stated,
        }  # fmt: skip
        if log.system is None:
            self.registry = successor
            self.say(successor, "registry.opened", facts, about=name)
            for signer in reversed(self.signers):
                self._announce(successor, signer)
            return successor
        self.say(successor, "log.opened", facts | {"system": log.system, "registry": self.registry.origin}, about=name)
        closed = {"log": log.name, "origin": log.origin, "successor": successor.origin}
        self.say(self.registry, "log.closed", closed, about=log.name)
        self._announce_log(successor)
        return successor

    def record_checkpoint(self, log: Log) -> None:
        """The registry's word about a log, as it is now."""
        body = {
            "log": log.name, "origin": log.origin, "tree_size": len(log.entries),
            "root_hash": merkle.root(log.leaves).hex(),
        }  # fmt: skip
        self.say(self.registry, "checkpoint.recorded", body, about=log.name)

    def contradict(self, log: Log, size: int, root: str) -> None:
        """The registry's word that somebody outside holds a signed tree that contradicts a log."""
        body = {"log": log.name, "origin": log.origin, "tree_size": size, "root_hash": root}
        self.say(self.registry, "checkpoint.contradicted", body, about=self.uuid())

    # --- cases --------------------------------------------------------------------------------------------------------
    def open_case(self, *attached: Sequence[str]) -> str:
        """A case into which decisions were put, each time some. Out: its id."""
        case = self.uuid()
        self.say(self.registry, "case.opened", {"case": f"C-{case[:4]}", "status": "open"}, about=case)
        for decisions in attached:
            self.put_into(case, decisions)
        return case

    def put_into(self, case: str, decisions: Sequence[str], *, takes_out: bool = False, **said: Any) -> None:
        """Put decisions into a case, or take them out; the entry says `said` otherwise."""
        ids = b"".join(sorted(bytes.fromhex(each.replace("-", "")) for each in decisions))
        body = {"case": f"C-{case[:4]}", "count": len(decisions), "digest": sha256(ids).hexdigest()} | said
        self.say(self.registry, "case.detached" if takes_out else "case.attached", body, about=self.uuid())

    # --- what happens -------------------------------------------------------------------------------------------------
    def decide(self, log: Log, contents: dict[str, bytes] | None = None, **more: Any) -> str:
        """A decision. Out: its id."""
        contents = {"input": b'{"income":41000}', "output": b'{"limit":1}'} if contents is None else contents
        identifier, secret = self.uuid(), self.random.randbytes(32)
        keys = {name: sha256(secret + name.encode()).digest() for name in contents}
        body = {
            "system": log.system, "environment": "production", "model_version": "2.1", "outcome": "approved",
            "ai_role": "sole", "phase": "effective",
            "directive": {"action": "proceed", "mode": "normal", "epoch": "12"},
            "occurred_at": timestamp(self.now), **more,
            "commitments": {name: sha256(keys[name] + data).hexdigest() for name, data in contents.items()},
        }  # fmt: skip
        parts = {name: (keys[name], data) for name, data in contents.items()}
        actor = {"type": "service", "id": self.account}
        return self.say(log, "decision.recorded", body, id=identifier, actor=actor, parts=parts)

    def erase(self, log: Log, decision: str) -> None:
        """Erase a decision's contents, wherever it stands."""
        for each in self.logs.values():
            for entry in each.entries:
                if entry.json["id"] == decision:
                    entry.parts = {}
        self.say(log, "erasure.performed", {}, about=decision)

    def override(self, log: Log, decision: str) -> None:
        """A person puts another outcome in a decision's place: state, particulars and reason are committed to."""
        particulars, reason = b'{"note":"spoke to them"}', b"They are right."
        keys = {name: self.random.randbytes(32) for name in ("particulars", "state", "reason")}
        inner = sha256(keys["particulars"] + particulars).hexdigest()
        state = json.dumps({"outcome": "declined", "particulars": inner}, separators=(",", ":")).encode()
        body = {
            "table": "overrides_override", "change": "created", "state": sha256(keys["state"] + state).hexdigest(),
            "reason": sha256(keys["reason"] + reason).hexdigest(), "decision": decision, "outcome": "declined",
        }  # fmt: skip
        held = {"state": state, "particulars": particulars, "reason": reason}
        parts = {name: (keys[name], data) for name, data in held.items()}
        actor = {"type": "person", "id": self.person}
        self.say(log, "decision.overridden", body, about=self.uuid(), actor=actor, parts=parts)

    def ask(
        self, export: str, question: Json, *, approved: bool = False, parts: Sequence[str] = (),
        sealed: Json | None = None, sizes: dict[str, int] | None = None,
    ) -> Json:  # fmt: skip
        """Ask for an export with these contents; the approval says `sealed` otherwise. Out: the manifest's `asked`."""
        said: Json = {"question": question, "form": "bundle", "parts": list(parts)}
        if question["kind"] == "range":
            said["logs"] = [self._tree(log, (sizes or {}).get(log.origin)) for log in self.chain_of(question["system"])]
        at = timestamp(self.now)
        person = {"type": "person", "id": self.person}
        entry = self.say(self.registry, "export.requested", said, about=export, actor=person)
        asked: Json = {"by": self.person, "at": at, "entry": entry, "approved_by": None, "approval": None}
        if approved:
            actor = {"type": "person", "id": self.approver}
            approval = self.say(self.registry, "export.approved", said | (sealed or {}), about=export, actor=actor)
            asked |= {"approved_by": self.approver, "approval": approval}
        return asked

    def chain_of(self, system: str) -> list[Log]:
        return [log for log in self.logs.values() if log.system == system]

    def _tree(self, log: Log, size: int | None) -> list[Any]:
        leaves = log.leaves[:size]
        return [log.origin, len(leaves), merkle.root(leaves).hex()]

    # --- what is signed -----------------------------------------------------------------------------------------------
    def checkpoint(self, log: Log, size: int | None = None, signers: list[Signer] | None = None) -> str:
        """A signed checkpoint of a log, by the keys in force now unless others are named."""
        text = merkle.checkpoint_text(log.origin, log.leaves[:size])
        return merkle.note(text, log.origin, signers or self.signers)

    def vkey(self, signer: Signer | None = None) -> str:
        return (signer or self.signers[0]).vkey(self.registry.origin)
