"""What people write about walls. The verbs check what may be kept; forms check that it can be read."""

from datetime import datetime
from typing import Any

from django import forms

from apps.accounts.forms import ZoneChoice
from apps.accounts.models import Person
from apps.schedule.access import scope_choices, target_choices

UNKNOWN_SCOPE = "There is nothing of this name. Choose what it covers from the list."
EMPTY = {"required": "This is empty. Write it."}
NOT_CHOSEN = {"required": "Nothing is chosen. Choose what it covers from the list.", "invalid_choice": UNKNOWN_SCOPE}


class LocalMoment(forms.Field):
    """A day and a time as a clock shows them, without a zone: the form's zone says what moment that is."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"unreadable": "Write a day and a time, such as 2026-11-20T18:00.", **EMPTY}

    def to_python(self, value: Any) -> datetime | None:  # noqa: ANN401 - Django's own signature
        """Read it; nothing is None."""
        if value in self.empty_values:
            return None
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError as error:
            raise forms.ValidationError(self.error_messages["unreadable"], code="unreadable") from error
        if moment.tzinfo is not None:
            raise forms.ValidationError(self.error_messages["unreadable"], code="unreadable")
        return moment


class WallSheet(forms.Form):
    """A freeze or a window."""

    title = forms.CharField(
        error_messages=EMPTY, widget=forms.TextInput(attrs={"maxlength": 120}), help_text="Everybody who is stopped by it reads this."
    )
    scope = forms.ChoiceField(label="What it covers", error_messages=NOT_CHOSEN)
    starts_at = LocalMoment(label="From")
    ends_at = LocalMoment(label="Until")
    time_zone = ZoneChoice(help_text="Both times are what a clock there shows.")
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2, "maxlength": 300}))

    def __init__(self, *given: Any, person: Person, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["scope"].choices = scope_choices(person)  # type: ignore[attr-defined]  # the stub's Field has no choices
        self.initial.setdefault("time_zone", person.time_zone)

    def clean_scope(self) -> tuple[str, str]:
        """The kind and the public id."""
        return _kind_and_id(self.cleaned_data["scope"])


class HoldSheet(forms.Form):
    """A hold."""

    scope = forms.ChoiceField(label="What to stop", error_messages=NOT_CHOSEN)
    reason = forms.CharField(
        error_messages=EMPTY,
        widget=forms.Textarea(attrs={"rows": 2, "maxlength": 300}),
        help_text="Everybody who is stopped by it reads this.",
    )

    def __init__(self, *given: Any, person: Person, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        self.fields["scope"].choices = [target_choices(person), *scope_choices(person)]  # type: ignore[attr-defined]  # as above

    def clean_scope(self) -> tuple[str, str]:
        """The kind and the public id."""
        return _kind_and_id(self.cleaned_data["scope"])


class LiftReason(forms.Form):
    """Why it is safe to go on."""

    reason = forms.CharField(
        error_messages=EMPTY,
        widget=forms.Textarea(attrs={"rows": 2, "maxlength": 300}),
        label="Why it is safe now",
        help_text="It stays in the record.",
    )


def _kind_and_id(choice: str) -> tuple[str, str]:
    kind, _, public_id = choice.partition(":")
    return kind, public_id
