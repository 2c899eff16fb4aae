"""Damages to tiles, entries, their list, and contents."""

import json
from collections.abc import Callable
from hashlib import sha256

from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.cases import Made, damage, forgery, made, small, whole_range
from tests.bundles.world import Sealed


def place(bundle: Bundle) -> str:
    """The folder of the AI system's log."""
    return f"logs/{bundle.manifest['logs'][0]['log']}"


# --- tiles ------------------------------------------------------------------------------------------------------------
def tiled(name: str, *codes: str) -> Callable[[Callable[[dict[str, bytes], str], object]], None]:
    """A row that changes the files of the tiles, and lists them anew."""

    def note(change: Callable[[dict[str, bytes], str], object]) -> None:
        def damaged(bundle: Bundle) -> None:
            change(bundle.files, f"{place(bundle)}/tile")
            bundle.seal()

        damaged.__name__ = name
        damage(*codes)(damaged)

    return note


def moved(old: str, new: str) -> Callable[[dict[str, bytes], str], None]:
    def change(files: dict[str, bytes], at: str) -> None:
        files[f"{at}/{new}"] = files.pop(f"{at}/{old}")

    return change


tiled("a_full_tile_missing", "tile-missing")(lambda files, at: files.pop(f"{at}/0/000"))
tiled("a_partial_tile_missing", "tile-missing")(lambda files, at: files.pop(f"{at}/0/001.p/43"))
tiled("the_tile_above_missing", "tile-missing")(lambda files, at: files.pop(f"{at}/1/000.p/1"))
tiled("a_partial_tile_under_the_name_of_a_full_one", "tile-unexpected", "tile-missing")(moved("0/001.p/43", "0/001"))
tiled("a_full_tile_under_the_name_of_a_partial_one", "tile-unexpected", "tile-missing")(moved("0/000", "0/000.p/255"))
tiled("a_tile_of_another_width", "tile-unexpected", "tile-missing")(moved("0/001.p/43", "0/001.p/42"))
tiled("a_tile_of_another_level", "tile-unexpected", "tile-missing")(moved("0/000", "1/000"))
tiled("a_path_with_zeroes_before", "file-extra", "tile-missing")(moved("0/000", "0/x000/000"))
tiled("a_path_without_its_x", "file-extra", "tile-missing")(moved("0/000", "0/000/000"))
tiled("a_level_with_a_zero_before", "file-extra", "tile-missing")(moved("0/000", "00/000"))
tiled("a_width_with_a_zero_before", "file-extra", "tile-missing")(moved("0/001.p/43", "0/001.p/043"))
tiled("level_64", "file-extra", "tile-missing")(moved("0/000", "64/000"))
tiled("a_huge_index", "file-extra", "tile-missing")(moved("0/000", "0/x999/x999/x999/x999/x999/x999/999"))
tiled("a_width_of_256", "file-extra", "tile-missing")(moved("0/000", "0/000.p/256"))


@tiled("a_tile_behind_the_tree", "tile-unexpected")
def _behind(files: dict[str, bytes], at: str) -> None:
    files[f"{at}/0/002"] = bytes(8192)


@tiled("a_tile_above_the_root", "tile-unexpected")
def _above(files: dict[str, bytes], at: str) -> None:
    files[f"{at}/2/000.p/1"] = bytes(32)


@tiled("a_partial_and_a_full_tile_at_once", "tile-unexpected")
def _both(files: dict[str, bytes], at: str) -> None:
    files[f"{at}/0/000.p/7"] = files[f"{at}/0/000"][: 7 * 32]


@tiled("a_tile_that_is_cut", "tile-altered")
def _cut(files: dict[str, bytes], at: str) -> None:
    files[f"{at}/0/000"] = files[f"{at}/0/000"][:-32]


@tiled("a_tile_that_is_longer", "file-too-large")
def _longer(files: dict[str, bytes], at: str) -> None:
    files[f"{at}/0/000"] += bytes(32)


@tiled("two_hashes_swapped", "tile-altered", "entry-altered")
def _swapped(files: dict[str, bytes], at: str) -> None:
    data = files[f"{at}/0/000"]
    files[f"{at}/0/000"] = data[:640] + data[672:704] + data[640:672] + data[704:]


@tiled("a_tile_altered_with_its_entry", "tile-altered")
def _forged(files: dict[str, bytes], at: str) -> None:
    path = at.replace("tile", "entries/000000.ndjson")
    lines = files[path].split(b"\n")
    lines[3] = lines[3].replace(b"approved", b"declined")
    files[path] = b"\n".join(lines)
    data = bytearray(files[f"{at}/0/000"])
    # the first line is entry 0, then comes the fence at 9
    data[32 * 11 : 32 * 12] = sha256(b"\0" + lines[3]).digest()
    files[f"{at}/0/000"] = bytes(data)


@forgery("tile-missing")
def a_tile_of_a_range_without_its_entries_missing() -> Made:
    world, log = small(count=700)
    wishes = Wishes(discloses=lambda log, index, entry: index < 5, left_out=("entries",))
    bundle = build(world, whole_range(log), wishes)
    del bundle.files[f"logs/{log.name}/tile/0/001"]
    return made(bundle.seal())


@forgery("tile-missing")
def a_parent_missing_in_a_large_tree() -> Made:
    world, log = small(count=10)
    entry = log.entries[-1]
    log.entries += [entry] * (65_536 * 2 - len(log.entries) + 3)
    wishes = Wishes(discloses=lambda log, index, entry: False, left_out=("entries",))
    question = {"kind": "range", "system": log.system, "since": None, "until": log.entries[3].json["at"]}
    bundle = build(world, question, wishes)
    del bundle.files[f"logs/{log.name}/tile/1/000"]
    return made(bundle.seal())


# --- the list of disclosed entries ------------------------------------------------------------------------------------
def listed(name: str, text: bytes, *codes: str) -> None:
    def change(bundle: Bundle) -> None:
        bundle.files[f"{place(bundle)}/disclosed"] = text
        bundle.seal()

    change.__name__ = f"disclosed_{name}"
    damage(*codes)(change)


RUNS = b"0 1\n9 282\n"
MALFORMED = "disclosed-malformed"
listed("runs_that_overlap", b"0 10\n9 282\n", MALFORMED)
listed("runs_that_touch", b"0 9\n9 282\n", MALFORMED)
listed("runs_that_descend", b"9 282\n0 1\n", MALFORMED)
listed("a_run_behind_the_tree", b"0 1\n9 291\n", MALFORMED)
listed("a_huge_run", b"0 9007199254740991\n", MALFORMED)
listed("a_run_of_seventeen_digits", b"0 1\n90071992547409910 1\n", MALFORMED)
listed("a_leading_zero", b"0 1\n09 282\n", MALFORMED)
listed("an_empty_run", b"0 1\n9 0\n", MALFORMED)
listed("a_sign", b"0 1\n+9 282\n", MALFORMED)
listed("a_fraction", b"0 1\n9.0 282\n", MALFORMED)
listed("crlf", b"0 1\r\n9 282\r\n", MALFORMED)
listed("an_empty_line", b"0 1\n\n9 282\n", MALFORMED)
listed("no_last_newline", b"0 1\n9 282", MALFORMED)
listed("a_long_line", b"0 1" + b" " * 2_000_000, MALFORMED)
listed("fewer_entries", b"0 1\n9 281\n", "entry-extra")
listed("more_entries", b"0 1\n9 283\n", "entry-missing")
listed("nothing", b"", "entry-extra")
listed("other_entries", b"0 1\n8 282\n", "entry-altered")


# --- entries ----------------------------------------------------------------------------------------------------------
def lined(name: str, change: Callable[[list[bytes]], object], *codes: str) -> None:
    """A row that changes the lines of the first file of entries, and lists it anew."""

    def damaged(bundle: Bundle) -> None:
        path = f"{place(bundle)}/entries/000000.ndjson"
        lines = bundle.files[path].split(b"\n")
        found = change(lines)
        bundle.files[path] = b"\n".join(found if isinstance(found, list) else lines)
        bundle.seal()

    damaged.__name__ = name
    damage(*codes)(damaged)


lined("an_entry_dropped", lambda lines: lines.pop(7), "entry-altered", "entry-missing")
lined(
    "an_entry_added",
    lambda lines: lines.insert(7, lines[6].replace(b"approved", b"declined")),
    "entry-altered",
    "entry-extra",
)
lined("an_entry_twice", lambda lines: lines.insert(7, lines[7]), "entry-altered", "entry-extra", "entry-repeated")
lined("two_entries_swapped", lambda lines: [*lines[:7], lines[8], lines[7], *lines[9:]], "entry-altered")
lined(
    "an_outcome_changed",
    lambda lines: [*lines[:7], lines[7].replace(b"approved", b"declined"), *lines[8:]],
    "entry-altered",
)
lined("a_space_added", lambda lines: [*lines[:7], lines[7] + b" ", *lines[8:]], "entry-altered")
lined(
    "members_reordered",
    lambda lines: [*lines[:7], json.dumps(json.loads(lines[7]), sort_keys=True).encode(), *lines[8:]],
    "entry-altered",
)
lined("an_empty_line", lambda lines: lines.insert(7, b""), "entry-altered", "entry-malformed")
lined(
    "crlf_at_every_line",
    lambda lines: [line + b"\r" for line in lines[:-1]] + [b""],
    "entry-altered",
    "entry-malformed",
)
lined("no_last_newline", lambda lines: lines.pop(), "entries-malformed")
lined("an_empty_file_of_entries", lambda lines: [b""], "entries-malformed")
lined(
    "an_entry_of_70000_bytes",
    lambda lines: [*lines[:7], lines[7] + b" " * 70_000, *lines[8:]],
    "entry-altered",
    "entry-malformed",
)
lined("a_line_of_3_mebibytes", lambda lines: [b" " * (3 << 20), *lines], "entries-malformed")


@damage("entry-missing")
def the_last_entries_left_out(bundle: Bundle) -> None:
    path = max(path for path in bundle.files if path.startswith(f"{place(bundle)}/entries/"))
    del bundle.files[path]
    bundle.seal()


@damage("entry-extra")
def an_entry_behind_the_last(bundle: Bundle) -> None:
    path = max(path for path in bundle.files if path.startswith(f"{place(bundle)}/entries/"))
    bundle.files[path] += bundle.files[path].splitlines(keepends=True)[0]
    bundle.seal()


@damage("file-extra", "entry-missing")
def a_file_of_entries_left_out(bundle: Bundle) -> None:
    folder = f"{place(bundle)}/entries"
    bundle.files[f"{folder}/000009.ndjson"] = bundle.files.pop(f"{folder}/000001.ndjson")
    bundle.seal()


@damage("entry-altered")
def the_entries_of_two_logs_swapped(bundle: Bundle) -> None:
    one, other = f"{place(bundle)}/entries/000000.ndjson", "logs/registry/entries/000000.ndjson"
    bundle.files[one], bundle.files[other] = bundle.files[other], bundle.files[one]
    bundle.seal()


def in_the_log(name: str, data: Callable[[bytes], bytes], *codes: str) -> None:
    """A row whose log holds, under its signature, an entry that is none: the server itself was made to seal it."""

    def make() -> Made:
        world, log = small()
        honest = log.entries[2]
        log.entries[3] = Sealed(data(log.entries[3].data), said=honest.json)
        return made(build(world, whole_range(log)))

    make.__name__ = f"sealed_{name}"
    forgery(*codes)(make)


BROKEN = "entry-malformed"
in_the_log("a_name_twice", lambda data: data.replace(b'"v":1,', b'"v":1,"kind":"log.opened",'), BROKEN)
in_the_log(
    "a_name_twice_in_the_body", lambda data: data.replace(b'"outcome":', b'"outcome":"declined","outcome":'), BROKEN
)
in_the_log(
    "a_name_twice_but_for_an_escape",
    lambda data: data.replace(b'"outcome":', b'"outc\\u006fme":"x","outcome":'),
    BROKEN,
)
in_the_log("nan", lambda data: data.replace(b'"phase":', b'"score":NaN,"phase":'), BROKEN)
in_the_log("infinity", lambda data: data.replace(b'"phase":', b'"score":-Infinity,"phase":'), BROKEN)
in_the_log(
    "a_number_of_5000_digits", lambda data: data.replace(b'"phase":', b'"score":' + b"9" * 5000 + b',"phase":'), BROKEN
)
in_the_log(
    "a_number_of_101_digits", lambda data: data.replace(b'"phase":', b'"score":' + b"9" * 101 + b',"phase":'), BROKEN
)
in_the_log(
    "65_levels", lambda data: data.replace(b'"phase":', b'"more":' + b"[" * 64 + b"]" * 64 + b',"phase":'), BROKEN
)
in_the_log(
    "thousands_of_levels",
    lambda data: data.replace(b'"phase":', b'"more":' + b"[" * 9000 + b"]" * 9000 + b',"phase":'),
    BROKEN,
)
in_the_log("another_version", lambda data: data.replace(b'"v":1,', b'"v":2,'), BROKEN)
in_the_log("a_version_that_is_true", lambda data: data.replace(b'"v":1,', b'"v":true,'), BROKEN)
in_the_log("a_version_with_a_fraction", lambda data: data.replace(b'"v":1,', b'"v":1.0,'), BROKEN)
in_the_log("bytes_that_are_not_ascii", lambda data: data.replace(b"approved", "app\N{EURO SIGN}".encode()), BROKEN)
in_the_log("a_tab", lambda data: data.replace(b'"v":1,', b'"v":\t1,'), BROKEN)
in_the_log("a_nul", lambda data: data.replace(b"approved", b"app\0roved"), BROKEN)
in_the_log("nothing_at_all", lambda data: b"", BROKEN)
in_the_log("a_list", lambda data: b"[1]", BROKEN)
in_the_log(
    "an_uppercase_id", lambda data: data[:10] + data[10:60].upper().replace(b'"ID"', b'"id"') + data[60:], BROKEN
)
in_the_log("no_time", lambda data: data.replace(b'Z","actor"', b'","actor"'), BROKEN)
in_the_log("the_31st_of_february", lambda data: data.replace(b'"at":"2026-03-01', b'"at":"2026-02-31'), BROKEN)
in_the_log("a_decision_without_an_outcome", lambda data: data.replace(b'"outcome":', b'"income":'), BROKEN)
in_the_log("a_decision_with_an_unknown_part", lambda data: data.replace(b'{"input":', b'{"soul":'), BROKEN)
in_the_log("a_commitment_in_capitals", lambda data: data[:-100] + data[-100:].upper(), BROKEN)
in_the_log(
    "an_entry_of_65536_bytes", lambda data: data[:-1] + b',"more":"' + b"x" * (65_536 - len(data) - 10) + b'"}', BROKEN
)
in_the_log(
    "a_decision_of_another_system",
    lambda data: data.replace(b'"system":"', b'"system":"0', 1).replace(b'0","env', b'","env'),
    "entry-misplaced",
)


@forgery("entry-repeated")
def sealed_one_entry_twice() -> Made:
    world, log = small()
    log.entries.append(log.entries[3])
    return made(build(world, whole_range(log)))
