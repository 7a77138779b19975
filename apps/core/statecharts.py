"""The tables of states as a page: Mermaid and text, drawn from the MOVES of every app. Pure but for importing them."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec

HEAD = """# States

Drawn by `python manage.py write_states` from the tables in `apps/*/states.py`; a test fails when this page is older than they are.
The owner is whose turn it is. A state that nobody owns is an end, or waits for nothing.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of moves: of what, what its states mean, which follow which, whose turn it is in each."""

    title: str
    meaning: str
    moves: Mapping[StrEnum, frozenset[StrEnum]]
    owners: Mapping[StrEnum, StrEnum]


def tables_of(app: str) -> Iterator[Table]:
    """The tables of one app: MOVES with OWNERS, and likewise each pair with a prefix, such as LEG_MOVES with LEG_OWNERS."""
    if find_spec(f"{app}.states") is None:
        return
    module = import_module(f"{app}.states")
    for name, moves in vars(module).items():
        if name == "MOVES" or name.endswith("_MOVES"):
            prefix = name.removesuffix("MOVES")
            thing = prefix.strip("_").replace("_", " ").capitalize() or app.rpartition(".")[2].removesuffix("s").capitalize()
            yield Table(thing, inspect.getdoc(type(next(iter(moves)))) or "", moves, getattr(module, f"{prefix}OWNERS"))


def page(tables: Iterable[Table]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(table) for table in tables)])


def _section(table: Table) -> str:
    return f"## {table.title}\n\n{table.meaning}\n\n```mermaid\n{_diagram(table)}\n```\n\n{_list(table)}\n"


def _diagram(table: Table) -> str:
    first = next(iter(table.moves))
    arrows = [f"    {start} --> {goal}" for start, goals in table.moves.items() for goal in sorted(goals)]
    ends = [f"    {state} --> [*]" for state, goals in table.moves.items() if not goals]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {first}", *arrows, *ends])


def _list(table: Table) -> str:
    rows = [
        f"| {state} | {table.owners[state].lower()} | {', '.join(goal.value for goal in sorted(goals)) or 'nothing: it ends here'} |"
        for state, goals in table.moves.items()
    ]
    return "\n".join(["| state | owner | may become |", "| --- | --- | --- |", *rows])
