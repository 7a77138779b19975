"""Writing content: drafts, revisions, and the rows by which items, legs and the gate find it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from apps.accounts.models import Person
from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.access import services_for
from apps.changes.content import (
    PARTS,
    Content,
    EnvironmentRef,
    kept_bytes,
    normal,
    part_bytes,
    part_digests,
    revision_digest,
    whole_second,
    why_not_complete,
    why_not_content,
)
from apps.changes.facts import Places, asker_of, change_facts, content_of, current_legs, places, references_of, risk_now, what_runs
from apps.changes.models import Change, ChangeModelVersion, Revision
from apps.changes.rules import why_not_change_started, why_not_create, why_not_places, why_not_rollback
from apps.changes.states import Kind, LegState, State
from apps.changes.steps.evidence import bind_uploads
from apps.changes.steps.rows import write_rows
from apps.changes.steps.words import words_of
from apps.changes.transitions import keep_open_flags, move_leg
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refusal, Refused

UNSAID: Mapping[UUID, str] = MappingProxyType({})  # nobody wrote a branch or a tag
NO_MODEL = {"kind": ["A STANDARD change begins from a change model. Name one that is offered, or ask for a NORMAL change."]}


def create_draft(
    *,
    requester: Person,
    kind: Kind,
    content: Content,
    by: Actor,
    at: datetime,
    made_from: ChangeModelVersion | None = None,
    asked_as: Mapping[UUID, str] = UNSAID,
) -> Change:
    """Begin a change with its first revision; raises BadContent for what no draft may hold. MADE_FROM is read with its model."""
    _refuse(why_not_content(content) | (NO_MODEL if kind is Kind.STANDARD and made_from is None else {}))
    found = _places(content, person=requester, change=None)
    change = Change.objects.create(kind=kind, title=normal(content).story.title, requester=requester, created_at=at, made_from=made_from)
    revision = _write_revision(change, part_bytes(content), number=1, author=requester, at=at)
    _write_newest(change, revision, content, found, asked_as=asked_as)
    bind_uploads(change, content, author=requester, by=by, at=at)
    record(
        Event.CHANGE_CREATED,
        subject=change,
        by=by,
        at=at,
        refs=references_of(change),
        data={"kind": change.kind, "revision": 1, "digest": revision.digest},
        details={"title": change.title},
    )
    return change


def add_revision(change: Change, *, content: Content, by: Actor, at: datetime, asked_as: Mapping[UUID, str] = UNSAID) -> Revision | None:
    """Save an edit of a locked change; None when nothing differs. Its state stays as it is: what lapses is for the caller.

    Raises BadContent for content that cannot be kept, Refused where a started leg freezes its item."""
    _refuse(why_not_content(content))
    assert change.revision is not None  # noqa: S101 - create_draft wrote the first one in the same transaction
    author, old, facts = person_by_actor(by), content_of(change.revision), change_facts(change)
    content = with_names_of(old, content)
    stored = {part: bytes(getattr(change.revision, part)) for part in PARTS}
    parts = kept_bytes(content, stored=stored, read=old)
    changed = sorted(part for part in PARTS if parts[part] != stored[part])
    if not changed:
        return None
    if refusal := why_not_change_started(old, content, legs=facts.legs):
        raise Refused(refusal, about=change.reference)
    found = _places(content, person=author, change=change)
    if refusal := _why_not_further(found, author=author, old=old):
        raise Refused(refusal, about=change.reference)
    if facts.state is not State.DRAFT:
        _refuse(why_content_not_ready(content, now=at))
        change.risk = risk_now(content, now=at).points
    touched = {*references_of(change)}
    revision = _write_revision(change, parts, number=change.revision.number + 1, author=author, at=at)
    _write_newest(change, revision, content, found, asked_as=asked_as)
    bind_uploads(change, content, author=author, by=by, at=at)
    for leg in current_legs(change).filter(state=LegState.ROLLED_BACK):
        leg.change = change
        move_leg(leg, LegState.WAITING, by=by, at=at, reason=f"Revision {revision.number} was saved.")
    record(
        Event.CHANGE_REVISED,
        subject=change,
        by=by,
        at=at,
        refs=[*touched, *references_of(change)],
        data={"revision": revision.number, "digest": revision.digest, "parts": changed},
        details={"title": change.title},
    )
    return revision


def why_content_not_ready(content: Content, *, now: datetime) -> dict[str, list[str]]:
    """What a submitted change must say and this one does not; field to sentences."""
    return why_not_complete(content, now=now) | why_not_rollback(content, runs=what_runs(content))


def with_names_of(old: Content, new: Content) -> Content:
    """The new content with the names the old one was signed with: a rename in the catalogue is no edit of a change."""
    services = {item.service_id: item.service_name for item in old.scope.items}
    environments = {each.id: each.name for item in old.scope.items for each in item.environments}
    items = tuple(
        replace(
            item,
            service_name=services.get(item.service_id, item.service_name),
            environments=tuple(EnvironmentRef(each.id, environments.get(each.id, each.name)) for each in item.environments),
        )
        for item in new.scope.items
    )
    return replace(new, scope=replace(new.scope, items=items))


def _refuse(errors: dict[str, list[str]]) -> None:
    if errors:
        raise BadContent(errors)


def _places(content: Content, *, person: Person, change: Change | None) -> Places:
    """The rows behind the content. What the change holds already may stay, even where it was retired meanwhile."""
    found = places(content, services=services_for(person))
    for leg in current_legs(change) if change else ():
        found.services.setdefault(leg.service.public_id, leg.service)
        found.environments.setdefault(leg.environment.public_id, leg.environment)
        found.targets.setdefault((leg.service.public_id, leg.environment.public_id), leg.target)
    _refuse(why_not_places(content, services=found.services, environments=found.environments, targets=found.targets))
    return found


def _why_not_further(found: Places, *, author: Person, old: Content) -> Refusal | None:
    """Who may ask for one service does not reach another by an edit."""
    before = {item.service_id for item in old.scope.items}
    further = [service for public_id, service in found.services.items() if public_id not in before]
    return why_not_create(by=asker_of(author, further)) if further else None


def _write_revision(change: Change, parts: dict[str, bytes], *, number: int, author: Person, at: datetime) -> Revision:
    digests = part_digests(parts)
    revision = Revision(
        change=change,
        number=number,
        author=author,
        made_at=at,
        **{part: parts[part] for part in PARTS},
        **{f"{part}_digest": digests[part] for part in PARTS},
    )
    revision.digest = revision_digest(revision.bound, part_digests=digests)
    revision.save(force_insert=True)
    return revision


def _write_newest(change: Change, revision: Revision, content: Content, found: Places, *, asked_as: Mapping[UUID, str]) -> None:
    """Let the change and its rows say what the newest revision says."""
    content = normal(content)
    change.revision, change.title = revision, content.story.title
    change.not_before, change.not_after = content.period.not_before, whole_second(content.period.not_after)
    change.words, change.labels = words_of(change, content), sorted(set(content.story.labels))
    change.aspects = sorted(aspect.value for aspect in content.scope.aspects)
    change.save(update_fields=["revision", "title", "not_before", "not_after", "words", "labels", "aspects", "risk"])
    write_rows(change, content.scope, found, asked_as=asked_as)
    keep_open_flags(change)
