"""The part of a form that takes evidence: files, links, pieces that are there already, and which of them is the version itself."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.changes.content.checks import MOST_EVIDENCE
from apps.changes.evidence.kinds import LONGEST_LINK, LONGEST_NAME

MOST_AT_ONCE = 10
NO_FILE = "This is text where a file belongs. Choose a file."


class FilePicker(forms.FileInput):
    """A field for files that takes several at once."""

    allow_multiple_selected = True

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"multiple": True, "data-megabytes": settings.EVIDENCE_MEGABYTES, **(attrs or {})})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> "list[UploadedFile[Any]]":  # noqa: ANN401 - Django's own signature
        """All files under the name, not the last one alone."""
        del data
        return [*files.getlist(name)] if files else []


class Files(forms.FileField):
    """Several files; an empty choice is none."""

    widget = FilePicker

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":  # noqa: ANN401 - Django's own signature
        """Each file by itself; what they hold is looked at by the verb."""
        del initial
        given = data if isinstance(data, list) else [data] if data else []
        if len(given) > MOST_AT_ONCE:
            raise forms.ValidationError(f"These are {len(given)} files. {MOST_AT_ONCE} fit at once; send the others after them.")
        return given


class EvidenceInput(forms.Form):
    """What the request form and the evidence pages read."""

    evidence_file = Files(label="Files", required=False, help_text="JUnit XML and SARIF are counted. Any other file is kept as it is.")
    evidence_link = forms.CharField(
        label="Link to a run",
        required=False,
        max_length=LONGEST_LINK,
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://", "autocomplete": "off"}),
    )
    evidence_link_name = forms.CharField(label="Name of the link", required=False, max_length=LONGEST_NAME)
    evidence = forms.CharField(required=False)
    evidence_version = forms.CharField(required=False, max_length=64)

    def clean(self) -> dict[str, Any]:
        """Text in the place of a file is told: a form that lost its enctype would lose every file without a word."""
        if self.data.get(self.add_prefix("evidence_file")):
            self.add_error("evidence_file", NO_FILE)
        if len(self.values) > MOST_EVIDENCE:
            self.add_error("evidence", f"There are {len(self.values)} pieces of evidence. {MOST_EVIDENCE} fit.")
        return super().clean() or {}

    @property
    def values(self) -> list[str]:
        """The pieces that are ticked: an upload's id, or a digest that the plan names already."""
        getlist = getattr(self.data, "getlist", None)
        return [value for value in dict.fromkeys(getlist("evidence")) if value] if getlist else []
