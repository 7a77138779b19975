"""What people type about incidents. The verbs check what may be kept; forms check that it can be read."""

from django import forms

LONGEST_TITLE, LONGEST_NOTE, LONGEST_REASON = 200, 4000, 300
LOCAL = "%Y-%m-%dT%H:%M"


class Moment(forms.DateTimeField):
    """A moment in the reader's zone; empty means now."""

    def __init__(self, label: str) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL)
        said = {"invalid": "This is no date with a time. Write it like 2026-11-20T14:20."}
        super().__init__(label=label, required=False, widget=widget, input_formats=[LOCAL, "%Y-%m-%d %H:%M"], error_messages=said)


class Shown(forms.Form):
    """A form that shows what an action did not accept."""

    def put_errors(self, errors: dict[str, list[str]]) -> None:
        """Put each sentence on its field, or above the form."""
        for field, sentences in errors.items():
            self.add_error(field if field in self.fields else None, sentences)


class Opening(Shown):
    """Something is wrong for users."""

    target = forms.UUIDField(label="Where", widget=forms.Select, error_messages={"required": "Choose where.", "invalid": "Choose where."})
    title = forms.CharField(label="What users see", max_length=LONGEST_TITLE, error_messages={"required": "Write what users see."})
    started_at = Moment("Since when, as far as you know")
    hold = forms.BooleanField(label="Stop deployments there; rollbacks still go", required=False, initial=True)


class Note(Shown):
    """What happened."""

    occurred_at = Moment("Happened at")
    text = forms.CharField(
        label="What happened",
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 1, "class": "grows", "placeholder": "What happened? Late entries keep both times."}),
        error_messages={"required": "Write what happened."},
    )


class Ending(Shown):
    """Why users are well again, or why it is over."""

    reason = forms.CharField(label="Reason, for the record", max_length=LONGEST_REASON, required=False)
