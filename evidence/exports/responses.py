"""The file of an export over HTTP: whole or in part, for browsers, download managers and programs alike."""

import uuid
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import parse_etags

from evidence.exports.fetching import Part, fetch, part_of
from ledger.entries import Actor


def file_response(request: HttpRequest, actor: Actor, export_id: uuid.UUID) -> HttpResponseBase:
    """As its headers `Range` and `If-Range` ask. Errors: those of `part_of` and `fetch`."""
    headers, is_read = request.META, request.method == "GET"
    part = part_of(
        actor=actor,
        export_id=export_id,
        wanted=headers.get("HTTP_RANGE", "") if is_read else "",  # a range is of GET alone (RFC 9110, section 14.2)
        if_range=headers.get("HTTP_IF_RANGE", ""),
    )
    if _is_known(headers.get("HTTP_IF_NONE_MATCH", ""), part.etag):
        return _with_headers(HttpResponse(status=HTTPStatus.NOT_MODIFIED), part)
    if not is_read:
        response: HttpResponseBase = HttpResponse(content_type="application/zip")
    else:
        status = HTTPStatus.OK if part.is_whole else HTTPStatus.PARTIAL_CONTENT
        pieces = fetch(actor=actor, part=part)
        response = StreamingHttpResponse(pieces, status=status, content_type="application/zip")
    response["Content-Length"] = str(part.size)
    if not part.is_whole:
        response["Content-Range"] = part.content_range
    return _with_headers(response, part)


def _is_known(stated: str, etag: str) -> bool:
    """Whether `If-None-Match` names it; tags are compared weakly here (RFC 9110, section 13.1.2)."""
    tags = parse_etags(stated)
    return tags == ["*"] or etag in (each.removeprefix("W/") for each in tags)


def _with_headers(response: HttpResponseBase, part: Part) -> HttpResponseBase:
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = part.etag
    response["Cache-Control"] = "private, no-cache"
    # made of letters, digits, dots and hyphens alone
    response["Content-Disposition"] = f'attachment; filename="{part.export.file_name}"'
    return response
