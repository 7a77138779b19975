"""The five parts of a change as they are drawn: name, icon, order. What is in them lies in `changes`."""

from collections.abc import Collection
from typing import Final

PART_ICONS: Final = {
    "scope": "target",
    "plan": "list-check",
    "rollback": "arrow-back-up",
    "period": "calendar",
    "story": "align-left",
}


def part_marks(*, covered: Collection[str], changed: Collection[str]) -> list[dict[str, str]]:
    """Return one mark per part, in order: changed beats covered, the rest is hollow."""
    covered, changed = {str(part).lower() for part in covered}, {str(part).lower() for part in changed}
    return [
        {
            "part": part,
            "icon": icon,
            "mark": "changed" if part in changed else "on" if part in covered else "off",
            "word": "changed" if part in changed else "covered" if part in covered else "not covered",
        }
        for part, icon in PART_ICONS.items()
    ]
