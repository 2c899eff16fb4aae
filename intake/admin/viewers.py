"""Who is looking."""

from django.http import HttpRequest

from governance.models import Person


def viewer(request: HttpRequest) -> Person:
    """The signed-in person. The site lets nobody else in."""
    if not isinstance(request.user, Person):
        raise TypeError("a page of the admin was reached without signing in")
    return request.user
