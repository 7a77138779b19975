"""The durable verbs of CI: begin with a ticket, report what becomes of it; and silence, which our own clock notices."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.approvals.proof import forget
from apps.audit.attempts import recorded_refusal
from apps.audit.names import actor_text
from apps.audit.vocabulary import Event
from apps.catalog.models import ChangeRequired
from apps.core.actors import Actor, system
from apps.core.ids import new_id
from apps.core.locks import database_now, share_calendar_guard
from apps.core.references import reference
from apps.core.refusals import Refused, not_allowed, not_now
from apps.core.verbs import verb
from apps.deployments.access import Place, hold_deployment, hold_place
from apps.deployments.documents import beginning_bytes
from apps.deployments.external import as_it_went, carry_back, carry_forward, give_way, take_effect
from apps.deployments.facts import report_facts, settings_of
from apps.deployments.inputs import Beginning, Said
from apps.deployments.models import Deployment, Pipeline, Report
from apps.deployments.rules.reporting import Effect, effect_of, why_not_report
from apps.deployments.states import State
from apps.deployments.transitions import move, tell
from apps.gate.callers import Caller
from apps.gate.inputs import Credential
from apps.gate.rules import Action, Detail, Verdict
from apps.gate.steps import permitted, reconcile, redeem
from apps.gate.tickets import Permit

SWEEPER = system("sweeper")
LONGEST_RUN = 200  # of the id of a run; an issuer may say more
KEY_REUSED = not_now("key_reused", "This Idempotency-Key was used for another request.", "Use one key per ticket.")
NO_TARGET = not_allowed("ticket_unknown", "This installation has handed out no such ticket.", "Ask the gate for a new one.")
OUT_OF_SCOPE = not_now("out_of_scope", "This token is not for the ticket's service and environment.", "Use a token for them.")
ON_ITS_WAY = frozenset({State.RUNNING, State.UNKNOWN})  # nobody has said what came of it
OVERTAKEN = "It began while we were away, and something else came to the target after it: nobody knows which of the two runs."
SEQUENCE_REUSED = "Another report of {ref} has the number {sequence}."


@dataclass(frozen=True, slots=True)
class Begun:
    """What a beginning was answered, and whether that was said before."""

    deployment: Deployment
    answer: str
    is_replayed: bool = False


@recorded_refusal(Event.DEPLOYMENT_REFUSED)
@verb
def begin_by_ticket(asked: Beginning, *, caller: Caller, by: Actor) -> Begun:
    """Spend a ticket, once, and begin what it permits: judged again under all locks, the target occupied, the leg started.

    The same request under the same key gets the same answer, however many send it at once, and by a rotated token too."""
    names = caller.names if asked.key else frozenset()
    if begun := _begun_before(asked, names):
        return begun
    permit = permitted(asked.ticket, at=asked.used_at or database_now())
    share_calendar_guard()
    place = hold_place(permit, used_at=asked.used_at)
    if place is None or not _may_spend(caller, place, permit):
        raise Refused(NO_TARGET if place is None else OUT_OF_SCOPE)
    caller.act_on(place.target)
    if begun := _begun_before(asked, names):  # a twin was faster
        return begun
    public_id = new_id()
    give_way(place, by=by)
    forget()  # proofs are remembered for answers; for what begins they are made again
    # The way back was handed out beside the way forth: whoever may spend one may spend the other.
    asker = caller.credential if permit.action is Action.DEPLOY else None
    verdict = _spend(asked, place, asker, by=by, public_id=public_id)
    if asked.used_at or place.target.environment.change_required == ChangeRequired.NO:
        place = as_it_went(place, permit)
    carry = carry_back if permit.action is Action.ROLLBACK else carry_forward
    order = carry(place, permit, public_id=public_id, by=by)
    if verdict is not None:
        told: dict[str, object] = {"used_at": asked.used_at, "verdict": verdict.verdict, "codes": list(verdict.codes)}
        tell(order, Event.DEPLOYMENT_OFFLINE, by=by, at=place.now, data=told)
    order.wake_at = place.now + _patience(order)
    order.save(update_fields=["wake_at"])
    return _note_beginning(order, permit, asked, codes=list(verdict.codes) if verdict else [], by=by, detail=caller.asker.detail)


@recorded_refusal(Event.DEPLOYMENT_REPORT_REFUSED)
@verb
def report_deployment(deployment_id: int, *, said: Said, by: Actor) -> Report:
    """Take one report. The same one again is answered as before; what comes late is recorded and does nothing."""
    held = hold_deployment(deployment_id)
    order = held.deployment
    if before := order.reports.filter(sequence=said.sequence).first():
        if before.asked != said.asked:
            raise Refused(not_now("sequence_reused", SEQUENCE_REUSED.format(ref=order.ref, sequence=said.sequence), "Use the next number."))
        return before
    facts = report_facts(order, said.kind, said.sequence, has_switched=said.has_switched)
    if refusal := why_not_report(facts):
        raise Refused(refusal, about=order.reference)
    effect = effect_of(facts)
    report = Report.objects.create(
        deployment=order,
        sequence=said.sequence,
        kind=said.kind,
        effect=effect,
        asked=said.asked,
        by=actor_text(by),
        at=held.now,
        occurred_at=said.occurred_at,
        message=said.message,
    )
    Pipeline.objects.filter(deployment=order).update(sequence=max(said.sequence, facts.newest))
    told: dict[str, object] = {"kind": said.kind, "sequence": said.sequence, "effect": effect}
    tell(order, Event.DEPLOYMENT_REPORTED, by=by, at=held.now, reason=said.message, data=told)
    if effect is Effect.HEARD:
        order.wake_at = held.now + _patience(order)
    take_effect(held, effect, by=by, reason=OVERTAKEN if facts.is_overtaken and effect is Effect.NEEDS_HUMAN else said.message)
    return report


@verb
def note_silent(deployment_id: int) -> bool:
    """Say of a deployment that CI does not speak of any more that nobody knows what became of it. False where it has spoken."""
    held = hold_deployment(deployment_id)
    order = held.deployment
    if not Deployment.objects.silent().filter(pk=order.pk).exists():
        return False
    minutes = settings_of(order).silence_minutes
    move(order, State.UNKNOWN, by=SWEEPER, at=held.now, reason=f"No report for {minutes} min.", event=Event.DEPLOYMENT_SILENT)
    return True


def _begun_before(asked: Beginning, names: Collection[str]) -> Begun | None:
    if not asked.key:
        return None
    found = Pipeline.objects.select_related("deployment").filter(caller__in=names, key=asked.key).order_by("-pk").first()
    if found is None:
        return None
    if found.asked != asked.asked:
        raise Refused(KEY_REUSED, about=found.deployment.reference)
    # Nobody runs it a second time by sending the first request again. What began without us is told, whatever came of it.
    if found.deployment.state not in ON_ITS_WAY and asked.used_at is None:
        said = f"{found.deployment.ref} began under this key and is not on its way any more."
        raise Refused(not_now("begun_before", said, "Ask the gate again, and begin with a new ticket."), about=found.deployment.reference)
    return Begun(found.deployment, found.answer, is_replayed=True)


def _may_spend(caller: Caller, place: Place, permit: Permit) -> bool:
    return caller.speaks_for(place.target) and (permit.action is Action.ROLLBACK or permit.action in caller.asker.actions)


def _spend(asked: Beginning, place: Place, asker: Credential | None, *, by: Actor, public_id: UUID) -> Verdict | None:
    """Spend the ticket; the verdict where it was used while we were away: then it is told, and undoes nothing."""
    spent_for = reference("deployment", public_id)
    if asked.used_at is None:
        redeem(asked.ticket, spent_for=spent_for, by=by, at=place.now, credential=asker)
        return None
    return reconcile(asked.ticket, spent_for=spent_for, by=by, used_at=asked.used_at, at=place.now)


def _patience(order: Deployment) -> timedelta:
    return timedelta(minutes=settings_of(order).silence_minutes)


def _note_beginning(order: Deployment, permit: Permit, asked: Beginning, *, codes: list[str], by: Actor, detail: Detail) -> Begun:
    run, answer = asked.run, beginning_bytes(order, permit, detail=detail)
    made = Pipeline(
        deployment=order,
        ticket_id=permit.id,
        goes_back=permit.action is Action.ROLLBACK,
        caller=actor_text(by),
        key=asked.key,
        asked=asked.asked,
        answer=answer,
        used_at=asked.used_at,
        codes=codes,
        run_system=run.system if run else "",
        run_id=run.id[:LONGEST_RUN] if run else "",
        run_attempt=run.attempt if run else 1,
        run_url=run.url if run else "",
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:  # begun meanwhile under this key, on another target: no lock is shared with that
        raise Refused(KEY_REUSED) from error
    return Begun(order, answer)
