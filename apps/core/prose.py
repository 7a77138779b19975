"""Text that people wrote, made safe to show: hidden characters become visible, Markdown becomes
a small set of tags. Nothing here decides what may be stored."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Final

import nh3
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from apps.core.texts import BLANK

KEPT: Final = {"\n", "\t"}
HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # controls, format, surrogates, private, breaks
LIKELY = re.compile(r"[^\n\t\x20-\x7e]")
WORD_OR_LIKELY = re.compile(r"[^\W\d_]+|[^\n\t\x20-\x7e]")
LINKS = re.compile(r"\bCHG-[1-9][0-9]{0,17}\b|\bhttps?://[^\s<>\"⟨⟩]+[^\s<>\"⟨⟩.,;:!?)\]'*_]")
# Cyrillic, Greek and Armenian letters that most fonts draw as Latin ones.
ALIKE: Final = frozenset("аеорсухіјѕһԁԛԝкмнтвгАВЕЗІЈКМНОРСТУХѴԌԚԜαγικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսԼՕՍ")
TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h4", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def is_hidden(character: str) -> bool:
    """Say whether CHARACTER shows nothing, or changes how its neighbours are shown."""
    return character not in KEPT and (character in BLANK or unicodedata.category(character) in HIDDEN)


def codepoint(character: str) -> str:
    """Name CHARACTER so that it can be looked up: "U+202E"."""
    return f"U+{ord(character):04X}"


def mark_hidden(text: str) -> SafeString:
    """Escape TEXT and show each hidden character as its code point, with its name on hover."""
    return _marked(text, LIKELY, _hidden)


def mark_everything(text: str) -> SafeString:
    """The same, and every letter that only looks like a Latin one keeps its shape and is marked: for what somebody signs."""
    return _marked(text, WORD_OR_LIKELY, _hidden_or_alike)


def looks_latin(word: str) -> frozenset[int]:
    """Which letters of a word only look Latin, where the word as a whole reads as Latin: a name in Cyrillic is no disguise."""
    alike = frozenset(at for at, letter in enumerate(word) if letter in ALIKE or _is_dressed(letter))
    reads_latin = all(at in alike or unicodedata.name(letter, "").startswith("LATIN ") for at, letter in enumerate(word))
    return alike if reads_latin else frozenset()


def _marked(text: str, pattern: re.Pattern[str], shown: Callable[[re.Match[str]], str]) -> SafeString:
    if isinstance(text, SafeString):
        return text
    plain = str(escape(text.replace("\r\n", "\n")))
    return mark_safe(pattern.sub(shown, plain))  # noqa: S308 - escaped on the line above


def _hidden(match: re.Match[str]) -> str:
    return _shown(match.group())


def _hidden_or_alike(match: re.Match[str]) -> str:
    word = match.group()
    alike = looks_latin(word) if not word.isascii() else frozenset()
    return "".join(_alike(letter) if at in alike else _shown(letter) for at, letter in enumerate(word))


def _shown(character: str) -> str:
    if not is_hidden(character):
        return character
    name = unicodedata.name(character, "control character")
    return f'<mark class="unseen" title="{escape(name.lower())}">{codepoint(character)}</mark>'


def _alike(letter: str) -> str:
    name = unicodedata.name(letter, "letter of another alphabet")
    return f'<mark class="unseen" title="{escape(name.lower())}">{letter}</mark>'


def _is_dressed(letter: str) -> bool:
    """A Latin letter in another width, weight or shape."""
    return not letter.isascii() and unicodedata.normalize("NFKC", letter).isascii()


@cache
def reader() -> MarkdownIt:
    """Return the one Markdown reader: CommonMark with tables, no HTML, no images."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def name_hidden(text: str) -> str:
    """TEXT with each hidden character named in its place, for where no mark can stand: the title of a tab."""
    return LIKELY.sub(lambda m: f"⟨{codepoint(m.group())}⟩" if is_hidden(m.group()) else m.group(), text.replace("\r\n", "\n"))


def linked(tokens: list[Token]) -> list[Token]:
    """The same text with changes and addresses as links, outside of code and of links that somebody wrote."""
    for token in tokens:
        inside, found = 0, []
        for child in token.children or ():
            inside += child.nesting if child.type.startswith("link_") else 0
            found += _links_in(child) if child.type == "text" and not inside else [child]
        if token.children:
            token.children = found
    return tokens


def _links_in(text: Token) -> list[Token]:
    found, at = [], 0
    for match in LINKS.finditer(text.content):
        said = match.group().rstrip(".,;:!?)]'*_")
        href = said if "://" in said else reverse("home:change", args=[said])
        found += [_words(text.content[at : match.start()]), Token("link_open", "a", 1, attrs={"href": href}), _words(said)]
        found.append(Token("link_close", "a", -1))
        at = match.start() + len(said)
    return [*found, _words(text.content[at:])]


def _words(text: str) -> Token:
    return Token("text", "", 0, content=text)


def render_markdown(text: str) -> SafeString:
    """Render TEXT as Markdown and keep an allow-list of tags; headings stay below the page's own."""
    visible = name_hidden(text)
    tokens = linked(reader().parse(visible))
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = "h4"
    html = reader().renderer.render(tokens, reader().options, {})
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(name_hidden(clean))  # noqa: S308 - nh3 has just cleaned it; an entity may have hidden a character until now
