"""Two people edited one change: what each of them left alone is taken from the other, what both wrote is theirs to settle. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.home.typed import PREFIXES, Values, rows_of, with_rows, without_rows

UNSAID = frozenset({"commit_asked", "commit_seen"})  # of a row: what the page was told, not what somebody wrote
BLANK: dict[str, list[str]] = {"by": ["PERSON"]}


@dataclass(frozen=True, slots=True)
class Merged:
    """The values, the fields and tables taken over, and those that both wrote differently."""

    values: Values
    taken: tuple[str, ...]
    clashes: tuple[str, ...]


def merged(mine: Values, *, base: Values, theirs: Values) -> Merged:
    """What I wrote over what they saved; BASE is what both began from."""
    found = mine
    taken: list[str] = []
    clashes: list[str] = []
    for name in sorted(without_rows(base).keys() & without_rows(theirs).keys()):
        match outcome(*(said(side.get(name, [])) for side in (mine, base, theirs))):
            case "theirs":
                found, taken = found | {name: theirs[name]}, [*taken, name]
            case "clash":
                clashes.append(name)
    for table in PREFIXES:
        match outcome(*(lines(side, table) for side in (mine, base, theirs))):
            case "theirs":
                found, taken = with_rows(found, table, rows_of(theirs, table)), [*taken, table]
            case "clash":
                clashes.append(table)
    return Merged(found, tuple(taken), tuple(clashes))


def outcome(mine: object, base: object, theirs: object) -> str:
    """Whose word stands."""
    if theirs in (base, mine):
        return "mine"
    return "theirs" if mine == base else "clash"


def said(texts: Iterable[str]) -> list[str]:
    """What a field says: browsers end lines in their own way, and boxes have no order."""
    return sorted(one for text in texts if (one := text.replace("\r\n", "\n").strip()))


def lines(values: Values, table: str) -> list[dict[str, list[str]]]:
    """What a table says: rows that say nothing are none."""
    rows = [{name: said(texts) for name, texts in row.items() if name not in UNSAID and said(texts)} for row in rows_of(values, table)]
    return [row for row in rows if row.keys() - BLANK.keys()]
