"""Seats that were given by whoever the change keeps out: who lets somebody in does not choose who agrees. Pure."""

from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

from apps.accounts.roles import Role
from apps.approvals.rules.counting import LAST_EDITOR, editor_of
from apps.approvals.rules.shapes import Group, PolicyFacts, RuleFacts
from apps.catalog.rules import LINK, PersonFacts, seat_key


def is_given_by_hands(
    person: PersonFacts,
    *,
    rule: RuleFacts,
    policy: PolicyFacts,
    hands: Mapping[str, Collection[UUID]],
    stands_for: PersonFacts | None = None,
) -> bool:
    """Whether everything that puts somebody into the rule's group was given by the requester or by an editor who is kept out.

    Of several roles one that somebody else gave is enough. Where requesters may sign alone, it keeps nobody from anything.
    Who stands in for somebody has a seat as good as theirs, and was not let in by one of those hands either."""
    if policy.solo:
        return False
    barred = {*hands["requester"]}
    if LAST_EDITOR in policy.exclude:
        barred |= {one for part in rule.parts for one in hands[editor_of(part)]}
    holder = stands_for or person
    seats = [givers for key in _keys(rule.group) for givers in holder.given_by.get(key, ())]
    if seats and all(givers & barred for givers in seats):
        return True
    return stands_for is not None and any(givers & barred for givers in person.given_by.get(LINK, ()))


def is_let_in_by(person: PersonFacts, *, giver: UUID) -> bool:
    """Whether everything that lets somebody be the second person of an exception was given by this one, who asks for it."""
    keys = (seat_key("ROLE", Role.RELEASE_MANAGER), *(seat_key("OWNER", kind) for kind in ("BUSINESS", "TECHNICAL")))
    seats = [givers for key in keys for givers in person.given_by.get(key, ())]
    return bool(seats) and all(giver in givers for givers in seats)


def _keys(group: Group) -> Iterator[str]:
    match group.kind:
        case "OWNER":
            yield from (seat_key("OWNER", kind) for kind in (("BUSINESS", "TECHNICAL") if group.owner == "ANY" else (group.owner,)))
        case "ROLE":
            yield seat_key("ROLE", group.role)
        case "TEAM":
            yield seat_key("TEAM", str(group.team))
        case _:
            yield LINK
