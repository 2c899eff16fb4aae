"""Guesses and codes sent at once: none gets past the limit, none is taken twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from governance.models import Person, SignInThrottle
from tests.factories.register import make_person
from tests.factories.sign_in import PASSWORD, with_app, with_password

pytestmark = pytest.mark.committing


def at_once(number: int, act: Callable[[int], bool]) -> int:
    """How many of several requests, sent together, did it."""

    def one(place: int) -> bool:
        try:
            return act(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return sum(pool.map(one, range(number)))


@pytest.fixture
def person() -> Person:
    return with_password(make_person(email="ada@example.org"))


def test_of_twelve_guesses_at_once_five_are_tried(person: Person) -> None:
    def tried(place: int) -> bool:
        given = {"username": "ada@example.org", "password": "wrong"}
        page = Client(REMOTE_ADDR=f"192.0.2.{place}").post("/admin/login/", given).content.decode()
        return "do not match" in page

    assert at_once(12, tried) == 5
    assert SignInThrottle.objects.get(kind="account").locks == 1


def test_of_four_who_send_the_same_code_one_gets_in(person: Person) -> None:
    app = with_app(person)
    browsers = [Client() for _ in range(4)]
    for browser in browsers:
        browser.post("/admin/login/", {"username": "ada@example.org", "password": PASSWORD})
    code = app.now()
    assert at_once(4, lambda n: browsers[n].post("/admin/login/second/", {"code": code}).status_code == 302) == 1
