"""A witness written from C2SP tlog-witness and RFC 6962 alone: it shares no line with ours and forgives nothing.

It keeps every request that it got, so that tests can look at what was sent; `behave` makes it answer otherwise.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DASH = "\N{EM DASH} "
Answer = tuple[int, bytes, str]
PLAIN = "text/plain; charset=utf-8"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def consistent(m: int, n: int, proof: list[bytes], old: bytes, new: bytes) -> bool:
    """RFC 9162, section 2.1.4.2, word for word."""
    if m == n:
        return not proof and old == new
    if m == 0:
        return not proof
    if not proof:
        return False
    path = [old, *proof] if m & (m - 1) == 0 else list(proof)
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\x01" + c + fr), sha(b"\x01" + c + sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old and sr == new and sn == 0


@dataclass
class Request:
    """What add-checkpoint was asked with."""

    old: int
    proof: list[bytes]
    note: str

    @property
    def size(self) -> int:
        return int(self.note.split("\n")[1])


@dataclass
class StrictWitness:
    """The witness, and the hand of the test in it."""

    name: str
    seed: bytes
    url: str = ""
    log_keys: dict[str, list[str]] = field(default_factory=dict)
    """The vkeys of each origin that it watches."""
    heads: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    behave: Callable[["StrictWitness", BaseHTTPRequestHandler], Answer | None] | None = None
    clock: Callable[[], float] = time.time
    wrong: list[str] = field(default_factory=list)
    """What it would not have forgiven: malformed requests."""

    def __post_init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._turn = threading.Lock()

    @property
    def vkey(self) -> str:
        material = base64.b64encode(b"\x04" + self.public).decode()
        return f"{self.name}+{key_id(self.name, 4, self.public).hex()}+{material}"

    def trust(self, origin: str, *vkeys: str) -> None:
        self.log_keys[origin] = list(vkeys)

    def size_of(self, origin: str) -> int:
        return self.heads.get(origin, (0, sha(b""), ""))[0]

    def line(self, text: str) -> str:
        now = int(self.clock())
        message = f"cosignature/v1\ntime {now}\n{text}".encode()
        data = key_id(self.name, 4, self.public) + now.to_bytes(8, "big") + self._key.sign(message)
        return f"{DASH}{self.name} {base64.b64encode(data).decode()}\n"

    # --- the protocol -------------------------------------------------------------------------------------------------
    def add_checkpoint(self, body: bytes) -> Answer:
        try:
            request, text, lines = self._parsed(body)
        except ValueError as error:
            self.wrong.append(str(error))
            return 400, b"malformed\n", PLAIN
        self.requests.append(request)
        origin, size, root = text.split("\n")[0], request.size, base64.b64decode(text.split("\n")[2], validate=True)
        with self._turn:
            if origin not in self.log_keys:
                return 404, b"unknown\n", PLAIN
            if not self._signed(origin, text, lines):
                return 403, b"not signed\n", PLAIN
            if request.old > size:
                return 400, b"old size\n", PLAIN
            known, known_root, _ = self.heads.get(origin, (0, sha(b""), ""))
            if request.old != known:
                return 409, f"{known}\n".encode(), "text/x.tlog.size"
            if not consistent(known, size, request.proof, known_root, root):
                return 422, b"proof\n", PLAIN
            line = self.line(text)
            self.heads[origin] = (size, root, request.note + line)
            return 200, line.encode(), PLAIN

    def _parsed(self, body: bytes) -> tuple[Request, str, list[str]]:
        head, blank, note = body.decode("utf-8", "strict").partition("\n\n")
        first, *hashes = head.split("\n")
        text, signed, signatures = note.rpartition("\n\n")
        checks = {
            "no blank line": blank and signed,
            "the old size": first.startswith("old ") and first[4:].isdigit() and str(int(first[4:])) == first[4:],
            "too many hashes": len(hashes) <= 63,
            "a hash": all(len(base64.b64decode(each, validate=True)) == 32 for each in hashes),
            "the last newline": signatures.endswith("\n"),
            "signature lines": all(each.startswith(DASH) for each in signatures[:-1].split("\n")),
            "carriage returns": "\r" not in note,
        }
        for what, holds in checks.items():
            if not holds:
                raise ValueError(what)
        proof = [base64.b64decode(each) for each in hashes]
        return Request(int(first[4:]), proof, note), text + "\n", signatures[:-1].split("\n")

    def _signed(self, origin: str, text: str, lines: list[str]) -> bool:
        """Some key of the log has signed, and none of them wrongly."""
        known = {}
        for vkey in self.log_keys[origin]:
            name, _, material = vkey.split("+", 2)
            public = base64.b64decode(material)[1:]
            known[name, key_id(name, 1, public)] = public
        seen = False
        for line in lines:
            name, encoded = line.removeprefix(DASH).split(" ")
            data = base64.b64decode(encoded, validate=True)
            if key := known.get((name, data[:4])):
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(data[4:], text.encode())
                except InvalidSignature:
                    return False
                seen = True
        return seen

    def show(self, digest: str) -> Answer:
        for origin, (_, _, note) in self.heads.items():
            if sha(origin.encode()).hex() == digest and note:
                return 200, note.encode(), PLAIN
        return 404, b"none\n", PLAIN


@contextmanager
def strict_witness(name: str = "witness.example/strict", seed: bytes = bytes([21]) * 32) -> Iterator[StrictWitness]:
    """It serves until the block ends."""
    witness = StrictWitness(name, seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send((witness.behave and witness.behave(witness, self)) or self._posted(body))

        def do_GET(self) -> None:
            witness.looks.append(self.path)
            own = witness.behave and witness.behave(witness, self)
            self._send(own or witness.show(self.path.split("/")[1]))

        def _posted(self, body: bytes) -> Answer:
            return witness.add_checkpoint(body) if self.path == "/add-checkpoint" else (404, b"", PLAIN)

        def _send(self, answer: Answer) -> None:
            status, body, content_type = answer
            self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            return  # clients that hang up

    server = Server(("127.0.0.1", 0), Handler)
    witness.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield witness
    finally:
        server.shutdown()
        server.server_close()
