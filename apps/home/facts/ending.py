"""How a change ended without being done, or came back to its requester: who did that, when and why."""

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
    """What stands at the top of a change that was rejected, withdrawn, has expired, or was sent back."""

    word: str
    icon: str
    tone: str
    by: str  # empty: nobody did, its time was over
    at: datetime
    reason: str
    is_over: bool = True  # False: it was sent back and waits for its requester


def ending_of(change: Change, moves: Iterable[Move], *, rejected: Iterable[Given], known: Mapping[str, str]) -> Ending | None:
    """The end of a change, or its way back to a draft, by its last move; a rejection by what was signed.

    A statement where its person is not KNOWN."""
    last = next((move for move in reversed([*moves]) if move.goal == change.state), None)
    if last is None or change.state not in {*ASIDE, State.DRAFT}:
        return None
    if change.state == State.DRAFT:
        if not last.reason:
            return None  # it was never sent: whoever sends one back says why
        return Ending("Sent back", "arrow-back-up", "wait", _name(last.by, known), last.at, last.reason, is_over=False)
    badge = badge_for("change", state=change.state)
    no = next(reversed([*rejected]), None) if change.state == State.REJECTED else None
    by, reason = (no.who, no.reason) if no else (_name(last.by, known), last.reason)
    return Ending(badge.word, badge.icon, badge.tone, by, last.at, reason)


def _name(actor: str, known: Mapping[str, str]) -> str:
    of = read_actor(actor).person_id
    if of is None:
        return ""
    return known.get(f"person:{of}") or Person.objects.values_list("name", flat=True).filter(public_id=of).first() or ""
