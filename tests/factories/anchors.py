"""What witnesses leave behind, without asking one."""

from datetime import UTC, datetime

from evidence.models import Anchor, AnchorKind, Cosignature, Outcome
from ledger.models import Checkpoint, Contradiction, Log
from ledger.selectors import latest_checkpoint
from ledger.signing import signers_for
from ledger.tlog import Checkpoint as Noted
from ledger.tlog import Cosigner, sign_checkpoint, split_note

WITNESS = Cosigner("witness.example/made-up", bytes([31]) * 32)


def make_cosigned(log: Log, *, outcome: Outcome = Outcome.ANCHORED) -> Cosignature:
    """The newest checkpoint of a log, cosigned; and the row that says how it stands with the witness."""
    signed = latest_checkpoint(log)
    now = datetime.now(UTC).replace(microsecond=0)
    checkpoint = Checkpoint.objects.create(
        log=log,
        tree_size=signed.tree_size,
        root_hash=signed.root_hash,
        note=signed.note,
        purpose=Checkpoint.Purpose.ANCHORED,
    )
    Anchor.objects.create(
        log=log,
        kind=AnchorKind.WITNESS,
        name="made-up",
        identity="0" * 64,
        tree_size=signed.tree_size,
        known_size=signed.tree_size,
        outcome=outcome,
        succeeded_at=now,
        attempted_at=now,
    )
    return Cosignature.objects.create(
        checkpoint=checkpoint,
        log=log,
        tree_size=signed.tree_size,
        witness="made-up",
        vkey=WITNESS.verifier.vkey,
        line=WITNESS.cosign(split_note(signed.note)[0], int(now.timestamp())),
        cosigned_at=now,
    )


def make_contradiction(log: Log) -> Contradiction:
    """As if a witness had shown a larger tree of a log than there is."""
    signed = latest_checkpoint(log)
    larger = Noted(log.origin, signed.tree_size + 40, bytes(32))
    return Contradiction.objects.create(
        log=log,
        tree_size=larger.tree_size,
        root_hash=larger.root_hash,
        note=sign_checkpoint(larger, signers_for(log.origin)),
        witness=WITNESS.verifier.name,
        found_size=signed.tree_size,
    )
