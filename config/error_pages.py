"""Refusals as pages for people, and Django's handlers, which choose between a page and a problem document."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from config.errors import BadRequest, Forbidden, NotFound, ServiceError, problem_types
from config.problems import as_service_error, current_service_error, is_api_path, problem_response, type_uri
from config.request_ids import request_id


def page(request: HttpRequest, error: ServiceError) -> HttpResponse:
    """A refusal for a person. The template asks no database and no session: they may be what is missing."""
    may_ask = error.status in {403, 404} and error.way_on is None
    context = {"error": error, "request_id": request_id(request), "may_ask_for_access": may_ask}
    body = render_to_string("errors/page.html", context)
    return HttpResponse(body, status=error.status, headers={"Cache-Control": "no-store", **error.headers})


def answer(request: HttpRequest, error: ServiceError) -> HttpResponse:
    return problem_response(error, request) if is_api_path(request.path) else page(request, error)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, as_service_error(exception) or BadRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, Forbidden())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Also reached when a middleware met a missing database: then it is 503, not 500."""
    refusal = current_service_error()
    return answer(request, refusal)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open for very long, or was not ours."""
    return answer(
        request, Forbidden("The form has expired or did not come from this site. Reload the page and try again.")
    )


def problem_index(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """Where the `type` of a problem document leads: the one that was asked for, or all of them."""
    kinds = problem_types()
    if code is not None and code not in kinds:
        return page(request, NotFound("There is no problem type of that name."))
    context = {"kinds": [(kind, type_uri(kind)) for kind in kinds.values() if code in {None, kind.code}], "asked": code}
    return HttpResponse(render_to_string("errors/problems.html", context))
