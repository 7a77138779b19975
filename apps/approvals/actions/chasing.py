"""What time does to an agreement that waits: it reminds, tells others and in the end gives up. It never agrees."""

from datetime import datetime

from apps.approvals.facts.waiting import ESCALATED, Due, due_now, expiry_of, waits_of
from apps.approvals.models import Nudge
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.facts import change_facts, references_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.changes.steps import expire_unagreed
from apps.core.actors import Actor
from apps.core.verbs import verb


@verb
def chase_agreement(*, change_id: int, by: Actor, now: datetime | None = None) -> int:
    """Tell whoever is due to be told, each once for each step and revision; expire what nobody agreed to in its time.

    Returns how many were told. What is not in review any more is left alone; what was deployed in part ends with its period."""
    change, at = Change.objects.lock(change_id, now)
    if change.state != State.IN_REVIEW:
        return 0
    found = waits_of(change, now=at)
    expiry = expiry_of(change, found, now=at)
    if expiry and change_facts(change).touched is None:
        hours = f"{expiry.hours} working hour{'' if expiry.hours == 1 else 's'}"
        said = f"“{expiry.rule}” was not agreed within {hours}, as “{expiry.policy}” asks. Copy it into a new change to ask again."
        expire_unagreed(change, by=by, at=at, reason=said)
        return 0
    due = due_now(change, found, now=at)
    for one in due:
        _tell(change, one, by=by, at=at)
    return len(due)


def _tell(change: Change, due: Due, *, by: Actor, at: datetime) -> None:
    assert change.revision is not None  # noqa: S101 - it is in review
    Nudge.objects.create(change=change, revision=change.revision, person=due.person, step=due.step, since=due.since, at=at)
    event = Event.SIGN_OFF_ESCALATED if due.step == ESCALATED else Event.SIGN_OFF_REMINDED
    refs = [due.person.reference, *references_of(change)]
    said = {"revision": change.revision.number, "since": due.since}
    record(event, subject=change, by=by, at=at, refs=refs, data=said, details={"name": due.person.name})
