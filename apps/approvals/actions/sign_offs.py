"""Agreeing, refusing, sending back and taking back: each under the change's lock, each refusal recorded."""

from datetime import datetime

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import person_by_actor
from apps.approvals.facts import BOUND, newest, review_facts, sign_off_facts
from apps.approvals.models import Decision, Meaning, SignOff
from apps.approvals.rules import asked_seats, open_seats, why_not_approve, why_not_reject, why_not_send_back, why_not_withdraw_sign_off
from apps.approvals.steps import Decided, end_sign_offs, settle, write_sign_off
from apps.audit.attempts import recorded_refusal
from apps.audit.keys import installation_id
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts
from apps.changes.facts import asker
from apps.changes.models import Change
from apps.changes.steps import reject, send_back
from apps.core.actors import Actor
from apps.core.locks import share_calendar_guard
from apps.core.refusals import BadContent, Refusal, Refused, not_now
from apps.core.texts import read_text
from apps.core.verbs import verb

LONGEST_REASON = 2000
SIGN_OFF_ENDED = not_now("already_withdrawn", "This sign-off was taken back already.", "Nothing is left to take back.")


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def approve_change(
    *, change_id: int, revision_digest: str, by: Actor, reason: str = "", meaning: str = "", now: datetime | None = None
) -> SignOff:
    """Agree to one revision, for every rule whose stage is open and whose group one is in.

    The last needed agreement moves the change to APPROVED. After a lapse the same verb re-affirms."""
    share_calendar_guard()
    change, now = Change.objects.lock(change_id, now)
    person, facts = _present(change, by), review_facts(change)
    if meaning not in {"", *Meaning.values}:
        raise BadContent({"meaning": [f"One of {', '.join(Meaning.values)}."]})
    _refuse(change, why_not_approve(facts, revision_digest=revision_digest, by=by, meaning=meaning))
    is_solo = person.public_id == facts.requester_id
    said = _reason(reason, cure="Nobody else looks at it: say why you sign your own change." if is_solo else "")
    seats = open_seats(facts, by=person.public_id, meaning=meaning)
    decided = Decided(person, Decision.APPROVE, seats[0].rule.meaning, seats, said)
    sign_off = write_sign_off(change, newest(change), decided=decided, by=by, at=now)
    settle(change, by=by, at=now, reason="The policy in force asks for more.")
    return sign_off


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def reject_change(*, change_id: int, revision_digest: str, by: Actor, reason: str, now: datetime | None = None) -> SignOff:
    """Say no for good, with a reason; what is rejected is copied into a new change, never reopened."""
    share_calendar_guard()
    change, now = Change.objects.lock(change_id, now)
    person, facts = _present(change, by), review_facts(change)
    _refuse(change, why_not_reject(facts, revision_digest=revision_digest, by=by))
    said = _reason(reason, cure="Say why, so that the requester knows what to do differently.")
    seats = asked_seats(facts, by=person.public_id)
    decided = Decided(person, Decision.REJECT, seats[0].rule.meaning, seats, said)
    sign_off = write_sign_off(change, newest(change), decided=decided, by=by, at=now)
    reject(change, by=by, at=now, reason=said)
    return sign_off


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def send_back_change(*, change_id: int, by: Actor, reason: str, now: datetime | None = None) -> Change:
    """Ask the requester for more; what was agreed to stands as long as its bytes do."""
    change, now = Change.objects.lock(change_id, now)
    _present(change, by)
    is_release_manager = Role.RELEASE_MANAGER in asker(by, change).roles
    _refuse(change, why_not_send_back(review_facts(change), by=by, is_release_manager=is_release_manager))
    send_back(change, by=by, at=now, reason=_reason(reason, cure="Say what is missing, so that the requester can add it."))
    return change


@recorded_refusal(Event.SIGN_OFF_REFUSED)
@verb
def withdraw_sign_off(*, sign_off_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> SignOff:
    """Take one's own agreement back, until the deployment it allows begins; an approved change is in review again."""
    change, now = Change.objects.lock(SignOff.objects.values_list("change", flat=True).get(pk=sign_off_id), now)
    sign_off = SignOff.objects.select_related(*BOUND, "person__merged_into").get(pk=sign_off_id)
    _present(change, by)
    if sign_off.withdrawn_at:
        _refuse(change, SIGN_OFF_ENDED)
    given = sign_off_facts(sign_off, person=person_facts(sign_off.person), installation=installation_id())
    _refuse(change, why_not_withdraw_sign_off(review_facts(change), sign_off=given, by=by))
    end_sign_offs(sign_off, by=by, at=now, reason=_reason(reason))
    settle(change, by=by, at=now, reason=f"{sign_off.person.name} took a sign-off back.")
    return sign_off


def _present(change: Change, by: Actor) -> Person:
    """The person who acts; a refusal names the change, so that the attempt is recorded about it."""
    try:
        return person_by_actor(by)
    except Refused as error:
        raise Refused(error.refusal, about=change.reference) from error


def _refuse(change: Change, refusal: Refusal | None) -> None:
    if refusal:
        raise Refused(refusal, about=change.reference)


def _reason(text: str, *, cure: str = "") -> str:
    """Read a reason; CURE is what is asked where it may not be empty."""
    said = read_text(text, field="reason", longest=LONGEST_REASON)
    if cure and not said.strip():
        raise BadContent({"reason": [cure]})
    return said
