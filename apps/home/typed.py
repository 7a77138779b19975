"""What the request form holds as plain data: names of fields to lists of texts, as a browser sends them. Rows are added and moved here."""

import json
import re
from collections.abc import Iterable, Mapping

from django.http import QueryDict

Values = dict[str, list[str]]
Row = dict[str, list[str]]

PREFIXES = ("items", "plan", "rollback")
ROW = re.compile(r"(items|plan|rollback)-([0-9]{1,2})-([a-z_]{1,40})")
OPERATION = re.compile(r"(add|drop|up|down|show):(items|plan|rollback)(?::([0-9]{1,2}))?")
UNKEPT = frozenset({"csrfmiddlewaretoken", "do", "draft", "replaces"})
MOST_ROWS, LONGEST_COUNT = 60, 9


def sent_values(sent: QueryDict) -> Values:
    """Everything a browser sent."""
    return {name: [str(text) for text in sent.getlist(name)] for name in sent}


def query_of(values: Mapping[str, Iterable[str]]) -> QueryDict:
    """What a browser would send: only a bound form shows what is missing."""
    sent = QueryDict(mutable=True)
    for name, texts in values.items():
        sent.setlist(name, [*texts])
    return sent


def body_of(values: Values) -> str:
    """As it is kept; what names the page and not the change is left out."""
    return json.dumps({name: texts for name, texts in values.items() if name not in UNKEPT})


def values_in(body: str) -> Values:
    """What was kept."""
    kept: Values = json.loads(body)
    return kept


def without_rows(values: Values) -> Values:
    """The fields that a change has once."""
    return {name: texts for name, texts in values.items() if not name.startswith(tuple(f"{prefix}-" for prefix in PREFIXES))}


def rows_of(values: Values, prefix: str) -> list[Row]:
    """The rows of one table in order, as many as it says it has; there is always one to write in."""
    said = "".join(values.get(f"{prefix}-TOTAL_FORMS", [])[:1])
    count = int(said) if said.isascii() and said.isdecimal() and len(said) < LONGEST_COUNT else 0
    found: dict[int, Row] = {at: {} for at in range(min(count, MOST_ROWS))}
    for name, texts in values.items():
        match = ROW.fullmatch(name)
        if match and match[1] == prefix and int(match[2]) < MOST_ROWS:
            found.setdefault(int(match[2]), {})[match[3]] = texts
    return [found[at] for at in sorted(found)] or [{}]


def with_rows(values: Values, prefix: str, rows: Iterable[Row]) -> Values:
    """The values with these rows in place of a table's own."""
    kept = {name: texts for name, texts in values.items() if not name.startswith(f"{prefix}-")}
    placed = [*rows] or [{}]
    kept[f"{prefix}-TOTAL_FORMS"] = kept[f"{prefix}-INITIAL_FORMS"] = [str(len(placed))]
    for at, row in enumerate(placed):
        kept |= {f"{prefix}-{at}-{field}": texts for field, texts in row.items()}
    return kept


def completed(values: Values) -> Values:
    """The values with the counts of their tables, where those are not said."""
    for prefix in PREFIXES:
        if f"{prefix}-TOTAL_FORMS" not in values:
            values = with_rows(values, prefix, rows_of(values, prefix))
    return values


def changed_rows(values: Values, operation: re.Match[str], *, most: int) -> Values:
    """The values after a row was added, dropped or moved; what cannot be done changes nothing."""
    act, prefix, rows = operation[1], operation[2], rows_of(values, operation[2])
    at = int(operation[3]) if operation[3] else len(rows)
    if act == "add" and len(rows) < most:
        rows.append({})
    elif act == "drop" and at < len(rows):
        rows.pop(at)
    elif act == "up" and 0 < at < len(rows):
        rows[at - 1], rows[at] = rows[at], rows[at - 1]
    elif act == "down" and at + 1 < len(rows):
        rows[at + 1], rows[at] = rows[at], rows[at + 1]
    return with_rows(values, prefix, rows)
