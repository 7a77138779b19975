"""When the legs of a change are planned, who may move that, and what else has the service at that time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from apps.accounts.models import Person
from apps.catalog.grants import Grants
from apps.catalog.models import Target
from apps.changes.models import Change, Leg
from apps.changes.states import ENDED
from apps.core.moments import full_words
from apps.core.refusals import Refusal
from apps.core.together import read_together
from apps.home.facts.ladder import Rung
from apps.schedule.facts import Conflict, Met, Roles, conflict_rows, conflicts_in, slot_facts, wall_rows, walls_met
from apps.schedule.models import Slot
from apps.schedule.rules import why_not_move_slot
from apps.schedule.stretches import Stretch


@dataclass(frozen=True, slots=True)
class Planned:
    """One leg with its slot, what stands in the way of moving it, what else is there then, and what closes that time."""

    rung: Rung
    refusal: Refusal | None
    conflicts: list[Conflict]
    walls: list[Met]

    @property
    def lasts(self) -> timedelta | None:
        """How long the planned time is, with its way back."""
        return self.rung.slot.ends_at - self.rung.slot.starts_at if self.rung.slot else None


def plans_for(change: Change, rungs: Iterable[Rung], *, person: Person, grants: Grants | None = None) -> list[Planned]:
    """The legs that can still go, and those that are planned; one statement says what else is there, and none where nothing is planned."""
    roles, shown = Roles(person, grants), [rung for rung in rungs if rung.slot or rung.leg.can_start]
    ahead = {rung.leg: rung.slot for rung in shown if rung.slot and rung.leg.can_start and change.state not in ENDED}
    met, walls = things_met(change, ahead)
    return [planned(change, rung, roles=roles, met=met.get(rung.leg.pk, []), walls=walls.get(rung.leg.pk, [])) for rung in shown]


def planned(change: Change, rung: Rung, *, roles: Roles, met: list[Conflict], walls: list[Met]) -> Planned:
    """One leg's plan."""
    refusal = why_not_move_slot(slot_facts(change, rung.leg), by=roles.mover(rung.leg.service))
    return Planned(rung, refusal, met, walls)


def things_met(change: Change, ahead: Mapping[Leg, Slot]) -> tuple[dict[int, list[Conflict]], dict[int, list[Met]]]:
    """What else has each planned leg's service in its slot, and what closes that time, by the leg's row; what is over meets nothing."""
    if not ahead:
        return {}, {}
    rows = {leg: conflict_rows(leg.service, starts_at=slot.starts_at, until=slot.ends_at, besides=change) for leg, slot in ahead.items()}
    rules = wall_rows((leg.target for leg in ahead), since=min(slot.starts_at for slot in ahead.values()))
    read_together(rules, *(row for both in rows.values() for row in both))
    conflicts = {leg.pk: conflicts_in(*both) for leg, both in rows.items()}
    return conflicts, {leg.pk: walls_met(rules, leg.target, planned=stretch_of(slot)) for leg, slot in ahead.items()}


def stretch_of(slot: Slot) -> Stretch:
    """The planned time as rules compare it."""
    return Stretch(slot.starts_at, slot.ends_at)


def walls_said(target: Target, *, starts_at: datetime, ends_at: datetime, zone: tzinfo) -> list[str]:
    """What closes a time that was just planned, in sentences: planning it is allowed, starting then will not be."""
    found = walls_met(wall_rows([target], since=starts_at), target, planned=Stretch(starts_at, ends_at))
    return [wall_words(one, zone=zone) for one in found]


def wall_words(met: Met, *, zone: tzinfo) -> str:
    """A freeze or a window that is not open, with the cure."""
    begins, ends = (full_words(at, zone=zone) if at else "" for at in (met.starts_at, met.ends_at))
    if met.kind == "FREEZE":
        return (
            f"{met.title} is on from {begins} to {ends}: the time planned for {met.place} runs into it. Move the slot, or have it lifted."
        )
    opens = f"{met.title} opens {begins}. Move the slot there" if begins else "No later one is declared. Move the slot"
    return f"No window is open for {met.place} when it is planned to start. {opens}, or have a window declared."
