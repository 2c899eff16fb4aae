"""The one repair that time-stamp responses need: certificates in the order of DER.

A CMS SignedData holds its certificates as a SET OF, which DER sorts. Some authorities write them as they come, which
strict parsers refuse. The signature is over other parts, so sorting them changes nothing that anybody signed, and no
length.
"""

from dataclasses import dataclass

SEQUENCE, OID, CONTEXT_0, INTEGER, SET = 0x30, 0x06, 0xA0, 0x02, 0x31
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")


class MalformedDer(ValueError):
    """Not the structure that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, where its content begins, where it ends; `start` is its first byte."""

    tag: int
    start: int
    content: int
    end: int


def sort_certificates(response: bytes) -> bytes:
    """A TimeStampResp with the certificates of its token sorted. What holds no token comes back as it is.

    Errors: MalformedDer for anything but DER of a TimeStampResp.
    """
    outer = _element(response, 0, len(response))
    if outer.tag != SEQUENCE or outer.end != len(response):
        raise MalformedDer("not a time-stamp response")
    parts = _children(response, outer)
    if len(parts) < 2:
        return response  # a refusal has a status, and no token
    certificates = _certificates(response, parts[1])
    if certificates is None:
        return response
    each = [response[part.start : part.end] for part in _children(response, certificates)]
    return response[: certificates.content] + b"".join(sorted(each)) + response[certificates.end :]


def _certificates(data: bytes, token: Element) -> Element | None:
    """ContentInfo { id-signedData, [0] { SignedData { version, digests, content, [0] certificates, ... } } }."""
    info = _children(data, token)
    if len(info) != 2 or data[info[0].start : info[0].end] != SIGNED_DATA or info[1].tag != CONTEXT_0:
        raise MalformedDer("the token is not signed data")
    signed = _children(data, info[1])
    fields = _children(data, signed[0]) if len(signed) == 1 else []
    if len(fields) < 4 or [each.tag for each in fields[:3]] != [INTEGER, SET, SEQUENCE]:
        raise MalformedDer("the token is not signed data")
    return fields[3] if fields[3].tag == CONTEXT_0 else None


def _children(data: bytes, parent: Element) -> list[Element]:
    found, at = [], parent.content
    while at < parent.end:
        child = _element(data, at, parent.end)
        found.append(child)
        at = child.end
    return found


def _element(data: bytes, at: int, limit: int) -> Element:
    """The element at a place; tags of one byte, definite lengths of at most four: more is in no time-stamp."""
    if at + 2 > limit or data[at] & 0x1F == 0x1F:
        raise MalformedDer("cut short, or a tag of several bytes")
    length, content = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or content + size > limit:
            raise MalformedDer("a length that DER does not have")
        length, content = int.from_bytes(data[content : content + size], "big"), content + size
    if content + length > limit:
        raise MalformedDer("cut short")
    return Element(data[at], at, content, content + length)
