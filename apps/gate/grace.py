"""For how long a yes of an environment permits a start while we are away: an administrator's word, and to give more takes two."""

from datetime import datetime

from apps.accounts.facts import are_two_administrators
from apps.accounts.models import Person
from apps.audit.attempts import recorded_refusal
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import environment_facts as place_of
from apps.catalog.models import Environment
from apps.catalog.rules import LONGEST_GRACE, retired
from apps.catalog.steps import asker
from apps.core.actors import Actor, ActorKind
from apps.core.locks import take_calendar_guard
from apps.core.refusals import BadContent, Refused, not_allowed, not_now
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.gate.rules.relaxing import NO_GRACE

LONGEST_REASON = 300
NOT_ADMINISTRATOR = not_allowed("not_administrator", "Only an administrator changes this.", "Ask one; the people page names them.")

TAKES_TWO = not_now(
    "takes_two",
    "Another administrator is active, so nobody gives more grace alone.",
    "Propose it on the environment's page of starts without this installation; another administrator confirms it.",
)


@recorded_refusal(Event.RELAXATION_REFUSED)
@verb
def set_offline_grace(*, environment_id: int, minutes: int, by: Actor, reason: str, now: datetime | None = None) -> Environment:
    """Say how old a yes may be that begins while we are away; 0 is never. Tickets that are out already keep what they say.

    With two active administrators more is proposed and confirmed, or given on the host, where whoever runs the installation answers."""
    take_calendar_guard()
    environment, now = Environment.objects.lock(environment_id, now)
    is_host = by.kind is ActorKind.SYSTEM
    if not (is_host or asker(by).is_administrator):
        raise Refused(NOT_ADMINISTRATOR, about=environment.reference)
    if refusal := retired(place_of(environment)):
        raise Refused(refusal, about=environment.reference)
    if not 0 <= minutes <= LONGEST_GRACE:
        raise BadContent({"minutes": [NO_GRACE]})
    said = read_line(reason, field="reason", longest=LONGEST_REASON)
    if minutes > environment.offline_grace_minutes and not is_host and are_two_administrators():
        raise Refused(TAKES_TWO, about=environment.reference)
    write_grace(environment, minutes, by=by, at=now, reason=said)
    return environment


def write_grace(environment: Environment, minutes: int, *, by: Actor, at: datetime, reason: str, proposer: Person | None = None) -> None:
    """Write it on a locked environment and tell it; nothing where it is so already. To give more alone is marked as one person's."""
    before = environment.offline_grace_minutes
    if minutes == before:
        return
    environment.offline_grace_minutes = minutes
    environment.save(update_fields=["offline_grace_minutes"])
    is_alone = minutes > before and proposer is None
    data: dict[str, object] = {"before": before, "minutes": minutes, **({"single_handed": True} if is_alone else {})}
    details, refs = {"reason": reason, **({"proposer": proposer.name} if proposer else {})}, [proposer.reference] if proposer else []
    record(Event.OFFLINE_GRACE_CHANGED, subject=environment, refs=refs, by=by, at=at, data=data, details=details)
