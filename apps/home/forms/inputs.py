"""Small pieces of which the request form is made: text areas, local moments, choices in words."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from django import forms

LOCAL = "%Y-%m-%dT%H:%M"
LONGEST = 10_000


def choices(kinds: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """The choices of an enum in words."""
    return [(kind.value, kind.value.replace("_", " ").capitalize()) for kind in kinds]


def area(label: str, *, rows: int = 1, longest: int = LONGEST, help_text: str = "") -> forms.CharField:
    """A text area that grows with what is written."""
    widget = forms.Textarea(attrs={"rows": rows, "class": "grows"})
    return forms.CharField(label=label, required=False, max_length=longest, widget=widget, help_text=help_text)


def line(label: str, *, longest: int, help_text: str = "", placeholder: str = "") -> forms.CharField:
    """One line of text."""
    widget = forms.TextInput(attrs={"placeholder": placeholder, "autocomplete": "off"} if placeholder else {"autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=longest, widget=widget, help_text=help_text)


def moment(label: str) -> forms.CharField:
    """A local date and time; read by us, because it belongs to the zone beside it."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})
    return forms.CharField(label=label, required=False, max_length=16, widget=widget)


def seconds(label: str, help_text: str = "") -> forms.IntegerField:
    """A number of seconds, or nothing."""
    return forms.IntegerField(label=label, required=False, min_value=0, help_text=help_text)


def words(text: str) -> tuple[str, ...]:
    """Comma-separated words without blanks and repeats."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def lines(text: str) -> tuple[str, ...]:
    """Lines that say something."""
    return tuple(filter(None, map(str.strip, text.splitlines())))


def local_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """A local moment in a zone; raises ValueError for what is none."""
    return datetime.strptime(text, LOCAL).replace(tzinfo=zone) if text else None
