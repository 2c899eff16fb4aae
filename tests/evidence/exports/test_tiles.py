"""Which tiles prove an export: enough to fold every hash in them up to the root, and none beside."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.exports.tiles import Span, as_wide, is_full, needed
from ledger.tlog import TILE_WIDTH, Tile, locate_node, partial_tiles, subtree_nodes, tile_is_within

SIZES = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000, 16_777_215, 16_777_216, 16_777_217]


def tiles_of(size: int, ranges: Iterable[Span], *, proves: Iterable[int] = ()) -> set[Tile]:
    levels = needed(size, ranges, proves=proves)
    return {
        as_wide(level, index, size)
        for level, spans in enumerate(levels)
        for first, end in spans
        for index in range(first, end)
    }


def plainly(size: int, leaves: Iterable[int]) -> set[Tile]:
    """The contract in its own words: the tile of each leaf, the parents of full ones, and the right edge."""
    found = set(partial_tiles(size))
    for leaf in leaves:
        tile = as_wide(0, leaf // TILE_WIDTH, size)
        while tile not in found:
            found.add(tile)
            if tile.width == TILE_WIDTH:
                tile = as_wide(tile.level + 1, tile.index // TILE_WIDTH, size)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_the_right_edge_is_always_there(size: int) -> None:
    assert tiles_of(size, []) == set(partial_tiles(size))


@pytest.mark.parametrize("size", SIZES)
def test_of_one_leaf_its_tile_and_its_parents(size: int) -> None:
    for leaf in {0, size // 2, size - 1}:
        assert tiles_of(size, [(leaf, leaf + 1)]) == plainly(size, [leaf])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_536, 65_537, 70_000])
def test_of_everything_every_tile(size: int) -> None:
    found = tiles_of(size, [(0, size)])
    assert found == plainly(size, range(0, size, TILE_WIDTH)) | plainly(size, [size - 1])
    assert sum(tile.width for tile in found if tile.level == 0) == size


@given(st.integers(1, 200_000), st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 3_000)), max_size=6))
def test_of_any_ranges_what_their_leaves_take(size: int, lengths: list[tuple[int, int]]) -> None:
    ranges = [(min(first, size), min(first + length, size)) for first, length in lengths]
    leaves = {leaf for first, end in ranges for leaf in {*range(first, end, TILE_WIDTH), *([end - 1] * (end > first))}}
    assert tiles_of(size, ranges) == plainly(size, leaves)


@given(st.data())
def test_for_an_earlier_tree_the_hashes_of_its_root_are_there(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 100_000))
    old = data.draw(st.integers(0, size))
    found = tiles_of(size, [], proves=[old])
    for node in subtree_nodes(0, old) if old else ():
        place = locate_node(node)
        tile = next(each for each in found if (each.level, each.index) == (place.level, place.index))
        assert place.offset + place.count <= tile.width
    assert all(tile_is_within(tile, size) for tile in found)


def test_a_tile_is_full_or_on_the_right_edge() -> None:
    assert is_full(0, 272, 70_000)
    assert not is_full(0, 273, 70_000)
    assert is_full(1, 0, 70_000)
    assert not is_full(1, 1, 70_000)
