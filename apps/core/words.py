"""Words as they are stored for searching and as they are searched for: one reading for both. Pure."""

import re
import unicodedata

WORD = re.compile(r"[^\W\d_]+|\d+")
LONGEST_WORD = 60  # the index takes no endless word; what is cut here is cut on both sides


def words_in(text: str) -> list[str]:
    """The words of a text in one spelling: letters apart from digits (v2 is v 2), so that no parser splits them again."""
    return [word[:LONGEST_WORD] for word in WORD.findall(unicodedata.normalize("NFKC", text).casefold())]
