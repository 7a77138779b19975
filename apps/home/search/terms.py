"""The terms a search may hold, what each takes, and how it is read back to people. Pure: no Django, no rows, no clock."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from apps.changes.content import Aspect
from apps.changes.states import Kind, Outcome, State

ME = "@me"
SHORTEST_HEX, LONGEST_HEX = 7, 64
HEX = re.compile(rf"[0-9a-f]{{{SHORTEST_HEX},{LONGEST_HEX}}}")
DAYS = re.compile(r"([0-9]{1,4})d")
NUMBER = re.compile(r"[0-9]{1,4}")


class Takes(StrEnum):
    """What stands behind the colon."""

    CHOICE = "CHOICE"
    NAME = "NAME"
    PERSON = "PERSON"
    HEX = "HEX"
    DAY = "DAY"
    NUMBER = "NUMBER"


@dataclass(frozen=True, slots=True)
class Spec:
    """One kind of term."""

    key: str
    takes: Takes
    word: str  # how people read it: `state is open`
    hint: str
    choices: tuple[str, ...] = ()


def _lower(values: type[State | Kind | Aspect | Outcome]) -> tuple[str, ...]:
    return tuple(value.value.lower() for value in values)


SPECS = {
    spec.key: spec
    for spec in (
        Spec("state", Takes.CHOICE, "state", "where it stands", ("open", "ended", *_lower(State))),
        Spec("service", Takes.NAME, "service", "short name of a service"),
        Spec("env", Takes.NAME, "environment", "short name of an environment"),
        Spec("team", Takes.NAME, "team", "short name of a team that owns a service of it"),
        Spec("kind", Takes.CHOICE, "kind", "standard, normal or emergency", _lower(Kind)),
        Spec("aspect", Takes.CHOICE, "aspect", "what is touched", _lower(Aspect)),
        Spec("risk", Takes.NUMBER, "risk", "points, such as >=20"),
        Spec("owner", Takes.PERSON, "owner", "@me, @name, an address or a name: who answers for a service of it"),
        Spec("requester", Takes.PERSON, "requester", "@me, @name, an address or a name: who asked for it"),
        Spec("label", Takes.NAME, "label", "a label of it"),
        Spec("version", Takes.NAME, "version", "the label of a version, such as 3.18.1"),
        Spec("commit", Takes.HEX, "commit", "the beginning of a commit, seven digits or more"),
        Spec("digest", Takes.HEX, "digest", "the beginning of an artifact's sha256, seven digits or more"),
        Spec("before", Takes.DAY, "asked for before", "a day such as 2026-11-20, or 14d for that many days ago"),
        Spec("after", Takes.DAY, "asked for on or after", "a day such as 2026-11-20, or 14d for that many days ago"),
        Spec("outcome", Takes.CHOICE, "outcome", "what became of it", _lower(Outcome)),
        Spec("is", Takes.CHOICE, "is", "more about it", ("mine", "watched", "overdue", "frozen", "held")),
    )
}
IS_WORDS = {"mine": "yours", "watched": "watched by you", "overdue": "overdue", "frozen": "stopped by a freeze", "held": "on hold"}


def read_value(spec: Spec, text: str) -> str:
    """A value as it is kept: choices and digits in one spelling, names as they were written."""
    if spec.takes is Takes.CHOICE:
        return text.lower().replace("-", "_")
    if spec.takes in {Takes.HEX, Takes.DAY} or text.lower() == ME:
        return text.lower()
    return text


def why_not_value(spec: Spec, value: str) -> tuple[str, str] | None:
    """What is wrong with a value and the cure, or None."""
    match spec.takes:
        case Takes.CHOICE if value not in spec.choices and spec.key == "is":
            return f"No change can be “{value}”.", f"Write one of {', '.join(spec.choices)}."
        case Takes.CHOICE if value not in spec.choices:
            return f"“{value}” is no {spec.key}.", f"Write one of {', '.join(spec.choices)}."
        case Takes.HEX if not HEX.fullmatch(value):
            return f"“{value}” is no beginning of a {spec.key}.", f"Write {SHORTEST_HEX} to {LONGEST_HEX} digits from 0-9 and a-f."
        case Takes.DAY if not is_day(value):
            return f"“{value}” is no day.", "Write it like 2026-11-20, or 14d for fourteen days ago."
        case Takes.NUMBER if not NUMBER.fullmatch(value):
            return f"“{value}” is no number of points.", "Write it like risk:>=20."
    return None


def is_day(value: str) -> bool:
    """Whether it names a day or counts back from today."""
    if DAYS.fullmatch(value):
        return True
    try:
        return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None and date.fromisoformat(value).year >= 2000
    except ValueError:
        return False


def words_of(spec: Spec, values: tuple[str, ...], *, op: str, is_negated: bool) -> tuple[str, str]:
    """A term as people read it: `state`, `is open or draft`."""
    said = " or ".join(IS_WORDS.get(value, value) if spec.key == "is" else value.replace("_", " ") for value in values)
    if spec.key == "is":
        return "it", f"is {'not ' if is_negated else ''}{said}"
    if spec.takes is Takes.DAY:
        return spec.word, f"{'never ' if is_negated else ''}{said}"
    compared = {">=": "at least ", "<=": "at most ", ">": "above ", "<": "below "}.get(op, "")
    return spec.word, f"is {'not ' if is_negated else ''}{compared}{said}"
