"""What a proposed mode would have done to the last answers of an environment, with a few that the reader may open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.catalog.models import Environment
from apps.gate.log import Asked, latest_in
from apps.gate.rules.redeciding import Trial, redecided, tried
from apps.gate.strictness import TITLES
from apps.home.facts.gate_log import Line, hidden_from, lines_of

MOST, WALK, EXAMPLES = 1_000, 20_000, 5
Wish = tuple[str, str]  # the rule, or nothing for what a change needs, and how it shall be


@dataclass(frozen=True, slots=True)
class Tried:
    """One wish on the answers of the past."""

    title: str
    after: str
    trial: Trial
    since: datetime | None
    examples: list[tuple[Line, str]]  # an evaluation, and what it would have been told

    @property
    def moves(self) -> list[tuple[int, str, str]]:
        """How many went from which answer to which, the most first."""
        return sorted(((count, was.value, now.value) for (was, now), count in self.trial.moves.items()), reverse=True)


def tried_on_past(person: Person, environment: Environment, wishes: Iterable[Wish]) -> dict[Wish, Tried]:
    """Every wish on the same last answers, read once; nothing is read where nothing is wished."""
    wanted = [*dict.fromkeys(wishes)]
    if not wanted:
        return {}
    past = latest_in(environment.pk, limit=MOST, walk=WALK)
    shown = _shown(person, past, wanted)
    lines = {line.asked.id: line for line in lines_of({row.id: row for rows in shown.values() for row in rows}.values(), person=person)}
    return {wish: _tried(wish, past, [lines[row.id] for row in shown[wish]]) for wish in wanted}


def _shown(person: Person, past: Sequence[Asked], wishes: Iterable[Wish]) -> dict[Wish, list[Asked]]:
    """A few that would have been answered otherwise, of what the person may see."""
    hidden = {*hidden_from(person).hidden_targets}
    seen = [row for row in past if row.target_id not in hidden]
    return {wish: [row for row in seen if _then(row, wish) not in {None, row.verdict}][:EXAMPLES] for wish in wishes}


def _then(row: Asked, wish: Wish) -> str | None:
    return redecided(row.record, rule=wish[0], after=wish[1])


def _tried(wish: Wish, past: Sequence[Asked], lines: Iterable[Line]) -> Tried:
    trial = tried((row.record for row in past), rule=wish[0], after=wish[1])
    return Tried(TITLES[wish[0]], wish[1], trial, past[-1].at if past else None, [(line, _then(line.asked, wish) or "") for line in lines])
