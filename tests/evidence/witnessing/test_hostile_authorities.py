"""Time-stamp authorities that lie, are not allowed to stamp, stall or flood: what they answer is not kept."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from pytest_django.fixtures import Settings

from evidence.models import Outcome
from evidence.witnessing import asking
from evidence.witnessing.authorities import Stamp, Unstamped, time_stamp
from evidence.witnessing.configured import read_authorities
from tests.evidence.witnessing.authority import Answer, Authority, Certificates, authority, with_openssl
from tests.evidence.witnessing.forging import Change, Forger, answers, at, response
from tests.evidence.witnessing.test_time_stamps import NOTE, TEXT

pytestmark = with_openssl
IMPRINT = hashlib.sha256(TEXT).digest()


@pytest.fixture(scope="module")
def forger(certificates: Certificates) -> Forger:
    return Forger(certificates)


@pytest.fixture
def stamping(certificates: Certificates, settings: Settings) -> Iterator[Authority]:
    settings.ANCHOR_NETWORKS = ["127.0.0.0/8"]
    with authority(certificates.folder, certificates) as found:
        found.chain = ("between",)
        yield found


def stamp(stamping: Authority) -> Stamp:
    """Asked under the root alone, as an operator names it."""
    file = stamping.certificates.folder / "authorities"
    file.write_text(f"authority own {stamping.url} root.pem\n")
    [found] = read_authorities(file)
    return time_stamp(found, NOTE)


def refused(stamping: Authority, outcome: Outcome = Outcome.UNVERIFIED) -> str:
    """It is not believed; why, as the page says it."""
    with pytest.raises(Unstamped) as found:
        stamp(stamping)
    assert found.value.outcome == outcome, found.value.detail
    return found.value.detail


def now(**more: float) -> datetime:
    return datetime.now(UTC) + timedelta(**more)


class TestCertificates:
    def test_one_that_may_stamp_is_believed_made_in_this_very_way(self, stamping: Authority, forger: Forger) -> None:
        """Else what is refused below were refused for how it is made."""
        stamping.behave = answers(forger, forger.signer("honest"))
        assert abs(stamp(stamping).stamped_at - now()) < timedelta(minutes=1)

    def test_one_with_a_large_key_is_believed(self, stamping: Authority, forger: Forger) -> None:
        stamping.behave = answers(forger, forger.signer("large", curve=ec.SECP521R1()))
        assert abs(stamp(stamping).stamped_at - now()) < timedelta(minutes=1)

    def test_one_that_no_verifier_of_bundles_can_check(self, stamping: Authority, forger: Forger) -> None:
        """What is stored goes into bundles, where it would be worth nothing."""
        stamping.behave = answers(forger, forger.signer("strange", curve=ec.SECP256K1()))
        assert "The verifier of evidence bundles cannot check it" in refused(stamping)

    def test_one_that_has_expired(self, stamping: Authority, forger: Forger) -> None:
        expired = forger.signer("expired", begins=timedelta(days=-9), ends=timedelta(days=-2))
        stamping.behave = answers(forger, expired)
        refused(stamping)

    def test_one_that_has_expired_and_stamps_in_its_past(self, stamping: Authority, forger: Forger) -> None:
        """Whoever found the key of an old authority could make any history old."""
        expired = forger.signer("expired-too", begins=timedelta(days=-9), ends=timedelta(days=-2))
        stamping.behave = answers(forger, expired, at(now(days=-5)))
        assert "By its clock" in refused(stamping)

    def test_one_that_is_not_valid_yet(self, stamping: Authority, forger: Forger) -> None:
        early = forger.signer("early", begins=timedelta(days=2))
        stamping.behave = answers(forger, early)
        refused(stamping)
        stamping.behave = answers(forger, early, at(now(days=3)))
        assert "By its clock" in refused(stamping)

    @pytest.mark.parametrize(
        ("name", "usages", "critical"),
        [
            ("no-purpose", (), True),
            ("another-purpose", (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING), True),
            ("a-purpose-that-may-be-ignored", (ExtendedKeyUsageOID.TIME_STAMPING,), False),
            ("any-purpose", (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), True),
        ],
    )
    def test_one_that_is_not_for_stamping(
        self,
        stamping: Authority,
        forger: Forger,
        name: str,
        usages: Sequence[ObjectIdentifier],
        critical: bool,
    ) -> None:
        stamping.behave = answers(forger, forger.signer(name, usages=usages, critical=critical))
        refused(stamping)

    def test_the_root_itself(self, stamping: Authority, forger: Forger) -> None:
        stamping.behave = answers(forger, stamping.certificates.pem("root"))
        refused(stamping)

    def test_one_under_another_root_of_the_same_name(
        self, stamping: Authority, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        others = Forger(Certificates(tmp_path_factory.mktemp("others")).make())
        genuine = stamping.stamp

        def behave(found: Authority, query: bytes) -> Answer:
            return 200, others.stamp(genuine(query), others.signer("stranger"))

        stamping.behave = behave
        refused(stamping)


class TestStatements:
    @pytest.mark.parametrize("hours", [-30 * 24, -1.1, 1.1, 30 * 24])
    def test_of_another_time(self, stamping: Authority, forger: Forger, hours: float) -> None:
        stamping.behave = answers(forger, forger.signer("a-clock", begins=timedelta(days=-90), ends=timedelta(days=90)),
                                  at(now(hours=hours)))  # fmt: skip
        assert "By its clock it is" in refused(stamping)

    @pytest.mark.parametrize("hours", [-0.9, 0.9])
    def test_of_a_clock_that_is_a_little_wrong(self, stamping: Authority, forger: Forger, hours: float) -> None:
        stamping.behave = answers(forger, forger.signer("a-little"), at(now(hours=hours)))
        assert abs(stamp(stamping).stamped_at - now(hours=hours)) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda info: info.replace(IMPRINT, bytes(32)), "Mismatch"),
            (lambda info: info.replace(IMPRINT, hashlib.sha256(TEXT + b"x").digest()), "Mismatch"),
            (lambda info: info[:-4] + bytes(each ^ 1 for each in info[-4:]), "Nonce"),
            # SHA3-256 has as many bytes: the same number could be the hash of something else
            (
                lambda info: info.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040208")),
                "another hash",
            ),
        ],
        ids=["no imprint", "another imprint", "another nonce", "another hash"],
    )
    def test_about_something_else(self, stamping: Authority, forger: Forger, change: Change, said: str) -> None:
        stamping.behave = answers(forger, forger.signer("a-liar"), change)
        assert said in refused(stamping)

    @pytest.mark.parametrize("status", [1, 2, 3, 4, 5])
    def test_granted_otherwise_or_not_at_all(self, stamping: Authority, forger: Forger, status: int) -> None:
        """With modifications, refused, waiting, warning of a revocation, or revoked: with a token all the same."""

        def behave(found: Authority, query: bytes) -> Answer:
            genuine = found.stamp(query)
            token = genuine[genuine.index(bytes.fromhex("06092a864886f70d010702")) - 4 :]
            return 200, response(token, status)

        stamping.behave = behave
        assert f"PKIStatus {status}" in refused(stamping, Outcome.NOT_GRANTED)


class TestFloodsAndSilence:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asking, "SECONDS", 1.0)

    def test_one_that_does_not_answer(self, stamping: Authority) -> None:
        def behave(found: Authority, query: bytes) -> Answer:
            time.sleep(3)
            return 200, b""

        stamping.behave = behave
        refused(stamping, Outcome.TIMED_OUT)

    def test_one_that_answers_too_much(self, stamping: Authority) -> None:
        stamping.behave = lambda found, query: (200, b"\x30" * 1_000_000)
        refused(stamping, Outcome.BROKEN_OFF)

    def test_lengths_that_promise_more_than_comes(self, stamping: Authority) -> None:
        genuine: list[bytes] = []

        def behave(found: Authority, query: bytes) -> Answer:
            genuine.append(found.stamp(query))
            return 200, genuine[-1][: len(genuine[-1]) // 2]

        stamping.behave = behave
        refused(stamping, Outcome.UNREADABLE)

    def test_depth_without_end(self, stamping: Authority) -> None:
        """Elements in elements in elements: no parser here follows them down."""
        data = b""
        for _ in range(12_000):
            data = b"\x30" + (bytes([len(data)]) if len(data) < 128 else b"\x82" + len(data).to_bytes(2, "big")) + data
            if len(data) > 60_000:
                break
        stamping.behave = lambda found, query: (200, data)
        refused(stamping, Outcome.UNREADABLE)
