"""A policy in words, and what differs between two wordings of it. Pure; the names of teams and persons come from the caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from apps.approvals.rules.proofs import Strength
from apps.approvals.rules.shapes import Group, PolicyFacts, RuleFacts

Names = Mapping[UUID, str]
SAID_OF = {
    "requester": "whoever asked for it",
    "last_editor": "whoever edited it last",
    "author": "whoever wrote a commit of it",
    "committer": "whoever committed it",
    "implementer": "whoever has it deployed",
}
SIGNED_BY = {
    Strength.ANY: "by passkey or password",
    Strength.TWO_FACTORS: "by passkey, or by password and code",
    Strength.PASSKEY: "by passkey",
}
ORDER = [*SAID_OF]
SERVICE = "the service"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two wordings say differently; empty where one of them says nothing of it."""

    part: str
    field: str
    was: str
    now: str


def keeps_start_apart(policy: PolicyFacts) -> bool:
    """Whether whoever signed does not start it: said as such, or because whoever has it deployed cannot sign."""
    return policy.forbid_approver_start or "implementer" in policy.exclude


def whose_words(group: Group, *, names: Names, service: str = SERVICE) -> str:
    """Whose agreement a rule asks for: `business owners of payments`."""
    match group.kind:
        case "OWNER":
            return f"{'' if group.owner == 'ANY' else f'{group.owner.lower()} '}owners of {service}"
        case "ROLE":
            return f"{group.role.lower().replace('_', ' ')}s"
        case "TEAM":
            return f"members of the team {names.get(group.team, 'that is gone') if group.team else 'that is gone'}"
        case _:
            return ", ".join(sorted(names.get(person, "somebody unknown") for person in group.persons))


def rule_words(rule: RuleFacts, *, names: Names, service: str = SERVICE) -> str:
    """A rule as one line: `2 of the business owners of payments`."""
    whose = whose_words(rule.group, names=names, service=service)
    the = "" if rule.group.kind == "PERSONS" else "the "
    return f"{rule.needed} of {the}{whose}" if rule.needed else f"every one of {the}{whose}"


def switch_words(policy: PolicyFacts) -> dict[str, str]:
    """Everything a wording says beside its rules, by what it is about."""
    kept_out = sorted(policy.exclude | (set() if policy.solo else {"requester"}), key=ORDER.index)
    return {
        "Cannot sign": " and ".join(SAID_OF[hand] for hand in kept_out) or "nobody is kept out",
        "Own change": "may be signed alone, with a reason, and is marked" if policy.solo else "is never signed alone",
        "Signature": SIGNED_BY[policy.strength],
        "Artifact digest": "is asked for" if policy.require_digest else "is not asked for",
        "Test report": "without failures is asked for" if policy.require_evidence else "is not asked for",
        "Promotion": "from every environment of the rank below" if policy.promotion == "ALL" else "from one environment of the rank below",
        "Whoever signs": "does not start the deployment" if keeps_start_apart(policy) else "may start the deployment",
        "Reminder": _hours(policy.remind_after_hours),
        "Escalation": _hours(policy.escalate_after_hours),
        "Expiry": _hours(policy.expire_after_hours),
    }


def rule_facts_in_words(rule: RuleFacts, *, names: Names, service: str = SERVICE) -> dict[str, str]:
    """Everything a rule says, by what it is about."""
    return {
        "name": rule.label,
        "whose": whose_words(rule.group, names=names, service=service),
        "how many": str(rule.needed) if rule.needed else "every one of them",
        "stage": str(rule.stage),
        "meaning": rule.meaning.lower(),
        "covers": ", ".join(rule.parts),
    }


def differences(was: PolicyFacts, now: PolicyFacts, *, names: Names) -> list[Difference]:
    """What differs between two wordings, rules first; a rule is followed by its key, whatever it is called."""
    found: list[Difference] = []
    before, after = ({rule.key: rule for rule in policy.rules} for policy in (was, now))
    for key in dict.fromkeys((*before, *after)):
        rule = after.get(key) or before[key]
        sides = [rule_facts_in_words(of[key], names=names) if key in of else {} for of in (before, after)]
        found += _rows(f"Rule “{rule.label}”", *sides)
    order = [*before] != [*after] and set(before) == set(after)
    if order:
        found.append(Difference("Order of rules", "", ", ".join(before), ", ".join(after)))
    words = [switch_words(policy) for policy in (was, now)]
    return found + [Difference(one, "", words[0][one], words[1][one]) for one in words[0] if words[0][one] != words[1][one]]


def _rows(part: str, was: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    names = dict.fromkeys((*was, *now))
    return [Difference(part, name, was.get(name, ""), now.get(name, "")) for name in names if was.get(name) != now.get(name)]


def _hours(given: int | None) -> str:
    if given is None:
        return "none"
    return f"after {given} {'hour' if given == 1 else 'hours'} of waiting"
