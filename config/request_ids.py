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
        found = request.META[_KEY] = name_for(request.META.get("HTTP_X_REQUEST_ID", ""))
    return str(found)


def name_for(sent: str) -> str:
    """What a request is called whose caller sent this, or nothing."""
    return sent if SANE.fullmatch(sent) else str(new_id())
