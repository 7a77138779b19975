"""The forms by which an environment is made stricter, or is to ask for less: first chosen and tried, then set."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from apps.catalog.rules import LONGEST_GRACE, REQUIRED_ORDER
from apps.gate.rules import SWITCHABLE
from apps.gate.rules.relaxing import MODE_ORDER, NO_GRACE, REQUIRED
from apps.gate.strictness import TITLES, WHAT
from apps.home.deciding_forms import Said

SAID = {"APPROVED": "approved", "RECORDED": "recorded", "NO": "nothing", "ENFORCED": "enforced", "WARN_ONLY": "warns only", "OFF": "off"}
REQUIRED_CHOICES = [
    (value, {"APPROVED": "To be approved", "RECORDED": "To be recorded", "NO": "Nothing"}[value]) for value in reversed(REQUIRED_ORDER)
]
MODE_CHOICES = [(value, {"ENFORCED": "Enforced", "WARN_ONLY": "Warns only", "OFF": "Off"}[value]) for value in reversed(MODE_ORDER)]
EITHER = [("A change needs", REQUIRED_CHOICES), ("A rule of the gate is", MODE_CHOICES)]


class Trial(forms.Form):
    """What is tried on the answers of the past, and how. Where what is known, only what fits it is offered."""

    what = forms.ChoiceField(
        label="What",
        required=False,
        error_messages={"invalid_choice": "Choose one of these; the others are always enforced."},
        choices=[(REQUIRED, WHAT), *((name, TITLES[name]) for name in TITLES if name in SWITCHABLE)],
    )
    after = forms.ChoiceField(
        label="From now on", error_messages={"required": "Choose how it shall be.", "invalid_choice": "Choose how it shall be."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - a form takes what a form takes
        super().__init__(*args, **kwargs)
        after = self.fields["after"]
        assert isinstance(after, forms.ChoiceField)  # noqa: S101 - declared above
        what = self.initial.get("what")
        after.choices = EITHER if what is None else REQUIRED_CHOICES if what == REQUIRED else MODE_CHOICES


class Strictness(Trial):
    """What is set, how, and why."""

    reason = Said(
        label="Why",
        longest=300,
        required=False,
        widget=forms.TextInput,
        help_text="The other administrator reads it, and the audit stream.",
    )


class Grace(forms.Form):
    """For how many minutes a yes is good while this installation is away, and why."""

    minutes = forms.IntegerField(
        label="Minutes",
        widget=forms.NumberInput(attrs={"min": 0, "max": LONGEST_GRACE}),
        validators=[MinValueValidator(0, NO_GRACE), MaxValueValidator(LONGEST_GRACE, NO_GRACE)],
        help_text="0 is never: a job then waits until the installation answers.",
        error_messages=dict.fromkeys(("required", "invalid"), NO_GRACE),
    )
    reason = Said(label="Why", longest=300, widget=forms.TextInput, help_text="Whoever confirms it reads it, and the audit stream.")
