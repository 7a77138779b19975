"""Whether a quorum can be met at all, by whom, and what would help. Pure."""

from uuid import UUID

from apps.approvals.rules.counting import members_of, seats_of, why_not_counted
from apps.approvals.rules.matching import match_seats
from apps.approvals.rules.shapes import Forecast, Group, QuorumFacts, RuleFacts, RuleForecast
from apps.catalog.rules import PersonFacts


def forecast(facts: QuorumFacts) -> Forecast:
    """Say whether the people there are could fill every seat of one leg's policy."""
    where = f"{facts.service} in {facts.environment}"
    if facts.required != "APPROVED":
        return Forecast(can_be_met=True, rules=(), cures=())
    if facts.policy is None or not facts.policy.rules:
        return Forecast(can_be_met=False, rules=(), cures=(f"No policy says who agrees to {where}. An administrator writes one.",))
    rules = sorted(facts.policy.rules, key=lambda rule: rule.stage)
    able = {rule.key: _able(rule, facts) for rule in rules}
    seats = [(rule, wanted) for rule in rules for wanted in seats_of(rule, people=able[rule.key], facts=facts)]
    taken = match_seats([wanted for _, wanted in seats])
    empty = [rule.key for (rule, _), person in zip(seats, taken, strict=True) if person is None]
    found = tuple(RuleForecast(rule, tuple(able[rule.key].values()), empty.count(rule.key)) for rule in rules)
    cures = tuple(_cure(one, facts) for one in found if one.missing)
    return Forecast(can_be_met=not cures, rules=found, cures=cures)


def group_words(group: Group, *, service: str) -> str:
    """Name a group for a person: `business owner of payments`."""
    match group.kind:
        case "OWNER":
            return f"{'owner' if group.owner == 'ANY' else f'{group.owner.lower()} owner'} of {service}"
        case "ROLE":
            return group.role.lower().replace("_", " ")
        case "TEAM":
            return "member of the team"
        case _:
            return "person on the rule's list"


def _able(rule: RuleFacts, facts: QuorumFacts) -> dict[UUID, PersonFacts]:
    signed = [one.person for one in facts.sign_offs if why_not_counted(one, rule=rule, facts=facts) is None]
    return {person.canonical_id: person for person in (*members_of(rule, facts=facts), *signed)}


def _cure(one: RuleForecast, facts: QuorumFacts) -> str:
    needed = one.rule.needed or len(one.candidates) + one.missing
    able = f"{len(one.candidates)} can sign" if one.candidates else "nobody can sign"
    more = f"{one.missing} more {group_words(one.rule.group, service=facts.service)}"
    return f"“{one.rule.label}” needs {needed} and {able}. An administrator names {more} who is neither requester nor last editor."
