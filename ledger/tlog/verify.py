"""Verify one entry offline: `python -m ledger.tlog.verify PROOF ENTRY --vkey VKEY [--vkey VKEY]`.

PROOF is a `.tlog-proof` file, ENTRY the exact bytes of the entry, VKEY the log's verifier key, which must come from
elsewhere than the two files; of several, as when a log's key was replaced, one must have signed. Needs no database and
no network. Exit codes:

    0  verified: the log of this key holds exactly this entry
    1  something does not fit: entry, proof or signature were changed, or are not of this log
    2  wrong usage: a file that cannot be read or is no proof, a key that is none
    3  incomplete: entry and checkpoint fit, but without a key nobody knows who signed the checkpoint
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.hashes import leaf_hash
from ledger.tlog.note import MalformedKey, NoteError, Verifier, split_note
from ledger.tlog.proofs import InvalidProof, check_inclusion
from ledger.tlog.tlog_proof import TlogProof, decode_tlog_proof, verify_tlog_proof

VERIFIED, TAMPERED, USAGE, INCOMPLETE = range(4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. In: its arguments, else the process's. Out: the exit code; what was found is printed."""
    given = _parser().parse_args(arguments)
    try:
        data, entry = Path(given.proof).read_bytes(), Path(given.entry).read_bytes()
        proof = decode_tlog_proof(data)
        keys = [Verifier.from_vkey(vkey) for vkey in given.vkey]
    except OSError as error:
        return _say(USAGE, f"Cannot read {error.filename}: {error.strerror}.")
    except InvalidProof:
        return _say(USAGE, f"{given.proof} is not a .tlog-proof file.")
    except MalformedKey as error:
        return _say(USAGE, f"--vkey: {error}.")
    if len({key.name for key in keys}) > 1:
        return _say(USAGE, "--vkey: these are keys of different logs.")
    try:
        return _with_keys(data, proof, entry, keys) if keys else _without_key(proof, entry)
    except NoteError as error:
        return _say(TAMPERED, f"NOT VERIFIED. The checkpoint: {error}.")
    except InvalidProof:
        return _say(TAMPERED, "NOT VERIFIED. The checkpoint's tree does not hold this entry where the proof says.")


def _with_keys(data: bytes, proof: TlogProof, entry: bytes, keys: Sequence[Verifier]) -> int:
    origin = keys[0].name
    signed = verify_tlog_proof(data, leaf_hash(entry), origin=origin, log_verifiers=keys)
    size = signed.checkpoint.tree_size
    return _say(VERIFIED, f"Verified. {origin} holds this entry at index {proof.index} of {size}.")


def _without_key(proof: TlogProof, entry: bytes) -> int:
    checkpoint = Checkpoint.from_text(split_note(proof.checkpoint)[0])
    if proof.index >= checkpoint.tree_size:
        raise InvalidProof
    check_inclusion(leaf_hash(entry), proof.index, checkpoint.tree_size, proof.hashes, checkpoint.root_hash)
    place = f"at index {proof.index} of {checkpoint.tree_size}"
    advice = f"Get the verifier key of {checkpoint.origin} by another way than these files, and give it as --vkey."
    text = f"Incomplete. Entry and checkpoint fit, {place}; the signature was not checked. {advice}"
    return _say(INCOMPLETE, text)


def _say(code: int, text: str) -> int:
    print(text, file=sys.stderr if code else sys.stdout)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ledger.tlog.verify",
        description="Verify offline that a log holds an entry.",
        epilog="Exit codes: 0 verified, 1 something does not fit, 2 wrong usage, 3 incomplete (no key).",
    )
    parser.add_argument("proof", metavar="PROOF", help="the .tlog-proof file")
    parser.add_argument("entry", metavar="ENTRY", help="the file with the exact bytes of the entry")
    parser.add_argument(
        "--vkey",
        action="append",
        default=[],
        help="the log's verifier key, name+id+key, from elsewhere; more than once where one replaced another",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
