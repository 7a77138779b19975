"""The curve of a check's answers as the points of a drawing. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, TOP = 340, 72, 12
MILLISECONDS = re.compile(r"in (\d+) ms")


@dataclass(frozen=True, slots=True)
class Plot:
    """A path in a box of 340 by 72, bars where an answer was bad, and the words for who cannot see it."""

    path: str
    gaps: tuple[tuple[int, int], ...]
    label: str


def plot_of(answers: Sequence[tuple[str, bool]]) -> Plot | None:
    """Draw (value, passed) pairs by how long they took; None where there are too few for a curve."""
    if len(answers) < 2:
        return None
    took = [int(found[1]) if (found := MILLISECONDS.search(value)) else None for value, _ in answers]
    known = [each for each in took if each is not None]
    if not known:
        return None
    highest, wide = max(*known, 1), WIDTH / (len(answers) - 1)
    points = [f"{round(at * wide)} {round(HEIGHT - each / highest * (HEIGHT - TOP))}" for at, each in enumerate(took) if each is not None]
    gaps = tuple((max(round((at - 0.5) * wide), 0), round(wide)) for at, (_, passed) in enumerate(answers) if not passed)
    bad = f", {len(gaps)} not as expected" if gaps else ""
    return Plot("M" + "L".join(points), gaps, f"{len(answers)} answers, the slowest after {highest} ms{bad}")
