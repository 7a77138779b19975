"""What a rule says and what the judge answers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict, Unpack
from uuid import UUID


class Effect(StrEnum):
    """What a finding does to the verdict."""

    BLOCK = "BLOCK"
    WAIT = "WAIT"
    WARN = "WARN"


class Answer(StrEnum):
    """The three answers. There is no fourth: an error of ours is no answer."""

    ALLOW = "ALLOW"
    PENDING = "PENDING"
    DENY = "DENY"


class Mode(StrEnum):
    """How a rule is applied in one environment."""

    ENFORCED = "ENFORCED"
    WARN_ONLY = "WARN_ONLY"
    OFF = "OFF"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in the way: a stable code, the fact, the cure, who can act and until when it stands."""

    effect: Effect
    code: str
    message: str
    cure: str = ""
    who: str = ""
    until: datetime | None = None
    final: bool = False  # asking again cannot help
    rule: str = ""
    lifted_until: datetime | None = None  # what an exception made a warning of it until then

    def of(self, rule: str) -> "Finding":
        """The same, as found by a rule; written out, for `replace` takes longer than most rules."""
        return Finding(
            self.effect, self.code, self.message, self.cure, self.who, self.until, self.final, rule=rule, lifted_until=self.lifted_until
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a question at one moment, with its reasons. `leg_id` is the leg that was judged, if one was."""

    verdict: Answer
    findings: tuple[Finding, ...]
    final: bool
    earliest: datetime | None  # no start is possible before this, as far as the calendar knows
    passed: tuple[str, ...] = ()
    leg_id: UUID | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """What was found, sorted: two answers with the same verdict and codes are the same answer."""
        return tuple(sorted({finding.code for finding in self.findings}))


class Act(TypedDict, total=False):
    """Who can cure a finding, and until when it stands."""

    who: str
    until: datetime | None
    final: bool


def block(code: str, message: str, cure: str, **act: Unpack[Act]) -> Finding:
    """A no."""
    return Finding(Effect.BLOCK, code, message, cure, **act)


def wait(code: str, message: str, cure: str, **act: Unpack[Act]) -> Finding:
    """A not yet."""
    return Finding(Effect.WAIT, code, message, cure, **act)


def warn(code: str, message: str, cure: str, **act: Unpack[Act]) -> Finding:
    """Something to know that changes nothing."""
    return Finding(Effect.WARN, code, message, cure, **act)
