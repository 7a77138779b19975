"""Whether the way back exists, and whether there is room for it."""

from collections.abc import Iterable
from datetime import timedelta

from apps.changes.content import AUTOMATIC
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, warn

REQUESTER = "the requester"


def has_way_back(case: Case) -> Iterable[Finding]:
    """The rollback plan can be carried out: what it goes back to is known."""
    if case.leg is None or not case.needs_change:
        return
    plan, ref = case.leg.rollback, case.leg.ref
    if plan.strategy is None:
        yield block("no_rollback_plan", f"{ref} has no rollback plan.", "Write one and have it signed.", who=REQUESTER)
    elif plan.strategy in AUTOMATIC and not case.target.running:
        said = f"{ref} goes back to the previous release, and nobody knows what runs in {case.environment.name}."
        cure = "Adopt what runs, or write how you would fix forward."
        yield block("nothing_to_go_back_to", said, cure, who="an operator, or the requester")


def has_room(case: Case) -> Iterable[Finding]:
    """Deploying, watching and going back fit into what is left of the period and the window."""
    if case.leg is None or not case.needs_change:
        return
    seconds = case.target.deploy_seconds + case.target.bake_seconds + case.leg.rollback.way_back_seconds
    ends = case.now + timedelta(seconds=seconds)
    windows = [one.ends_at for one in case.facts.calendar if one.kind == "WINDOW" and one.covers_now and one.ends_at]
    if case.now < case.leg.period.not_after < ends:
        over = case.say(case.leg.period.not_after, zone=case.leg.period.zone)
        said = f"A start now leaves no room for the way back inside the period of {case.leg.ref}, which ends {over}."
        yield warn("no_room_in_period", said, "Start earlier, or ask for a longer period.", who=REQUESTER)
    if windows and max(windows) < ends:
        said = f"A start now leaves no room for the way back inside the window, which ends {case.say(max(windows))}."
        yield warn("no_room_in_window", said, "Start earlier in the window.", who="an operator")
