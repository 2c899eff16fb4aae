"""The id of a request: on its answer, on its log line, in its problem document."""

import re

from django.http import HttpRequest

from config.ids import new_id

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{7,99}")
_KEY = "answerable.request_id"


def request_id(request: HttpRequest) -> str:
    """The caller's id where it is fit for a log line, else ours. Kept in META, which REST framework passes on."""
    found = request.META.get(_KEY)
    if found is None:
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        found = request.META[_KEY] = sent if SANE.fullmatch(sent) else str(new_id())
    return str(found)
