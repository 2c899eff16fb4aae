"""Passwords: long, not one's own name, not a common one; nothing else is asked of them."""

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.core.exceptions import ValidationError

from governance.services.people import change_own_password
from tests.factories.register import actor_of, make_person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "refused",
    [
        "short",
        "elevenchars",
        "Grace Lindqvist",
        "gracelindqvist1",
        "grace@example.org",
        "1234567890123",
        "passwordpassword",
    ],
)
def test_what_is_easily_guessed_is_refused(refused: str) -> None:
    person = make_person(name="Grace Lindqvist", email="grace@example.org")
    with pytest.raises(ValidationError):
        change_own_password(actor=actor_of(person), password=refused)


@pytest.mark.parametrize("taken", ["all lower case and long", "zwölf Boxkämpfer", "plum-otter-crane"])
def test_no_rules_of_composition(taken: str) -> None:
    person = make_person(name="Grace Lindqvist", email="grace@example.org")
    person = change_own_password(actor=actor_of(person), password=taken)
    assert person.check_password(taken)
    assert identify_hasher(person.password).algorithm == "scrypt"
