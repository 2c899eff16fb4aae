"""Witnesses and authorities on loopback, named in files as an operator names them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from evidence.models import Anchor, AnchorTarget
from evidence.services import anchoring, witness_heads
from ledger.entries import SERVER
from ledger.models import Log
from ledger.signing import verifier_keys
from tests.evidence.witnessing.authority import Authority, Certificates, authority
from tests.evidence.witnessing.strict_witness import StrictWitness, strict_witness

Configure = Callable[..., Path]


@pytest.fixture
def configure(settings: Settings, tmp_path: Path) -> Configure:
    """Write both files and point the settings at them; the policy's path."""
    settings.ANCHOR_NETWORKS = ["127.0.0.0/8"]

    def write(
        *witnesses: StrictWitness,
        quorum: str = "none",
        authorities: dict[str, Authority] | None = None,
        more: Sequence[str] = (),
        pinned: bool = False,
    ) -> Path:
        lines = [f"witness w{number} {each.vkey} {each.url}/" for number, each in enumerate(witnesses, 1)]
        policy = tmp_path / "policy"
        policy.write_text("".join(f"{line}\n" for line in (*lines, *more, f"quorum {quorum}")))
        settings.WITNESS_POLICY_FILE = str(policy) if witnesses or more else ""
        if authorities is not None:
            names = ("root", "signer") if pinned else ("root",)
            rows = [
                f"authority {name} {each.url} {each.certificates.bundle(*names)}" for name, each in authorities.items()
            ]
            named = tmp_path / "authorities"
            named.write_text("".join(f"{row}\n" for row in rows))
            settings.TIMESTAMP_AUTHORITIES_FILE = str(named)
        return policy

    return write


@pytest.fixture
def witness() -> Iterator[StrictWitness]:
    with strict_witness() as found:
        yield found


@pytest.fixture
def second() -> Iterator[StrictWitness]:
    with strict_witness("witness.example/second", bytes([22]) * 32) as found:
        yield found


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tsa")).make()


@pytest.fixture
def stamping(certificates: Certificates, tmp_path: Path) -> Iterator[Authority]:
    own = certificates.copied_to(tmp_path / "tsa")
    with authority(own.folder, own) as found:
        found.chain = ("between",)  # the operator's file has the root alone
        yield found


def trust_all(*witnesses: StrictWitness) -> None:
    """The operators of these witnesses add every log that there is, with its keys in force."""
    for log in Log.objects.filter(closure=None):
        for each in witnesses:
            each.trust(log.origin, *verifier_keys(log.origin))


def sweep() -> list[Anchor]:
    """What beat and the workers do once: choose, ask, follow up. The rows that were asked about."""
    asked = []
    while due := anchoring.due_anchors():
        for anchor_id in due:
            if anchor := anchoring.ask(anchor_id):
                witness_heads.follow_up(actor=SERVER, anchor=anchor)
                asked.append(anchor)
    return asked


def look_round() -> list[witness_heads.Look]:
    """What beat and the workers do once, looking at witnesses."""
    return [
        look for name in witness_heads.due_witnesses() for look in witness_heads.look_at_due(actor=SERVER, name=name)
    ]


def later(**span: float) -> None:
    """As if it was later: what waits for an interval or after a failure is due again."""
    ago = timedelta(**span)
    AnchorTarget.objects.update(chosen_at=F("chosen_at") - ago)
    Anchor.objects.update(next_attempt_at=F("next_attempt_at") - ago, next_look_at=F("next_look_at") - ago)
