"""The durable verbs that need nothing but the change itself. Submitting, revising and signing lie in `approvals`."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.access import services_for
from apps.changes.content import Content
from apps.changes.facts import asker, asker_of, change_facts, content_of, references_of
from apps.changes.mentions import people_mentioned
from apps.changes.models import Change, Comment, DraftInput, EvidenceUpload, FailedReading, Leg, SavedSearch, VersionReading, Watch
from apps.changes.readings import Way
from apps.changes.rules import (
    why_not_close,
    why_not_create,
    why_not_finish,
    why_not_review,
    why_not_revise,
    why_not_show_evidence,
    why_not_withdraw,
)
from apps.changes.states import Kind, Outcome, State
from apps.changes.steps import create_draft, finish, set_needs, withdraw
from apps.changes.steps.evidence import Piece, ShownFor, add_upload, bind_uploads, clear_waiting, show_on_leg
from apps.changes.steps.typed import LONGEST_DRAFT, finish_draft_input, remove_draft_input, write_draft_input
from apps.changes.steps.words import add_words
from apps.changes.transitions import move
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line, read_text
from apps.core.verbs import verb

LONGEST_REASON, LONGEST_TEXT = 300, 10_000
FIRST_TRY, LAST_TRY = timedelta(minutes=1), timedelta(hours=1)
LONGEST_NAME, LONGEST_SEARCH, MOST_SEARCHES = 40, 500, 20


@verb
def create_change(*, content: Content, by: Actor, now: datetime | None = None) -> Change:
    """Begin a NORMAL change as a draft. Raises Refused for who is no requester of its services, BadContent for its fields."""
    requester, now = person_by_actor(by), now or database_now()
    services = services_for(requester).filter(public_id__in=[item.service_id for item in content.scope.items])
    if refusal := why_not_create(by=asker_of(requester, services)):
        raise Refused(refusal)
    return create_draft(requester=requester, kind=Kind.NORMAL, content=content, by=by, at=now)


@verb
def comment_on_change(*, change_id: int, text: str, by: Actor, now: datetime | None = None) -> Comment:
    """Say something about a change; it is outside everything that is signed."""
    change, now = Change.objects.lock(change_id, now)
    said = read_text(text, field="text", longest=LONGEST_TEXT, empty=False)
    return _comment(change, said, by=by, at=now)


@verb
def withdraw_change(*, change_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> Change:
    """Take a change back before anything of it was started."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_withdraw(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    withdraw(change, by=by, at=now, reason=_reason(reason, empty=True))
    return change


@verb
def finish_change(*, change_id: int, by: Actor, reason: str, now: datetime | None = None) -> Change:
    """End a started change where it stands: what waits is skipped, the review follows."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_finish(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    finish(change, by=by, at=now, reason=_reason(reason, empty=False))
    return change


@verb
def close_change(*, change_id: int, by: Actor, review: str = "", now: datetime | None = None) -> Change:
    """Close a change after its review; the review stays beside it as a comment."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_close(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    said = read_text(review, field="review", longest=LONGEST_TEXT)
    if errors := why_not_review(Outcome(change.outcome), review=said):
        raise BadContent(errors)
    if said:
        _comment(change, said, by=by, at=now)
    move(change, State.CLOSED, by=by, at=now)
    return change


@verb
def keep_draft_input(
    *, draft_id: UUID, body: str, by: Actor, change_id: int | None = None, replaces: UUID | None = None, now: datetime | None = None
) -> DraftInput:
    """Keep what somebody has typed and not saved, unless this form is finished; REPLACES is the one it was restored from.

    Raises BadContent where it is too long."""
    person, now = person_by_actor(by), now or database_now()
    if len(body) > LONGEST_DRAFT:
        raise BadContent({"": [f"This is longer than {LONGEST_DRAFT} characters. What was kept before stays."]})
    change = Change.objects.get(pk=change_id) if change_id is not None else None
    row = write_draft_input(draft_id, person=person, change=change, body=body, at=now)
    if replaces is not None and replaces != draft_id:
        remove_draft_input(replaces, person=person)
    return row


@verb
def drop_draft_input(
    *, draft_id: UUID, by: Actor, replaces: UUID | None = None, became: int | None = None, now: datetime | None = None
) -> None:
    """Forget what was typed under DRAFT_ID, for good, and the form it was restored from; BECAME is the change it was sent as."""
    person = person_by_actor(by)
    finish_draft_input(draft_id, person=person, at=now or database_now(), became=became)
    if replaces is not None and replaces != draft_id:
        remove_draft_input(replaces, person=person)


@verb
def place_change_after(*, change_id: int, needs: list[int], by: Actor, now: datetime | None = None) -> bool:
    """Say which changes it comes after; False when nothing differs. Raises BadContent for a circle."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_revise(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    return set_needs(change, [*Change.objects.filter(pk__in=needs)], by=by, at=now)


@verb
def watch_change(*, change_id: int, by: Actor, now: datetime | None = None) -> None:
    """Be told of what happens to a change; watching twice is watching."""
    change, now = Change.objects.lock(change_id, now)
    _, is_new = Watch.objects.get_or_create(change=change, person=person_by_actor(by), defaults={"since_at": now})
    if is_new:
        record(Event.CHANGE_WATCHED, subject=change, by=by, at=now)


@verb
def unwatch_change(*, change_id: int, by: Actor, now: datetime | None = None) -> None:
    """Be told no more."""
    change, now = Change.objects.lock(change_id, now)
    count, _ = Watch.objects.filter(change=change, person=person_by_actor(by)).delete()
    if count:
        record(Event.CHANGE_UNWATCHED, subject=change, by=by, at=now)


@verb
def save_search(*, name: str, text: str, by: Actor, now: datetime | None = None) -> SavedSearch:
    """Keep a search under a name; the same name again holds the new one."""
    person, now = person_by_actor(by), now or database_now()
    called = read_line(name, field="name", longest=LONGEST_NAME)
    said = read_line(text, field="q", longest=LONGEST_SEARCH, empty=True)
    kept = SavedSearch.objects.filter(person=person)
    if kept.count() >= MOST_SEARCHES and not kept.filter(name=called).exists():
        raise BadContent({"name": [f"You keep {MOST_SEARCHES} searches already. Remove one first."]})
    search, _ = SavedSearch.objects.update_or_create(person=person, name=called, defaults={"text": said, "saved_at": now})
    record(Event.SEARCH_SAVED, subject=search, by=by, at=now, details={"name": called})
    return search


@verb
def remove_search(*, name: str, by: Actor, now: datetime | None = None) -> None:
    """Forget a search one kept; nobody else's is ever touched."""
    now = now or database_now()
    kept = SavedSearch.objects.filter(person=person_by_actor(by), name=name.replace("\x00", "").strip()).first()
    if kept is None:
        return
    record(Event.SEARCH_REMOVED, subject=kept, by=by, at=now, details={"name": kept.name})
    kept.delete()


@verb
def upload_evidence(
    *, piece: Piece, shown_for: ShownFor, by: Actor, change_id: int | None = None, now: datetime | None = None
) -> EvidenceUpload:
    """Keep a file or a link for a change that is being written; it goes after a day unless a change holds it by then.

    A change whose plan names the digest already holds it at once: that is no edit of it."""
    change = Change.objects.lock(change_id)[0] if change_id is not None else None
    person, now = person_by_actor(by), now or database_now()
    if refusal := why_not_create(by=asker_of(person, [])):
        raise Refused(refusal)
    upload = add_upload(piece, person=person, shown_for=shown_for, at=now)
    if change is not None and change.revision is not None:
        bind_uploads(change, content_of(change.revision), author=person, by=by, at=now)
        upload.refresh_from_db()
    return upload


@verb
def attach_evidence(*, change_id: int, leg_id: int, piece: Piece, by: Actor, now: datetime | None = None) -> tuple[EvidenceUpload, bool]:
    """Show a file or a link for one leg: a fact of that leg, so nothing that was signed lapses. Says whether it is new there."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_show_evidence(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    leg = Leg.objects.select_related("item", "service", "environment").get(pk=leg_id, change=change)
    leg.change = change
    return show_on_leg(leg, piece, person=person_by_actor(by), by=by, at=now)


@verb
def clear_evidence(*, most: int, now: datetime | None = None) -> int:
    """Remove what was uploaded a day ago and is held by no change; the number of uploads that went."""
    return clear_waiting(at=now or database_now(), most=most)


@verb
def keep_reading(*, way: Way, body: dict[str, Any], now: datetime | None = None) -> None:
    """Keep what a repository said about a way; two workers who read the same one keep it once."""
    at = now or database_now()
    service, repository_id, base, commit = way.key
    row = VersionReading(service_id=service, repository_id=repository_id, base=base, commit=commit, body=body, read_at=at)
    VersionReading.objects.bulk_create([row], ignore_conflicts=True)
    FailedReading.objects.filter(service=service, repository_id=repository_id, base=base, commit=commit).delete()


@verb
def keep_failed_reading(*, way: Way, reason: str, now: datetime | None = None) -> FailedReading:
    """Keep why a way could not be read and when it is tried again: a minute later, then twice as long each time, at most an hour."""
    at = now or database_now()
    service, repository_id, base, commit = way.key
    key = {"service_id": service, "repository_id": repository_id, "base": base, "commit": commit}
    fresh = {"reason": reason[:LONGEST_REASON], "tried_at": at, "next_at": at + FIRST_TRY}
    row, is_new = FailedReading.objects.select_for_update().get_or_create(**key, defaults=fresh)
    if not is_new:
        row.reason, row.tried_at, row.tries_count = reason[:LONGEST_REASON], at, row.tries_count + 1
        row.next_at = at + min(LAST_TRY, FIRST_TRY * 2 ** min(row.tries_count - 1, 10))
        row.save(update_fields=["reason", "tried_at", "tries_count", "next_at"])
    return row


def _comment(change: Change, text: str, *, by: Actor, at: datetime) -> Comment:
    comment = Comment.objects.create(change=change, author=person_by_actor(by), at=at, text=text)
    add_words(change, text)
    named = people_mentioned(text, change=change)
    record(
        Event.CHANGE_COMMENTED,
        subject=change,
        by=by,
        at=at,
        refs=references_of(change),
        data={"comment": comment.public_id, **({"mentions": [str(one.public_id) for one in named]} if named else {})},
        details={"text": text},
    )
    return comment


def _reason(text: str, *, empty: bool) -> str:
    return read_text(text, field="reason", longest=LONGEST_REASON, empty=empty)
