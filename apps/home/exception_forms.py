"""What people type about exceptions. Bad input is told on its field; rules live elsewhere."""

from typing import Any

from django import forms

from apps.approvals.rules import LIFTABLE, LONGEST_MINUTES, SHORTEST_MINUTES, USUAL_MINUTES, ExceptionKind
from apps.approvals.steps import Plea
from apps.home.deciding_forms import LONGEST_TEXT, Said, Shown

LONGEST_REASON = 2000
CHOOSE = "Choose what shall be passed."


class PleaFields(Shown):
    """What somebody asks for."""

    kind = forms.ChoiceField(
        label="What shall be passed",
        choices=[(kind.value, f"{kind.label}: {kind.text}") for kind in ExceptionKind],
        widget=forms.RadioSelect,
        error_messages={"required": CHOOSE, "invalid_choice": CHOOSE},
    )
    lifts = forms.MultipleChoiceField(
        label="Rules to pass",
        choices=[*LIFTABLE.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        error_messages={"invalid_choice": f"Choose among {', '.join(LIFTABLE.values())}."},
    )
    minutes = forms.IntegerField(
        label="Minutes",
        initial=USUAL_MINUTES,
        help_text=f"{SHORTEST_MINUTES} to {LONGEST_MINUTES}, from the second signature on.",
        widget=forms.NumberInput(attrs={"min": SHORTEST_MINUTES, "max": LONGEST_MINUTES, "inputmode": "numeric"}),
        error_messages={"required": "Say for how many minutes.", "invalid": "Write a whole number of minutes."},
    )
    reason = Said(label="Why it cannot wait", longest=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 3, "class": "grows"}))

    def clean(self) -> dict[str, Any]:
        """Rules are named for the gate's rules alone: what was ticked beside another kind means nothing."""
        data = super().clean() or {}
        if data.get("kind") and data["kind"] != ExceptionKind.GATE:
            data["lifts"] = []
        return data

    @property
    def plea(self) -> Plea:
        """What was asked for."""
        given = self.cleaned_data
        return Plea(given["kind"], given["minutes"], given["reason"], tuple(given["lifts"]))


class ExceptionReview(Shown):
    """The review that is owed."""

    review = Said(label="What happened", longest=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 3, "class": "grows"}))
    prevention = Said(
        label="What is done so that it is not needed again",
        longest=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 3, "class": "grows"}),
    )
