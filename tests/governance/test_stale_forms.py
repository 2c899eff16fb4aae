"""What a form that was written over an older state is told of what stands."""

from datetime import UTC, datetime

from django import forms
from django.http import QueryDict

from governance.admin.stale import show_what_stands


class Edited(forms.Form):
    at = forms.DateTimeField(widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M"))
    powers = forms.MultipleChoiceField(choices=[("stop", "stop it"), ("start", "start it")])
    text = forms.CharField(required=False)
    revision = forms.IntegerField(widget=forms.HiddenInput)


STANDS = {
    "at": datetime(2026, 11, 22, 10, 30, 12, 500, tzinfo=UTC),
    "powers": ("start", "stop"),
    "text": None,
    "revision": 4,
}


def told(sent: str) -> Edited:
    form = Edited(QueryDict(sent))
    assert form.is_valid()
    show_what_stands(form, STANDS)
    return form


def test_only_what_differs_is_told_and_the_next_one_is_written_over_that() -> None:
    form = told("at=2026-11-22T10:30&powers=stop&text=Mine&revision=3")
    assert set(form.errors) == {"powers", "text"}, "the same minute is no difference"
    assert "By now it says: start it, stop it." in form.errors["powers"][0]
    assert "By now it says: nothing." in form.errors["text"][0]
    assert form["revision"].value() == "4" and form["text"].value() == "Mine"


def test_ticks_in_another_order_and_nothing_at_all_are_no_difference() -> None:
    assert not told("at=2026-11-22T10:30&powers=stop&powers=start&text=&revision=3").errors


def test_a_form_of_the_newest_state_is_left_alone() -> None:
    assert not told("at=2026-11-22T11:30&powers=stop&text=Mine&revision=4").errors


def test_what_stands_ends_as_a_sentence_once() -> None:
    form = Edited(QueryDict("at=2026-11-22T10:30&powers=start&powers=stop&text=Mine&revision=3"))
    assert form.is_valid()
    show_what_stands(form, STANDS | {"text": "For one hour."})
    assert str(form.errors["text"][0]).startswith("By now it says: For one hour. Sent")
