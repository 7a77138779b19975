"""Who could have approved their own change: whom only a policy's exclusions keep apart, and where somebody did.

Could: they may ask for changes of a service and are in a group that agrees to its changes. Did: the signer was the requester
(SOLO), is the requester's second account, or has the same printed name and may be one."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Lower

from apps.accounts.models import Membership, Person, RoleGrant
from apps.accounts.roles import Role
from apps.approvals.access import policies
from apps.approvals.facts import policy_facts
from apps.approvals.models import Decision, Policy, SignOff
from apps.approvals.rules import Group, PolicyFacts, RuleFacts
from apps.catalog.access import services_for
from apps.catalog.models import Ownership, Service
from apps.changes.access import changes_for

SINCE = timedelta(days=365)
MOST = 200


@dataclass(frozen=True, slots=True)
class Exposure:
    """Somebody who may ask and agree under one policy, and what keeps the two apart."""

    person: Person
    policy: Policy
    rules: tuple[str, ...]
    kept_apart: str
    is_open: bool  # nothing keeps them apart but the mark on the sign-off


@dataclass(frozen=True, slots=True)
class OwnApproval:
    """A sign-off that was, or may have been, over the signer's own change."""

    sign_off: SignOff
    why: str
    is_sure: bool


@dataclass(frozen=True, slots=True)
class _Standing:
    """Everything that puts people into groups, loaded once."""

    people: dict[int, Person]
    services: dict[int, Service]
    grants: dict[str, list[RoleGrant]]
    owners: list[Ownership]
    members: dict[UUID, set[int]]


def exposures(reader: Person) -> list[Exposure]:
    """By policy and name; one statement for each kind of row, however many there are."""
    standing = _standing(reader)
    found = [one for policy in policies(reader) for one in _under(policy, standing)]
    return sorted(found, key=lambda one: (not one.is_open, one.policy.name, one.person.name))


def own_approvals(reader: Person, *, now: datetime) -> list[OwnApproval]:
    """The newest of the last year, of changes the reader may see."""
    one_person = (
        Q(person__merged_into=F("requester"))
        | Q(requester__merged_into=F("person"))
        | Q(person__merged_into=F("requester__merged_into"))
        | Q(signer_name=F("requester_name"))
    )
    rows = (
        SignOff.objects.filter(decision=Decision.APPROVE, given_at__gte=now - SINCE, change__in=changes_for(reader))
        .annotate(signer_name=Lower("person__name"), requester_name=Lower("requester__name"))
        .filter(Q(person=F("requester")) | one_person)
        .select_related("change", "person", "requester")
        .order_by("-given_at")[:MOST]
    )
    return [_told(row) for row in rows]


def _told(row: SignOff) -> OwnApproval:
    if row.person_id == row.requester_id:
        return OwnApproval(row, "Signed by the requester; the policy allowed it, and it is marked so", is_sure=True)
    ids = {row.person_id, row.person.merged_into_id} & {row.requester_id, row.requester.merged_into_id}
    if ids - {None}:
        return OwnApproval(row, "Signer and requester are one person with two accounts, merged since", is_sure=True)
    return OwnApproval(row, "Signer and requester have the same name: merge them if they are one person", is_sure=False)


def _standing(reader: Person) -> _Standing:
    services = {one.pk: one for one in services_for(reader)}
    grants: defaultdict[str, list[RoleGrant]] = defaultdict(list)
    for grant in RoleGrant.objects.filter(revoked_at__isnull=True):
        grants[grant.role].append(grant)
    members: defaultdict[UUID, set[int]] = defaultdict(set)
    for team, person in Membership.objects.filter(ended_at__isnull=True).values_list("team__public_id", "person"):
        members[team].add(person)
    owners = [*Ownership.objects.filter(ended_at__isnull=True, service__in=services)]
    return _Standing({one.pk: one for one in Person.objects.present()}, services, dict(grants), owners, dict(members))


def _under(policy: Policy, standing: _Standing) -> Iterator[Exposure]:
    facts = policy_facts(policy)
    if facts is None:
        return
    agreeing: defaultdict[int, list[str]] = defaultdict(list)
    for rule in facts.rules:
        for key in _both(rule, policy, standing):
            agreeing[key].append(rule.label)
    for key, rules in agreeing.items():
        if person := standing.people.get(key):
            yield Exposure(person, policy, tuple(rules), kept_apart(facts), is_open=facts.solo)


def kept_apart(facts: PolicyFacts) -> str:
    """What the policy does about it, in words."""
    if facts.solo:
        return "Nothing: the policy lets requesters sign their own change with a reason, marked as SOLO"
    also = {"last_editor": "last editor", "author": "author of a commit", "implementer": "whoever starts it"}
    words = ["requester", *(also.get(one, one.replace("_", " ")) for one in sorted(facts.exclude - {"requester"}))]
    return f"Excluded as {', '.join(words)}"


def _both(rule: RuleFacts, policy: Policy, standing: _Standing) -> set[int]:
    """Who is in the rule's group for a service that they may also ask changes of."""
    places = [standing.services[policy.service_id]] if policy.service_id in standing.services else []
    if policy.service_id is None:
        places = [*standing.services.values()]
    asks_anywhere, asks_for = _scopes(standing.grants.get(Role.REQUESTER, []))
    found: set[int] = set()
    for service in places:
        asking = asks_anywhere | asks_for.get(service.team_id or 0, set())
        found |= asking & _members(rule.group, service, standing)
    return found


def _members(group: Group, service: Service, standing: _Standing) -> set[int]:
    match group.kind:
        case "OWNER":
            wanted = {"BUSINESS", "TECHNICAL"} if group.owner == "ANY" else {group.owner}
            return {one.person_id for one in standing.owners if one.service_id == service.pk and one.kind in wanted}
        case "ROLE":
            anywhere, scoped = _scopes(standing.grants.get(group.role, []))
            return anywhere | scoped.get(service.team_id or 0, set())
        case "TEAM":
            return standing.members.get(group.team, set()) if group.team else set()
        case _:
            return {key for key, person in standing.people.items() if person.public_id in group.persons}


def _scopes(grants: list[RoleGrant]) -> tuple[set[int], dict[int, set[int]]]:
    """Who holds a role for everything, and who for one team."""
    scoped: defaultdict[int, set[int]] = defaultdict(set)
    for grant in grants:
        if grant.team_id is not None:
            scoped[grant.team_id].add(grant.person_id)
    return {grant.person_id for grant in grants if grant.team_id is None}, dict(scoped)
