"""How a change ended without being done: who ended it, when and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.audit.names import read_actor
from apps.changes.models import Change, Move
from apps.changes.states import State
from apps.core.badges import badge_for
from apps.home.facts.signed import Given

ASIDE = frozenset({State.REJECTED, State.WITHDRAWN, State.EXPIRED})


@dataclass(frozen=True, slots=True)
class Ending:
    """What stands at the top of a change that was rejected, withdrawn or has expired."""

    word: str
    icon: str
    tone: str
    by: str  # empty: nobody did, its time was over
    at: datetime
    reason: str


def ending_of(change: Change, moves: Iterable[Move], *, rejected: Iterable[Given], known: Mapping[str, str]) -> Ending | None:
    """The end of a change, by its last move; a rejection by what was signed. A statement where its person is not KNOWN."""
    last = next((move for move in reversed([*moves]) if move.goal == change.state), None)
    if change.state not in ASIDE or last is None:
        return None
    badge = badge_for("change", state=change.state)
    no = next(reversed([*rejected]), None) if change.state == State.REJECTED else None
    by, reason = (no.who, no.reason) if no else (_name(last.by, known), last.reason)
    return Ending(badge.word, badge.icon, badge.tone, by, last.at, reason)


def _name(actor: str, known: Mapping[str, str]) -> str:
    of = read_actor(actor).person_id
    if of is None:
        return ""
    return known.get(f"person:{of}") or Person.objects.values_list("name", flat=True).filter(public_id=of).first() or ""
