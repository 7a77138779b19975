"""What an answer lets hostile words do: pages are read as a browser reads them, tables as a spreadsheet does."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.core.mail import EmailMultiAlternatives
from django.http import HttpResponse

from tests.doors.crawl import read
from tests.doors.hostile_words import Words
from tests.doors.markup import VOID

MARK = re.compile(r"q\d+z")
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "background", "ping", "srcset", "xlink:href"}
RUNS = re.compile(r"[\s\x00-\x20]*(?:javascript|vbscript|data):", re.IGNORECASE)
READ = {"title", "alt", "label", "placeholder"}  # attributes that people read; every aria-… is spoken
ALONE = {"textarea", "script", "style"}  # what stands in them turns nothing around it, or is no text
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def is_hidden(character: str) -> bool:
    """Whether it shows nothing or turns its neighbours; line breaks and tabs do neither."""
    return character not in "\n\r\t" and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


class Reading(HTMLParser):
    """A page or a drawing, and everything in it that people's words must not be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at an element and at what it carries."""
        if MARK.search(tag):
            self.wrong.append(f"<{tag}> is an element")
        for name, value in attributes:
            self.wrong += _wrong_attribute(tag, name, value or "")
        if tag not in VOID:
            self._open.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        """Leave the newest element of this name."""
        at = next((number for number in reversed(range(len(self._open))) if self._open[number][0] == tag), len(self._open))
        del self._open[at:]

    def handle_data(self, data: str) -> None:
        """Look at words; in a script they would be run."""
        tags = {tag for tag, _ in self._open}
        if "script" in tags and MARK.search(data) and self._open[-1][1].get("type") != "application/json":
            self.wrong.append(f"a script says {_near(data)!r}")
        if not tags & ALONE and (said := _hidden_in(data)):
            self.wrong.append(f"{said} in <{self._open[-1][0] if self._open else ''}>")

    def handle_comment(self, data: str) -> None:
        """Nothing that people write belongs in a comment: it could end it."""
        if MARK.search(data):
            self.wrong.append(f"a comment says {_near(data)!r}")


def _wrong_attribute(tag: str, name: str, value: str) -> Iterator[str]:
    if MARK.search(name):
        yield f"{name} is an attribute of <{tag}>"
    if name.startswith(("on", "hx-on")) or name == "srcdoc":
        yield f"<{tag} {name}> runs {_near(value)!r}"
    if name in ADDRESSES and RUNS.match(value) and not (tag == "img" and value.startswith("data:image/")):
        yield f"<{tag} {name}> leads to {value[:60]!r}"
    if name in {"style", "id", "class"} and MARK.search(value):
        yield f"<{tag} {name}> says {_near(value)!r}"
    if (name in READ or name.startswith("aria-")) and (said := _hidden_in(value)):
        yield f"{said} in <{tag} {name}>"


def _hidden_in(text: str) -> str:
    found = next((at for at, character in enumerate(text) if is_hidden(character)), None)
    return "" if found is None else f"U+{ord(text[found]):04X} is not marked: {_near(text[max(found - 60, 0) :])!r}"


def _near(text: str) -> str:
    """The words around the first mark, which names the column."""
    found = MARK.search(text)
    return text[max(found.start() - 20, 0) : found.end() + 20] if found else text[:60]


def wrong_in_page(text: str) -> Iterator[str]:
    """What a browser would make of it."""
    yield from Reading(text).wrong


def wrong_in_table(text: str) -> Iterator[str]:
    """Cells that a spreadsheet would work out."""
    yield from (f"{cell[:60]!r} is a formula" for row in csv.reader(io.StringIO(text)) for cell in row if cell.startswith(FORMULA))


def wrong_in_json(text: str) -> Iterator[str]:
    """Data that is none; its words are data whatever they say."""
    try:
        json.loads(text)
    except ValueError as error:
        yield f"no JSON: {error}"


def wrong_in_lines(text: str) -> Iterator[str]:
    """The same, line by line."""
    for line in text.splitlines():
        yield from wrong_in_json(line)


def wrong_in_text(text: str) -> Iterator[str]:
    """Plain text is shown as it stands."""
    if said := _hidden_in(text):
        yield said


def nothing_wrong(text: str) -> Iterator[str]:
    """Bytes that no browser shows."""
    yield from ()


# Whatever else is answered fails until it is said here how it is read.
READERS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "text/html": wrong_in_page,
    "image/svg+xml": wrong_in_page,
    "text/csv": wrong_in_table,
    "application/json": wrong_in_json,
    "application/problem+json": wrong_in_json,
    "application/jwk-set+json": wrong_in_json,
    "application/jsonl": wrong_in_lines,
    "text/plain": wrong_in_text,
    "text/x-python": nothing_wrong,  # a file of ours
    "application/octet-stream": nothing_wrong,
}
DOWNLOADED = {"text/csv", "application/jsonl", "application/octet-stream", "text/x-python"}


def wrong_in(kind: str, headers: Mapping[str, str], text: str) -> Iterator[str]:
    """What is wrong with an answer: its body, and what its headers let a browser do with it."""
    kind = kind.partition(";")[0]
    if headers.get("X-Content-Type-Options") != "nosniff":
        yield f"a browser may take this {kind} for something else"
    if kind in DOWNLOADED and not headers.get("Content-Disposition", "").startswith("attachment"):
        yield f"a browser shows this {kind}"
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable() or (MARK.search(value) and RUNS.match(value)):
            yield f"the header {name} says {value[:80]!r}"
    yield from READERS[kind](text)


@dataclass
class Shown:
    """The mark of each place, how many rows of each column were made hostile, and what the answers made of it."""

    words: Words
    rows: Mapping[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)  # marks
    kinds: set[str] = field(default_factory=set)  # of answers
    mails: dict[str, EmailMultiAlternatives] = field(default_factory=dict)

    def look(self, address: str, answer: HttpResponse) -> None:
        """Read an answer."""
        said = read(answer).decode(errors="replace")
        self.read |= {mark for mark in self.words.marks.values() if mark in said}
        if answer.status_code >= 500 and address != "/readyz":  # nothing seals here
            self.wrong.append(f"{address}: {answer.status_code} {getattr(answer, 'exc_info', '')}")
        if said:
            kind = answer["Content-Type"].partition(";")[0]
            self.kinds.add(kind)
            self.wrong += [f"{address}: {one}" for one in wrong_in(kind, answer.headers, said)]

    def named(self, text: str) -> str:
        """The same with the name of the place for each mark."""
        for place, mark in self.words.marks.items():
            text = text.replace(mark, f"{{{place}}}")
        return text
