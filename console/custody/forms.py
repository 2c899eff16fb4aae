"""The form by which an act of custody is asked for."""

import uuid
from typing import Any

from django import forms

from console.cases.forms import CaseForm, long_text


class AskForm(CaseForm):
    """Which logs, where it is about logs, and why."""

    ASKS = "Ask for it"
    log_ids = forms.TypedMultipleChoiceField(
        label="Logs", coerce=uuid.UUID, widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose one."}
    )
    reason = long_text(
        "What happened, and what was tried",
        rows=3,
        help_text="For the administrator who is asked to agree. Erasable; the log holds a commitment to it.",
    )

    def __init__(self, *args: Any, logs: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if logs:
            choice: Any = self.fields["log_ids"]
            choice.choices, choice.initial = logs, [value for value, _ in logs]
        else:
            del self.fields["log_ids"]
