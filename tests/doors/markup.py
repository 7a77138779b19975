"""What a page says to those who do not see it: its names, its headings, its labels, and what points where."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

NAMED = ("button", "a", "select", "textarea", "input", "summary")
UNSEEN = {"hidden", "submit"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
POINTING = ("for", "aria-describedby", "aria-labelledby", "aria-controls", "popovertarget", "form", "list")


@dataclass
class Element:
    """One element, what stands in it, and whether it stands in a label."""

    tag: str
    given: dict[str, str]
    text: str = ""
    in_label: bool = False
    drawings: list["Element"] = field(default_factory=list)

    @property
    def is_named(self) -> bool:
        """Whether it has a name by itself: words, or a label of its own."""
        spoken = self.given.get("aria-label") or self.given.get("aria-labelledby")
        return bool(spoken or self.text.strip() or any(one.given.get("aria-label") for one in self.drawings))

    def __str__(self) -> str:
        said = " ".join(f'{name}="{value[:40]}"' for name, value in self.given.items() if name in {"id", "name", "href", "class"})
        return f"<{self.tag} {said}>"


class Markup(HTMLParser):
    """All elements of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take an element; what it stands in has it as its content."""
        one = Element(tag, {name: value or "" for name, value in attributes}, in_label=any(each.tag == "label" for each in self._open))
        self.elements.append(one)
        if tag in {"svg", "img"}:
            for each in self._open:
                each.drawings.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_endtag(self, tag: str) -> None:
        """Leave the newest element of this name."""
        for number in range(len(self._open) - 1, -1, -1):
            if self._open[number].tag == tag:
                del self._open[number:]
                return

    def handle_data(self, data: str) -> None:
        """Words are the content of everything they stand in."""
        for each in self._open:
            each.text += data

    def complaints(self) -> Iterator[str]:
        """Everything that somebody who does not see the page, or works by keyboard, would stumble over."""
        yield from self._frame()
        yield from self._headings()
        yield from self._names()
        yield from self._references()

    def _all(self, *tags: str) -> list[Element]:
        return [one for one in self.elements if one.tag in tags]

    def _frame(self) -> Iterator[str]:
        if not self._all("html")[0].given.get("lang"):
            yield "no language"
        if not self._all("title")[0].text.strip():
            yield "no title"
        if len(self._all("main")) != 1:
            yield f"{len(self._all('main'))} main parts"
        yield from (f"{one} comes first by number" for one in self.elements if one.given.get("tabindex", "0") not in {"0", "-1"})

    def _headings(self) -> Iterator[str]:
        levels = [(int(one.tag[1]), one) for one in self._all("h1", "h2", "h3", "h4", "h5", "h6")]
        if [level for level, _ in levels].count(1) != 1:
            yield f"{[level for level, _ in levels].count(1)} headings of the first level"
        yield from (f"{one} has no words" for _, one in levels if not one.text.strip())
        for (before, _), (level, one) in pairwise(levels):
            if level > before + 1:
                yield f"{one} “{one.text.strip()[:40]}” skips a level after h{before}"

    def _names(self) -> Iterator[str]:
        labelled = {one.given["for"] for one in self._all("label") if one.given.get("for") and one.text.strip()}
        for one in self._all(*NAMED):
            if one.tag == "input" and one.given.get("type", "text") in UNSEEN:
                continue
            by_label = one.tag in {"input", "select", "textarea"} and (one.in_label or one.given.get("id") in labelled)
            is_field = one.tag in {"select", "textarea"}  # their words are their content, not their name
            if not (by_label or (one.given.get("aria-label") if is_field else one.is_named)):
                yield f"{one} has no name"
        for drawing in self._all("svg", "img"):
            if not {"aria-hidden", "aria-label", "alt"} & drawing.given.keys():
                yield f"{drawing} is neither named nor hidden"

    def _references(self) -> Iterator[str]:
        ids = Counter(one.given["id"] for one in self.elements if one.given.get("id"))
        yield from (f"{count} elements are “{name}”" for name, count in ids.items() if count > 1)
        for one in self.elements:
            wanted = [(name, word) for name in POINTING for word in one.given.get(name, "").split()]
            href = one.given.get("href", "")
            wanted += [("href", href[1:])] if one.tag == "a" and href.startswith("#") else []
            yield from (f"{one} points with {name} at “{word}”, which is not there" for name, word in wanted if word and word not in ids)
