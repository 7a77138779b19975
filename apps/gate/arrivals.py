"""What was seen, in the environments below, of the version that is asked about."""

from collections.abc import Iterable, Sequence

from apps.gate.rules import RungFacts

STOOD, UNDONE = frozenset(("SUCCEEDED", "ADOPTED")), frozenset(("FAILED", "LEFT"))
Told = tuple[int, str, list[str]]  # target, outcome, identities


def rungs_in(told: Iterable[Told], rungs: Sequence[tuple[str, int]]) -> tuple[RungFacts, ...]:
    """The arrivals that still stand on each rung, the newest first; TOLD comes newest first too.

    One stands unless the same version failed or was left behind there later. What is cut off is older than all that is told,
    so no arrival is taken to stand whose undoing was not read."""
    found: dict[int, list[frozenset[str]]] = {target: [] for _, target in rungs}
    undone = set()
    for target, outcome, identities in told:
        version = (target, *identities)
        if outcome in UNDONE:
            undone.add(version)
        elif outcome in STOOD and version not in undone:
            found[target].append(frozenset(identities))
    return tuple(RungFacts(name, tuple(found[target])) for name, target in rungs)
