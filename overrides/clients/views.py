"""The door on the web port: plain Django views over `doors`. Streams and long polls are the control process's."""

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from config.problems import MEDIA_TYPE, problem_document
from config.request_ids import request_id
from governance import memory as register_memory
from governance.api.authentication import is_unknown
from overrides.clients import doors
from overrides.clients.answers import Answer, Question
from overrides.clients.errors import StreamElsewhere
from overrides.clients.ofrep import MAX_BODY


@csrf_exempt
def reads(request: HttpRequest, key: str = "") -> HttpResponse:
    """The state, or flags: which, `doors` knows by the path."""
    question = question_of(request)
    if is_unknown(doors.credentials_of(question)):
        register_memory.look_again()
    return response_of(doors.answer(question))


@csrf_exempt
def stream(request: HttpRequest) -> HttpResponse:
    """A stream asked of the wrong process. A connection that stays would hold one of the web server's threads."""
    error = StreamElsewhere()
    document = problem_document(error, request) | {"control_url": settings.CONTROL_URL}
    headers = {"Cache-Control": "no-store", **doors.CORS}
    return HttpResponse(orjson.dumps(document), status=error.status, content_type=MEDIA_TYPE, headers=headers)


def question_of(request: HttpRequest) -> Question:
    return Question(
        method=request.method or "",
        path=request.path_info,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.GET.dict(),
        body=_body(request) if request.method == "POST" else b"",
        request_id=request_id(request),
    )


def _body(request: HttpRequest) -> bytes:
    """The body, or enough of it to see that it is too large. One without a length is read to where it ends."""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        found: bytes = request.META["wsgi.input"].read(MAX_BODY + 1)
        return found
    return request.read(MAX_BODY + 1)


def response_of(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    if answer.content_type:
        response.headers["Content-Type"] = answer.content_type
    else:
        del response.headers["Content-Type"]
    return response
