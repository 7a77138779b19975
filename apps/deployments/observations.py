"""What was seen on a target: the durable verbs of whoever looks, and of whoever says what an undeclared version is about."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Arrival, Outcome, Target
from apps.catalog.steps import asker, note_arrival, target_refs
from apps.catalog.versions import Version
from apps.core.actors import Actor
from apps.core.refusals import Refusal, Refused
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.deployments.access import hold_deployment, newest_of
from apps.deployments.models import Deployment, Settled, Undeclared
from apps.deployments.rules.observing import (
    MOST_SOURCES,
    Explanation,
    Meaning,
    Occupant,
    fits_both,
    holds,
    is_same,
    meaning_of,
    why_not_note,
    why_not_settle_undeclared,
)
from apps.deployments.rules.orders import OPERATING
from apps.deployments.states import State
from apps.deployments.steps import settle_as_old, succeed
from apps.deployments.transitions import tell

LONGEST_REASON = 400
TOLD_AGAIN = timedelta(hours=24)  # as long as a way back is open: jobs that run again say again what they said
SEEN = "It was seen on the target."
SEEN_OLD = "What ran before was seen on the target."
GONE = "What we know of was seen there again."


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observation meant, and what it is about."""

    meaning: Meaning
    deployment: Deployment | None = None
    undeclared: Undeclared | None = None


@verb
def observe_target(target_id: int, *, version: Version, source: str, by: Actor, now: datetime | None = None) -> Observed:
    """Take in that a version was seen running on a target."""
    target, at = Target.objects.lock(target_id, now)
    order = Deployment.objects.filter(public_id=target.occupied_by).first() if target.occupied_by else None
    occupant = _occupant(order) if order else None
    meaning = meaning_of(version.identities, running=tuple(target.running_identities), occupant=occupant)
    _look_away(target, version, source, is_known=meaning is Meaning.KNOWN, by=by, at=at)
    match meaning:
        case Meaning.KNOWN:
            return Observed(meaning, _confirm(target, version, by=by, at=at))
        case Meaning.NEW_RUNS | Meaning.OLD_RUNS if order is not None:
            _settle(order, meaning, by=by, at=at)
            return Observed(meaning, order)
        case Meaning.ON_ITS_WAY:
            return Observed(meaning, order)
    return Observed(meaning, undeclared=_note(target, version, source, by=by, at=at))


@verb
def report_unbegun(
    target_id: int, *, version: Version, source: str, by: Actor, callers: Collection[str], now: datetime | None = None
) -> Observed:
    """Take in that somebody says to have deployed what has no deployment here.

    Nobody looked: a report confirms nothing that was reported before, settles nothing and takes no observation back. What the
    same pipeline has on its way or has lately ended there is told once more, and is known."""
    target, at = Target.objects.lock(target_id, now)
    order = Deployment.objects.filter(public_id=target.occupied_by).first() if target.occupied_by else None
    meaning = meaning_of(version.identities, running=tuple(target.running_identities), occupant=_occupant(order) if order else None)
    if meaning is Meaning.UNDECLARED and (own := newest_of(target, callers=callers, since=at - TOLD_AGAIN, identities=version.identities)):
        return Observed(Meaning.KNOWN, own)
    if meaning is Meaning.UNDECLARED:
        return Observed(meaning, undeclared=_note(target, version, source, by=by, at=at, has_looked=False))
    return Observed(Meaning.KNOWN if meaning is Meaning.KNOWN else Meaning.ON_ITS_WAY, order)


@recorded_refusal(Event.UNDECLARED_REFUSED)
@verb
def settle_undeclared(undeclared_id: int, *, outcome: Settled, reason: str, by: Actor, now: datetime | None = None) -> Undeclared:
    """Adopt what runs undeclared as what shall run there, or explain why it is none. Both take a reason."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON)
    target_id = Undeclared.objects.values_list("target_id", flat=True).get(pk=undeclared_id)
    target, at = Target.objects.lock(target_id, now)
    found, at = Undeclared.objects.lock(undeclared_id, at)
    found.target = target
    if refusal := undeclared_refusal(found, by=by, adopts=outcome is Settled.ADOPTED):
        raise Refused(refusal, about=found.reference)
    _end(found, outcome, by=by, at=at, reason=reason)
    if outcome is Settled.ADOPTED:
        note_arrival(target, found.version, Outcome.ADOPTED, by=by, at=at, refs=[found.reference], reason=reason)
        for other in _open(target).exclude(pk=found.pk):
            _end(other, Settled.GONE, by=by, at=at, reason=f"{found.label} was adopted.")
    return found


def undeclared_refusal(found: Undeclared, *, by: Actor, adopts: bool) -> Refusal | None:
    """Why this person cannot settle it now."""
    return why_not_settle_undeclared(
        operates=bool(asker(by, found.target.service).roles & OPERATING),
        is_settled=found.settled_at is not None,
        is_occupied=found.target.occupied_by is not None,
        adopts=adopts,
    )


def _occupant(order: Deployment) -> Occupant:
    return Occupant(State(order.state), order.is_external, tuple(order.identities), tuple(order.previous_identities))


def _look_away(target: Target, version: Version, source: str, *, is_known: bool, by: Actor, at: datetime) -> None:
    """What this source saw there undeclared it sees no more. It is gone when all do so: of two machines one may run it still.

    An explanation ends with whatever else is seen. What nobody has explained is asked about until what we know of is seen."""
    standing = Q(outcome=Settled.EXPLAINED, lapsed_at__isnull=True)
    left = Undeclared.objects.filter(standing | Q(settled_at__isnull=True) if is_known else standing, target=target)
    if not is_known:
        left = left.exclude(identities=[*version.identities])
    for row in left.filter(sources__contains=[source]).select_related("target__service", "target__environment").order_by("pk"):
        row.sources.remove(source)
        row.lapsed_at = at if row.settled_at is not None and not row.sources else None
        row.save(update_fields=["sources", "lapsed_at"])
        if row.settled_at is None and not row.sources:
            _end(row, Settled.GONE, by=by, at=at, reason=GONE)


def _confirm(target: Target, version: Version, *, by: Actor, at: datetime) -> Deployment | None:
    """What CI reported is so, unless what was seen fits what ran before as well."""
    newest = Deployment.objects.filter(target=target, state=State.SUCCEEDED).order_by("-ended_at", "-pk").first()
    if newest is None or not is_same(newest.identities, target.running_identities):
        return None
    if not newest.is_reported or fits_both(version.identities, newest.identities, newest.previous_identities):
        return newest
    order = hold_deployment(newest.pk, at).deployment
    order.read_back_at = at
    order.save(update_fields=["read_back_at"])
    tell(order, Event.DEPLOYMENT_CONFIRMED, by=by, at=at)
    return order


def _settle(order: Deployment, meaning: Meaning, *, by: Actor, at: datetime) -> None:
    held = hold_deployment(order.pk, at)
    if meaning is Meaning.NEW_RUNS:
        held.deployment.failure, held.deployment.read_back_at = "", at
        succeed(held, by=by, reason=SEEN)
    else:
        settle_as_old(held, by=by, reason=SEEN_OLD)


def _note(target: Target, version: Version, source: str, *, by: Actor, at: datetime, has_looked: bool = True) -> Undeclared:
    known = _open(target).filter(identities=[*version.identities]).first() or _explained(target, version, at)
    if known is not None:
        is_new = has_looked and source not in known.sources and len(known.sources) < MOST_SOURCES
        known.sources += [source] if is_new else []
        known.last_seen_at, known.seen_count = at if has_looked else known.last_seen_at, F("seen_count") + 1
        known.save(update_fields=["sources", "last_seen_at", "seen_count"])
        known.refresh_from_db(fields=["seen_count"])
        return known
    if refusal := why_not_note(str(target), waiting=_open(target).count()):
        raise Refused(refusal, about=target.reference)
    made = Undeclared.objects.create(
        target=target,
        label=version.label,
        identities=[*version.identities],
        expected_label=target.running_label,
        source=source,
        sources=[source] if has_looked else [],  # who has not looked cannot look away
        seen_at=at,
        seen_by=actor_text(by),
        last_seen_at=at,
    )
    details = {"label": made.label, "source": source, "service": target.service.name, "environment": target.environment.name}
    data = {"identities": made.identities, "expected": target.running_identities}
    record(Event.UNDECLARED_SEEN, subject=made, refs=[target.reference, *target_refs(target)], by=by, at=at, data=data, details=details)
    return made


def _explained(target: Target, version: Version, at: datetime) -> Undeclared | None:
    """What a person explained and runs there still. What comes again after something else is asked about again."""
    found = Undeclared.objects.filter(target=target, identities=[*version.identities], outcome=Settled.EXPLAINED, lapsed_at__isnull=True)
    said = found.first()
    if said is None:
        return None
    is_followed = Arrival.objects.filter(target=target, at__gt=said.settled_at).exists()
    if holds(Explanation(said.last_seen_at, is_followed=is_followed), now=at):
        return said
    said.lapsed_at = at
    said.save(update_fields=["lapsed_at"])
    return None


def _end(found: Undeclared, outcome: Settled, *, by: Actor, at: datetime, reason: str) -> None:
    found.outcome, found.reason, found.settled_at, found.settled_by = outcome, reason[:LONGEST_REASON], at, actor_text(by)
    found.save(update_fields=["outcome", "reason", "settled_at", "settled_by"])
    target = found.target
    details = {"label": found.label, "reason": found.reason}
    refs = [target.reference, *target_refs(target)]
    record(Event.UNDECLARED_SETTLED, subject=found, refs=refs, by=by, at=at, data={"outcome": outcome}, details=details)


def _open(target: Target) -> QuerySet[Undeclared]:
    return Undeclared.objects.filter(target=target, settled_at__isnull=True).select_related("target__service", "target__environment")
