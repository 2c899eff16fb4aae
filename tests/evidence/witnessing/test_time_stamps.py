"""Time-stamps: asked for as RFC 3161 has it, and believed only under the certificates that the operator gave."""

import hashlib
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pytest_django.fixtures import Settings
from rfc3161_client import decode_timestamp_response

from evidence.models import Outcome
from evidence.witnessing import configured as module
from evidence.witnessing import der
from evidence.witnessing.authorities import Stamp, Unstamped, stamped_in, time_stamp
from evidence.witnessing.configured import Authority as Configured
from evidence.witnessing.configured import Misconfigured, read_authorities
from ledger.tlog import Checkpoint, Signer, sign_checkpoint
from tests.evidence.witnessing.authority import (
    Answer,
    Authority,
    Certificates,
    authority,
    verified_by_openssl,
    with_openssl,
)

pytestmark = with_openssl
ORIGIN = "log.example/logs/1"
CHECKPOINT = Checkpoint(ORIGIN, 5, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, [Signer(ORIGIN, bytes(32))])
TEXT = CHECKPOINT.to_text().encode()


@pytest.fixture
def stamping(certificates: Certificates, settings: Settings) -> Iterator[Authority]:
    settings.ANCHOR_NETWORKS = ["127.0.0.0/8"]
    with authority(certificates.folder, certificates) as found:
        yield found


def configured(stamping: Authority, *names: str, certificates: Certificates | None = None) -> Configured:
    """As the operator's file names it, with these certificates."""
    given = certificates or stamping.certificates
    file = given.folder / "authorities"
    file.write_text(f"authority own {stamping.url} {given.bundle(*names).name}\n")
    [found] = read_authorities(file)
    return found


def stamp(stamping: Authority, *names: str) -> Stamp:
    return time_stamp(configured(stamping, *(names or ("root",))), NOTE)


class TestWhatIsBelieved:
    @pytest.mark.parametrize(
        "names",
        [("root",), ("root", "between"), ("root", "between", "signer")],
        ids="-".join,
    )
    @pytest.mark.parametrize(
        "chain",
        [("between",), ("between", "root"), ("root", "between"), ("root", "between", "signer")],
        ids="-".join,
    )
    def test_whatever_it_embeds_in_whatever_order(
        self, stamping: Authority, names: tuple[str, ...], chain: tuple[str, ...], tmp_path: Path
    ) -> None:
        """Two certificates in another order than DER's are put in order: nobody signed the order."""
        stamping.chain = chain
        found = stamp(stamping, *names)
        assert abs(found.stamped_at - datetime.now(UTC)) < timedelta(minutes=1)
        decode_timestamp_response(found.response)
        assert verified_by_openssl(found.response, TEXT, stamping.certificates.bundle("root", "between"), tmp_path)

    def test_what_is_sent_is_the_hash_of_the_text_with_a_nonce_and_the_wish_for_certificates(
        self, stamping: Authority, tmp_path: Path
    ) -> None:
        stamping.chain = ("between",)
        stamp(stamping)
        stamp(stamping)
        nonces = []
        for query in stamping.queries[-2:]:
            (tmp_path / "query").write_bytes(query)
            command = ["openssl", "ts", "-query", "-in", str(tmp_path / "query"), "-text"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "Hash Algorithm: sha256" in said and "Certificate required: yes" in said
            assert hashlib.sha256(TEXT).digest() in query
            nonces.append(next(line for line in said.splitlines() if "Nonce" in line))
        assert nonces[0] != nonces[1]

    def test_signature_lines_are_not_part_of_what_is_stamped(self, stamping: Authority) -> None:
        stamping.chain = ("between",)
        other = sign_checkpoint(CHECKPOINT, [Signer(ORIGIN, bytes([1]) * 32)])
        first, second = (time_stamp(configured(stamping, "root"), note) for note in (NOTE, other))
        assert stamped_in(first.response)[0] == stamped_in(second.response)[0]

    def test_a_pinned_signer_may_stamp(self, stamping: Authority) -> None:
        stamping.chain = ("between",)
        assert stamp(stamping, "root", "signer").response


class TestWhatIsNot:
    def refused(self, stamping: Authority, *names: str, certificates: Certificates | None = None) -> Unstamped:
        with pytest.raises(Unstamped) as found:
            time_stamp(configured(stamping, *(names or ("root",)), certificates=certificates), NOTE)
        return found.value

    def test_a_stamp_under_another_root(self, stamping: Authority, tmp_path: Path) -> None:
        others = Certificates(tmp_path).make()
        stamping.chain = ("between",)
        assert self.refused(stamping, certificates=others).outcome == Outcome.UNVERIFIED

    def test_one_by_another_certificate_than_the_pinned(self, stamping: Authority, tmp_path: Path) -> None:
        others = Certificates(tmp_path).make()
        stamping.chain = ("between",)
        pinned = stamping.certificates.folder / "pinned.pem"
        pinned.write_bytes(stamping.certificates.pem("root").read_bytes() + others.pem("signer").read_bytes())
        file = tmp_path / "authorities"
        file.write_text(f"authority own {stamping.url} {pinned}\n")
        [found] = read_authorities(file)
        with pytest.raises(Unstamped) as refused:
            time_stamp(found, NOTE)
        assert refused.value.outcome == Outcome.UNVERIFIED

    def test_one_of_an_earlier_request_played_again(self, stamping: Authority) -> None:
        stamping.chain = ("between",)
        kept = stamp(stamping).response
        stamping.behave = lambda self, query: (200, kept)
        error = self.refused(stamping)
        assert error.outcome == Outcome.UNVERIFIED and "Nonce" in error.detail

    def test_one_over_something_else(self, stamping: Authority) -> None:
        stamping.chain = ("between",)

        def other(found: Authority, query: bytes) -> Answer:
            return 200, found.stamp(query.replace(hashlib.sha256(TEXT).digest(), hashlib.sha256(b"x").digest()))

        stamping.behave = other
        error = self.refused(stamping)
        assert error.outcome == Outcome.UNVERIFIED and "Mismatch" in error.detail

    def test_a_refusal_of_the_authority(self, stamping: Authority) -> None:
        # PKIStatusInfo { rejection }: what an authority answers to a query that it does not like
        stamping.behave = lambda self, query: (200, bytes.fromhex("30053003020102"))
        error = self.refused(stamping)
        assert (error.outcome, error.detail) == (Outcome.NOT_GRANTED, "PKIStatus 2")

    @pytest.mark.parametrize("body", ["", "3c68746d6c3e", "30800000", "3003020100", "3084ffffffff"])
    def test_what_is_no_response(self, stamping: Authority, body: str) -> None:
        stamping.behave = lambda self, query: (200, bytes.fromhex(body))
        assert self.refused(stamping).outcome in (Outcome.UNREADABLE, Outcome.UNVERIFIED)

    @pytest.mark.parametrize(
        ("status", "outcome"), [(404, Outcome.REFUSED), (503, Outcome.THROTTLED), (302, Outcome.REDIRECTED)]
    )
    def test_an_error_of_its_server(self, stamping: Authority, status: int, outcome: Outcome) -> None:
        stamping.behave = lambda self, query: (status, b"")
        assert self.refused(stamping).outcome == outcome

    def test_any_byte_flipped_is_refused_or_changes_nothing_that_is_proven(self, stamping: Authority) -> None:
        """Certificates that are not needed may be damaged; what was stamped, and when, may not."""
        stamping.chain = ("root", "between")
        chance = random.Random(3161)
        for _ in range(150):

            def flips(found: Authority, query: bytes) -> Answer:
                data = bytearray(found.stamp(query))
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                return 200, bytes(data)

            stamping.behave = flips
            try:
                taken = stamp(stamping)
            except Unstamped:
                continue
            digest, at = stamped_in(taken.response)
            assert digest == hashlib.sha256(TEXT).digest() and abs(at - datetime.now(UTC)) < timedelta(minutes=1)


class TestDer:
    def test_a_response_that_is_in_order_stays_as_it_is(self, stamping: Authority) -> None:
        stamping.chain = ("between",)
        once = stamp(stamping).response
        assert der.sort_certificates(once) == once

    def test_sorting_changes_the_order_of_certificates_and_nothing_else(self, stamping: Authority) -> None:
        for chain in (("between", "root"), ("root", "between")):
            stamping.chain = chain
            raw: list[bytes] = []

            def keeps(found: Authority, query: bytes, raw: list[bytes] = raw) -> Answer:
                raw.append(found.stamp(query))
                return 200, raw[-1]

            stamping.behave = keeps
            sorted_ = stamp(stamping).response
            assert len(sorted_) == len(raw[0]) and sorted(sorted_) == sorted(raw[0])
            found = decode_timestamp_response(sorted_).signed_data.certificates
            names = {x509.load_der_x509_certificate(each).subject.rfc4514_string() for each in found}
            assert names == {"CN=Test root", "CN=Test between", "CN=Test signer"}

    @pytest.mark.parametrize(
        "data",
        ["", "30", "3001", "3100", "300000", "1f00", "3081", "30850000000000", "3006300030020500", "300430003000"],
    )
    def test_what_is_none_is_refused(self, data: str) -> None:
        with pytest.raises(der.MalformedDer):
            der.sort_certificates(bytes.fromhex(data))

    def test_a_refusal_has_no_token_and_comes_back_as_it_is(self) -> None:
        refusal = bytes.fromhex("30053003020102")
        assert der.sort_certificates(refusal) == refusal


class TestTheFile:
    def write(self, tmp_path: Path, text: str) -> Path:
        file = tmp_path / "authorities"
        file.write_text(text)
        return file

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("authority own https://tsa.example.org/tsr\n", "line 1"),
            ("# fine\n\nauthority a/b https://tsa.example.org {root}\n", "line 3"),
            ("authorities own https://tsa.example.org {root}\n", "line 1"),
            ("authority own https://tsa.example.org {root}\nauthority own https://tsa.example.org {root}\n", "line 2"),
            ("authority own ftp://tsa.example.org {root}\n", "must begin with https://"),
            ("authority own https://10.0.0.1/ {root}\n", "not public"),
            ("authority own https://tsa.example.org nowhere.pem\n", "No such file"),
            ("authority own https://tsa.example.org authorities\n", "certificates of own"),
            ("authority own https://tsa.example.org {between}\n", "none of them is a root"),
        ],
    )
    def test_what_is_wrong_with_it_is_said(
        self, certificates: Certificates, tmp_path: Path, text: str, problem: str
    ) -> None:
        named = {name: certificates.pem(name) for name in ("root", "between")}
        with pytest.raises(Misconfigured, match=problem):
            read_authorities(self.write(tmp_path, text.format(**named)))

    def test_two_that_may_stamp_are_one_too_many(self, certificates: Certificates, tmp_path: Path) -> None:
        other = Certificates(tmp_path).make()
        both = tmp_path / "both.pem"
        both.write_bytes(b"".join(each.read_bytes() for each in (
            certificates.pem("root"), certificates.pem("signer"), other.pem("signer")
        )))  # fmt: skip
        with pytest.raises(Misconfigured, match="more than one may stamp"):
            read_authorities(self.write(tmp_path, f"authority own https://tsa.example.org {both}\n"))

    def test_certificates_that_stand_twice_and_public_plain_http_are_fine(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        twice = tmp_path / "twice.pem"
        twice.write_bytes(certificates.pem("root").read_bytes() * 2)
        [found] = read_authorities(self.write(tmp_path, "authority own http://tsa.example.org twice.pem\n"))
        assert len(found.roots) == 1 and found.url == "http://tsa.example.org"

    def test_a_change_of_a_certificate_is_seen_at_once(
        self, certificates: Certificates, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pem = tmp_path / "own.pem"
        pem.write_bytes(certificates.pem("root").read_bytes())
        file = self.write(tmp_path, "authority own https://tsa.example.org own.pem\n")
        settings.TIMESTAMP_AUTHORITIES_FILE = str(file)
        before = module.configured().authorities[0].identity
        reads: list[Any] = []
        genuine = module.read_authorities

        def counted(*given: Any) -> Any:
            reads.append(given)
            return genuine(*given)

        monkeypatch.setattr(module, "read_authorities", counted)
        assert module.configured().authorities[0].identity == before and reads == []
        pem.write_bytes(certificates.pem("root").read_bytes() + certificates.pem("between").read_bytes())
        assert module.configured().authorities[0].identity != before and len(reads) == 1
