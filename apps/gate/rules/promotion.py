"""Whether this version has proved itself one rung below."""

from collections.abc import Iterable

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block


def promoted(case: Case) -> Iterable[Finding]:
    """The same artifact, else the same commit, has arrived on the nearest lower rung where the service has a target.

    An arrival counts until the same version failed or was left behind there: what had to be undone has not proved itself."""
    if not case.facts.rungs or not case.needs_change:
        return
    version = frozenset(case.leg.identities if case.leg else case.facts.question.identities)
    wanted = frozenset(one for one in version if one.startswith("sha256:")) or version
    policy = case.leg.quorum.policy if case.leg else None
    fresh = [rung for rung in case.facts.rungs if not (wanted and any(wanted <= arrival for arrival in rung.arrivals))]
    if fresh and (len(fresh) == len(case.facts.rungs) or (policy is not None and policy.promotion == "ALL")):
        names = " and ".join(rung.environment for rung in fresh)
        yield block(
            "not_promoted",
            f"This version has not arrived in {names}, or was undone there.",
            f"Deploy it to {names} first.",
            who="an operator",
        )
