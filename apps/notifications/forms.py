"""What a person wants to be told, as a form. The verb checks what may be chosen; the form that it can be read."""

from typing import Any

from django import forms

from apps.notifications.facts.wishes import Wishes
from apps.notifications.kinds import TOPICS, Kind

HOURS = [(str(hour), f"{hour:02}:00") for hour in range(24)]


class Choices(forms.Form):
    """One choice for each kind, the hour of the digest, and whether the rest waits for working hours."""

    def __init__(self, *given: Any, wishes: Wishes, **more: Any) -> None:  # noqa: ANN401 - handed on to Django
        super().__init__(*given, **more)
        for kind, topic in TOPICS.items():
            self.fields[kind.value] = forms.ChoiceField(
                label=topic.label,
                help_text=topic.text,
                choices=[(timing.value, timing.label) for timing in topic.choices],
                initial=wishes.timing(kind).value,
            )
        self.fields["digest_hour"] = forms.TypedChoiceField(
            label="Hour of the digest", help_text="In your own zone.", choices=HOURS, coerce=int, initial=str(wishes.digest_hour)
        )
        self.fields["only_in_hours"] = forms.BooleanField(
            label="Mail waits for my working hours",
            help_text="Failed deployments, incidents and deployments that need a person come at once.",
            required=False,
            initial=wishes.only_in_hours,
        )

    @property
    def needed(self) -> list[forms.BoundField]:
        """The kinds by which work waits for the person."""
        return [self[kind.value] for kind, topic in TOPICS.items() if topic.is_needed]

    @property
    def news(self) -> list[forms.BoundField]:
        """The other kinds."""
        return [self[kind.value] for kind, topic in TOPICS.items() if not topic.is_needed]

    @property
    def chosen(self) -> dict[str, str]:
        """The choices by kind."""
        return {kind.value: self.cleaned_data[kind.value] for kind in Kind}
