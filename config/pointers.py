"""JSON pointers, as problem documents name places."""

import re


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901): `pointer("records", 3, "a/b")` is `/records/3/a~1b`.

    Callers choose names of fields. What neither UTF-8 nor PostgreSQL can hold (half a surrogate pair, U+0000) is
    written as JSON escapes it, so that every pointer can be sent and stored.
    """
    return "".join("/" + _storable(str(part)).replace("~", "~0").replace("/", "~1") for part in parts)


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _storable(text: str) -> str:
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
