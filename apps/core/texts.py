"""Reading text that people type: what may be stored and recorded, and the sentence for what may not. Pure."""

import re
import unicodedata

from apps.core.canonical import canonical_text
from apps.core.refusals import BadContent
from apps.core.zones import zone_named

# Embedding, override and isolate marks turn the direction of the text around them: a name must not do that.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks that are drawn as nothing
# No width and no meaning in a name: two names that look the same would differ. Joiners have one in many scripts.
UNSEEN = BLANK | frozenset("\u200b\u200e\u200f\u061c\u180e\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad")
KEPT = frozenset("\n\r\t")
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def why_not_text(text: str, *, longest: int, empty: bool = True) -> str | None:
    """The sentence to show beside text of several lines that cannot be kept, or None."""
    kinds = {unicodedata.category(char) for char in text if char not in KEPT}
    if kinds & {"Cc", "Cs"}:
        return "The text holds a control character. Remove it."
    if "Cn" in kinds:  # its canonical form is not known before it has a meaning, and what is signed never changes its form
        return "The text holds a character that is not known here. Remove it."
    if len(text) > longest:
        return f"The text has {len(text)} characters. {longest} fit."
    if not empty and not text.strip():
        return "This is empty. Write it."
    return None


def why_not_line(text: str, *, longest: int, empty: bool = False) -> str | None:
    """The sentence to show beside one line (a name, a label) that cannot be kept, or None."""
    if len(text.strip().splitlines()) > 1 or "\t" in text.strip():
        return "This is one line. Remove the line breaks and tabs."
    if TURNING & set(text):
        return "The text holds a character that turns the writing direction. Remove it."
    if UNSEEN & set(text):
        return "The text holds a character that nobody can see. Remove it."
    return why_not_text(text.strip(), longest=longest, empty=empty)


def read_line(text: str, *, field: str, longest: int, empty: bool = False) -> str:
    """One line in its canonical form, blanks around removed; raises BadContent naming `field`."""
    if said := why_not_line(text, longest=longest, empty=empty):
        raise BadContent({field: [said]})
    return canonical_text(text).strip()


def read_text(text: str, *, field: str, longest: int, empty: bool = True) -> str:
    """Text of several lines in its canonical form; raises BadContent naming `field`."""
    if said := why_not_text(text, longest=longest, empty=empty):
        raise BadContent({field: [said]})
    return canonical_text(text)


def read_slug(text: str, *, field: str = "slug", longest: int = 60) -> str:
    """A short name for addresses and machines; raises BadContent naming `field`."""
    value = text.strip()
    if len(value) > longest or not SLUG.fullmatch(value):
        raise BadContent(
            {field: [f"A short name has small letters, digits and single hyphens between them, {longest} characters at most."]}
        )
    return value


def read_zone(text: str, *, field: str = "time_zone") -> str:
    """An IANA zone by its name; raises BadContent naming `field`."""
    if zone_named(text) is None:
        raise BadContent({field: ["No zone has this name. Write one like Europe/Berlin, or UTC."]})
    return text
