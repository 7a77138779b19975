"""What a change consists of: five parts as frozen dataclasses. Nothing here decides, reads or writes.

Texts are always present, empty when nothing was said; what may be absent is None."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

PARTS = ("scope", "plan", "rollback", "period", "story")


class Aspect(StrEnum):
    """What is touched."""

    CODE = "CODE"
    CONFIGURATION = "CONFIGURATION"
    RUNTIME = "RUNTIME"
    INFRASTRUCTURE = "INFRASTRUCTURE"
    DATA = "DATA"


class Strategy(StrEnum):
    """How to get back."""

    PREVIOUS_RELEASE = "PREVIOUS_RELEASE"
    TRAFFIC_SWITCH = "TRAFFIC_SWITCH"
    REVERT_COMMIT = "REVERT_COMMIT"
    RESTORE_BACKUP = "RESTORE_BACKUP"
    FIX_FORWARD = "FIX_FORWARD"


# These need nobody; the others become a checklist for people.
AUTOMATIC = frozenset({Strategy.PREVIOUS_RELEASE, Strategy.TRAFFIC_SWITCH})


class StepBy(StrEnum):
    """Who does a step."""

    PERSON = "PERSON"
    AUTOMATION = "AUTOMATION"


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """An environment by public id, with its name as shown."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class ItemContent:
    """One service, the version asked for and where it shall go. Identities and environments are sets."""

    service_id: UUID
    service_name: str
    label: str
    identities: tuple[str, ...]
    repository: str = ""  # the repository's own immutable id, which a git identity belongs to
    environments: tuple[EnvironmentRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What, why and what users notice."""

    items: tuple[ItemContent, ...] = ()
    aspects: frozenset[Aspect] = frozenset()
    reason: str = ""
    impact: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan."""

    what: str
    by: StepBy = StepBy.PERSON
    expected_seconds: int | None = None
    verify: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that was shown, bound by its digest."""

    name: str
    sha256: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is done. Steps are ordered, evidence is a set."""

    steps: tuple[Step, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollback:
    """How to get back. `point_of_no_return` is the number of the plan's step after which there is no way back."""

    strategy: Strategy | None = None
    steps: tuple[Step, ...] = ()
    trigger: str = ""
    seconds_to_restore: int | None = None
    irreversible: tuple[str, ...] = ()
    data_strategy: str = ""
    reason: str = ""
    point_of_no_return: int | None = None

    @property
    def runs_by_itself(self) -> bool:
        """Whether nobody is needed: an automatic strategy, and nothing in it that cannot be undone."""
        return self.strategy in AUTOMATIC and not self.irreversible and self.point_of_no_return is None

    @property
    def way_back_seconds(self) -> int:
        """How long the way back takes: as said or the sum of its steps, the longer; 0 when nobody said, and for FIX_FORWARD: it leads on."""
        if self.strategy is Strategy.FIX_FORWARD:
            return 0
        return max(self.seconds_to_restore or 0, sum(step.expected_seconds or 0 for step in self.steps))


@dataclass(frozen=True, slots=True)
class Period:
    """When the change is authorised; `not_before` None: from now on. The zone is the one people wrote it in."""

    not_before: datetime | None
    not_after: datetime
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Story:
    """How it is told. Labels and the told are sets."""

    title: str
    labels: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a revision holds."""

    scope: Scope
    plan: Plan
    rollback: Rollback
    period: Period
    story: Story
