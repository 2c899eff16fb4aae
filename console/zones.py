"""Times in the viewer's zone: the one in their account, else the browser's, which a cookie names."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from config import days

COOKIE = "zone"
MAX_NAME = 64


class ViewerZoneMiddleware:
    """Activates the zone for a request and its page; the organisation's where none is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/admin/"):
            return self.get_response(request)
        with timezone.override(viewer_zone(request)):
            return self.get_response(request)


def viewer_zone(request: HttpRequest) -> zoneinfo.ZoneInfo:
    chosen = getattr(request.user, "time_zone", "") or request.COOKIES.get(COOKIE, "")
    try:
        return zoneinfo.ZoneInfo(chosen[:MAX_NAME] or settings.WRITTEN_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return days.zone()
