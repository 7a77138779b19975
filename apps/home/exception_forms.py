"""What people type about exceptions. Bad input is told on its field; rules live elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from apps.approvals.rules import LEAST_REVIEW, LIFTABLE, LONGEST_MINUTES, SHORTEST_MINUTES, USUAL_MINUTES, ExceptionKind
from apps.approvals.steps import Plea
from apps.home.deciding_forms import LONGEST_TEXT, Said, Shown
from apps.home.facts.exception_ways import Way

LONGEST_REASON = 2000
CHOOSE = "Choose what shall be passed."


class RadioSelectWidget(forms.RadioSelect):
    """A choice of which some are shown and not offered; its name tells the field component that it is a group."""

    closed: Mapping[str, str] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - the widget's own signature
        """An option as it stands, shut where it is not offered."""
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.closed:
            option["attrs"] |= {"disabled": True, "checked": False}
        return option


class PleaFields(Shown):
    """What somebody asks for."""

    kind = forms.ChoiceField(
        label="What shall be passed",
        choices=[(kind.value, f"{kind.label}: {kind.text}") for kind in ExceptionKind],
        widget=RadioSelectWidget,
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

    def offer(self, ways: Iterable[Way]) -> "PleaFields":
        """Say of each kind what it means now, and take none that would pass nothing."""
        offered = [*ways]
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - it is declared above
        assert isinstance(field.widget, RadioSelectWidget)  # noqa: S101
        field.choices = [(way.kind.value, way.label) for way in offered]
        field.widget.closed = {way.kind.value: way.why_not for way in offered if not way.is_offered}
        return self

    def clean_kind(self) -> str:
        """One that passes nothing now is not taken, with why."""
        kind, widget = str(self.cleaned_data["kind"]), self.fields["kind"].widget
        if isinstance(widget, RadioSelectWidget) and kind in widget.closed:
            raise forms.ValidationError(widget.closed[kind])
        return kind

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

    review = Said(
        label="What happened",
        longest=LONGEST_TEXT,
        help_text=f"At least {LEAST_REVIEW} characters.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "grows"}),
    )
    prevention = Said(
        label="What is done so that it is not needed again",
        longest=LONGEST_TEXT,
        help_text=f"At least {LEAST_REVIEW} characters.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "grows"}),
    )
