"""Change models: writing a version, proposing one, ending a model, and what a model asks of a change that began from it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person, Team
from apps.accounts.steps import person_by_actor
from apps.audit.keys import installation_id, list_key
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Service
from apps.changes.content import Content
from apps.changes.content.templates import Template, read_template, template_bytes, why_not_shown
from apps.changes.models import ChangeModel, ChangeModelProposal, ChangeModelVersion, ModelOutcome
from apps.changes.pre_approval import PREFIX, Granted, agreement_bytes
from apps.changes.states import Kind
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.refusals import BadContent
from apps.core.signing import signing_key
from apps.core.texts import read_line, read_slug

LONGEST_NAME = 120
# Nobody else looked at it: until a second administrator is there.
SINGLE_HANDED = {"single_handed": True}
UNTOUCHED = {"scope.aspects": ["Nobody said what is touched, and no file could tell. Choose at least one."]}


@dataclass(frozen=True, slots=True)
class Hands:
    """Who wrote a version, and who agreed to it."""

    author: Person
    agreed_by: Person | None = None


def why_not_as_modelled(version: ChangeModelVersion | None, content: Content) -> dict[str, list[str]]:
    """What the model it began from asks for and the content lacks, or what a change without one says itself; field to sentences."""
    if version is not None:
        return why_not_shown(read_template(bytes(version.body)), shown=content.plan)
    return {} if content.scope.aspects or not content.scope.items else UNTOUCHED


def kind_of(version: ChangeModelVersion | None) -> Kind:
    """The kind of a change that begins from this version; NORMAL without one."""
    return read_template(bytes(version.body)).kind if version else Kind.NORMAL


def read_new(slug: str) -> str:
    """The short name of a new model; raises BadContent where it is taken."""
    short = read_slug(slug)
    if ChangeModel.objects.filter(slug=short).exists():
        raise BadContent({"slug": ["Another change model has this short name. Choose another one."]})
    return short


def add_model(*, slug: str, name: str, template: Template, by: Actor, at: datetime, hands: Hands | None = None) -> ChangeModel:
    """Begin a model with its first version; raises BadContent. HANDS: proposed by one person and agreed to by another."""
    short, called, body = read_new(slug), read_line(name, field="name", longest=LONGEST_NAME), checked_body(template)
    model = ChangeModel.objects.create(slug=short, name=called)
    _add_version(model, template, body, hands=hands or Hands(person_by_actor(by)), by=by, at=at)
    return model


def write_model(model: ChangeModel, *, name: str, template: Template, by: Actor, at: datetime, hands: Hands | None = None) -> bool:
    """Write another version of a locked model; False when nothing differs. Changes begun from older ones keep theirs."""
    called, body = read_line(name, field="name", longest=LONGEST_NAME), checked_body(template)
    is_same = model.version is not None and bytes(model.version.body) == body
    if is_same and called == model.name:
        return False
    model.name = called
    if is_same:
        model.save(update_fields=["name"])
        _tell(model, by=by, at=at)
    else:
        _add_version(model, template, body, hands=hands or Hands(person_by_actor(by)), by=by, at=at)
    return True


def end_model(model: ChangeModel, *, by: Actor, at: datetime) -> None:
    """Offer it no more. What began from it goes on; what it approved beforehand and has not begun asks people again."""
    model.retired_at = at
    model.save(update_fields=["retired_at"])
    record(Event.CHANGE_MODEL_RETIRED, subject=model, by=by, at=at, details={"name": model.name})


def add_model_proposal(proposal: ChangeModelProposal, *, by: Actor) -> ChangeModelProposal:
    """Store what one administrator proposes; nothing is changed by it."""
    proposal.save()
    refs = [proposal.model.reference] if proposal.model else []
    details = {"name": proposal.name}
    record(Event.CHANGE_MODEL_PROPOSED, subject=proposal, by=by, at=proposal.proposed_at, refs=refs, details=details)
    return proposal


def decide_model_proposal(proposal: ChangeModelProposal, outcome: ModelOutcome, *, person: Person, by: Actor, at: datetime) -> None:
    """Close a proposal; what an agreement puts in force is the caller's next step."""
    proposal.outcome, proposal.decided_by, proposal.decided_at = outcome.value, person, at
    proposal.save(update_fields=["outcome", "decided_by", "decided_at"])
    refs = [proposal.proposed_by.reference, *([proposal.model.reference] if proposal.model else [])]
    details = {"name": proposal.name, "proposer": proposal.proposed_by.name}
    data = {"outcome": outcome.value}
    record(Event.CHANGE_MODEL_PROPOSAL_DECIDED, subject=proposal, by=by, at=at, refs=refs, data=data, details=details)


def checked_body(template: Template) -> bytes:
    """The canonical bytes of a wording, of which every place it covers is there; raises BadContent."""
    body = template_bytes(template)
    covered = template.coverage
    lists = ((Service, "services"), (Team, "teams"), (Environment, "environments")) if covered else ()
    errors: dict[str, list[str]] = {}
    for rows, name in lists:
        wanted: set[UUID] = {one.id for one in getattr(covered, name)}
        if rows.objects.filter(public_id__in=wanted, retired_at__isnull=True).count() < len(wanted):
            errors[f"covered_{name}"] = ["Something named here is not there, or is retired. Choose what lives."]
    if errors:
        raise BadContent(errors)
    return body


def granted_by(version: ChangeModelVersion, model: ChangeModel, *, installation: UUID) -> Granted:
    """What is stored about a version, as its proof reads it; author and who agreed are read with it."""
    return Granted(
        installation=installation,
        model_id=model.public_id,
        name=model.name,
        slug=model.slug,
        number=version.number,
        body=bytes(version.body),
        author_id=version.author.public_id,
        author=version.author.name,
        agreed_by_id=version.agreed_by.public_id if version.agreed_by else None,
        agreed_by=version.agreed_by.name if version.agreed_by else "",
        made_at=version.made_at,
        statement=bytes(version.statement),
        key_id=version.key_id,
        alg=version.alg,
        signature=bytes(version.signature),
        number_in_force=model.version.number if model.version else None,
        is_retired=model.retired_at is not None,
    )


def _add_version(model: ChangeModel, template: Template, body: bytes, *, hands: Hands, by: Actor, at: datetime) -> None:
    number = (model.version.number if model.version else 0) + 1
    version = ChangeModelVersion(
        model=model, number=number, body=body, digest=digest(body), author=hands.author, agreed_by=hands.agreed_by, made_at=at
    )
    if template.coverage is not None:
        _sign(version, model, by=by, at=at)
    version.save(force_insert=True)
    model.version = version
    model.save(update_fields=["name", "version"])
    _tell(model, by=by, at=at)


def _sign(version: ChangeModelVersion, model: ChangeModel, *, by: Actor, at: datetime) -> None:
    """Let the key of the installation say who agreed to it, so that a version put in by hand approves nothing."""
    key = signing_key()
    list_key(key, by=by, at=at)
    version.statement = agreement_bytes(granted_by(version, model, installation=installation_id()))
    signature = key.sign(PREFIX + version.statement)
    version.key_id, version.alg, version.signature = signature.key_id, signature.alg, signature.value


def _tell(model: ChangeModel, *, by: Actor, at: datetime) -> None:
    version = model.version
    assert version is not None  # noqa: S101 - a model is written with its first version
    approves = read_template(bytes(version.body)).coverage is not None
    alone = SINGLE_HANDED if approves and version.agreed_by is None else {}
    data = {"number": version.number, "digest": version.digest, "approves_beforehand": approves or None, **alone}
    proposer = {"proposer": version.author.name} if version.agreed_by else {}
    refs = [version.author.reference] if version.agreed_by else []
    record(Event.CHANGE_MODEL_WRITTEN, subject=model, by=by, at=at, refs=refs, data=data, details={"name": model.name, **proposer})
