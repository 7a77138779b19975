"""The legs of a change: may each go now, when is it planned, what became of it. Looking records nothing."""

from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.changes.models import Change, Leg
from apps.changes.states import LegState
from apps.core.refusals import Refusal
from apps.deployments.models import Deployment
from apps.deployments.refusals import order_refusals
from apps.gate.judgement import verdicts_for
from apps.gate.rules import Finding, Verdict
from apps.home.facts.gathering import ChangeRows, change_rows
from apps.schedule.models import Slot

ASKED = frozenset({LegState.WAITING, LegState.FAILED, LegState.STARTED})


@dataclass(frozen=True, slots=True)
class Rung:
    """One service in one environment, as the ladder shows it."""

    leg: Leg
    slot: Slot | None
    last: Deployment | None  # the newest order for it
    verdict: Verdict | None  # None where nothing is left to ask
    order: Refusal | None  # why it cannot be ordered

    @property
    def is_asked(self) -> bool:
        """Whether the gate was asked about it."""
        return self.verdict is not None

    @property
    def standing(self) -> list[Finding]:
        """What the gate found and nobody made an exception of."""
        return [one for one in self.verdict.findings if not _is_excepted(one)] if self.verdict else []

    @property
    def excepted(self) -> list[Finding]:
        """What exceptions pass, and that they are in force."""
        return [one for one in self.verdict.findings if _is_excepted(one)] if self.verdict else []

    @property
    def excepted_until(self) -> datetime | None:
        """When the first of them ends."""
        return min((one.until for one in self.excepted if one.until), default=None)

    @property
    def on_its_way(self) -> bool:
        """Whether an order for it is not over."""
        return self.last is not None and not self.last.is_final

    @property
    def key(self) -> str:
        """A name for it in the page."""
        return f"leg-{self.leg.public_id.hex}"

    @property
    def place(self) -> str:
        """`payments in production`."""
        return f"{self.leg.service.name} in {self.leg.environment.name}"

    @property
    def opens_at(self) -> datetime | None:
        """The earliest moment the answer could be yes, where it is not yes now."""
        return self.verdict.earliest if self.verdict and self.verdict.verdict == "PENDING" else None


def _is_excepted(finding: Finding) -> bool:
    return finding.lifted_until is not None or finding.code == "exception_in_force"


def ladder(change: Change, *, person: Person, rows: ChangeRows | None = None) -> list[Rung]:
    """Every current leg in the order of items and environments; the gate is asked about those of an open change that can still go."""
    read = rows or change_rows(change, person)
    asked = [leg for leg in read.legs if change.is_open and leg.state in ASKED]
    verdicts = verdicts_for(asked)
    judged = {leg: verdicts[leg.pk] for leg in asked}
    refusals = order_refusals(judged, by=person.actor, shared=read.shared(change, person)) if asked else {}
    return [
        Rung(
            leg=leg,
            slot=read.slots.get(leg.pk),
            last=read.orders.get(leg.pk),
            verdict=verdicts.get(leg.pk),
            order=refusals.get(leg.pk),
        )
        for leg in read.legs
    ]
