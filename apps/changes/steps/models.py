"""Change models: writing a version, ending a model, and what a model asks of a change that began from it."""

from datetime import datetime

from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.content import Content
from apps.changes.content.templates import Template, read_template, template_bytes, why_not_shown
from apps.changes.models import ChangeModel, ChangeModelVersion
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.refusals import BadContent
from apps.core.texts import read_line, read_slug

LONGEST_NAME = 120


def why_not_as_modelled(version: ChangeModelVersion | None, content: Content) -> dict[str, list[str]]:
    """What the model it began from asks for and the content lacks; field to sentences."""
    return why_not_shown(read_template(bytes(version.body)), shown=content.plan) if version else {}


def add_model(*, slug: str, name: str, template: Template, by: Actor, at: datetime) -> ChangeModel:
    """Begin a model with its first version; raises BadContent."""
    short, called = read_slug(slug), read_line(name, field="name", longest=LONGEST_NAME)
    if ChangeModel.objects.filter(slug=short).exists():
        raise BadContent({"slug": ["Another change model has this short name. Choose another one."]})
    model = ChangeModel.objects.create(slug=short, name=called)
    _add_version(model, template, by=by, at=at)
    return model


def write_model(model: ChangeModel, *, name: str, template: Template, by: Actor, at: datetime) -> bool:
    """Write another version of a locked model; False when nothing differs. Changes begun from older ones keep theirs."""
    called = read_line(name, field="name", longest=LONGEST_NAME)
    is_same = model.version is not None and bytes(model.version.body) == template_bytes(template)
    if is_same and called == model.name:
        return False
    model.name = called
    if is_same:
        model.save(update_fields=["name"])
        _tell(model, by=by, at=at)
    else:
        _add_version(model, template, by=by, at=at)
    return True


def end_model(model: ChangeModel, *, by: Actor, at: datetime) -> None:
    """Offer it no more. What began from it goes on."""
    model.retired_at = at
    model.save(update_fields=["retired_at"])
    record(Event.CHANGE_MODEL_RETIRED, subject=model, by=by, at=at, details={"name": model.name})


def _add_version(model: ChangeModel, template: Template, *, by: Actor, at: datetime) -> None:
    body = template_bytes(template)
    number = (model.version.number if model.version else 0) + 1
    author = person_by_actor(by)
    model.version = ChangeModelVersion.objects.create(model=model, number=number, body=body, digest=digest(body), author=author, made_at=at)
    model.save(update_fields=["name", "version"])
    _tell(model, by=by, at=at)


def _tell(model: ChangeModel, *, by: Actor, at: datetime) -> None:
    assert model.version is not None  # noqa: S101 - a model is written with its first version
    data = {"number": model.version.number, "digest": model.version.digest}
    record(Event.CHANGE_MODEL_WRITTEN, subject=model, by=by, at=at, data=data, details={"name": model.name})
