"""The API's description: OpenAPI 3.1, with the problems that every endpoint may answer."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from config.problems import MEDIA_TYPE

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457). `type` leads to a page that explains it.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/invalid-input"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri", "description": "Names this occurrence by its request id."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) to the field."},
                    "detail": {"type": "string"},
                    "expected": {"type": "string"},
                },
            },
        },
    },
}

EVERYWHERE = {
    "400": "The request or its body cannot be read.",
    "401": "No valid credential.",
    "403": "Not allowed, or not there.",
    "404": "Nothing here that the asker may know of.",
    "405": "Not with this method.",
    "406": "Not in the form asked for.",
    "429": "Too many requests; see Retry-After.",
    "503": "Not now; see Retry-After. Nothing was acknowledged.",
}
WITH_BODY = {
    "409": "Does not fit the present state.",
    "413": "The body is too large.",
    "415": "The body is of a type that is not read here.",
    "422": "Some fields are not valid; `errors` names them.",
}


class ProblemSchema(AutoSchema):
    """Adds the problems to each operation; what an endpoint declares itself stays as declared."""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        declared: dict[str, Any] = super()._get_response_bodies(direction)
        problems = EVERYWHERE | (
            WITH_BODY if self.method in {"POST", "PUT", "PATCH", "DELETE"} else {"422": WITH_BODY["422"]}
        )
        return {code: self._problem(text) for code, text in problems.items()} | declared

    def _problem(self, description: str) -> dict[str, Any]:
        return {"description": description, "content": {MEDIA_TYPE: {"schema": self._problem_component().ref}}}

    def _problem_component(self) -> ResolvedComponent:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem", type=ResolvedComponent.SCHEMA, object="Problem", schema=PROBLEM_SCHEMA
        )
        self.registry.register_on_missing(component)
        return component


def docs(request: HttpRequest) -> HttpResponse:
    """The description as a page to read and try; everything it loads is served from here."""
    return render(request, "api/docs.html")
