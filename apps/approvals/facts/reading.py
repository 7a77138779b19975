"""Policies as pages show them: wordings in words, what differs, and whom they name."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.accounts.models import Person, Team
from apps.approvals.facts.policies import policy_facts
from apps.approvals.models import Policy, PolicyProposal, PolicyVersion
from apps.approvals.policy_body import default_body, read_policy
from apps.approvals.rules import PolicyFacts, rule_words, switch_words
from apps.audit.names import read_actor
from apps.core.canonical import digest


@dataclass(frozen=True, slots=True)
class Wording:
    """One version, for the list of them."""

    number: int
    made_at: datetime
    made_by: str


def version_facts(version: PolicyVersion) -> PolicyFacts:
    """One wording as rules read it, in force or not; its policy is read with it."""
    policy = version.policy
    return read_policy(bytes(version.body), policy_id=policy.public_id, name=policy.name, number=version.number, digest=version.digest)


def proposed_facts(proposal: PolicyProposal) -> PolicyFacts | None:
    """The wording that is proposed; None where the policy shall end."""
    if proposal.body is None:
        return None
    body = bytes(proposal.body)
    number = proposal.replaces.number + 1 if proposal.replaces else 1
    return read_policy(body, policy_id=proposal.public_id, name=proposal.name, number=number, digest=digest(body))


def names_in(policies: Iterable[PolicyFacts | None]) -> dict[UUID, str]:
    """The names of the teams and persons that wordings name; two statements at most."""
    groups = [rule.group for policy in policies if policy for rule in policy.rules]
    teams = {group.team for group in groups if group.team}
    persons = {person for group in groups for person in group.persons}
    found = dict(Team.objects.filter(public_id__in=teams).values_list("public_id", "name")) if teams else {}
    return found | (dict(Person.objects.filter(public_id__in=persons).values_list("public_id", "name")) if persons else {})


def wordings(policy: Policy, *, limit: int) -> list[Wording]:
    """The newest wordings of a policy."""
    found = [*policy.versions.order_by("-number")[:limit]]
    actors = {version.made_by: read_actor(version.made_by).person_id for version in found}
    names = dict(Person.objects.filter(public_id__in={one for one in actors.values() if one}).values_list("public_id", "name"))
    return [Wording(one.number, one.made_at, names.get(actors[one.made_by], "Change Control")) for one in found]  # type: ignore[arg-type]


def in_words(policy: PolicyFacts | None, *, service: str) -> dict[str, Any] | None:
    """The rules, stage after stage, and the switches."""
    if policy is None:
        return None
    names = names_in([policy])
    rules = [
        {"rule": rule, "words": rule_words(rule, names=names, service=service or "the service")}
        for rule in sorted(policy.rules, key=lambda rule: rule.stage)
    ]
    return {"rules": rules, "switches": [*switch_words(policy).items()], "many_stages": len({rule.stage for rule in policy.rules}) > 1}


def document_of(policy: Policy | None) -> dict[str, Any]:
    """The wording in force as a document to edit; the default one where there is none."""
    if policy is None or policy.version is None:
        return default_body()
    return {**json.loads(bytes(policy.version.body)), "name": policy.name}


def summary(policy: Policy) -> str:
    """A policy in one line, for lists."""
    facts = policy_facts(policy)
    if facts is None:
        return "It has no wording, so nothing can be agreed to."
    names = names_in([facts])
    service = policy.service.name if policy.service else "the service"
    said = [rule_words(rule, names=names, service=service) for rule in sorted(facts.rules, key=lambda rule: rule.stage)]
    return "; ".join(said)
