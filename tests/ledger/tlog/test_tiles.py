from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    MalformedTile,
    Node,
    Tile,
    TileRange,
    TileReader,
    bundle_path,
    completed_tiles,
    decode_bundle,
    decode_tile,
    encode_bundle,
    encode_tile,
    leaf_hash,
    locate_node,
    parse_bundle_path,
    parse_tile_path,
    partial_tiles,
    partial_width,
    tile_in_tree,
    tile_is_within,
    tile_path,
)
from tests.ledger.tlog.trees import NaiveReader, StoredTiles, leaves, mth, tile_bytes


def test_a_tree_of_70000_leaves_has_the_tiles_of_the_specification() -> None:
    full = completed_tiles(0, 70_000)
    assert [tile for tile in full if tile.level == 0] == [Tile(0, i) for i in range(273)]
    assert [tile for tile in full if tile.level > 0] == [Tile(1, 0)]
    assert [tile_path(t) for t in partial_tiles(70_000)] == [
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]


def test_a_tree_of_256_leaves_has_one_full_tile_and_a_level_1_partial_of_width_1() -> None:
    assert [tile_path(t) for t in completed_tiles(0, 256)] == ["tile/0/000"]
    assert [tile_path(t) for t in partial_tiles(256)] == ["tile/1/000.p/1"]
    assert partial_width(0, 256) == 0


def test_an_empty_tree_has_no_tiles() -> None:
    assert completed_tiles(0, 0) == partial_tiles(0) == []


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_tiles_complete_in_steps_as_they_do_at_once(a: int, b: int) -> None:
    old, new = sorted((a, b))
    assert sorted(completed_tiles(0, old) + completed_tiles(old, new)) == sorted(completed_tiles(0, new))


@given(st.integers(0, 2**40))
def test_full_and_partial_tiles_hold_every_hash_of_a_level(size: int) -> None:
    for tile in partial_tiles(size):
        assert tile.index * 256 + tile.width == size >> (8 * tile.level)
        assert tile.width == partial_width(tile.level, size)
        assert tile_is_within(tile, size)
        assert not tile_is_within(Tile(tile.level, tile.index, tile.width + 1), size)
        assert tile_in_tree(tile.level, tile.index, size) == tile


def test_a_tree_does_not_shrink_its_tiles() -> None:
    for old, new in ((2, 1), (-1, 1), (0, 2**63)):
        with pytest.raises(ValueError, match=r"."):
            completed_tiles(old, new)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 255), "tile/0/255"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 1_234_067, 112), "tile/0/x001/x234/067.p/112"),
        (Tile(63, 0, 1), "tile/63/000.p/1"),
        (Tile(0, 2**63 - 1), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_tile_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile_path(tile) == path
    assert parse_tile_path(path) == tile
    bundle = path.replace(f"tile/{tile.level}/", "tile/entries/")
    assert bundle_path(tile.index, tile.width) == bundle
    assert parse_bundle_path(bundle) == (tile.index, tile.width)


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_a_path_is_read_back_as_the_tile_it_names(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_tile_path(tile_path(tile)) == tile
    assert parse_bundle_path(bundle_path(index, width)) == (index, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/64/000", "tile/00/000",
        "tile/01/000", "tile/-1/000", "tile/0/x000/001", "tile/0/001/000", "tile/0/x001", "tile/0/x001/x000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p",
        "tile/0/000.p/+1", "tile/0/000\n", "/tile/0/000", "tile/0/000/", "tile/0/٠٠٠", "tile/0/000.p/١",
        "tile/0/x010/x000/x000/x000/x000/x000/000", "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/x/000", "tile/data/000", "tile/0/../000", "tile/0/%30%30%30",
    ],
)  # fmt: skip
def test_no_second_spelling_of_a_path_is_accepted(path: str) -> None:
    with pytest.raises(MalformedTile):
        parse_tile_path(path)
    with pytest.raises(MalformedTile):
        parse_bundle_path(path.replace("tile/0/", "tile/entries/"))


@given(st.text() | st.from_regex(r"tile/(entries|[0-9]{1,2})/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?"))
def test_hostile_paths_raise_malformed_tile_or_are_the_one_spelling(path: str) -> None:
    try:
        assert tile_path(parse_tile_path(path)) == path
    except MalformedTile:
        pass
    try:
        assert bundle_path(*parse_bundle_path(path)) == path
    except MalformedTile:
        pass


def test_impossible_tiles_have_no_path() -> None:
    for tile in (Tile(64, 0), Tile(-1, 0), Tile(0, -1), Tile(0, 0, 0), Tile(0, 0, 257)):
        with pytest.raises(ValueError, match=r"."):
            tile_path(tile)


def test_a_node_is_found_by_the_formula_of_the_specification() -> None:
    assert locate_node(Node(0, 0)) == TileRange(0, 0, 0, 1)
    assert locate_node(Node(3, 33)) == TileRange(0, 1, 8, 8)
    assert locate_node(Node(8, 5)) == TileRange(1, 0, 5, 1)
    assert locate_node(Node(10, 100)) == TileRange(1, 1, 144, 4)


@given(st.integers(0, 17), st.integers(0, 300))
def test_a_reader_over_tiles_returns_every_node_of_the_tree(height: int, index: int) -> None:
    node = Node(height, index)
    size = 70_000
    if (index + 1) << height > size:
        with pytest.raises(ValueError, match=r"."):
            StoredTiles(size).reader().read([node])
    else:
        assert StoredTiles(size).reader().read([node]) == NaiveReader().read([node])


def test_a_reader_refuses_a_node_that_only_begins_within_the_tree() -> None:
    for node in (Node(1, 34_999), Node(3, 8_749), Node(16, 1), Node(17, 0)):
        log = StoredTiles(((node.index + 1) << node.height) - 1)
        with pytest.raises(ValueError, match="outside the tree"):
            log.reader().read([node])
        assert log.fetches == []


def serve(data: bytes, tiles: Sequence[Tile]) -> list[bytes]:
    return [data for _ in tiles]


def test_a_reader_notices_a_tile_of_the_wrong_length() -> None:
    for spoilt in (b"", bytes(32), tile_bytes(Tile(0, 0)) + b"\0"):
        with pytest.raises(MalformedTile):
            TileReader(300, partial(serve, spoilt)).read([Node(0, 0)])
    with pytest.raises(ValueError, match=r"."):
        TileReader(300, lambda tiles: []).read([Node(0, 0)])


def test_tile_bytes_are_its_hashes_and_a_full_tile_has_8192() -> None:
    hashes = leaves(256)
    assert len(encode_tile(hashes)) == 8192
    assert decode_tile(encode_tile(hashes)) == hashes
    assert decode_tile(encode_tile(hashes[:7]), 7) == hashes[:7]
    for bad in ([], leaves(257), [b"short"]):
        with pytest.raises(ValueError, match=r"."):
            encode_tile(bad)


def test_a_full_tile_folds_into_one_hash_of_the_level_above() -> None:
    assert decode_tile(tile_bytes(Tile(1, 0, 1)), 1) == [mth(0, 256)]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_an_entry_bundle_is_read_back_entry_by_entry(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, len(entries)) == entries
    assert data[:2] == len(entries[0]).to_bytes(2, "big")
    for width in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(MalformedTile):
            decode_bundle(data, width)
    with pytest.raises(MalformedTile):
        decode_bundle(data[:-1], len(entries))


def test_the_largest_entry_fits_and_one_byte_more_does_not() -> None:
    assert decode_bundle(encode_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
    for bad in ([bytes(65_536)], [], [b""] * 257):
        with pytest.raises(ValueError, match="bundle"):
            encode_bundle(bad)


@given(st.binary(max_size=200), st.integers(1, 256))
def test_hostile_bundles_raise_malformed_tile_or_are_the_one_encoding(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width)
    except MalformedTile:
        return
    assert len(entries) == width and encode_bundle(entries) == data


def test_entries_of_a_bundle_hash_to_the_level_0_tile() -> None:
    entries = [b"entry %d" % i for i in range(256)]
    hashes = [leaf_hash(entry) for entry in decode_bundle(encode_bundle(entries))]
    assert encode_tile(hashes) == tile_bytes(Tile(0, 0))
