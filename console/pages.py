"""What every page of the console shares: signing in, who looks, the admin's frame, banners."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from console.banners import Banner, banners
from governance.models import Person

View = Callable[..., HttpResponseBase]


def page(view: View) -> View:
    """A page inside the admin: whoever is not signed in goes to the sign-in page and comes back."""
    inside: View = admin.site.admin_view(view)

    @wraps(view)
    def entered(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return inside(request, **kwargs)

    return entered


def viewer(request: HttpRequest) -> Person:
    """The signed-in person. Behind `page` there always is one."""
    return cast(Person, request.user)


def show(
    request: HttpRequest, template: str, *, title: str, status: int = 200, more: Sequence[Banner] = (), **context: Any
) -> HttpResponse:
    """A template of ours inside the admin's frame, below the banners of every page and `more` of its own."""
    frame = {**admin.site.each_context(request), "title": title, "banners": [*banners(viewer(request)), *more]}
    return render(request, f"console/{template}", frame | context, status=status)
