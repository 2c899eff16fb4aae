from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    EMPTY_ROOT,
    InvalidProof,
    Node,
    check_consistency,
    check_inclusion,
    consistency_nodes,
    inclusion_nodes,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
)
from tests.ledger.tlog.trees import (
    ListReader,
    NaiveReader,
    StoredTiles,
    leaf,
    mth,
    naive_consistency,
    naive_inclusion,
    vector,
)

EXHAUSTIVE = 70
EVERY_BIT = 44  # below this size every bit of every proof hash is flipped; above, one bit of each hash


def refused(check: Callable[..., None], *args: object) -> bool:
    try:
        check(*args)
    except (InvalidProof, ValueError):
        return True
    return False


def disproved(check: Callable[..., None], *args: object) -> bool:
    try:
        check(*args)
    except InvalidProof:
        return True
    return False


def wrong_proofs(proof: Sequence[bytes], size: int) -> Iterator[list[bytes]]:
    """Every bit flipped, hashes dropped, added, doubled, swapped, shortened, and bytes moved between two."""
    for at, hash_ in enumerate(proof):
        for bit in range(256) if size <= EVERY_BIT else [(size * 37 + at * 101) % 256]:
            flipped = (int.from_bytes(hash_, "big") ^ 1 << bit).to_bytes(32, "big")
            yield [*proof[:at], flipped, *proof[at + 1 :]]
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], hash_, hash_, *proof[at + 1 :]]
        yield [*proof[:at], bytes(32), *proof[at:]]
        yield [*proof[:at], hash_[:-1], *proof[at + 1 :]]
    for at in range(len(proof) - 1):
        yield [*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]]
        slid = (proof[at] + proof[at + 1][:1], proof[at + 1][1:])
        yield [*proof[:at], *slid, *proof[at + 2 :]]
    yield [*proof, bytes(32)]
    yield [*proof, b""]
    yield [b"", *proof]


def test_every_inclusion_proof_of_every_small_tree_is_the_recursive_one_and_verifies() -> None:
    for size in range(1, EXHAUSTIVE + 1):
        for index in range(size):
            proof = prove_inclusion(NaiveReader(), index, size)
            assert proof == naive_inclusion(index, 0, size)
            check_inclusion(leaf(index), index, size, proof, mth(0, size))


def test_every_consistency_proof_of_every_small_tree_is_the_recursive_one_and_verifies() -> None:
    for new in range(EXHAUSTIVE + 1):
        for old in range(new + 1):
            proof = prove_consistency(NaiveReader(), old, new)
            assert proof == (naive_consistency(old, 0, new) if old else [])
            check_consistency(old, new, proof, mth(0, old), mth(0, new))


def test_no_damaged_inclusion_proof_verifies() -> None:
    for size in range(1, EXHAUSTIVE + 1):
        root = mth(0, size)
        for index in range(size):
            proof = naive_inclusion(index, 0, size)
            for wrong in wrong_proofs(proof, size):
                assert disproved(check_inclusion, leaf(index), index, size, wrong, root)


def test_no_damaged_consistency_proof_verifies() -> None:
    for new in range(1, EXHAUSTIVE + 1):
        for old in range(1, new + 1):
            proof = naive_consistency(old, 0, new)
            for wrong in wrong_proofs(proof, new):
                assert disproved(check_consistency, old, new, wrong, mth(0, old), mth(0, new))


def test_an_inclusion_proof_holds_for_no_other_index_leaf_or_root() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof, root = naive_inclusion(index, 0, size), mth(0, size)
            for other in {*range(size + 2), -1} - {index}:
                assert refused(check_inclusion, leaf(index), other, size, proof, root)
            assert refused(check_inclusion, leaf(index + 1), index, size, proof, root)
            assert refused(check_inclusion, leaf(index), index, size, proof, EMPTY_ROOT)


def test_an_inclusion_proof_fails_against_every_tree_of_another_size() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = naive_inclusion(index, 0, size)
            for other in range(1, 80):
                if other != size:
                    assert refused(check_inclusion, leaf(index), index, other, proof, mth(0, other))


def test_a_consistency_proof_holds_for_no_other_trees() -> None:
    for new in range(1, 40):
        for old in range(1, new):
            proof = naive_consistency(old, 0, new)
            for m, n in ((old - 1, new), (old + 1, new), (old ^ 2, new), (old, new * 2), (old, new // 2)):
                if (m, n) != (old, new) and m > 0:
                    assert refused(check_consistency, m, n, proof, mth(0, m), mth(0, n))
            assert refused(check_consistency, old, new, proof, mth(0, new), mth(0, old))
            assert refused(check_consistency, old, new, proof, mth(1, old + 1), mth(0, new))
            assert refused(check_consistency, old, new, proof, mth(0, old), mth(1, new + 1))


def test_a_path_of_another_length_is_refused_even_where_its_root_fits() -> None:
    """The root is not the tree's here but what this very path leads to: only the length is wrong."""
    extra = bytes(32)
    for size in range(1, 20):
        for index in range(size):
            proof = naive_inclusion(index, 0, size)
            fitting = node_hash(extra, mth(0, size))
            assert disproved(check_inclusion, leaf(index), index, size, [*proof, extra], fitting)
            for other in range(index + 1, 40):
                if len(inclusion_nodes(index, other)) != len(proof):
                    assert disproved(check_inclusion, leaf(index), index, other, proof, mth(0, size))


def test_a_growth_path_of_another_length_is_refused_even_where_its_roots_fit() -> None:
    extra = bytes(32)
    for new in range(2, 20):
        for old in range(1, new):
            proof = naive_consistency(old, 0, new)
            fitting = (node_hash(extra, mth(0, old)), node_hash(extra, mth(0, new)))
            assert disproved(check_consistency, old, new, [*proof, extra], *fitting)
            for other in range(old + 1, 40):
                if len(consistency_nodes(old, other)) != len(proof):
                    assert disproved(check_consistency, old, other, proof, mth(0, old), mth(0, new))


def test_a_proof_hash_of_another_length_is_refused_even_where_the_root_fits() -> None:
    for odd in (b"", b"short", bytes(31), bytes(33), bytes(64)):
        assert disproved(check_inclusion, leaf(0), 0, 2, [odd], node_hash(leaf(0), odd))
        assert disproved(check_consistency, 1, 2, [odd], leaf(0), node_hash(leaf(0), odd))


def test_equal_sizes_are_consistent_only_with_equal_roots_and_an_empty_proof() -> None:
    check_consistency(7, 7, [], mth(0, 7), mth(0, 7))
    for proof, old_root in (([], mth(1, 8)), ([mth(0, 7)], mth(0, 7))):
        with pytest.raises(InvalidProof):
            check_consistency(7, 7, proof, old_root, mth(0, 7))


def test_growth_from_the_empty_tree_needs_its_one_root_and_an_empty_proof() -> None:
    check_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    check_consistency(0, 9, [], EMPTY_ROOT, mth(0, 9))
    for proof, old_root in (([], mth(0, 1)), ([EMPTY_ROOT], EMPTY_ROOT)):
        with pytest.raises(InvalidProof):
            check_consistency(0, 9, proof, old_root, mth(0, 9))


def test_a_non_trivial_consistency_proof_is_never_empty() -> None:
    for old, new in ((1, 2), (4, 8), (3, 7)):
        with pytest.raises(InvalidProof):
            check_consistency(old, new, [], mth(0, old), mth(0, new))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 5), (5, 5), (0, 2**63), (2, 1)])
def test_an_index_outside_the_tree_is_the_callers_mistake(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        prove_inclusion(NaiveReader(), index, size)
    with pytest.raises(ValueError, match=r"."):
        check_inclusion(leaf(0), index, size, [], leaf(0))


@pytest.mark.parametrize(("old", "new"), [(1, 0), (5, 4), (-1, 3), (0, -1), (1, 2**63)])
def test_a_shrinking_tree_is_the_callers_mistake(old: int, new: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        prove_consistency(NaiveReader(), old, new)
    with pytest.raises(ValueError, match=r"."):
        check_consistency(old, new, [], EMPTY_ROOT, EMPTY_ROOT)


def test_hashes_of_another_length_are_the_callers_mistake() -> None:
    for bad in (b"", b"WrongLeaf", bytes(31), bytes(33)):
        with pytest.raises(ValueError, match="32 bytes"):
            check_inclusion(bad, 0, 1, [], leaf(0))
        with pytest.raises(ValueError, match="32 bytes"):
            check_inclusion(leaf(0), 0, 1, [], bad)
        with pytest.raises(ValueError, match="32 bytes"):
            check_consistency(1, 2, [leaf(1)], bad, mth(0, 2))


def test_published_proofs_are_cut_and_verified() -> None:
    published = vector("rfc6962")
    hashes = [leaf_hash(bytes.fromhex(data)) for data in published["leaves"]]
    roots = [EMPTY_ROOT, *(bytes.fromhex(root) for root in published["roots"])]
    for case in published["inclusion"]:
        proof = [bytes.fromhex(hash_) for hash_ in case["proof"]]
        check_inclusion(hashes[case["index"]], case["index"], case["size"], proof, roots[case["size"]])
        assert proof == prove_inclusion(ListReader(hashes), case["index"], case["size"])
    for case in published["consistency"]:
        proof = [bytes.fromhex(hash_) for hash_ in case["proof"]]
        check_consistency(case["old"], case["new"], proof, roots[case["old"]], roots[case["new"]])
        assert proof == prove_consistency(ListReader(hashes), case["old"], case["new"])
    for case in published["prefixes_of_proofs"]["inclusion"]:
        proof = prove_inclusion(ListReader(hashes), case["index"], case["size"])
        assert [hash_.hex()[:8] for hash_ in proof] == case["proof"]
    for case in published["prefixes_of_proofs"]["consistency"]:
        proof = prove_consistency(ListReader(hashes), case["old"], case["new"])
        assert [hash_.hex()[:8] for hash_ in proof] == case["proof"]


def test_a_proof_asks_its_reader_once_and_a_trivial_one_not_at_all() -> None:
    reader = NaiveReader()
    prove_inclusion(reader, 5, 70)
    assert reader.calls == 1
    prove_consistency(reader, 33, 70)
    assert reader.calls == 2
    prove_consistency(reader, 0, 70)
    prove_consistency(reader, 70, 70)
    prove_inclusion(reader, 0, 1)
    assert reader.calls == 2


def test_a_reader_that_returns_too_little_is_noticed() -> None:
    class Forgetful:
        def read(self, nodes: Sequence[Node], /) -> list[bytes]:
            return [leaf(0)] * (len(nodes) - 1)

    with pytest.raises(ValueError, match="reader"):
        prove_inclusion(Forgetful(), 3, 9)


def test_path_lengths_are_those_of_the_specification() -> None:
    assert len(inclusion_nodes(12_345, 70_000)) == 17
    assert len(consistency_nodes(1000, 70_000)) == 15
    assert len(inclusion_nodes(0, 2**63 - 1)) == 63


@given(st.integers(1, 3000), st.data())
def test_proofs_cut_from_tiles_are_the_naive_proofs(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    log = StoredTiles(size)
    assert prove_inclusion(log.reader(), index, size) == naive_inclusion(index, 0, size)
    assert prove_consistency(log.reader(), old, size) == naive_consistency(old, 0, size)


@pytest.mark.parametrize("size", [256, 257, 65_536, 65_537, 69_999, 70_000])
def test_proofs_cut_from_three_levels_of_tiles_are_the_naive_proofs(size: int) -> None:
    log = StoredTiles(70_000)
    for index in (0, 255, 256, size // 2, size - 1):
        assert prove_inclusion(log.reader(), index % size, size) == naive_inclusion(index % size, 0, size)
    for old in (1, 255, 256, size // 3, size - 1, size):
        assert prove_consistency(log.reader(), old, size) == naive_consistency(old, 0, size)


def test_a_proof_needs_few_tiles_and_fetches_each_once() -> None:
    log = StoredTiles(70_000)
    prove_inclusion(log.reader(), 12_345, 70_000)
    (tiles,) = log.fetches
    assert len(set(tiles)) == len(tiles) <= 6


hashes32 = st.binary(min_size=32, max_size=32)


@given(st.integers(), st.integers(), st.lists(st.one_of(hashes32, st.binary(max_size=40))), hashes32, hashes32)
def test_hostile_proofs_raise_nothing_but_the_documented_errors(
    a: int, b: int, proof: list[bytes], one: bytes, two: bytes
) -> None:
    assert refused(check_inclusion, one, a, b, proof, two) or (b == 1 and one == two)
    assert refused(check_consistency, a, b, proof, one, two) or (a == b and one == two)
