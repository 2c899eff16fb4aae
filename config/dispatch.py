"""Which method an address takes, and whose it is where several floors share one. Wired by the roof."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

View = Callable[..., HttpResponseBase]


def by_method(described: Any, **views: View) -> View:
    """A view that hands POST to `views["POST"]` and so on, and everything else to `described`.

    `described` is a view of REST framework; the API's description is made from it.
    """

    own = {name.upper() for name in described.cls.http_method_names if hasattr(described.cls, name)}
    allowed = sorted({*views, *own} | ({"HEAD"} if "GET" in own else set()))

    def dispatch(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if request.method not in allowed:
            # before anybody asks for rights: which methods there are is no secret
            return HttpResponseNotAllowed(allowed)
        found: View = views.get(request.method or "", described)
        return found(request, **kwargs)

    # each view looks after itself: REST framework's are exempt, and so are those that take keys, not cookies
    dispatch.__dict__.update(csrf_exempt=True, cls=described.cls, initkwargs=described.initkwargs)
    return dispatch


def for_reading(view: View) -> View:
    """GET and HEAD alone: any other method is 405, and not first a question of CSRF tokens, which no program has."""
    return csrf_exempt(require_safe(view))
