"""Which rules had nothing to look at: they found nothing, and that is no passing. Pure."""

from apps.gate.rules.cases import APPROVED, NO

OF_AN_AGREEMENT = frozenset(("approval", "settings"))
OF_A_CHANGE = OF_AN_AGREEMENT | {"used_up", "signature", "period", "slot", "evidence", "way_back", "room", "exceptions"}
OF_WHERE_ONE_IS_NEEDED = OF_A_CHANGE | {"version", "promotion"}
NOT_OF_THE_WAY_BACK = OF_WHERE_ONE_IS_NEEDED - {"version"} | {"window", "freeze", "hold", "reservation"}


def idle_rules(*, required: str, has_change: bool, goes_back: bool) -> frozenset[str]:
    """The rules that ask nothing of this question: where no change is needed, where none was found, on the way back."""
    if goes_back:
        return NOT_OF_THE_WAY_BACK
    idle = frozenset[str]() if required == APPROVED else OF_AN_AGREEMENT
    if required == NO:
        idle |= OF_WHERE_ONE_IS_NEEDED
    return idle if has_change else idle | OF_A_CHANGE
