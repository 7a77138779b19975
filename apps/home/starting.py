"""What the request form holds when it is opened: a model, a copy, the change that is edited, or what was typed and not saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.http import Http404

from apps.accounts.models import Person
from apps.changes.access import draft_inputs_of, get_change, get_model
from apps.changes.content import Content
from apps.changes.content.templates import read_template
from apps.changes.facts import content_of, needs_of
from apps.changes.models import Change, ChangeModelVersion, DraftInput
from apps.changes.states import Kind
from apps.home.facts.offering import Shelf
from apps.home.filling import local, template_values, values_of
from apps.home.planning import planned_start
from apps.home.typed import Values, completed, values_in

# A copy asks for another time, and was shown nothing yet.
NOT_COPIED = ("not_before", "not_after", "needs", "slot_start")


@dataclass(frozen=True, slots=True)
class Start:
    """The values, and where they came from."""

    values: Values
    restored: DraftInput | None = None
    copied: Change | None = None
    model: ChangeModelVersion | None = None


def start_of_edit(change: Change, content: Content, *, person: Person, shelf: Shelf, wants_saved: bool) -> Start:
    """The newest revision, or what this person typed on it and did not save."""
    typed = None if wants_saved else draft_inputs_of(person).filter(change=change).first()
    if typed is not None:
        return Start(identified(values_in(typed.body), replaces=typed.public_id), restored=typed)
    values = values_of(content, services=shelf.offer.services.values(), ladder=shelf.offer.ladder.values())
    start = local(planned_start(change), ZoneInfo(content.period.zone))
    return Start(identified(values | {"needs": [", ".join(row.needs.ref for row in needs_of(change))], "slot_start": [start]}))


def start_of_new(person: Person, *, shelf: Shelf, asked: Mapping[str, str]) -> Start:
    """What was asked for; else what was typed and not saved; else an empty form with what is known."""
    service = asked.get("service", "")
    if copy := asked.get("copy"):
        return copied(get_change(person, copy), person=person, shelf=shelf)
    if model := asked.get("model"):
        return modelled(get_model(model), person=person, shelf=shelf, service=service)
    typed = None if service or "blank" in asked or "kind" in asked else unsaved(person, asked.get("draft", ""))
    if typed is not None:
        return Start(identified(values_in(typed.body), replaces=typed.public_id), restored=typed)
    emergency: Values = {"emergency": ["on"]} if asked.get("kind") == Kind.EMERGENCY else {}
    return Start(identified(blank(person, shelf, service) | {"strategy": ["PREVIOUS_RELEASE"]} | emergency))


def unsaved(person: Person, draft: str) -> DraftInput | None:
    """One of a person's unsaved new changes by its id; the newest where none is named, or another window went on with it under its own id."""
    found = draft_inputs_of(person).filter(change__isnull=True)
    if not draft:
        return found.first()
    try:
        named = found.filter(public_id=UUID(draft)).first()
    except ValueError as error:
        raise Http404 from error
    return named or found.first()


def copied(change: Change, *, person: Person, shelf: Shelf) -> Start:
    """Another change with the same content."""
    assert change.revision is not None  # noqa: S101 - every change has its first revision
    content = content_of(change.revision)
    values = values_of(content, services=shelf.offer.services.values(), ladder=shelf.offer.ladder.values())
    for name in NOT_COPIED:
        values.pop(name, None)
    return Start(identified(values | {"zone": [person.time_zone], "model": [model_again(change)]}), copied=change)


def model_again(change: Change) -> str:
    """The version in force of a STANDARD change's model, so that its copy is one too; empty for every other change."""
    model = change.made_from.model if change.made_from and change.kind == Kind.STANDARD else None
    return f"{model.slug}:{model.version.number}" if model and model.version and model.retired_at is None else ""


def modelled(version: ChangeModelVersion, *, person: Person, shelf: Shelf, service: str) -> Start:
    """What a model fills in."""
    values = blank(person, shelf, service) | template_values(read_template(bytes(version.body)))
    return Start(identified(values | {"model": [f"{version.model.slug}:{version.number}"]}), model=version)


def blank(person: Person, shelf: Shelf, service: str) -> Values:
    """What is known before anything is written: the zone, and the service where there is only one."""
    slugs = [*shelf.offer.services]
    chosen = service if service in shelf.offer.services else slugs[0] if len(slugs) == 1 else ""
    values: Values = {"zone": [person.time_zone], "items-0-service": [chosen]}
    rungs = shelf.with_targets([chosen]).rungs(chosen) if chosen else []
    return values | ({"items-0-environments": [slug for slug, _, _ in rungs]} if rungs else {})


def identified(values: Values, *, replaces: UUID | None = None) -> Values:
    """The values with the id under which this page keeps what is typed in it."""
    return completed(values) | {"draft": [str(uuid4())], "replaces": [str(replaces) if replaces else ""]}
