"""Frozen facts for the tests of the pure rules: one service, one environment, persons by letter."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from apps.approvals.rules import Group, PersonFacts, PolicyFacts, QuorumFacts, ReviewFacts, RuleFacts, SignOffFacts, editor_of, group_text

SERVICE = UUID(int=1000)
TARGET = UUID(int=5000)
TEAM = UUID(int=2000)
AT = datetime(2026, 11, 19, 13, 20, 44, tzinfo=UTC)
DIGESTS = {part: f"{at}" * 64 for at, part in enumerate(("scope", "plan", "rollback", "period", "story"), start=1)}
SIGNED = ("scope", "plan", "rollback", "period")
BUSINESS = Group("OWNER", owner="BUSINESS")
TECHNICAL = Group("OWNER", owner="TECHNICAL")
ANY_OWNER = Group("OWNER", owner="ANY")
RELEASE = Group("ROLE", role="RELEASE_MANAGER")
TEAM_GROUP = Group("TEAM", team=TEAM)


def person(number: int, *, owner: str = "", role: str = "", team: bool = False, active: bool = True, merged_into: int = 0) -> PersonFacts:
    return PersonFacts(
        id=UUID(int=number),
        name=f"Person {number}",
        is_active=active,
        roles=frozenset({role} - {""}),
        team_ids=frozenset({TEAM} if team else set()),
        owner_of=frozenset(owner.split()),
        canonical_id=UUID(int=merged_into or number),
    )


def rule(
    key: str = "owner", group: Group = ANY_OWNER, *, needed: int = 1, stage: int = 1, meaning: str = "APPROVAL", parts=SIGNED
) -> RuleFacts:
    return RuleFacts(key, key.title(), group, needed, stage, meaning, tuple(parts))


def policy(*rules: RuleFacts, exclude: tuple[str, ...] = ("requester", "last_editor"), solo: bool = False) -> PolicyFacts:
    return PolicyFacts(UUID(int=3000), "Production", 1, "d" * 64, rules or (rule(),), frozenset(exclude), solo)


def sign_off(who: PersonFacts, *groups: Group, parts=SIGNED, **changes) -> SignOffFacts:
    made = SignOffFacts(
        id=UUID(int=who.id.int + 500),
        person=who,
        decision="APPROVE",
        meaning="APPROVAL",
        covered={part: DIGESTS[part] for part in parts},
        groups=frozenset((group_text(group, service_id=SERVICE), str(TARGET)) for group in groups or (ANY_OWNER,)),
        given_at=AT,
        signature_ok=True,
        revision=1,
        proof="password_and_code",
    )
    return replace(made, **changes)


def leg(*sign_offs: SignOffFacts, under: PolicyFacts | None = None, people: tuple[PersonFacts, ...] = (), **changes) -> QuorumFacts:
    made = QuorumFacts(
        leg_id=UUID(int=4000),
        target_id=TARGET,
        service_id=SERVICE,
        service="payments",
        environment="production",
        required="APPROVED",
        policy=under or policy(),
        digests=DIGESTS,
        sign_offs=sign_offs,
        hands={"requester": frozenset({UUID(int=1)}), **{editor_of(part): frozenset({UUID(int=2)}) for part in DIGESTS}},
        people=people,
    )
    return replace(made, **changes)


def review(*legs: QuorumFacts, **changes) -> ReviewFacts:
    made = ReviewFacts(
        ref="CHG-7",
        state="IN_REVIEW",
        revision=1,
        revision_digest="e" * 64,
        revised_by="Ada",
        revised_at=AT,
        requester_id=UUID(int=1),
        legs=legs,
    )
    return replace(made, **changes)
