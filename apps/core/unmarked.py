"""The last look at a page: a hidden character that no template marked is named where people read it. Pure.

What is sent back as it stands (values, what is typed, data for scripts) keeps every character."""

import re

from apps.core.prose import LIKELY, is_hidden, name_hidden

# People's own words hold no angle bracket here: templates escape them. What is typed stands in a text area.
PIECE = re.compile(r"<(textarea|script|style)\b.*?</\1\s*>|<[^>]*>|[^<]+", re.DOTALL | re.IGNORECASE)
READ = re.compile(r'(?<=\s)(?:title|alt|label|placeholder|aria-[a-z]+)="[^"]*"')  # attributes that are shown or spoken
# Between characters beyond ASCII a joiner has a meaning: it shapes words and pictures. Anywhere else nobody sees it.
JOINED = re.compile("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")


def name_unmarked(page: str) -> str:
    """The page with each hidden character in its words, titles and spoken names replaced by its code point."""
    if not any(is_hidden(character) for character in {*LIKELY.findall(page)}):
        return page
    return PIECE.sub(lambda match: _named(match.group(), is_kept=bool(match.group(1))), page)


def _named(piece: str, *, is_kept: bool) -> str:
    if is_kept:
        return piece
    if piece.startswith("<"):
        return READ.sub(lambda match: _words(match.group()), piece)
    return _words(piece)


def _words(text: str) -> str:
    """Joiners that join are put back where they were."""
    parts, joiners = JOINED.split(text), JOINED.findall(text)
    named = [name_hidden(part) for part in parts]
    return "".join(part + joiner for part, joiner in zip(named, [*joiners, ""], strict=True))
