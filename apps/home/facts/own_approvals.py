"""Who could have approved their own change: whom only a policy's exclusions keep apart, and where somebody did.

Could: they may ask for changes of a service and are in a group that agrees to its changes, or stand in for somebody who is. Did: the
signer was the requester (SOLO) or is their second account, has the same printed name and may be one, edited what they signed, or was
let in by the requester. Everybody is read as who they stand as: an account that was merged is no second person."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat, Lower

from apps.accounts.models import Membership, Person, RoleGrant
from apps.accounts.roles import Role
from apps.approvals.access import policies
from apps.approvals.facts import policy_facts, standing_delegations
from apps.approvals.models import Decision, Delegation, Policy, SignOff
from apps.approvals.rules import Group, PolicyFacts, RuleFacts
from apps.catalog.access import services_for
from apps.catalog.models import Ownership, Service, ServiceRole
from apps.changes.access import changes_for
from apps.changes.content import PARTS
from apps.changes.models import Revision

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
    workers: list[ServiceRole]
    members: dict[UUID, set[int]]
    stands_as: dict[int, int]  # whoever was merged, by row
    named: dict[UUID, int]
    delegations: list[Delegation]

    def now(self, people: Iterable[int]) -> set[int]:
        """The same as who they stand as."""
        return {self.stands_as.get(key, key) for key in people}

    def works(self, role: str, service: Service) -> set[int]:
        """Who has a role for a service alone."""
        return self.now(one.person_id for one in self.workers if (one.role, one.service_id) == (role, service.pk))


def exposures(reader: Person) -> list[Exposure]:
    """By policy and name; one statement for each kind of row, however many there are."""
    standing = _standing(reader)
    found = [one for policy in policies(reader) for one in _under(policy, standing)]
    return sorted(found, key=lambda one: (not one.is_open, one.policy.name, one.person.name))


def own_approvals(reader: Person, *, now: datetime) -> list[OwnApproval]:
    """The newest of the last year, of changes the reader may see."""
    given = SignOff.objects.filter(decision=Decision.APPROVE, given_at__gte=now - SINCE, change__in=changes_for(reader))
    found = (
        given.annotate(
            signer=Coalesce("person__merged_into", "person"),
            asker=Coalesce("requester__merged_into", "requester"),
            signer_name=Lower("person__name"),
            requester_name=Lower("requester__name"),
            asker_text=_actor_text("requester__public_id"),
        )
        .annotate(is_let_in=_let_in(), has_edited=Exists(_edits()))
        .filter(Q(signer=F("asker")) | Q(signer_name=F("requester_name")) | Q(is_let_in=True) | Q(has_edited=True))
        .select_related("change", "person", "requester", "revision")
        .order_by("-given_at")
    )
    rows = [*found[:MOST]]
    changed = _last_hands(rows)
    return [_told(row, changed) for row in rows]


def _actor_text(field: str) -> Concat:
    """A person as the columns hold them that say who gave something."""
    return Concat(Value("PERSON:"), Cast(field, CharField()))


def _let_in() -> Q:
    """Whether all that lets the signer sign was given by whoever asked for the change, or their sign-in link was shown to them."""
    by, mine = OuterRef("asker_text"), Q(person=OuterRef("person")) | Q(person__merged_into=OuterRef("person"))
    roles, owned, works = RoleGrant.objects.filter(mine), Ownership.objects.filter(mine), ServiceRole.objects.filter(mine)
    theirs = Q(Exists(roles.filter(granted_by=by))) | Q(Exists(owned.filter(started_by=by))) | Q(Exists(works.filter(started_by=by)))
    others = Q(Exists(roles.exclude(granted_by=by))) | Q(Exists(owned.exclude(started_by=by))) | Q(Exists(works.exclude(started_by=by)))
    return (Q(person__let_in_by=F("asker_text")) | (theirs & ~others)) & ~Q(signer=F("asker"))


def _edits() -> QuerySet[Revision]:
    """The revisions up to the signed one that the signer made."""
    by = Q(author=OuterRef("signer")) | Q(author__merged_into=OuterRef("signer"))
    return Revision.objects.filter(by, change=OuterRef("change"), number__lte=OuterRef("revision__number"))


def _last_hands(rows: Sequence[SignOff]) -> dict[tuple[int, int], dict[str, int]]:
    """By change and revision, who had last changed each part then, as who they stand as. One statement."""
    stands_as = Coalesce("author__merged_into", "author")
    wanted = Revision.objects.filter(change__in={row.change_id for row in rows}).order_by("change", "number")
    found: dict[tuple[int, int], dict[str, int]] = {}
    before: dict[int, tuple[tuple[bytes | str, ...], dict[str, int]]] = {}
    for change, number, by, *digests in wanted.values_list("change", "number", stands_as, *(f"{part}_digest" for part in PARTS)):
        was, hands = before.get(change, ((None,) * len(PARTS), {}))
        hands = hands | {part: by for part, old, new in zip(PARTS, was, digests, strict=True) if old != new}
        found[change, number] = hands
        before[change] = (tuple(digests), hands)
    return found


def _told(row: SignOff, changed: dict[tuple[int, int], dict[str, int]]) -> OwnApproval:
    signer = row.person.merged_into_id or row.person_id
    if row.person_id == row.requester_id:
        return OwnApproval(row, "Signed by the requester; the policy allowed it, and it is marked so", is_sure=True)
    ids = {row.person_id, row.person.merged_into_id} & {row.requester_id, row.requester.merged_into_id}
    if ids - {None}:
        return OwnApproval(row, "Signer and requester are one person with two accounts, merged since", is_sure=True)
    hands = changed.get((row.change_id, row.revision.number), {})
    own = [part for part in PARTS if part in row.covered_parts and hands.get(part) == signer]
    if own:
        return OwnApproval(row, f"Edited and signed: the signer was the last to edit {' and '.join(own)}", is_sure=True)
    if row.is_let_in:  # type: ignore[attr-defined]  # annotated
        return OwnApproval(row, "Let in by the requester: a role, a team, an ownership or the sign-in link came from them", is_sure=False)
    if row.has_edited:  # type: ignore[attr-defined]  # annotated
        return OwnApproval(row, "Edited and signed: others edited the same parts after the signer had", is_sure=False)
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
    workers = [*ServiceRole.objects.filter(ended_at__isnull=True, service__in=services)]
    people = {one.pk: one for one in Person.objects.filter(merged_into__isnull=True)}
    merged = [*Person.objects.filter(merged_into__isnull=False)]
    named = {one.public_id: one.pk for one in (*people.values(), *merged)}
    stands_as = {one.pk: one.merged_into_id or one.pk for one in merged}
    present = {key: one for key, one in people.items() if one.is_active}
    delegations = [*standing_delegations().order_by("pk")]
    return _Standing(present, services, dict(grants), owners, workers, dict(members), stands_as, named, delegations)


def _under(policy: Policy, standing: _Standing) -> Iterator[Exposure]:
    facts = policy_facts(policy)
    if facts is None:
        return
    agreeing: defaultdict[int, list[str]] = defaultdict(list)
    for rule in facts.rules:
        for key, words in _both(rule, policy, standing):
            if words not in agreeing[key]:
                agreeing[key].append(words)
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


def _both(rule: RuleFacts, policy: Policy, standing: _Standing) -> set[tuple[int, str]]:
    """Who is in the rule's group for a service that they may also ask changes of, or stands in there; and as what."""
    places = [standing.services[policy.service_id]] if policy.service_id in standing.services else []
    if policy.service_id is None:
        places = [*standing.services.values()]
    asks_anywhere, asks_for = _scopes(standing.grants.get(Role.REQUESTER, []))
    found: set[tuple[int, str]] = set()
    for service in places:
        asking = asks_anywhere | asks_for.get(service.team_id or 0, set()) | standing.works(Role.REQUESTER, service)
        members = standing.now(_members(rule.group, service, standing))
        found |= {(key, rule.label) for key in asking & members}
        found |= {(key, words) for key, words in _stand_ins(rule, service, members, standing) if key in asking}
    return found


def _stand_ins(rule: RuleFacts, service: Service, members: set[int], standing: _Standing) -> Iterator[tuple[int, str]]:
    """Who signs now in the place of a member, for this service."""
    for one in standing.delegations:
        (principal,), (delegate,) = standing.now([one.person_id]), standing.now([one.delegate_id])
        if principal in members and principal in standing.people and (one.service_ids is None or service.pk in one.service_ids):
            yield delegate, f"{rule.label}, for {standing.people[principal].name}"


def _members(group: Group, service: Service, standing: _Standing) -> set[int]:
    match group.kind:
        case "OWNER":
            wanted = {"BUSINESS", "TECHNICAL"} if group.owner == "ANY" else {group.owner}
            return {one.person_id for one in standing.owners if one.service_id == service.pk and one.kind in wanted}
        case "ROLE":
            anywhere, scoped = _scopes(standing.grants.get(group.role, []))
            return anywhere | scoped.get(service.team_id or 0, set()) | standing.works(group.role, service)
        case "TEAM":
            return standing.members.get(group.team, set()) if group.team else set()
        case _:
            return {standing.named[one] for one in group.persons if one in standing.named}


def _scopes(grants: list[RoleGrant]) -> tuple[set[int], dict[int, set[int]]]:
    """Who holds a role for everything, and who for one team."""
    scoped: defaultdict[int, set[int]] = defaultdict(set)
    for grant in grants:
        if grant.team_id is not None:
            scoped[grant.team_id].add(grant.person_id)
    return {grant.person_id for grant in grants if grant.team_id is None}, dict(scoped)
