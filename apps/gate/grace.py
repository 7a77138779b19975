"""For how long a yes of an environment permits a start while we are away: an administrator's word, and to give more takes two."""

from datetime import datetime

from apps.accounts.facts import are_two_administrators
from apps.audit.attempts import recorded_refusal
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import LONGEST_GRACE, Environment
from apps.catalog.steps import asker
from apps.core.actors import Actor, ActorKind
from apps.core.locks import take_calendar_guard
from apps.core.refusals import BadContent, Refused, not_allowed, not_now
from apps.core.texts import read_line
from apps.core.verbs import verb

LONGEST_REASON = 300
NOT_ADMINISTRATOR = not_allowed("not_administrator", "Only an administrator changes this.", "Ask one; the people page names them.")

TAKES_TWO = not_now(
    "takes_two",
    "Another administrator is active, so nobody gives more grace alone.",
    "It is given on the host: manage.py set_offline_grace.",
)


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def set_offline_grace(*, environment_id: int, minutes: int, by: Actor, reason: str, now: datetime | None = None) -> Environment:
    """Say how old a yes may be that begins while we are away; 0 is never. Tickets that are out already keep what they say.

    With two active administrators, more is given on the host alone, where the operators of the installation answer for it."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    is_host = by.kind is ActorKind.SYSTEM
    if not (is_host or asker(by).is_administrator):
        raise Refused(NOT_ADMINISTRATOR, about=environment.reference)
    if not 0 <= minutes <= LONGEST_GRACE:
        raise BadContent({"minutes": [f"A whole number of minutes from 0 to {LONGEST_GRACE}."]})
    said, before = read_line(reason, field="reason", longest=LONGEST_REASON), environment.offline_grace_minutes
    if minutes > before and not is_host and are_two_administrators():
        raise Refused(TAKES_TWO, about=environment.reference)
    environment.offline_grace_minutes = minutes
    environment.save(update_fields=["offline_grace_minutes"])
    data: dict[str, object] = {"before": before, "minutes": minutes, **({"single_handed": True} if minutes > before else {})}
    record(Event.OFFLINE_GRACE_CHANGED, subject=environment, by=by, at=now, data=data, details={"reason": said})
    return environment
