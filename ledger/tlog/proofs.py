"""Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2, RFC 9162 sections 2.1.3 and 2.1.4).

Prover and checker are twins. A prover first works out, purely, which nodes each hash of the proof is
folded from, then reads them all in one call. A checker either returns or raises `InvalidProof`, which
says nothing more on purpose: there is one way to be right. What the caller states (sizes, index, hash
lengths) and gets wrong is a ValueError: that is not evidence about a log.
"""

from collections.abc import Sequence

from ledger.tlog.hashes import EMPTY_ROOT, HASH_SIZE, node_hash
from ledger.tlog.tree import HashReader, Node, check_size, fold, split_point, subtree_nodes

ProofPlan = list[list[Node]]
"""One list of nodes a proof hash, in proof order; each list `fold`s into that hash."""


class InvalidProof(Exception):
    """The proof does not prove what is claimed. Opaque: no detail to tune a forgery by."""

    def __init__(self, message: str = "invalid proof") -> None:
        super().__init__(message)


def inclusion_nodes(index: int, size: int) -> ProofPlan:
    """Plan PATH(index, D[size]): the leaf's sibling first, the child of the root last.

    In: leaf index and tree size in leaves. Errors: ValueError unless 0 <= index < size.
    Source: RFC 6962 section 2.1.1.
    """
    _check_index(index, size)
    start, end, plan = 0, size, []
    while end - start > 1:
        split = start + split_point(end - start)
        if index < split:
            plan.append(subtree_nodes(split, end))
            end = split
        else:
            plan.append(subtree_nodes(start, split))
            start = split
    return plan[::-1]


def consistency_nodes(old: int, new: int) -> ProofPlan:
    """Plan PROOF(old, D[new]). In: two tree sizes in leaves. Source: RFC 6962 section 2.1.2.

    Empty for old = new and for old = 0: the first is the same tree, the second says nothing.
    Errors: ValueError unless 0 <= old <= new.
    """
    _check_growth(old, new)
    if old == 0:
        return []
    # SUBPROOF(old, D[start:end], b): b is true as long as the subtree still starts at leaf 0, where
    # the checker knows the old root and the last hash can be left out.
    start, end, plan = 0, new, []
    while old != end:
        split = start + split_point(end - start)
        if old <= split:
            plan.append(subtree_nodes(split, end))
            end = split
        else:
            plan.append(subtree_nodes(start, split))
            start = split
    if start:
        plan.append(subtree_nodes(start, end))
    return plan[::-1]


def prove_inclusion(reader: HashReader, index: int, size: int) -> list[bytes]:
    """Prove that leaf `index` is in the tree of `size` leaves. Twin of `check_inclusion`.

    In: a reader of that log's nodes; leaf index; tree size, at most what the log holds. Out: hashes of
    32 bytes, leaf end first. Errors: ValueError for a bad index or size or a reader that breaks its
    contract; whatever the reader raises. Source: RFC 6962 section 2.1.1.
    """
    return _cut(reader, inclusion_nodes(index, size))


def prove_consistency(reader: HashReader, old: int, new: int) -> list[bytes]:
    """Prove that the tree of `new` leaves extends that of `old`. Twin of `check_consistency`.

    In: a reader of that log's nodes; two tree sizes. Out: hashes of 32 bytes, deepest first. Errors: as
    `prove_inclusion`. Source: RFC 6962 section 2.1.2.
    """
    return _cut(reader, consistency_nodes(old, new))


def _cut(reader: HashReader, plan: ProofPlan) -> list[bytes]:
    nodes = [node for group in plan for node in group]
    hashes = reader.read(nodes) if nodes else []
    if len(hashes) != len(nodes) or any(len(hash_) != HASH_SIZE for hash_ in hashes):
        raise ValueError(f"the reader did not return {len(nodes)} hashes of {HASH_SIZE} bytes")
    left = iter(hashes)
    return [fold([next(left) for _ in group]) for group in plan]


def check_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf_hash` is leaf `index` of the tree of `size` leaves with root hash `root`.

    In: 32-byte hashes, leaf end first. Errors: InvalidProof if it is not shown; ValueError for an index
    outside the tree or a leaf hash or root of another length. Source: RFC 9162 section 2.1.3.2.
    """
    _check_index(index, size)
    _check_hashes(leaf_hash, root)
    fn, sn, computed = index, size - 1, leaf_hash
    for sibling in _proof_hashes(proof):
        if sn == 0:
            raise InvalidProof
        if fn & 1 or fn == sn:
            computed = node_hash(sibling, computed)
            fn, sn = _to_left_child(fn, sn)
        else:
            computed = node_hash(computed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or computed != root:
        raise InvalidProof


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree `(new, new_root)` starts with the leaves of the tree `(old, old_root)`.

    In: sizes in leaves, 32-byte hashes. From size 0 the proof is empty and anything follows, but the
    old root must be the one root an empty tree has. Errors: InvalidProof if it is not shown; ValueError
    unless 0 <= old <= new, and for roots of another length. Source: RFC 9162 section 2.1.4.2.
    """
    _check_growth(old, new)
    _check_hashes(old_root, new_root)
    if old in (0, new):
        _check_trivial_growth(old, new, proof, old_root, new_root)
        return
    hashes = _proof_hashes(proof)
    if not hashes:
        raise InvalidProof
    # A perfect old tree is itself a node of the new one: the prover leaves its root out.
    path = hashes if old & (old - 1) else [old_root, *hashes]
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    computed_old = computed_new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise InvalidProof
        if fn & 1 or fn == sn:
            computed_old = node_hash(sibling, computed_old)
            computed_new = node_hash(sibling, computed_new)
            fn, sn = _to_left_child(fn, sn)
        else:
            computed_new = node_hash(computed_new, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or computed_old != old_root or computed_new != new_root:
        raise InvalidProof


def _check_trivial_growth(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if proof or (old == new and old_root != new_root):
        raise InvalidProof
    if old == 0 and old_root != EMPTY_ROOT:
        raise InvalidProof


def _to_left_child(fn: int, sn: int) -> tuple[int, int]:
    # RFC 9162: climb while the node is a lone right edge; promoted nodes have no sibling there.
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _proof_hashes(proof: Sequence[bytes]) -> list[bytes]:
    # Without this, bytes could slide from one hash of a pair into the other under the same digest.
    if any(len(hash_) != HASH_SIZE for hash_ in proof):
        raise InvalidProof
    return list(proof)


def _check_hashes(*hashes: bytes) -> None:
    if any(len(hash_) != HASH_SIZE for hash_ in hashes):
        raise ValueError(f"a leaf hash or root hash has {HASH_SIZE} bytes")


def _check_index(index: int, size: int) -> None:
    check_size(size)
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size} leaves")


def _check_growth(old: int, new: int) -> None:
    check_size(new)
    if not 0 <= old <= new:
        raise ValueError(f"a tree does not grow from {old} to {new} leaves")
