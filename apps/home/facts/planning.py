"""When the legs of a change are planned, who may move that, and what else has the service at that time."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.accounts.models import Person
from apps.changes.facts import Grants
from apps.changes.models import Change
from apps.core.refusals import Refusal
from apps.home.facts.ladder import Rung
from apps.schedule.facts import Conflict, Roles, conflicts_of, slot_facts
from apps.schedule.rules import why_not_move_slot


@dataclass(frozen=True, slots=True)
class Planned:
    """One leg with its slot, what stands in the way of moving it, and what else is there then."""

    rung: Rung
    refusal: Refusal | None
    conflicts: list[Conflict]


def plans_for(change: Change, rungs: Iterable[Rung], *, person: Person, grants: Grants | None = None) -> list[Planned]:
    """The legs that can still go, and those that are planned."""
    roles = Roles(person, grants)
    return [planned(change, rung, roles=roles) for rung in rungs if rung.slot or rung.leg.can_start]


def planned(change: Change, rung: Rung, *, roles: Roles) -> Planned:
    """One leg's plan."""
    refusal = why_not_move_slot(slot_facts(change, rung.leg), by=roles.mover(rung.leg.service.team))
    return Planned(rung, refusal, conflicts_at(change, rung))


def conflicts_at(change: Change, rung: Rung) -> list[Conflict]:
    """What else has this service in the slot."""
    slot = rung.slot
    return conflicts_of(rung.leg.service, starts_at=slot.starts_at, until=slot.ends_at, besides=change) if slot else []
