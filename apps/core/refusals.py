"""The one way to say no: a Refusal is a value, Refused carries it up to the page or the API."""

from dataclasses import dataclass
from enum import StrEnum

from apps.core.references import Reference


class Kind(StrEnum):
    """Whether the no is about the person, about the moment, or about something that was there once."""

    NOT_ALLOWED = "NOT_ALLOWED"  # 403: somebody else may
    NOT_NOW = "NOT_NOW"  # 409: the state or the calendar is in the way
    GONE = "GONE"  # 410: it was let go, and will not come back


STATUS = {Kind.NOT_ALLOWED: 403, Kind.NOT_NOW: 409, Kind.GONE: 410}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a verb is refused. `code` is stable and documented; `reason` and `cure` are for a person."""

    code: str
    reason: str
    cure: str = ""
    kind: Kind = Kind.NOT_NOW

    @property
    def status(self) -> int:
        """The HTTP status this refusal is told with."""
        return STATUS[self.kind]

    def __str__(self) -> str:
        return f"{self.reason} {self.cure}".strip()


class Refused(Exception):
    """Raised by a verb; rolls its transaction back. `about` names what was refused, for the record."""

    def __init__(self, refusal: Refusal, *, about: Reference | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.about = about


def not_allowed(code: str, reason: str, cure: str = "") -> Refusal:
    """A refusal about who asks."""
    return Refusal(code, reason, cure, Kind.NOT_ALLOWED)


def not_now(code: str, reason: str, cure: str = "") -> Refusal:
    """A refusal about the state or the calendar."""
    return Refusal(code, reason, cure, Kind.NOT_NOW)


class BadContent(Exception):
    """Input that cannot be accepted: field name to sentences. Told on the form field or as problem JSON (422)."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(said)}" for field, said in errors.items()))
        self.errors = errors
