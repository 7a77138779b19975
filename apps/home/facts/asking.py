"""Which open changes may ask a person, found by index from the groups of the policies in force. Each may still turn out not to ask them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.models import Membership, Person, RoleGrant
from apps.approvals.facts import policy_facts
from apps.approvals.models import Decision, Implementer, Policy, SignOff
from apps.approvals.rules import Group, PolicyFacts
from apps.catalog.grants import Grants, grant_rows
from apps.catalog.models import ChangeRequired, Ownership, ServiceRole
from apps.changes.access import changes_for
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.schedule.models import Slot


@dataclass(frozen=True, slots=True)
class Hats:
    """Everything by which some persons belong to groups."""

    people: frozenset[object]  # public ids
    owned: frozenset[tuple[str, int]]  # kind, service
    grants: Grants
    teams: frozenset[object]  # public ids

    def condition(self, group: Group) -> Q | None:
        """The legs for which these persons are in the group; None for no leg at all."""
        match group.kind:
            case "OWNER":
                services = {service for kind, service in self.owned if group.owner in {"ANY", kind}}
                return Q(service__in=services) if services else None
            case "ROLE":
                where = {tuple(scope) for role, *scope in self.grants if role == group.role}
                if (None, None) in where:
                    return Q()
                return (
                    Q(service__team__in={team for team, _ in where if team}) | Q(service__in={one for _, one in where if one})
                    if where
                    else None
                )
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
        grants=frozenset(grant_rows(*rows)),
        teams=frozenset(Membership.objects.filter(person__in=rows, ended_at__isnull=True).values_list("team__public_id", flat=True)),
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """Where some persons are asked: the open legs of which a policy names a group of theirs."""

    legs: Q
    has_solo: bool  # one of those policies lets its own requester sign
    of_everyone: frozenset[int]  # environments where somebody who joins a group is one more to ask


def places_that_ask(hats: Hats) -> Asking | None:
    """Where the policies in force may ask them; None for nowhere."""
    found: list[Q] = []
    solo, everyone = False, set[int]()
    for policy in Policy.objects.open_now().filter(version__isnull=False).select_related("version"):
        facts = policy_facts(policy)
        conditions = _conditions(facts, hats)
        if facts and conditions:
            solo = solo or facts.solo
            everyone |= set() if all(rule.needed for rule in facts.rules) else {policy.environment_id}
            place = Q(environment=policy.environment_id)
            place &= Q(service=policy.service_id) if policy.service_id else Q()
            place &= Q(change__kind=policy.kind) if policy.kind else Q()
            found.append(place & (Q() if Q() in conditions else reduce(or_, conditions)))
    return Asking(reduce(or_, found), solo, frozenset(everyone)) if found else None


def _conditions(facts: PolicyFacts | None, hats: Hats) -> list[Q]:
    return [one for rule in facts.rules if (one := hats.condition(rule.group)) is not None] if facts else []


def changes_that_ask(reader: Person, *, persons: Iterable[int]) -> QuerySet[Change]:
    """Open changes that may ask one of the persons, among those the reader may see: the earliest slot first, then the earliest end.

    What is agreed already asks again only where something that its agreement rests on is no more as it was."""
    asking = places_that_ask(hats_of(persons))
    if asking is None:
        return Change.objects.none()
    legs = Leg.objects.filter(asking.legs, is_open=True).values("change")
    found = with_doubts(changes_for(reader).filter(pk__in=legs), of_everyone=asking.of_everyone)
    if not asking.has_solo:
        found = found.exclude(requester=reader.pk)
    slots = Slot.objects.filter(leg__change=OuterRef("pk"), leg__is_open=True).order_by().values("leg__change")
    planned = Subquery(slots.annotate(first=Min("starts_at")).values("first"))
    found = found.defer("words", "searched").select_related("requester__merged_into", "revision").annotate(first_start=planned)
    return found.order_by(Coalesce(F("first_start"), F("not_after")), "pk")


def with_doubts(changes: QuerySet[Change], *, of_everyone: Iterable[int]) -> QuerySet[Change]:
    """Those in review, and those agreed to of which a leg still to come may need people again.

    A policy or the strictness of an environment may be newer than the last agreement; somebody may be active, an owner, a
    member or a holder of a role no more, turn out to be the same person as another, or have deployed a part of it."""
    given = SignOff.objects.filter(change=OuterRef("pk"), withdrawn_at__isnull=True, decision=Decision.APPROVE).order_by()
    last = Subquery(given.values("change").annotate(last=Max("given_at")).values("last"))
    agreed_at = OuterRef("agreed_at")
    rules = Policy.objects.filter(environment=OuterRef("environment"))
    newer = Q(version__made_at__gt=OuterRef(agreed_at)) | Q(retired_at__gt=OuterRef(agreed_at))
    stricter = Q(environment__required_since__gt=agreed_at) | Q(environment__in=[*of_everyone]) | Exists(rules.filter(newer))
    to_come = Leg.objects.filter(change=OuterRef("pk"), is_open=True, environment__change_required=ChangeRequired.APPROVED)
    same = Q(requester__merged_into__isnull=False) | Q(revision__author__merged_into__isnull=False)
    deployed = Q(Exists(Implementer.objects.filter(leg__change=OuterRef("pk"))))
    doubt = same | deployed | Q(Exists(to_come.filter(stricter))) | Q(Exists(given.filter(_gone())))
    agreed = Q(state__in=[State.APPROVED, State.IN_PROGRESS])
    # What needed nobody was agreed to when it was submitted.
    return changes.alias(agreed_at=Coalesce(last, F("submitted_at"))).filter(Q(state=State.IN_REVIEW) | agreed & doubt)


def _gone() -> Q:
    """Sign-offs of, or in the place of, somebody who lost since then what the signature counted by."""
    whose = Q(person=OuterRef("person")) | Q(person=OuterRef("delegation__person"))
    owned = Ownership.objects.filter(whose, ended_at__gt=OuterRef("given_at"))
    member = Membership.objects.filter(whose, ended_at__gt=OuterRef("given_at"))
    held = RoleGrant.objects.filter(whose, revoked_at__gt=OuterRef("given_at"))
    worked = ServiceRole.objects.filter(whose, ended_at__gt=OuterRef("given_at"))
    inactive = Q(person__is_active=False) | Q(delegation__person__is_active=False)
    return inactive | Q(Exists(owned)) | Q(Exists(member)) | Q(Exists(held)) | Q(Exists(worked))
