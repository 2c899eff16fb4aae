"""Damages to the container."""

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from tests.bundles import merkle
from tests.bundles.building import UNLISTED, Bundle
from tests.bundles.cases import Made, damage, forgery, usual, usual_made
from tests.bundles.containers import Member, members_of, pack

VICTIM = b"VERIFYING.txt"


def zipped(
    name: str, *codes: str, exit_code: int = 1, **ends: Any
) -> Callable[[Callable[[list[Member]], object]], None]:
    """A row whose zip is written from members that were changed; `ends` are what the end of it says."""

    def note(change: Callable[[list[Member]], object]) -> None:
        def write(bundle: Bundle) -> bytes:
            members = members_of(bundle.files)
            change(members)
            return pack(members, **ends)

        write.__name__ = f"a_zip_with_{name}"
        damage(*codes, exit_code=exit_code)(write)

    return note


def member(title: str, *codes: str, **changes: Any) -> None:
    """A row whose VERIFYING.txt has other fields."""

    def change(members: list[Member]) -> None:
        victim = next(each for each in members if each.name == VICTIM)
        for field, value in changes.items():
            setattr(victim, field, value)

    zipped(title, *codes)(change)


def nothing(members: list[Member]) -> None:
    pass


REFUSED = "zip-not-plain"
zipped("nothing_changed", exit_code=0)(nothing)
zipped("the_ends_of_zip64", exit_code=0, zip64=True)(nothing)
zipped("a_comment", "zip-damaged", comment=b"hello")(nothing)
zipped("a_suffix", "zip-damaged", suffix=b"\0" * 30)(nothing)
zipped("a_prefix", REFUSED, prefix=b"#!/bin/sh\n")(nothing)
zipped("a_gap_before_the_directory", REFUSED, gap=b"between")(nothing)
zipped("more_members_claimed", "zip-damaged", count=60)(nothing)
zipped("fewer_members_claimed", REFUSED, count=3)(nothing)
zipped("no_members_claimed", REFUSED, count=0)(nothing)
zipped("a_shorter_directory_claimed", "zip-damaged", size=100)(nothing)
zipped("a_directory_elsewhere", "zip-damaged", offset=0)(nothing)
zipped("2_to_40_members_claimed", "too-many-files", zip64=True, end64={"count": 2**40})(nothing)
zipped("two_ends_that_contradict", REFUSED, zip64=True, end64={"classic_count": 3})(nothing)
zipped("two_ends_of_which_one_is_elsewhere", "zip-damaged", zip64=True, end64={"where": 0})(nothing)
zipped("a_zip64_directory_elsewhere", "zip-damaged", zip64=True, end64={"offset": 17})(nothing)
zipped("a_zip64_end_with_more_in_it", "zip-damaged", zip64=True, end64={"record": 60})(nothing)
zipped("a_zip64_end_on_two_disks", "zip-damaged", zip64=True, end64={"disks": 2})(nothing)
zipped("a_zip64_end_of_another_version", "zip-damaged", zip64=True, end64={"needs": 62})(nothing)
zipped("something_before_the_first_member", REFUSED)(lambda members: setattr(members[0], "prefix", b"PK\x03\x04"))
zipped("something_between_two_members", REFUSED)(lambda members: setattr(members[3], "prefix", b"between"))
zipped("two_members_at_one_place", REFUSED)(lambda members: setattr(members[3], "offset", 0))

member("an_encrypted_member", REFUSED, flags=1)
member("a_data_descriptor", REFUSED, flags=8)
member("strong_encryption", REFUSED, flags=0x40)
member("a_masked_header", REFUSED, flags=0x2000)
member("a_method_nobody_has", REFUSED, method=99)
member("a_member_with_a_comment", REFUSED, comment=b"look here")
member("a_member_with_an_extra_field", REFUSED, extra=struct.pack("<2H", 0x5455, 0))
member("a_zip64_field_that_nothing_needs", REFUSED, extra=struct.pack("<2HQ", 1, 8, 0))
member("a_local_extra_field", REFUSED, local_extra=struct.pack("<2H", 0x5455, 0))
member("a_local_zip64_field_that_contradicts", REFUSED, local_extra=struct.pack("<2H2Q", 1, 16, 5, 5))
member("a_symbolic_link", REFUSED, outer=0o120777 << 16)
member("a_device", REFUSED, outer=0o060644 << 16)
member("a_folder_bit", REFUSED, outer=0o100644 << 16 | 0x10)
member("a_file_that_runs_as_its_owner", REFUSED, outer=0o104755 << 16)
member("other_permissions", REFUSED, outer=0o100600 << 16)
member("an_attribute_of_ms_dos", REFUSED, outer=0o100644 << 16 | 1)
member("an_inner_attribute", REFUSED, inner=1)
member("another_maker", REFUSED, maker=0x1314)
member("a_version_that_it_needs_of_which_nobody_knows", REFUSED, needs=63)
member("a_local_name_that_differs", REFUSED, local={"name": b"VERIFYING.sh "})
member("a_local_size_that_differs", REFUSED, local={"size": 1})
member("a_local_packed_size_that_differs", REFUSED, local={"packed": 1})
member("a_local_method_that_differs", REFUSED, local={"method": 8})
member("a_local_checksum_that_differs", REFUSED, local={"crc": 1})
member("a_local_flag_that_differs", REFUSED, local={"flags": 0x800})
member("a_local_date_that_differs", REFUSED, local={"stamp": (1, 1)})
member("a_checksum_that_is_wrong", "content-damaged", crc=12345)
member("a_stored_size_that_lies", REFUSED, size=5)
member(
    "a_deflated_size_of_4_gib", "file-too-large", method=8, size=(1 << 32) - 2, data=zlib.compress(bytes(1000), 9)[2:-4]
)

for _name, _path in {
    "a_path_upwards": b"../VERIFYING.txt", "a_path_through_a_folder": b"logs/../VERIFYING.txt",
    "an_absolute_path": b"/etc/passwd", "a_backslash": b"logs\\VERIFYING.txt", "a_drive_letter": b"C:VERIFYING.txt",
    "a_dot_segment": b"./VERIFYING.txt", "an_empty_segment": b"logs//VERIFYING.txt", "a_trailing_slash": b"VERIFYING/",
    "a_nul_in_a_name": b"VERIFYING\0.txt", "a_newline_in_a_name": b"VERIFYING\n.txt",
    "utf_8_in_a_name": "VERIFYING\N{EURO SIGN}".encode(),
    "an_escape_sequence_in_a_name": b"VERIFYING\x1b[31m.txt", "an_empty_name": b"", "a_name_of_300_letters": b"V" * 300,
}.items():  # fmt: skip
    member(_name, "name-refused", name=_path)
member("a_name_twice", "name-repeated", name=b"verify.py")
member("a_name_twice_but_for_case", "name-repeated", name=b"Verify.PY")
member("a_name_that_no_bundle_has", "file-missing", "file-extra", name=b"verifying.txt")


def deflated(name: str, change: Callable[[bytes, bytes], tuple[bytes, int, bytes | None]], *codes: str) -> None:
    """A deflated VERIFYING.txt: `change` gets data and content, and says data, size, and what the checksum is of."""

    def write(members: list[Member]) -> None:
        victim = next(each for each in members if each.name == VICTIM)
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        content = victim.data
        packed = deflate.compress(content) + deflate.flush()
        victim.method = 8
        victim.data, victim.size, counted = change(packed, content)
        victim.crc = zlib.crc32(content if counted is None else counted)

    zipped(name, *codes)(write)


DAMAGED = "content-damaged"
deflated("deflate_that_goes_on_after_its_end", lambda packed, content: (packed + b"more", len(content), None), DAMAGED)
deflated("deflate_that_is_cut_off", lambda packed, content: (packed[:-9], len(content), None), DAMAGED)
deflated("deflate_that_lacks_its_last_byte", lambda packed, content: (packed[:-1], len(content), None), DAMAGED)
deflated("deflate_that_is_no_deflate", lambda packed, content: (b"\xff" * len(packed), len(content), None), DAMAGED)
deflated("deflate_of_more_than_it_says", lambda packed, content: (packed, len(content) - 1, content[:-1]), DAMAGED)
deflated("deflate_of_less_than_it_says", lambda packed, content: (packed, len(content) + 1, None), DAMAGED)
deflated("deflate_of_nothing", lambda packed, content: (b"\x03\x00", len(content), None), DAMAGED)


def bomb_of(size: int) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join([*(deflate.compress(bytes(1 << 20)) for _ in range(size >> 20)), deflate.flush()])


@damage("file-too-large")
def a_bomb_in_the_place_of_entries(bundle: Bundle) -> bytes:
    members = members_of(bundle.files)
    victim = next(each for each in members if b"/entries/000000" in each.name)
    victim.data, victim.method, victim.size = bomb_of(80 << 20), 8, 80 << 20
    return pack(members)


@damage("entries-malformed")
def a_bomb_that_is_as_large_as_a_file_may_be(bundle: Bundle) -> bytes:
    members = members_of(bundle.files)
    victim = next(each for each in members if b"/entries/000000" in each.name)
    victim.data, victim.method, victim.size = bomb_of(64 << 20), 8, 64 << 20
    return pack(members)


def in_place_of(name: str, data: bytes) -> Callable[[Bundle], bytes]:
    """A row whose bundle has some deflated bytes in the place of a file: hundreds of kilobytes that become 64 MiB."""

    def write(bundle: Bundle) -> bytes:
        path = next(path for path in sorted(bundle.files) if path.endswith(name))
        bundle.files[path] = data
        if path not in UNLISTED:
            bundle.seal()
        return bundle.zip(deflated=True)

    return write


for _title, _code, _file, _data in (
    ("a_manifest_of_five_million_objects", "manifest-malformed", "manifest.json", b"[" + b"{}," * 5_000_000 + b"{}]"),
    ("a_manifest_of_five_million_brackets", "manifest-malformed", "manifest.json", b"[" * 5_000_000),
    ("a_manifest_of_one_long_text", "manifest-malformed", "manifest.json", b'"' + b"\\n" * 5_000_000 + b'"'),
    ("sums_of_newlines_alone", "sums-differ", "SHA256SUMS", b"\n" * 5_000_000),
    ("contents_of_newlines_alone", "part-malformed", "parts/000000.ndjson", b"\n" * 5_000_000),
    ("contents_of_a_million_objects", "part-malformed", "parts/000000.ndjson", b"[" + b"{}," * 1_000_000 + b"{}]\n"),
    ("entries_of_newlines_alone", "entry-malformed", "entries/000000.ndjson", b"\n" * 5_000_000),
):
    _write = in_place_of(_file, _data)
    _write.__name__ = _title
    damage(_code)(_write)


@damage("tile-missing")
def entries_claimed_where_no_tile_is(bundle: Bundle) -> None:
    """As many as there could be, each of them an empty line, under a signature that holds."""
    row, size = bundle.manifest["logs"][0], 2**53 - 1
    place, root = f"logs/{row['log']}", base64.b64encode(bytes(32)).decode()
    row |= {"tree_size": size, "root_hash": "0" * 64}
    text = f"{row['origin']}\n{size}\n{root}\n"
    bundle.files[f"{place}/checkpoint"] = merkle.note(text, row["origin"], bundle.note_signers).encode()
    bundle.files[f"{place}/disclosed"] = f"0 {size}\n".encode()
    bundle.files[f"{place}/entries/000000.ndjson"] = b"\n" * 1_000_000
    bundle.seal()


# --- what is no bundle at all -----------------------------------------------------------------------------------------
@forgery(exit_code=2)
def an_empty_file() -> Made:
    return Made(b"", usual_made(usual()).vkeys)


@forgery(exit_code=2)
def a_text() -> Made:
    return Made(b"hello\n" * 100)


@forgery(exit_code=2)
def a_zip_of_something_else() -> Made:
    return Made(pack(members_of({"holiday.txt": b"sun", "sea.txt": b"salt"})))


@forgery(exit_code=2)
def a_zip_of_nothing() -> Made:
    return Made(pack([]))


@forgery(exit_code=2)
def a_damaged_zip_of_something_else() -> Made:
    return Made(pack(members_of({"holiday.txt": b"sun"}))[:-5])


@forgery("zip-damaged")
def a_bundle_that_is_cut_in_the_middle() -> Made:
    whole = usual_made(usual())
    return Made(whole.data[: len(whole.data) // 2], whole.vkeys)
