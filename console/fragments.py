"""Pages that a script asks for in parts: the part alone, or what was refused as words it can show."""

from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from config.errors import ServiceError

Page = Callable[..., HttpResponse]


def is_fragment(request: HttpRequest) -> bool:
    """Whether a script of ours asks, which puts the answer into the page it is on."""
    return request.headers.get("X-Fragment") == "1"


def refused(request: HttpRequest, refusal: ServiceError, page: Page, **context: Any) -> HttpResponse:
    """What was refused: as words for the script, else on the page."""
    if is_fragment(request):
        return told(said(refusal), refusal.status)
    return page(request, refusal=refusal, **context)


def said(refusal: ServiceError) -> dict[str, Any]:
    fields = [{"name": each.pointer.strip("/").split("/")[0], "detail": each.detail} for each in refusal.errors]
    return {"code": refusal.code, "title": refusal.title, "detail": refusal.detail, "fields": fields}


def told(body: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(body), status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
