"""What every driver can do, in frozen words: one bounded piece of work per call, and always what is true afterwards.

Success is what the target reports, never an exit code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from apps.catalog.versions import Version
from apps.deployments.rules.stepping import Safety

STEP_SECONDS = 8.0  # a call returns within this; the wake around it has ten


@dataclass(frozen=True, slots=True, order=True)
class Fence:
    """The order's turn on its target, then the attempt: the target refuses whatever comes with a lower one."""

    turn: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.turn}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Order:
    """What a driver is told. Commands come from `options` alone, which are the target's settings."""

    id: str
    ref: str
    version: Version
    previous: Version | None
    fence: Fence
    options: Mapping[str, Any]
    repository: str
    begun_at: datetime
    is_way_back: bool = False


class Phase(StrEnum):
    """How far a driver is."""

    WORKING = "WORKING"
    DONE = "DONE"  # and read back
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call brought: output since the offset, whether users see the new version, and what is still to do."""

    phase: Phase
    text: str = ""
    offset: int = 0
    has_switched: bool = False
    failure: str = ""
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What the target says: the identity that runs, the identity it is set to, or that it cannot be told."""

    is_known: bool
    runs: str | None = None
    points_to: str | None = None
    said: str = ""


class CannotTell(Exception):
    """The target did not answer: nothing is known, so nothing has failed."""


class Fenced(Exception):
    """The target has seen a later attempt: this worker is a ghost and must stop."""


class BadOptions(Exception):
    """The target's settings cannot be carried out; the text names the option and the cure."""


class Driver(Protocol):
    """One way to bring a version to a target."""

    safety: Safety

    def why_not(self, options: Mapping[str, Any], repository: str, version: Version) -> str:
        """The sentence to show where these settings cannot bring this version, or an empty one."""

    def start(self, order: Order) -> Progress:
        """Begin. Called again after a loss only where `safety` allows it."""

    def roll_back_to(self, order: Order) -> Progress:
        """Begin the way back to `order.version`, which ran there before."""

    def poll(self, order: Order, offset: int) -> Progress:
        """Do the next bounded piece; raises Fenced or CannotTell."""

    def cancel(self, order: Order, offset: int) -> Progress:
        """Stop before the switch; DONE means nothing of it is left. After the switch it says so by `has_switched`."""

    def observe(self, order: Order) -> Observation:
        """Close the fence behind every earlier attempt, then ask what is true: what was asked before that could change at once."""
