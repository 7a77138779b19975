"""What people type to keep a search under a name."""

from django import forms

from apps.home.deciding_forms import Shown
from apps.home.search.grammar import LONGEST


class NamedSearch(Shown):
    """A search and what it is called."""

    name = forms.CharField(label="Name", max_length=40, error_messages={"required": "This is empty. Write a name."})
    q = forms.CharField(widget=forms.HiddenInput, required=False, max_length=LONGEST)
