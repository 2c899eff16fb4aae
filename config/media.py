"""JSON in and out of REST framework: strict where the standard library is lenient."""

import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.utils.functional import Promise
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

MAX_NAME = 100


class JSONParser(BaseParser):
    """application/json in UTF-8. NaN and Infinity are not JSON and are refused, and so is a name that comes twice.

    Not for decisions, which have a faster reader of their own: bodies here are small.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            # the decoder's message says what and where, never what stood there
            raise ParseError(
                f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            ) from error
        _refuse_repeated_names(body)
        return found


def _refuse_repeated_names(body: bytes) -> None:
    """Read once more for this alone, with numbers left as text: what orjson made of the body is what counts."""
    try:
        json.loads(body, object_pairs_hook=_once_each, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ParseError(f"The name {json.dumps(name[:MAX_NAME])} comes twice in one object.")
        seen.add(name)


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None  # JSON has none: it is UTF-8

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> str:
    """Lazy translations; anything else without a form in JSON is a fault of the view."""
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__qualname__} has no form in JSON")
