import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    EMPTY_ROOT,
    MAX_TREE_SIZE,
    Frontier,
    Node,
    TileRoot,
    completed_tiles,
    fold,
    fold_perfect,
    leaf_hash,
    node_hash,
    root_from_leaf_hashes,
    subtree_nodes,
)
from tests.ledger.tlog.trees import NaiveReader, leaf, leaves, mth, vector


def test_published_roots_of_rfc_6962_trees_are_reproduced() -> None:
    published = vector("rfc6962")
    hashes = [leaf_hash(bytes.fromhex(data)) for data in published["leaves"]]
    for size, root in enumerate(published["roots"], 1):
        assert root_from_leaf_hashes(hashes[:size]).hex() == root


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root() == root_from_leaf_hashes([]) == EMPTY_ROOT


def test_a_leaf_and_a_node_over_the_same_bytes_hash_differently() -> None:
    left, right = leaf(0), leaf(1)
    assert leaf_hash(left + right) != node_hash(left, right)


def test_a_lone_last_leaf_is_promoted_and_never_duplicated() -> None:
    a, b, c = leaves(3)
    assert root_from_leaf_hashes([a, b, c]) == node_hash(node_hash(a, b), c)
    assert root_from_leaf_hashes([a, b, c]) != root_from_leaf_hashes([a, b, c, c])


def test_every_small_tree_has_the_root_of_the_recursive_definition() -> None:
    frontier = Frontier()
    for size in range(1, 300):
        frontier = frontier.extend([leaf(size - 1)])
        assert frontier.root() == mth(0, size)
        assert frontier.hashes == tuple(NaiveReader().read(subtree_nodes(0, size)))


@given(st.lists(st.integers(0, 700), max_size=8))
def test_appending_in_any_chunks_gives_the_same_frontier(chunks: list[int]) -> None:
    frontier, size = Frontier(), 0
    for chunk in chunks:
        frontier = frontier.extend([leaf(i) for i in range(size, size + chunk)])
        size += chunk
    assert frontier == Frontier().extend(leaves(size))
    assert frontier.size == size and frontier.root() == mth(0, size)


@pytest.mark.parametrize(("old", "new"), [(0, 256), (255, 257), (10, 1000), (65_000, 70_000), (0, 70_000)])
def test_appending_yields_the_root_of_each_tile_it_completes(old: int, new: int) -> None:
    all_leaves = leaves(new)
    _, roots = Frontier().extend(all_leaves[:old]).extend_with_tile_roots(all_leaves[old:])
    expected = [
        TileRoot(tile.level, tile.index, mth(tile.index * step, (tile.index + 1) * step))
        for tile in completed_tiles(old, new)
        for step in [256 ** (tile.level + 1)]
    ]
    assert roots == expected


def test_extending_leaves_the_old_frontier_as_it_was() -> None:
    before = Frontier().extend(leaves(5))
    before.extend(leaves(9))
    assert before.root() == mth(0, 5)


@given(st.integers(0, 2000))
def test_a_frontier_survives_being_stored(size: int) -> None:
    frontier = Frontier().extend(leaves(size))
    assert len(frontier.to_bytes()) == 8 + 32 * size.bit_count()
    assert Frontier.from_bytes(frontier.to_bytes()) == frontier


@given(st.binary(max_size=120))
def test_hostile_frontier_bytes_raise_value_error_or_mean_what_they_say(data: bytes) -> None:
    try:
        frontier = Frontier.from_bytes(data)
    except ValueError:
        return
    assert frontier.to_bytes() == data


def test_a_frontier_refuses_hashes_that_do_not_belong_to_its_size() -> None:
    good = Frontier().extend(leaves(6)).to_bytes()
    for bad in (good[:-1], good + b"\0", good[:-32], good + bytes(32), b"", b"\xff" * 8):
        with pytest.raises(ValueError, match=r"."):
            Frontier.from_bytes(bad)
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier(1, (b"short",))
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier().extend([b"short"])


def test_a_tree_cannot_outgrow_a_signed_64_bit_size() -> None:
    full = Frontier(MAX_TREE_SIZE, tuple(leaves(63)))
    with pytest.raises(ValueError, match="tree size"):
        full.extend([leaf(0)])


def test_nodes_of_a_range_fold_into_its_merkle_tree_hash() -> None:
    for size in range(1, 130):
        assert fold(NaiveReader().read(subtree_nodes(0, size))) == mth(0, size)
    assert fold(NaiveReader().read(subtree_nodes(64, 101))) == mth(64, 101)
    assert subtree_nodes(64, 69) == [Node(2, 16), Node(0, 68)]


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 3), (5, 3), (-1, 2), (1, 3), (2, 5), (0, 2**63)])
def test_a_range_that_is_no_subtree_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        subtree_nodes(start, end)


def test_only_perfect_rows_fold_as_perfect_subtrees() -> None:
    assert fold_perfect(leaves(8)) == mth(0, 8)
    for count in (0, 3, 6):
        with pytest.raises(ValueError, match="perfect"):
            fold_perfect(leaves(count))
    with pytest.raises(ValueError, match="nothing"):
        fold([])
