"""Which open changes may ask a person, found by index from the groups of the policies in force. Each may still turn out not to ask them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.facts import standing_grants
from apps.accounts.models import Membership, Person
from apps.approvals.facts import policy_facts
from apps.approvals.models import Policy
from apps.approvals.rules import Group
from apps.catalog.models import Ownership
from apps.changes.access import changes_for
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.schedule.models import Slot


@dataclass(frozen=True, slots=True)
class Hats:
    """Everything by which some persons belong to groups."""

    people: frozenset[object]  # public ids
    owned: frozenset[tuple[str, int]]  # kind, service
    roles: frozenset[tuple[str, int | None]]  # role, team; None: for everything
    teams: frozenset[object]  # public ids

    def condition(self, group: Group) -> Q | None:
        """The legs for which these persons are in the group; None for no leg at all."""
        match group.kind:
            case "OWNER":
                services = {service for kind, service in self.owned if group.owner in {"ANY", kind}}
                return Q(service__in=services) if services else None
            case "ROLE":
                where = {team for role, team in self.roles if role == group.role}
                return Q() if None in where else Q(service__team__in=where) if where else None
            case "TEAM":
                return Q() if group.team in self.teams else None
        return Q() if self.people & group.persons else None


def hats_of(persons: Iterable[int]) -> Hats:
    """What these persons hold now, those merged into them counted with them; four statements."""
    rows = [*persons]
    same = Person.objects.filter(Q(pk__in=rows) | Q(merged_into__in=rows)).values_list("pk", "public_id")
    ids = dict(same)
    owned = Ownership.objects.filter(person__in=ids, ended_at__isnull=True).values_list("kind", "service")
    return Hats(
        people=frozenset(ids.values()),
        owned=frozenset((kind, service) for kind, service in owned),
        roles=frozenset(standing_grants().filter(person__in=rows).values_list("role", "team")),
        teams=frozenset(Membership.objects.filter(person__in=rows, ended_at__isnull=True).values_list("team__public_id", flat=True)),
    )


def legs_that_ask(hats: Hats) -> tuple[Q | None, bool]:
    """The open legs of which some policy names a group of theirs, and whether one of those lets its own requester sign."""
    found: list[Q] = []
    solo = False
    for policy in Policy.objects.open_now().filter(version__isnull=False).select_related("version"):
        facts = policy_facts(policy)
        conditions = [one for rule in facts.rules if (one := hats.condition(rule.group)) is not None] if facts else []
        if facts and conditions:
            solo = solo or facts.solo
            place = Q(environment=policy.environment_id)
            place &= Q(service=policy.service_id) if policy.service_id else Q()
            place &= Q(change__kind=policy.kind) if policy.kind else Q()
            found.append(place & (Q() if Q() in conditions else reduce(or_, conditions)))
    return (reduce(or_, found) if found else None), solo


def changes_that_ask(reader: Person, *, persons: Iterable[int]) -> QuerySet[Change]:
    """Changes in review that may ask one of the persons, among those the reader may see: the earliest slot first, then the earliest end."""
    asking, solo = legs_that_ask(hats_of(persons))
    if asking is None:
        return Change.objects.none()
    legs = Leg.objects.filter(asking, is_open=True).values("change")
    found = changes_for(reader).filter(state=State.IN_REVIEW, pk__in=legs)
    if not solo:
        found = found.exclude(requester=reader.pk)
    slots = Slot.objects.filter(leg__change=OuterRef("pk"), leg__is_open=True).order_by().values("leg__change")
    planned = Subquery(slots.annotate(first=Min("starts_at")).values("first"))
    found = found.defer("words", "searched").select_related("requester__merged_into", "revision").annotate(first_start=planned)
    return found.order_by(Coalesce(F("first_start"), F("not_after")), "pk")
