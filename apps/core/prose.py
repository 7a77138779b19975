"""Text that people wrote, made safe to show: hidden characters become visible, Markdown becomes
a small set of tags. Nothing here decides what may be stored."""

import re
import unicodedata
from functools import cache
from typing import Final

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

KEPT: Final = {"\n", "\t"}
HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # controls, format, surrogates, private, breaks
LIKELY = re.compile(r"[^\n\t\x20-\x7e]")
TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h4", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def is_hidden(character: str) -> bool:
    """Say whether CHARACTER shows nothing, or changes how its neighbours are shown."""
    return character not in KEPT and unicodedata.category(character) in HIDDEN


def codepoint(character: str) -> str:
    """Name CHARACTER so that it can be looked up: "U+202E"."""
    return f"U+{ord(character):04X}"


def mark_hidden(text: str) -> SafeString:
    """Escape TEXT and show each hidden character as its code point, with its name on hover."""
    if isinstance(text, SafeString):
        return text

    def shown(match: re.Match[str]) -> str:
        character = match.group()
        if not is_hidden(character):
            return str(escape(character))
        name = unicodedata.name(character, "control character")
        return f'<mark class="unseen" title="{escape(name.lower())}">{codepoint(character)}</mark>'

    plain = str(escape(text.replace("\r\n", "\n")))
    return mark_safe(LIKELY.sub(shown, plain))  # noqa: S308 - escaped on the line above


@cache
def reader() -> MarkdownIt:
    """Return the one Markdown reader: CommonMark with tables, no HTML, no images."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def render_markdown(text: str) -> SafeString:
    """Render TEXT as Markdown and keep an allow-list of tags; headings stay below the page's own."""
    visible = LIKELY.sub(lambda m: f"⟨{codepoint(m.group())}⟩" if is_hidden(m.group()) else m.group(), text.replace("\r\n", "\n"))
    tokens = reader().parse(visible)
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
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it
