"""What apps above call in their own transaction: spending a ticket."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from apps.audit.keys import public_key
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.references import Reference
from apps.core.refusals import Refused, not_allowed, not_now
from apps.gate.answers import about, judged_leg
from apps.gate.inputs import Credential
from apps.gate.judgement import judge_under_lock
from apps.gate.models import Ticket
from apps.gate.rules import Action, Answer, Facts, Question, Verdict
from apps.gate.tickets import NotATicket, Permit, open_ticket

# The second of two waits for the first and then inserts nothing.
SPEND = """insert into gate_spentticket (ticket_id, spent_at, spent_by, spent_for) values (%s, %s, %s, %s)
on conflict do nothing returning ticket_id"""
TELL_WITHIN = timedelta(hours=24)


def permitted(envelope: Mapping[str, object], *, at: datetime) -> Permit:
    """What a ticket permits at this moment, if it is one of ours: for finding what to lock before it is spent. Raises Refused."""
    try:
        return open_ticket(envelope, keys=public_key, now=at)
    except NotATicket as error:
        raise Refused(not_allowed(error.code, str(error), "Ask the gate for a new ticket.")) from error


def redeem(
    envelope: Mapping[str, object], *, spent_for: Reference, by: Actor, at: datetime, credential: Credential | None = None
) -> Permit:
    """Spend a ticket, once, for one deployment, and return what it permits. The target is locked by the caller.

    Judges again: what was true when the ticket was handed out may not be true any more. Raises Refused."""
    permit = permitted(envelope, at=at)
    ticket = _spend(permit, spent_for=spent_for, by=by, at=at)
    facts, verdict = judge_under_lock(_question(permit, spent_for, credential))
    _refuse_if_stale(permit, facts, verdict, about_ticket=ticket.reference)
    refs = [spent_for, *about(facts, verdict)]
    record(Event.TICKET_SPENT, subject=ticket, by=by, at=at, refs=refs, data={"action": permit.action})
    return permit


def reconcile(envelope: Mapping[str, object], *, spent_for: Reference, by: Actor, used_at: datetime, at: datetime) -> Verdict:
    """Spend a ticket that was used while we were away, and say what the gate says of it now. The target is locked by the caller.

    It has begun already, so no verdict undoes it; what is refused is what the ticket did not permit at that moment."""
    permit = permitted(envelope, at=used_at)
    if used_at >= permit.not_before + timedelta(seconds=permit.offline_seconds):
        said = f"The ticket permits a start without us for {permit.offline_seconds} s after it was handed out."
        raise Refused(not_allowed("offline_not_permitted", said, "Send what runs there as an observation; a person looks at it."))
    if at > permit.expires_at + TELL_WITHIN:
        said = "A start without us is told within a day of the end of its ticket."
        raise Refused(not_allowed("offline_too_late", said, "Send what runs there as an observation; a person looks at it."))
    ticket = _spend(permit, spent_for=spent_for, by=by, at=at)
    facts, verdict = judge_under_lock(_question(permit, spent_for, None))
    data = {"action": permit.action, "used_at": used_at, "verdict": verdict.verdict, "codes": list(verdict.codes)}
    record(Event.TICKET_SPENT, subject=ticket, by=by, at=at, refs=[spent_for, *about(facts, verdict)], data=data)
    return verdict


def _spend(permit: Permit, *, spent_for: Reference, by: Actor, at: datetime) -> Ticket:
    ticket = Ticket.objects.filter(public_id=permit.id, evaluation_id=permit.evaluation, binds=permit.binds).first()
    if ticket is None:
        raise Refused(not_allowed("ticket_unknown", "This installation has handed out no such ticket.", "Ask the gate for a new one."))
    with connection.cursor() as cursor:
        cursor.execute(SPEND, [ticket.pk, at, actor_text(by), str(spent_for)])
        if cursor.fetchone() is None:
            raise Refused(not_now("ticket_spent", "This ticket was used already.", "Ask the gate for a new one."), about=ticket.reference)
    return ticket


def _question(permit: Permit, spent_for: Reference, credential: Credential | None) -> Question:
    own = UUID(spent_for.id) if spent_for.kind == "deployment" else None
    question = Question(permit.service, permit.environment, permit.identities, permit.action, deployment=own)
    return credential.asks(question) if credential else question


def _refuse_if_stale(permit: Permit, facts: Facts, verdict: Verdict, *, about_ticket: Reference) -> None:
    if verdict.verdict is not Answer.ALLOW:
        first = verdict.findings[0]
        raise Refused(not_now(first.code, first.message, first.cure), about=about_ticket)
    leg, target = judged_leg(facts, verdict), facts.target
    bound = (leg.revision_digest if leg else "", target.settings_digest if target else "", target.id if target else None)
    if permit.action is Action.DEPLOY and bound != (permit.revision_digest, permit.settings_digest, permit.target):
        said = "The change or the deployment settings are not those the ticket was handed out for."
        raise Refused(not_now("ticket_stale", said, "Ask the gate for a new one."), about=about_ticket)
    if target is None or target.id != permit.target:
        raise Refused(not_now("ticket_stale", "The ticket is for another target.", "Ask the gate for a new one."), about=about_ticket)
