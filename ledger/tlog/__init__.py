"""Transparency log formats and proofs, pure: RFC 6962/9162 Merkle trees and C2SP signed notes.

Nothing here reads a database or a clock, and files only the command. It imports the standard library and `cryptography`
only, so that whoever audits the proofs can read it whole, and carry it elsewhere.

    hashes      leaf, node and empty root
    tree        nodes, appending (`Frontier`), what a root is folded from
    proofs      inclusion and consistency: prover and checker
    note        signed notes and verifier keys
    checkpoint  a log's signed tree size and root hash
    cosignature what a witness says of one
    add_checkpoint  what a witness is asked
    policy      which logs and witnesses are trusted, and how many are enough
    tiles       the layout a log is served in
    tlog_proof  the `.tlog-proof` file
    verify      the offline verifier, a command
"""

from ledger.tlog.add_checkpoint import (
    SIZE_TYPE,
    AddCheckpoint,
    MalformedRequest,
    decode_add_checkpoint,
    encode_add_checkpoint,
)
from ledger.tlog.checkpoint import (
    Checkpoint,
    CheckpointError,
    MalformedCheckpoint,
    SignedCheckpoint,
    WrongOrigin,
    open_checkpoint,
    sign_checkpoint,
)
from ledger.tlog.cosignature import Cosignature, Cosigner, read_cosignatures, with_cosignatures
from ledger.tlog.hashes import EMPTY_ROOT, HASH_SIZE, leaf_hash, node_hash
from ledger.tlog.note import (
    COSIGNATURE_V1,
    ED25519,
    InvalidSignature,
    MalformedKey,
    MalformedNote,
    Note,
    NoteError,
    Signature,
    Signer,
    UnverifiedNote,
    Verifier,
    encode_vkey,
    key_id,
    open_note,
    sign_note,
    split_note,
)
from ledger.tlog.policy import MalformedPolicy, Policy, PolicyLog, PolicyWitness, parse_policy
from ledger.tlog.proofs import (
    InvalidProof,
    ProofPlan,
    check_consistency,
    check_inclusion,
    consistency_nodes,
    inclusion_nodes,
    prove_consistency,
    prove_inclusion,
)
from ledger.tlog.tiles import (
    MAX_ENTRY_SIZE,
    TILE_WIDTH,
    MalformedTile,
    Tile,
    TileRange,
    TileReader,
    bundle_path,
    completed_tiles,
    decode_bundle,
    decode_tile,
    encode_bundle,
    encode_tile,
    locate_node,
    parse_bundle_path,
    parse_tile_path,
    partial_tiles,
    partial_width,
    tile_in_tree,
    tile_is_within,
    tile_path,
)
from ledger.tlog.tlog_proof import (
    MalformedProof,
    TlogProof,
    decode_tlog_proof,
    encode_tlog_proof,
    verify_tlog_proof,
)
from ledger.tlog.tree import (
    MAX_TREE_SIZE,
    TILE_HEIGHT,
    Frontier,
    HashReader,
    Node,
    TileRoot,
    fold,
    fold_perfect,
    root_from_leaf_hashes,
    subtree_nodes,
)

__all__ = [
    "COSIGNATURE_V1",
    "ED25519",
    "EMPTY_ROOT",
    "HASH_SIZE",
    "MAX_ENTRY_SIZE",
    "MAX_TREE_SIZE",
    "SIZE_TYPE",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "AddCheckpoint",
    "Checkpoint",
    "CheckpointError",
    "Cosignature",
    "Cosigner",
    "Frontier",
    "HashReader",
    "InvalidProof",
    "InvalidSignature",
    "MalformedCheckpoint",
    "MalformedKey",
    "MalformedNote",
    "MalformedPolicy",
    "MalformedProof",
    "MalformedRequest",
    "MalformedTile",
    "Node",
    "Note",
    "NoteError",
    "Policy",
    "PolicyLog",
    "PolicyWitness",
    "ProofPlan",
    "Signature",
    "SignedCheckpoint",
    "Signer",
    "Tile",
    "TileRange",
    "TileReader",
    "TileRoot",
    "TlogProof",
    "UnverifiedNote",
    "Verifier",
    "WrongOrigin",
    "bundle_path",
    "check_consistency",
    "check_inclusion",
    "completed_tiles",
    "consistency_nodes",
    "decode_add_checkpoint",
    "decode_bundle",
    "decode_tile",
    "decode_tlog_proof",
    "encode_add_checkpoint",
    "encode_bundle",
    "encode_tile",
    "encode_tlog_proof",
    "encode_vkey",
    "fold",
    "fold_perfect",
    "inclusion_nodes",
    "key_id",
    "leaf_hash",
    "locate_node",
    "node_hash",
    "open_checkpoint",
    "open_note",
    "parse_bundle_path",
    "parse_policy",
    "parse_tile_path",
    "partial_tiles",
    "partial_width",
    "prove_consistency",
    "prove_inclusion",
    "read_cosignatures",
    "root_from_leaf_hashes",
    "sign_checkpoint",
    "sign_note",
    "split_note",
    "subtree_nodes",
    "tile_in_tree",
    "tile_is_within",
    "tile_path",
    "verify_tlog_proof",
    "with_cosignatures",
]
