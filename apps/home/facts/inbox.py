"""What waits for a person's signature, what they decided, and what they sign in another's place."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from apps.accounts.models import Person
from apps.approvals.facts import review_facts, standing_delegations
from apps.approvals.models import Decision, Delegation, LegException, SignOff
from apps.approvals.rules import (
    ASKS_FOR,
    PASSKEY,
    PASSWORD,
    TO_ADD,
    RuleState,
    Seat,
    Strength,
    open_seats,
    own_sign_offs,
    quorum,
    strictest,
    suffices,
    why_not_approve,
)
from apps.approvals.steps import signer
from apps.catalog.models import Service
from apps.changes.access import changes_for
from apps.changes.models import Change, Dependency, Leg
from apps.gate.proposals import Proposal, proposals_waiting_for
from apps.home.facts.asking import changes_that_ask
from apps.home.facts.exceptions import exceptions_waiting_for
from apps.home.facts.owed_reviews import Owed, reviews_owed_by
from apps.home.facts.sign_off_page import as_whom
from apps.home.facts.telling import listed

PAGE, LOOKED_AT = 20, 40
COUNTED = 9  # as far as one digit goes
NAMED = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """One change that waits for this person."""

    change: Change
    legs: list[Leg]
    since: datetime
    starts_at: datetime | None
    lapsed_from: int | None  # the revision they had agreed to
    blocks: list[str]  # changes that are to come after it
    as_whom: str  # in which group, or in whose place
    asked: Strength = Strength.ANY  # what the signature is to be proved by


@dataclass(frozen=True, slots=True)
class Judged:
    """A change that needs a person: the revision their lapsed agreement was given to, and what the next is to be proved by."""

    change: Change
    lapsed_from: int | None
    seats: tuple[Seat, ...]
    since: datetime

    @property
    def asked(self) -> Strength:
        """What the signature is to be proved by."""
        return strictest([seat.leg.policy.strength for seat in self.seats if seat.leg.policy])


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, the earliest slot first. `is_whole` is False where more changes may ask than were judged."""

    wanted: list[Wanted]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that waits for a person, and the word that counts it."""

    queue: Queue
    exceptions: list[LegException]
    proposals: list[Proposal]
    reviews: list[Owed]
    word: str


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions of this person, the newest first, and where the next page begins."""

    sign_offs: list[SignOff]
    next_before: int | None


def unproved_words(person: Person, wanted: Iterable[Wanted]) -> str:
    """How many of these the person cannot sign yet, and what to add first; empty where their proof is enough for all."""
    stronger = [one for one in wanted if one.asked is not Strength.ANY]
    by = signer(person).credential if stronger else ""
    short = [one for one in stronger if not suffices(by, asked=one.asked)]
    if not short:
        return ""
    asked = strictest([one.asked for one in short])
    which = ", ".join(one.change.ref for one in short[:NAMED]) + (f" and {len(short) - NAMED} more" if len(short) > NAMED else "")
    return f"{which}: the policy asks for {ASKS_FOR[asked]}. You sign after adding {TO_ADD[asked if by == PASSWORD else Strength.PASSKEY]}."


def waiting_for_signature(person: Person, *, now: datetime, most: int = PAGE, looked_at: int = LOOKED_AT) -> Queue:
    """What this person may sign in their own right or in another's place, and nobody has made needless."""
    asked = {person.pk, *(one.person.merged_into_id or one.person_id for one in stand_ins_of(person, now=now))}
    return queue_of(person, changes_that_ask(person, persons=asked), now=now, most=most, looked_at=looked_at)


def counted_for_signature(person: Person, *, now: datetime) -> Waiting:
    """The nearest that wait and the number shown for them; the first page and the navigation both say this one."""
    queue = waiting_for_signature(person, now=now, most=COUNTED + 1, looked_at=2 * COUNTED)
    exceptions, proposals = exceptions_waiting_for(person, now=now), proposals_waiting_for(person, now=now)
    reviews = reviews_owed_by(person, now=now)
    count = len(queue.wanted) + len(exceptions) + len(proposals) + len(reviews)
    word = f"{COUNTED}+" if count > COUNTED or (count and not queue.is_whole) else str(count or "")
    return Waiting(queue, exceptions, proposals, reviews, word)


def queue_of(person: Person, asking: Iterable[Change], *, now: datetime, most: int, looked_at: int) -> Queue:
    """Judge the first of those that may ask; the rest is said to be there."""
    nearest = [*asking[: looked_at + 1]]  # type: ignore[index]  # a queryset
    found: list[Judged] = []
    judged = 0
    for change in nearest[:looked_at]:
        if len(found) == most:
            break
        judged += 1
        if one := judge_for(person, change, now=now):
            found.append(one)
    return Queue(told(found, person), is_whole=judged == len(nearest))


def judge_for(person: Person, change: Change, *, now: datetime) -> Judged | None:
    """The change as it still needs this person; None where it does not."""
    facts = review_facts(change, now=now)
    if all(quorum(leg).met for leg in facts.legs):
        return None
    by = replace(person.actor, credential=PASSKEY)  # who still has to enrol one is waited for all the same
    if why_not_approve(facts, revision_digest=facts.revision_digest, by=by):
        return None
    given = next(iter(own_sign_offs(facts, by=person.public_id)), None)
    lapsed = given.revision if given and given.decision == Decision.APPROVE and given.revision < facts.revision else None
    seats = tuple(seat for seat in open_seats(facts, by=person.public_id) if seat.state is not RuleState.AGREED)
    if not seats:
        return None  # somebody else spoke for every rule that asks this person
    return Judged(change, lapsed, seats, since=waits_since(change, seats, changed_at=facts.changed_at))


def waits_since(change: Change, seats: Iterable[Seat], *, changed_at: Mapping[str, datetime]) -> datetime:
    """Since when the first of these rules waits: an edit of what it does not cover begins no wait anew, here as in a reminder."""
    came = change.submitted_at or change.created_at
    return min((max((came, *(changed_at[part] for part in seat.rule.parts if part in changed_at))) for seat in seats), default=came)


def told(found: list[Judged], person: Person) -> list[Wanted]:
    """Changes with their open legs and what is to come after them, as far as the person sees it, in two statements."""
    changes = [one.change for one in found]
    legs: dict[int, list[Leg]] = defaultdict(list)
    for leg in (
        Leg.objects.filter(change__in=changes, is_open=True)
        .select_related("service", "environment", "item")
        .order_by("environment__rank", "pk")
    ):
        legs[leg.change_id].append(leg)
    blocks: dict[int, list[str]] = defaultdict(list)
    seen = changes_for(person).values("pk")
    later = Dependency.objects.filter(needs__in=changes, change__in=seen, ended_at__isnull=True)
    for needs, change in later.order_by("change").values_list("needs", "change"):
        blocks[needs].append(f"CHG-{change}")
    return [
        Wanted(
            change=one.change,
            legs=legs[one.change.pk],
            since=one.since,
            starts_at=getattr(one.change, "first_start", None),
            lapsed_from=one.lapsed_from,
            blocks=blocks[one.change.pk],
            as_whom=listed(sorted({as_whom(seat) if seat.stands_for else f"as {as_whom(seat)}" for seat in one.seats})),
            asked=one.asked,
        )
        for one in found
    ]


def decided_by(person: Person, *, before: int | None = None) -> Decided:
    """What this person decided on changes they may see, withdrawn decisions too."""
    same = Person.objects.filter(merged_into=person.pk).values("pk")
    given = SignOff.objects.filter(person=person.pk) | SignOff.objects.filter(person__in=same)
    if before is not None:
        given = given.filter(pk__lt=before)
    seen = given.filter(change__in=changes_for(person)).select_related("change", "revision")
    rows = [*seen.order_by("-pk")[: PAGE + 1]]
    return Decided(rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None)


def stand_ins_of(person: Person, *, now: datetime) -> list[Delegation]:
    """Those in whose place this person may sign now."""
    return [*standing_delegations(now).filter(delegate=person.pk).select_related("person__merged_into").order_by("ends_at", "pk")]


def delegated_to(person: Person, *, now: datetime) -> Queue:
    """What waits for this person in another's place alone."""
    asked = {one.person.merged_into_id or one.person_id for one in stand_ins_of(person, now=now)}
    if not asked:
        return Queue([], is_whole=True)
    return queue_of(person, changes_that_ask(person, persons=asked), now=now, most=PAGE, looked_at=LOOKED_AT)


def scope_words(delegations: Iterable[Delegation]) -> dict[int, str]:
    """What each delegation is for, by its row."""
    given = [*delegations]
    ids = {pk for one in given for pk in one.service_ids or ()}
    names = dict(Service.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    return {
        one.pk: ", ".join(
            [
                "all services" if one.service_ids is None else ", ".join(sorted(names.get(pk, "a service") for pk in one.service_ids)),
                "all kinds" if one.kinds is None else " and ".join(kind.lower() for kind in one.kinds),
            ]
        )
        for one in given
    }
