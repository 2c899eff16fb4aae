"""Choosing a person: from a list where there are few, by typing where there are many."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse_lazy

from governance.models import Person
from governance.models.people import plain_address

FEW = 50
SUGGESTED = 20


def active_people(*, but: Person | None = None) -> QuerySet[Person]:
    people = Person.objects.filter(is_active=True).order_by("name", "id")
    return people.exclude(pk=but.pk) if but else people


def suggested(typed: str) -> QuerySet[Person]:
    """Those whose name has a word that begins so, or whose address does."""
    asked = typed.strip()
    begins = Q(name__istartswith=asked) | Q(name__icontains=f" {asked}") | Q(email__istartswith=asked)
    return active_people().filter(begins)[:SUGGESTED] if asked else Person.objects.none()


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]  # no generic at run time
    """A list of names up to `FEW` people; else an e-mail address, proposed while one types a name or an address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Person.objects.none(), **kwargs)
        self._words = self.help_text

    def offer(self, people: QuerySet[Person]) -> None:
        """The people one may choose: said once the form is made."""
        self.queryset = people
        if people[: FEW + 1].count() > FEW:
            self.to_field_name = "email"
            self.widget = forms.TextInput(
                {"data-people": reverse_lazy("admin:people_suggested"), "autocomplete": "off", "spellcheck": "false"}
            )
            typing = "Type a name, and choose; or type the e-mail address."
            self.help_text = f"{self._words} {typing}".strip()

    def to_python(self, value: Any) -> Any:
        return super().to_python(plain_address(value) if self.to_field_name == "email" and value else value)

    def prepare_value(self, value: Any) -> Any:
        return (
            value.email if isinstance(value, Person) and self.to_field_name == "email" else super().prepare_value(value)
        )
