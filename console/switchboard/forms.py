"""What the pages of the switchboard ask for."""

from collections.abc import Mapping
from typing import Any

from django import forms

from console.switchboard.words import EMERGENCY_REASONS, IN_FLIGHT, LOOSEN_REASONS, MODES, TIGHTEN_REASONS
from overrides.standing import Epoch, InFlight, Mode

LONGEST_NOTE = 2_000


class EpochField(forms.CharField):
    """The state that the page showed."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Epoch:
        found = Epoch.parse(super().clean(value) or "")
        if found is None:
            raise forms.ValidationError("This page is not complete. Load it again.")
        return found


def _choices(words: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(words.items())


def _note(label: str, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label, required=required, max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 3})
    )


class TightenForm(forms.Form):
    """Each reason is a button: choosing one is the confirmation."""

    reason_code = forms.ChoiceField(choices=_choices(TIGHTEN_REASONS))
    in_flight = forms.ChoiceField(
        choices=_choices(IN_FLIGHT), initial=InFlight.HOLD.value, widget=forms.RadioSelect, label="Work under way"
    )
    note = _note("Note")


class LoosenForm(forms.Form):
    """What is asked for, and why it is safe."""

    epoch = EpochField()
    mode = forms.ChoiceField(widget=forms.RadioSelect, label="Set it to")
    reason_code = forms.ChoiceField(choices=[("", "Choose one"), *_choices(LOOSEN_REASONS)], label="Why it is safe now")
    evidence_url = forms.URLField(
        label="Where the evidence is", required=False, max_length=2_000, assume_scheme="https", help_text="An address."
    )
    """Required from stop: whoever approves lets a stopped AI act again."""
    note = _note("What was found and done")

    def __init__(self, *args: Any, mode: Mode, has_fallback: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        targets = [each for each in reversed(Mode) if each.severity < mode.severity]
        targets = [each for each in targets if each is not Mode.FALLBACK or has_fallback]
        modes: Any = self.fields["mode"]
        modes.choices = [(each.value, f"{MODES[each].state}: {MODES[each].effect}") for each in targets]
        self.fields["evidence_url"].required = mode is Mode.STOP
        staged = Mode.REVIEW in targets
        modes.initial = Mode.REVIEW.value if staged else Mode.RUN.value
        modes.help_text = (
            "In stages is safer: first people decide, and when that goes well ask for running." if staged else ""
        )


class EmergencyForm(forms.Form):
    """One person alone says why it cannot wait."""

    epoch = EpochField()
    reason_code = forms.ChoiceField(choices=[("", "Choose one"), *_choices(EMERGENCY_REASONS)], label="Reason")
    note = _note("Why it cannot wait", required=True)


class RefusalForm(forms.Form):
    note = _note("Why not")
