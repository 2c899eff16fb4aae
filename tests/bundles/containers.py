"""Zips written byte by byte, so that a test can make any of their fields lie."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STAMP = (0, 23_649)  # 2026-03-01


@dataclass
class Member:
    """One file, with everything that its two headers say of it; `data` is what stands between them."""

    name: bytes
    data: bytes
    size: int
    crc: int
    method: int = 0
    flags: int = 0
    maker: int = 0x0314
    needs: int = 20
    inner: int = 0
    outer: int = 0o100644 << 16
    comment: bytes = b""
    extra: bytes = b""
    local_extra: bytes = b""
    local: dict[str, Any] | None = None
    """Where the local header says something else."""
    prefix: bytes = b""
    """What stands before the local header."""
    offset: int | None = None
    """Where the central directory says that it is."""
    suffix: bytes = b""


def members_of(files: dict[str, bytes], *, deflated: bool = False) -> list[Member]:
    """Members as an honest writer makes them."""
    found = []
    for path, data in files.items():
        packed, method = data, 0
        if deflated:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed, method = deflate.compress(data) + deflate.flush(), 8
        found.append(Member(path.encode(), packed, len(data), zlib.crc32(data), method))
    return found


def pack(
    members: list[Member], *, prefix: bytes = b"", gap: bytes = b"", comment: bytes = b"", suffix: bytes = b"",
    count: int | None = None, size: int | None = None, offset: int | None = None, zip64: bool = False,
    end64: dict[str, int] | None = None,
) -> bytes:  # fmt: skip
    """Write a zip. `count`, `size` and `offset` are what its end says, where that is a lie."""
    out, rows = bytearray(prefix), []
    for member in members:
        out += member.prefix
        rows.append(_central(member, len(out) if member.offset is None else member.offset))
        out += _local(member) + member.data + member.suffix
    out += gap
    directory = b"".join(rows)
    start = len(out) if offset is None else offset
    counted = len(members) if count is None else count
    length = len(directory) if size is None else size
    out += directory
    if zip64:
        where = len(out)
        said = {
            "count": counted,
            "size": length,
            "offset": start,
            "record": 44,
            "disks": 1,
            "needs": 45,
            **(end64 or {}),
        }
        out += struct.pack(
            "<4sQ2H2L4Q",
            b"PK\x06\x06",
            said["record"],
            45,
            said["needs"],
            0,
            0,
            said["count"],
            said["count"],
            said["size"],
            said["offset"],
        )
        out += struct.pack("<4sLQL", b"PK\x06\x07", 0, said.get("where", where), said["disks"])
        counted, length, start = (
            said.get(f"classic_{name}", most)
            for name, most in (("count", 0xFFFF), ("size", 0xFFFFFFFF), ("offset", 0xFFFFFFFF))
        )
    out += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, counted, counted, length, start, len(comment)) + comment
    return bytes(out) + suffix


def _local(member: Member) -> bytes:
    said = {
        "flags": member.flags, "method": member.method, "stamp": STAMP, "crc": member.crc, "packed": len(member.data),
        "size": member.size, "name": member.name, **(member.local or {}),
    }  # fmt: skip
    head = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, said["flags"], said["method"], *said["stamp"], said["crc"], said["packed"],
        said["size"], len(said["name"]), len(member.local_extra),
    )  # fmt: skip
    return head + bytes(said["name"]) + member.local_extra


def _central(member: Member, offset: int) -> bytes:
    head = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", member.maker, member.needs, member.flags, member.method, *STAMP, member.crc,
        len(member.data), member.size & 0xFFFFFFFF, len(member.name), len(member.extra), len(member.comment), 0,
        member.inner, member.outer, offset,
    )  # fmt: skip
    return head + member.name + member.extra + member.comment


def repacked(change: Callable[[list[Member]], object], **ends: Any) -> Callable[[dict[str, bytes]], bytes]:
    """A writer whose members are changed first."""

    def write(files: dict[str, bytes]) -> bytes:
        members = members_of(files)
        change(members)
        return pack(members, **ends)

    return write
