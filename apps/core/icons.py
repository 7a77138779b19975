"""The names that the icon sprite holds, read from the sprite itself.

Templates name an icon by hand or through data; tests compare both with this list."""

import re
from functools import cache
from pathlib import Path

SPRITE = Path(__file__).resolve().parents[2] / "static" / "img" / "icons.svg"


@cache
def icon_names() -> frozenset[str]:
    """Return every name that `{% icon %}` may be given."""
    return frozenset(re.findall(r'<symbol id="([a-z0-9-]+)"', SPRITE.read_text(encoding="utf-8")))
