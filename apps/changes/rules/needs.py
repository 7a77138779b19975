"""Which changes a change may come after. Pure."""

from collections.abc import Collection, Mapping

MOST_NEEDS = 20


def why_not_needs(ref: str, wanted: Collection[str], *, standing: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """What keeps a change from coming after WANTED; STANDING says by reference what every change comes after now."""
    if len(wanted) > MOST_NEEDS:
        return {"needs": [f"There are {len(wanted)} changes to wait for. {MOST_NEEDS} fit."]}
    if ref in wanted:
        return {"needs": [f"{ref} cannot come after itself. Remove it."]}
    said = [f"{other} comes after {ref} already. Remove one of the two." for other in sorted(wanted) if ref in _before(other, standing)]
    return {"needs": said} if said else {}


def _before(ref: str, standing: Mapping[str, Collection[str]]) -> set[str]:
    """Everything that comes before a change, however far; a circle that two people closed at once ends the search too."""
    seen: set[str] = set()
    waiting = [ref]
    while waiting:
        for other in standing.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen
