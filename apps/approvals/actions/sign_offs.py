"""Agreeing, refusing, sending back and taking back: each under the change's lock, each refusal recorded."""

from datetime import datetime

from apps.accounts.roles import Role
from apps.accounts.steps import person_by_actor
from apps.approvals.facts import BOUND, newest, passkeys_behind, review_facts, sign_off_facts
from apps.approvals.models import Decision, Look, SignOff
from apps.approvals.rules import why_not_send_back, why_not_withdraw_sign_off
from apps.approvals.statement import statement_bytes
from apps.approvals.steps import (
    Choice,
    Signed,
    choice_in,
    decide,
    end_sign_offs,
    present,
    proposed_statement,
    read_reason,
    refuse,
    settle,
    why_not_proved,
    write_sign_off,
)
from apps.audit.attempts import recorded_refusal
from apps.audit.keys import installation_id
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts
from apps.changes.facts import asker
from apps.changes.models import Change, Revision
from apps.changes.steps import reject, send_back
from apps.core.actors import Actor
from apps.core.locks import database_now, share_calendar_guard
from apps.core.refusals import not_now
from apps.core.verbs import verb

SIGN_OFF_ENDED = not_now("already_withdrawn", "This sign-off was taken back already.", "Nothing is left to take back.")


@recorded_refusal(Event.SIGN_OFF_REFUSED)
def draft_statement(*, change_id: int, choice: Choice, by: Actor, now: datetime | None = None) -> bytes:
    """The bytes that this decision would sign now, to be put before the person. Nothing is locked; only a refusal is written."""
    change = Change.objects.get(pk=change_id)
    statement = proposed_statement(change, choice, by=by, at=now or database_now())
    refuse(change, why_not_proved(by))
    return statement_bytes(statement)


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def sign_statement(*, change_id: int, signed: Signed, by: Actor, now: datetime | None = None) -> SignOff:
    """Agree or say no by the very statement that was read, proved by a passkey or a password; `by` is the person's `signer`.

    Everything is judged again: where the statement is not what would be stated now, nothing is signed. The last needed
    agreement moves the change to APPROVED; after a lapse the same verb re-affirms. A no is for good: what is rejected is
    copied into a new change, never reopened."""
    share_calendar_guard()
    change, now = Change.objects.lock(change_id, now)
    decided = decide(change, choice_in(signed, change=change), by=by)
    sign_off = write_sign_off(change, newest(change), decided=decided, signed=signed, by=by, at=now)
    if decided.decision == Decision.REJECT:
        reject(change, by=by, at=now, reason=decided.reason)
    else:
        settle(change, by=by, at=now, reason="The policy in force asks for more.")
    return sign_off


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def send_back_change(*, change_id: int, by: Actor, reason: str, now: datetime | None = None) -> Change:
    """Ask the requester for more; what was agreed to stands as long as its bytes do."""
    change, now = Change.objects.lock(change_id, now)
    present(change, by)
    is_release_manager = Role.RELEASE_MANAGER in asker(by, change).roles
    refuse(change, why_not_send_back(review_facts(change), by=by, is_release_manager=is_release_manager))
    send_back(change, by=by, at=now, reason=read_reason(reason, cure="Say what is missing, so that the requester can add it."))
    return change


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def withdraw_sign_off(*, sign_off_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> SignOff:
    """Take one's own agreement back, until the deployment it allows begins; an approved change is in review again."""
    change, now = Change.objects.lock(SignOff.objects.values_list("change", flat=True).get(pk=sign_off_id), now)
    sign_off = SignOff.objects.select_related(*BOUND, "person__merged_into").get(pk=sign_off_id)
    present(change, by)
    if sign_off.withdrawn_at:
        refuse(change, SIGN_OFF_ENDED)
    passkeys = passkeys_behind([sign_off])
    given = sign_off_facts(sign_off, person=person_facts(sign_off.person), installation=installation_id(), passkeys=passkeys)
    refuse(change, why_not_withdraw_sign_off(review_facts(change), sign_off=given, by=by))
    end_sign_offs(sign_off, by=by, at=now, reason=read_reason(reason))
    settle(change, by=by, at=now, reason=f"{sign_off.person.name} took a sign-off back.")
    return sign_off


@verb
def look_at_change(*, change_id: int, revision_digest: str, by: Actor, now: datetime | None = None) -> None:
    """Keep which revision a person had before them, so that the next page tells what changed since. Never goes back."""
    person = person_by_actor(by)
    revision = Revision.objects.filter(change=change_id, digest=revision_digest).first()
    if revision is None:
        return
    at = now or database_now()
    Look.objects.bulk_create([Look(change_id=change_id, person=person, revision=revision, looked_at=at)], ignore_conflicts=True)
    earlier = Look.objects.filter(change=change_id, person=person, revision__number__lte=revision.number)
    earlier.update(revision=revision, looked_at=at)
