"""JSON that every reader takes for the same: no name twice, no number that is none. Pure."""

import json
from typing import Any


def read_json(text: str) -> Any:  # noqa: ANN401 - whatever was sent
    """Read a document; raises ValueError for what is no JSON or can be taken in two ways, RecursionError for too deep a one."""
    return _read(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # two readers may take different ones
        raise ValueError("A name stands twice in one object.")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number.")


_read = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode
