"""Looking for values in everything that an installation keeps: its database, its files, in whatever form they take.

PostgreSQL's own files are looked into by those who ask for them: dead rows and write-ahead logs are what no statement
reaches.
"""

import base64
import gzip
import hashlib
import html
import io
import json
import os
import quopri
import subprocess
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from config.standalone import layout
from config.standalone.binaries import postgres_bin

DIGESTS = ("md5", "sha1", "sha256", "sha512")
"""Without a key: whoever guesses a value could try it."""
CHUNK, OVERLAP = 1 << 24, 4096


@cache
def spelled(value: str) -> tuple[bytes, ...]:
    """A value as something may have written it, in lower case."""
    return tuple(dict.fromkeys(_spelled(value)))


def _spelled(value: str) -> Iterator[bytes]:
    for text in dict.fromkeys((value, value.lower(), value.upper(), value.title(), value.casefold())):
        plain = text.encode()
        for each in dict.fromkeys((plain, json.dumps(text)[1:-1].encode(), html.escape(text).encode())):
            yield each.lower()
            yield each.hex().encode()
            yield b"".join(b"\\%03o" % byte if byte > 126 else bytes([byte]) for byte in each).lower()
            yield quopri.encodestring(each).lower()
            for shift in range(3):
                whole = base64.b64encode(b"\0" * shift + each)
                start = -(-shift * 8 // 6)
                yield whole[start + (1 if shift else 0) : len(whole) // 4 * 4 - 4].lower()
        yield "".join(f"&#{ord(letter)};" if ord(letter) > 126 else letter for letter in text).lower().encode()
        yield text.encode("utf-16-le").lower()
        yield text.encode("utf-16-be").lower()  # as texts of a PDF
        for name in DIGESTS:
            for said in (plain, json.dumps(text).encode()):
                digest = hashlib.new(name, said, usedforsecurity=False)
                yield digest.hexdigest().encode()
                yield base64.b64encode(digest.digest()).rstrip(b"=").lower()


def found_in(data: bytes, values: Iterable[str]) -> dict[str, bytes]:
    """Of these values those that stand in it, each with the words around it."""
    lowered, found = data.lower(), {}
    for value in values:
        for form in spelled(value):
            at = lowered.find(form)
            if at >= 0:
                found[value] = data[max(0, at - 200) : at + 100]
    return found


def found_in_file(path: Path, values: Collection[str]) -> dict[str, bytes]:
    """The same of a file, a piece at a time; of one that is packed, unpacked too."""
    found: dict[str, bytes] = {}
    try:
        with path.open("rb") as file:
            before = b""
            while piece := file.read(CHUNK):
                found |= found_in(before + piece, values)
                before = piece[-OVERLAP:]
        for data in _unpacked(path):
            found |= found_in(data, values)
    except FileNotFoundError:  # it went while somebody looked
        return {}
    return found


def _unpacked(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        begins = file.read(4)
    if begins[:2] == b"\x1f\x8b":
        yield gzip.decompress(path.read_bytes())
    elif begins == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as packed:
                yield from (packed.read(name) for name in packed.namelist())
        except zipfile.BadZipFile:  # one that is being made
            yield _inflated(path.read_bytes())


def _inflated(data: bytes) -> bytes:
    """What stands in the members of a zip without its end."""
    found, at = io.BytesIO(), data.find(b"PK\x03\x04")
    while at >= 0:
        start = (
            at
            + 30
            + int.from_bytes(data[at + 26 : at + 28], "little")
            + int.from_bytes(data[at + 28 : at + 30], "little")
        )
        try:
            found.write(zlib.decompressobj(-15).decompress(data[start:]))
        except zlib.error:
            found.write(data[start:])
        at = data.find(b"PK\x03\x04", at + 4)
    return found.getvalue()


def dump(folder: Path, *, escape: bool = False) -> bytes:
    """The whole database of a data folder, as text."""
    environment = dict(os.environ) | ({"PGOPTIONS": "-c bytea_output=escape"} if escape else {})
    command = [str(postgres_bin() / "pg_dump"), "--username=keeper", f"--host={layout.socket_dir(folder, 'pg')}"]
    done = subprocess.run([*command, layout.DATABASE], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def files(folder: Path) -> Iterator[Path]:
    """Every file of a data folder but PostgreSQL's."""
    for root, folders, names in os.walk(folder):
        if Path(root).name == "pg":
            folders[:] = [each for each in folders if each != "data"]
        yield from (path for name in names if (path := Path(root, name)).is_file())
