"""What people type on the change page and the sign-off page. Bad input is told on its field; rules live elsewhere."""

import re
from datetime import datetime
from typing import Any

from django import forms

from apps.approvals.models import Decision
from apps.approvals.steps import Choice
from apps.approvals.steps.deciding import NO_REASON
from apps.core.texts import why_not_text

LONGEST_REASON, LONGEST_TEXT = 300, 10_000
DIGEST = re.compile(r"[0-9a-f]{64}")
NO_REVISION = "What this form was about cannot be read any more. Open the page again, then decide."
LOCAL = "%Y-%m-%dT%H:%M"


class Said(forms.CharField):
    """Text of several lines, refused with the sentence the action would use."""

    widget = forms.Textarea(attrs={"rows": 2, "class": "grows"})

    def __init__(self, *, longest: int, **kwargs: Any) -> None:  # noqa: ANN401 - the field's own options
        super().__init__(**kwargs)
        self.longest = longest

    def validate(self, value: str) -> None:
        """Control characters and length; an empty one that is needed has its own words."""
        if self.required and not value:
            raise forms.ValidationError("This is empty. Write it.")
        if said := why_not_text(value, longest=self.longest):
            raise forms.ValidationError(said)

    def run_validators(self, value: Any) -> None:  # noqa: ANN401 - the field's own signature
        """Everything is said by `validate`: one sentence for one mistake."""


class Shown(forms.Form):
    """A form that shows what an action refused to take on the fields it has."""

    def put_errors(self, errors: dict[str, list[str]]) -> None:
        """Put each sentence on its field, or above the form."""
        for field, sentences in errors.items():
            self.add_error(field if field in self.fields else None, sentences)


class Comment(Shown):
    """Something said about a change."""

    text = Said(
        label="Comment",
        longest=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 1, "class": "grows", "placeholder": "Comment, kept as an entry"}),
    )


class Reason(Shown):
    """Why, where it may be left out."""

    reason = Said(label="Reason", longest=LONGEST_REASON, required=False)


class NeededReason(Shown):
    """Why, where it may not."""

    reason = Said(label="Reason", longest=LONGEST_REASON)


class Review(Shown):
    """What is learned from a change that is over."""

    review = Said(label="Review", longest=LONGEST_TEXT, required=False)


class SignOffChoice(Shown):
    """One decision about the revision that was shown; neither is chosen for anybody."""

    decision = forms.ChoiceField(
        label="Decision",
        choices=[(Decision.APPROVE, "Approve"), (Decision.REJECT, "Reject")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose approve or reject.", "invalid_choice": "Choose approve or reject."},
    )
    revision_digest = forms.CharField(widget=forms.HiddenInput, required=False)
    reason = Said(label="Reason", longest=LONGEST_REASON, required=False)

    def clean_revision_digest(self) -> str:
        """Nobody types it; where it cannot be read, nobody knows what was read."""
        given = str(self.cleaned_data["revision_digest"])
        if not DIGEST.fullmatch(given):
            raise forms.ValidationError(NO_REVISION)
        return given

    def clean(self) -> dict[str, Any]:
        """A no needs its reason."""
        data = super().clean() or {}
        if data.get("decision") == Decision.REJECT and "reason" in data and not data["reason"]:
            self.add_error("reason", NO_REASON)
        return data

    @property
    def choice(self) -> Choice:
        """What was chosen."""
        given = self.cleaned_data
        return Choice(given["decision"], given["revision_digest"], given["reason"])


class Look(forms.Form):
    """Which revision was looked at."""

    revision_digest = forms.RegexField(regex=DIGEST)


class AsSent(forms.CharField):
    """Something that is compared and never shown or kept: it is looked at where it is compared, and nowhere before."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the field's own options
        super().__init__(required=False, strip=False, **kwargs)

    def run_validators(self, value: Any) -> None:  # noqa: ANN401 - the field's own signature
        """Whatever it holds, it is right or wrong as a whole."""


class SignOffProof(Shown):
    """The statement as it was put before a person, and what proves that they sign it."""

    statement = AsSent(widget=forms.HiddenInput)
    password = AsSent(label="Your password", widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
    code = AsSent(
        label="Code of your authenticator app",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )
    credential = AsSent(widget=forms.HiddenInput)


class LocalMoment(forms.CharField):
    """A date and a time as the browser writes them; the zone they are read in is the reader's."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def clean(self, value: Any) -> datetime:  # noqa: ANN401 - the field's own signature
        """The local moment, without a zone."""
        try:
            return datetime.strptime(super().clean(value), LOCAL)  # noqa: DTZ007 - the verb reads it in the zone it is given
        except ValueError as error:
            raise forms.ValidationError("Write a date and a time, such as 2026-11-20T16:30.") from error


class SlotTimes(Shown):
    """When a leg is planned."""

    starts_at = LocalMoment(label="Start", max_length=16)
    ends_at = LocalMoment(label="End", max_length=16)
