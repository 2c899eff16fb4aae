"""Verifier keys, as tests compare them."""

from ledger.signing import signers_for


def verifier_key(origin: str) -> str:
    """The `vkey` of a log: that of the newest key that signs here, whatever the registry log says."""
    return signers_for(origin)[0].vkey
