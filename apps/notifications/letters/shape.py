"""What a mail says, before it is text or markup: facts first, then the cure, then where to go. Never stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.accounts.models import Person
from apps.core.moments import full_words, span_words, told_in
from apps.core.zones import zone_named


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section; the name may be empty. With a url the name leads there."""

    name: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines; an empty one is not shown."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole mail."""

    subject: str
    lead: str
    cure: str
    url: str
    word: str
    because: str
    sections: tuple[Section, ...] = field(default=())
    short: str = ""  # what its line in a digest adds to the subject


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it, in which zone, and when it is written."""

    person: Person
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The reader's own zone."""
        return zone_named(self.person.time_zone) or ZoneInfo("UTC")

    def moment(self, at: datetime) -> str:
        """A moment as the reader's clock shows it, with its zone."""
        return full_words(at, zone=self.zone)

    def told(self, sentence: str) -> str:
        """A sentence of a rule, which knows no reader and says its moments in UTC."""
        return told_in(sentence, zone=self.zone, now=self.now)


def section(title: str, *pairs: tuple[str, str]) -> Section:
    """A section of those pairs that have a text."""
    return Section(title, tuple(Line(name, text) for name, text in pairs if text.strip()))


def listing(title: str, texts: list[str]) -> Section:
    """A section of lines without names."""
    return Section(title, tuple(Line("", text) for text in texts if text.strip()))


def joined(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = [*words] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def address_of(path: str) -> str:
    """The whole address of a page; it asks for sign-in, and opening it decides nothing."""
    return f"{settings.PUBLIC_URL}{path}"


def seconds_words(seconds: int) -> str:
    """A span as people say it; nothing where nobody said how long."""
    return span_words(timedelta(seconds=seconds).total_seconds()) if seconds else ""
