"""Forms that were written over an older state than the one that stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.formats import localize

NOTHING: Any = (None, "", [], ())
AGAIN = "Sent once more, yours takes its place."


def show_what_stands(form: forms.Form, stands: Mapping[str, Any]) -> None:
    """After a refusal: what stands by now beside each field that says otherwise, and the revision of that.

    `stands`: initial values of the fields as they are now, with the `revision`. Nothing changes in a form that was
    made from it, nor in what was typed: sent once more, it is written over what its writer was shown.
    """
    hidden = {field.name for field in form.hidden_fields()} & set(stands)
    if "revision" not in hidden or form.data.get(form.add_prefix("revision")) == str(stands["revision"]):
        return
    for field in form.visible_fields():
        if field.name not in stands:
            continue
        now = stands[field.name]
        if _shown(field.field, form.cleaned_data.get(field.name)) != _shown(field.field, now):
            form.add_error(field.name, f"By now it says: {_sentence(_words(field.field, now))} {AGAIN}")
    sent = cast("Any", form.data).copy()
    for name in hidden:
        sent[form.add_prefix(name)] = str(stands[name])
    form.data = sent


def _shown(field: forms.Field, value: Any) -> Any:
    """As its input shows it: a moment to the minute is no other than the same one to the microsecond."""
    shown: Any = field.widget.format_value(field.prepare_value(value))
    return sorted(shown) if isinstance(shown, (list, tuple)) else shown or ""


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _words(field: forms.Field, value: Any) -> str:
    if value in NOTHING:
        return "nothing"
    if isinstance(field, forms.ChoiceField):
        labels = dict(cast("Any", field).choices)
        chosen = value if isinstance(value, (list, tuple)) else [value]
        return ", ".join(str(labels.get(each, each)) for each in chosen)
    return str(localize(timezone.localtime(value) if isinstance(value, datetime) else value))
