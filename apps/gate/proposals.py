"""What waits for a second person's word, wherever it was proposed: policies, change models, relaxations, administrators. Decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from apps.accounts.facts import standing_grants, wide_roles
from apps.accounts.models import Person, SecondHand
from apps.accounts.roles import Role
from apps.accounts.rules import Act
from apps.accounts.second_hand import GOOD_FOR, WORDS
from apps.approvals.models import PolicyProposal
from apps.changes.models import ChangeModelProposal
from apps.core.references import Reference, with_public_ids
from apps.gate.models import Relaxation, Trust

BY_ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
BY_MANAGERS_TOO = frozenset({Role.ADMINISTRATOR, Role.RELEASE_MANAGER})
OPEN, MOST = Q(decided_at__isnull=True), 40
WITH = ("proposed_by__merged_into",)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One of them, as pages and mails tell it; `roles` are those who may confirm it."""

    reference: Reference
    title: str
    proposer: Person
    at: datetime
    route: str
    about: str
    roles: frozenset[Role]
    reason: str = ""

    @property
    def url(self) -> str:
        """Its page."""
        return reverse(self.route, args=[self.about])


def proposals_waiting_for(person: Person, *, now: datetime) -> list[Proposal]:
    """What this person may confirm or refuse, the oldest first. One statement for whoever decides nothing of the kind."""
    roles = wide_roles(person)
    if not roles & BY_MANAGERS_TOO:
        return []
    found = [*_models(OPEN)]
    if Role.ADMINISTRATOR in roles:
        waiting = Q(in_force_at__isnull=True, grant__revoked_at__isnull=True, grant__expires_at__gt=now)
        found += [*_policies(OPEN), *_relaxations(OPEN), *_trusts(waiting), *_second_hands(_standing(now))]
    return sorted((one for one in found if one.proposer.pk != person.pk), key=lambda one: one.at)


def proposal_named(reference: Reference | None, *, now: datetime) -> Proposal | None:
    """One that is not decided yet, by reference."""
    if reference is None or not with_public_ids([reference]):
        return None
    mine = OPEN & Q(public_id=reference.id)
    match reference.kind:
        case "policy_proposal":
            found = _policies(mine)
        case "change_model_proposal":
            found = _models(mine)
        case "relaxation":
            found = _relaxations(mine)
        case "trust":
            found = _trusts(Q(in_force_at__isnull=True, grant__revoked_at__isnull=True, grant__public_id=reference.id))
        case "second_hand":
            found = _second_hands(_standing(now) & Q(person__public_id=reference.id))
        case _:
            return None
    return next(found, None)


def confirmers_of(proposal: Proposal) -> set[UUID]:
    """Everybody who may confirm it: whoever proposed it may not."""
    held = standing_grants().filter(role__in=proposal.roles, team__isnull=True)
    return set(held.values_list("person__public_id", flat=True)) - {proposal.proposer.public_id}


def _now(person: Person) -> Person:
    return person.merged_into or person


def _standing(now: datetime) -> Q:
    return Q(done_at__isnull=True, asked_at__gt=now - GOOD_FOR)


def _policies(where: Q) -> Iterator[Proposal]:
    for one in PolicyProposal.objects.filter(where).select_related("environment", "service", *WITH).order_by("pk")[:MOST]:
        place = f"{one.service.name} in {one.environment.name}" if one.service else one.environment.name
        title = f"Policy “{one.name}” for {place}" if one.body else f"End of the policy “{one.name}” for {place}"
        yield _made(one, title, route="approvals:proposal", about=str(one.public_id))


def _models(where: Q) -> Iterator[Proposal]:
    for one in ChangeModelProposal.objects.filter(where).select_related(*WITH).order_by("pk")[:MOST]:
        title = f"Change model “{one.name}”, which approves changes beforehand"
        yield _made(one, title, route="home:model_proposal", about=str(one.public_id), roles=BY_MANAGERS_TOO)


def _relaxations(where: Q) -> Iterator[Proposal]:
    for one in Relaxation.objects.filter(where).select_related("environment", *WITH).order_by("pk")[:MOST]:
        title = f"{one.environment.name} asks for less"
        yield _made(one, title, route="home:environment_strictness", about=one.environment.slug, reason=one.reason)


def _trusts(where: Q) -> Iterator[Proposal]:
    for one in Trust.objects.filter(where).select_related("grant", "issuer", *WITH).order_by("pk")[:MOST]:
        title = f"Trust in CI jobs of {one.issuer.name}: “{one.grant.name}”"
        yield Proposal(
            one.reference, title, _now(one.proposed_by), one.grant.issued_at, "home:trust", str(one.grant.public_id), BY_ADMINISTRATORS
        )


def _made(
    one: PolicyProposal | ChangeModelProposal | Relaxation,
    title: str,
    *,
    route: str,
    about: str,
    roles: frozenset[Role] = BY_ADMINISTRATORS,
    reason: str = "",
) -> Proposal:
    return Proposal(one.reference, title, _now(one.proposed_by), one.proposed_at, route, about, roles, reason)


def _second_hands(where: Q) -> Iterator[Proposal]:
    """Only what an administrator asked who is one still."""
    administrators = standing_grants().filter(role=Role.ADMINISTRATOR).values("person")
    asked = Q(asked_by__in=administrators) | Q(asked_by__merged_into__in=administrators)
    for one in SecondHand.objects.filter(where & asked).select_related("person", "asked_by__merged_into").order_by("pk")[:MOST]:
        title, named = WORDS[Act(one.act)].format(one.person.name), Reference("second_hand", str(one.person.public_id))
        words = f"{title[0].upper()}{title[1:]}"
        yield Proposal(named, words, _now(one.asked_by), one.asked_at, "accounts:person", str(one.person.public_id), BY_ADMINISTRATORS)
