"""Damages to single bytes, to which files there are, and to the form of the manifest."""

import json

from tests.bundles.building import Bundle
from tests.bundles.cases import damage


# --- one flipped byte in each kind of file ----------------------------------------------------------------------------
def flipped(bundle: Bundle, path: str, at: int = -2) -> None:
    data = bytearray(bundle.files[path])
    data[at] ^= 1
    bundle.files[path] = bytes(data)


def first_of(bundle: Bundle, text: str) -> str:
    return min(path for path in bundle.files if text in path)


@damage("file-altered")
def a_byte_of_verifying_txt(bundle: Bundle) -> None:
    flipped(bundle, "VERIFYING.txt")


@damage("file-altered")
def a_byte_of_the_verifier(bundle: Bundle) -> None:
    flipped(bundle, "verify.py")


@damage("file-altered")
def a_byte_of_the_page(bundle: Bundle) -> None:
    flipped(bundle, "verify.html")


@damage("first-page-differs")
def a_byte_of_the_first_page(bundle: Bundle) -> None:
    flipped(bundle, "README.html", 2000)
    bundle.sums()


@damage("first-page-differs", "sums-differ")
def a_byte_of_the_first_page_alone(bundle: Bundle) -> None:
    flipped(bundle, "README.html", 2000)


@damage("sums-differ")
def a_byte_of_the_sums(bundle: Bundle) -> None:
    flipped(bundle, "SHA256SUMS", 3)


@damage("manifest-note-differs")
def a_byte_of_the_manifest(bundle: Bundle) -> None:
    data = bundle.files["manifest.json"].replace(b'"adverse": 5', b'"adverse": 6', 1)
    bundle.files["manifest.json"] = data


@damage("manifest-note-differs", "signature-invalid")
def a_byte_of_the_manifests_note(bundle: Bundle) -> None:
    flipped(bundle, "manifest.note", 40)


@damage("file-altered", "signature-invalid", "checkpoint-differs")
def a_byte_of_a_checkpoint(bundle: Bundle) -> None:
    path = first_of(bundle, "/checkpoint")
    lines = bundle.files[path].decode().split("\n")
    lines[2] = ("B" if lines[2][0] != "B" else "C") + lines[2][1:]
    bundle.files[path] = "\n".join(lines).encode()


@damage("file-altered", "before-differs")
def a_byte_of_the_earlier_checkpoint(bundle: Bundle) -> None:
    path = first_of(bundle, "/checkpoint.before")
    lines = bundle.files[path].decode().split("\n")
    lines[2] = ("B" if lines[2][0] != "B" else "C") + lines[2][1:]
    bundle.files[path] = "\n".join(lines).encode()


@damage("file-altered", "tile-altered")
def a_byte_of_a_full_tile(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/tile/0/000"))


@damage("file-altered", "root-differs")
def a_byte_of_a_partial_tile(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/tile/0/001.p"))


@damage("file-altered", "root-differs", "tile-altered")
def a_byte_of_a_tile_above(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/tile/1/000.p"))


@damage("file-altered", "entry-altered")
def a_byte_of_an_entry(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/entries/"), 5000)


@damage("file-altered", "part-altered")
def a_byte_of_a_content(bundle: Bundle) -> None:
    path = first_of(bundle, "parts/")
    bundle.files[path] = bundle.files[path].replace(b'{\\"n\\":12}', b'{\\"n\\":13}', 1)


@damage("file-altered", "timestamp-invalid")
def a_byte_of_a_timestamp(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/timestamps/"), -40)


@damage("disclosed-malformed")
def a_byte_of_the_disclosed_list(bundle: Bundle) -> None:
    flipped(bundle, first_of(bundle, "/disclosed"), -1)


# --- files that are missing, extra, or listed wrongly -----------------------------------------------------------------
def without(path: str, *codes: str) -> None:
    def change(bundle: Bundle) -> None:
        del bundle.files[path]

    change.__name__ = f"no_{path}"
    damage(*codes)(change)


for _path in (
    "README.html",
    "VERIFYING.txt",
    "manifest.note",
    "SHA256SUMS",
    "verify.py",
    "verify.html",
    "manifest.json",
):
    without(_path, "file-missing")


@damage("file-missing")
def no_manifest_and_nothing_else(bundle: Bundle) -> None:
    bundle.files = {path: data for path, data in bundle.files.items() if path.startswith("logs/")}


@damage("file-extra")
def a_file_too_many(bundle: Bundle) -> None:
    bundle.files["notes.txt"] = b"read me first"


@damage("file-extra")
def a_file_too_many_that_is_listed(bundle: Bundle) -> None:
    bundle.files["notes.txt"] = b"read me first"
    bundle.seal()


@damage("file-extra")
def a_file_that_is_not_listed(bundle: Bundle) -> None:
    bundle.files["parts/000002.ndjson"] = b"{}\n"


@damage("file-missing")
def a_listed_file_that_is_not_there(bundle: Bundle) -> None:
    bundle.files["logs/registry/tile/0/001"] = bytes(8192)
    bundle.seal()
    del bundle.files["logs/registry/tile/0/001"]


@damage("file-missing", "sums-differ")
def a_listed_file_whose_name_is_an_escape_sequence(bundle: Bundle) -> None:
    bundle.manifest["files"].append({"path": "\x1b[2J\u202e\n", "size": 1, "sha256": "0" * 64})
    bundle.manifest["files"].sort(key=lambda each: each["path"])
    bundle.put_manifest()


@damage("file-extra")
def the_first_page_listed(bundle: Bundle) -> None:
    bundle.manifest["files"].insert(0, {"path": "README.html", "size": 1, "sha256": "0" * 64})
    bundle.put_manifest()


@damage("sums-differ")
def sums_that_name_another_file(bundle: Bundle) -> None:
    bundle.files["SHA256SUMS"] += b"0" * 64 + b"  ../../etc/passwd\n"


@damage("sums-differ")
def sums_that_lack_a_file(bundle: Bundle) -> None:
    bundle.files["SHA256SUMS"] = b"".join(bundle.files["SHA256SUMS"].splitlines(keepends=True)[1:])


@damage("sums-differ")
def sums_that_name_a_file_twice(bundle: Bundle) -> None:
    bundle.files["SHA256SUMS"] += bundle.files["SHA256SUMS"].splitlines(keepends=True)[0]


@damage("sums-differ")
def sums_without_their_last_newline(bundle: Bundle) -> None:
    bundle.files["SHA256SUMS"] = bundle.files["SHA256SUMS"][:-1]


@damage("file-altered")
def a_listed_size_that_lies(bundle: Bundle) -> None:
    bundle.manifest["files"][0]["size"] += 1
    bundle.put_manifest()


@damage("file-too-large")
def a_verifier_of_nine_mebibytes(bundle: Bundle) -> None:
    bundle.files["verify.py"] = bytes(9 << 20)
    bundle.seal()


# --- manifest.json in another form ------------------------------------------------------------------------------------
def remanifested(name: str, old: bytes, new: bytes, *codes: str) -> None:
    def change(bundle: Bundle) -> None:
        assert old in bundle.files["manifest.json"], old
        bundle.files["manifest.json"] = bundle.files["manifest.json"].replace(old, new, 1)

    change.__name__ = f"a_manifest_with_{name}"
    damage(*(codes or ("manifest-malformed",)))(change)


remanifested("a_name_twice", b'  "format"', b'  "format": "answerable-evidence/1",\n  "format"')
remanifested("nan", b'"adverse": 54', b'"adverse": NaN')
remanifested("infinity", b'"adverse": 54', b'"adverse": Infinity')
remanifested("a_fraction", b'"adverse": 54', b'"adverse": 54.0')
remanifested("an_exponent", b'"adverse": 54', b'"adverse": 54e0')
remanifested("a_boolean_for_a_number", b'"adverse": 54', b'"adverse": true')
remanifested("a_negative_number", b'"adverse": 54', b'"adverse": -54')
remanifested("a_huge_number", b'"adverse": 54', b'"adverse": 9007199254740993')
remanifested("a_number_of_a_thousand_digits", b'"adverse": 54', b'"adverse": ' + b"9" * 1000)
remanifested("a_leading_zero", b'"adverse": 54', b'"adverse": 054')
remanifested("an_unknown_member", b'  "format"', b'  "extra": 1,\n  "format"')
remanifested("a_member_missing", b'  "whole": true\n', b'  "vhole": true\n')
remanifested("deep_nesting", b'"left_out": []', b'"left_out": ' + b"[" * 500 + b"]" * 500)
remanifested("very_deep_nesting", b'"left_out": []', b'"left_out": ' + b"[" * 200_000)
remanifested("another_indentation", b'\n  "format"', b'\n   "format"')
remanifested("crlf", b'{\n  "answer"', b'{\r\n  "answer"')
remanifested("a_byte_order_mark", b'{\n  "answer"', b'\xef\xbb\xbf{\n  "answer"')
remanifested("something_behind_it", b'"whole": true\n}\n', b'"whole": true\n}\n{}\n')
remanifested("an_escape_too_many", b'"name": "answerable"', b'"name": "\\u0061nswerable"')
remanifested("raw_utf_8", b'"version": "0.1.0"', '"version": "0.1.\N{EURO SIGN}"'.encode())
remanifested("another_format", b"answerable-evidence/1", b"answerable-evidence/2")
remanifested("a_null_for_a_uuid", b'"name": "answerable"', b'"name": null')
remanifested("whole_as_a_number", b'"whole": true', b'"whole": 1')


@damage("manifest-malformed")
def a_manifest_that_is_no_json(bundle: Bundle) -> None:
    bundle.files["manifest.json"] = b"\0\1\2"


@damage("manifest-malformed")
def a_manifest_that_is_empty(bundle: Bundle) -> None:
    bundle.files["manifest.json"] = b""


@damage("manifest-malformed")
def a_manifest_that_is_a_list(bundle: Bundle) -> None:
    bundle.files["manifest.json"] = b"[]\n"


@damage("file-too-large")
def a_manifest_of_too_many_lines(bundle: Bundle) -> None:
    bundle.files["manifest.json"] = b"\n" * 1_000_001


@damage("manifest-malformed")
def a_manifest_in_one_line(bundle: Bundle) -> None:
    bundle.files["manifest.json"] = json.dumps(bundle.manifest, sort_keys=True).encode() + b"\n"
