"""A figure, its goal, and what a set of rounds says about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

ROUNDS = 7


@dataclass(frozen=True)
class Goal:
    """What a ratio must reach and what we would like; `more_is_better` tells the direction."""

    name: str
    must: float
    goal: float
    more_is_better: bool = True

    def judge(self, ratios: list[float]) -> str:
        """`met` or `short` when the middle half of the rounds agrees, else `unclear`."""
        low, _, high = quantiles(ratios, n=4)
        if low >= self.must if self.more_is_better else high <= self.must:
            return "met"
        if high < self.must if self.more_is_better else low > self.must:
            return "short"
        return "unclear"

    def row(self, ratios: list[float]) -> str:
        """One line of the report."""
        sign = "≥" if self.more_is_better else "≤"
        return f"{compared(self.name, ratios)} {sign} {self.must:<7g} {sign} {self.goal:<7g} {self.judge(ratios)}"


def compared(name: str, ratios: list[float]) -> str:
    """One line of something measured beside the others, that has no goal itself."""
    low, _, high = quantiles(ratios, n=4)
    measured = f"{median(ratios):.3g} ({low:.3g} to {high:.3g})"
    return f"{name:<62} {measured:<26}"


HEADER = f"{'figure':<62} {'median (middle half)':<26} {'must':<9} {'goal':<9} says"


def interleave(variants: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Measure every variant once per round, the order turning, so that a slow minute of the machine hits all alike."""
    names = list(variants)
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(variants[name]())
    return found


def ratio(above: list[float], below: list[float]) -> list[float]:
    """The ratio of each round."""
    return [a / b for a, b in zip(above, below, strict=True)]
