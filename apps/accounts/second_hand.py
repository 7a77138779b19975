"""Making and ending administrators by two: the first one asks by doing it, another one who does the same makes it happen."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apps.accounts.facts import are_two_administrators, standing_grants
from apps.accounts.models import Person, RoleGrant, SecondHand
from apps.accounts.roles import Role
from apps.accounts.rules import Act, takes_two
from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.refusals import Refused, not_now

GOOD_FOR = timedelta(days=7)
WORDS = {
    Act.GRANT: "make {} an administrator",
    Act.REVOKE: "take the role of administrator from {}",
    Act.DEACTIVATE: "deactivate {}",
    Act.REACTIVATE: "reactivate {}, an administrator",
}


def is_administrator(person: Person) -> bool:
    """Whether they hold the role, active or not."""
    return RoleGrant.objects.filter(person=person, role=Role.ADMINISTRATOR, revoked_at__isnull=True).exists()


def standing_asks(person: Person, *, now: datetime, act: Act | None = None) -> list[SecondHand]:
    """What was asked for about this person by somebody who is an administrator still, and not done."""
    administrators = set(standing_grants().filter(role=Role.ADMINISTRATOR).values_list("person", flat=True))
    found = SecondHand.objects.filter(person=person, done_at__isnull=True, asked_at__gt=now - GOOD_FOR, **({"act": act} if act else {}))
    rows: Iterable[SecondHand] = found.select_related("asked_by__merged_into", "person").order_by("pk")
    return [one for one in rows if _asker(one).pk in administrators]


def is_agreed(person: Person, act: Act, *, by: Actor, at: datetime) -> bool:
    """Whether it may happen now; else it is written down that it was asked for. The calendar guard is the caller's.

    Raises Refused for whoever asked already."""
    oneself = by.person_id == person.public_id
    if not takes_two(act, are_two=are_two_administrators(), is_administrator=is_administrator(person), is_oneself=oneself):
        return True
    standing = standing_asks(person, now=at, act=act)
    what = WORDS[act].format(person.name)
    if any(_asker(one).public_id == by.person_id for one in standing):
        said = f"You asked to {what} already, and nobody agreed yet."
        raise Refused(not_now("already_asked", said, "Another administrator who does the same makes it happen."), about=person.reference)
    if standing:
        first = _asker(standing[0])
        SecondHand.objects.filter(pk__in=[one.pk for one in standing]).update(done_at=at)
        details = {"what": what, "proposer": first.name}
        record(Event.ADMINISTRATOR_AGREED, subject=person, by=by, at=at, refs=[first.reference], data={"act": act}, details=details)
        return True
    SecondHand.objects.create(person=person, act=act, asked_at=at, asked_by=person_by_actor(by))
    record(Event.ADMINISTRATOR_ASKED, subject=person, by=by, at=at, data={"act": act}, details={"what": what})
    return False


def asks_in_words(person: Person, *, now: datetime) -> list[tuple[str, str, datetime]]:
    """Who asked what and when, for the person's page."""
    return [(_asker(one).name, WORDS[Act(one.act)].format(person.name), one.asked_at) for one in standing_asks(person, now=now)]


def _asker(one: SecondHand) -> Person:
    return one.asked_by.merged_into or one.asked_by
