"""Contents and drafts; what comes after a draft is walked in `tests.factories.approvals`."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Environment, Service, Target
from apps.changes.actions import create_change, write_change_model
from apps.changes.content import (
    Aspect,
    Content,
    EnvironmentRef,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
)
from apps.changes.content.coverage import Coverage, Named
from apps.changes.content.templates import Template, read_template, template_bytes
from apps.changes.models import (
    Change,
    ChangeModel,
    ChangeModelProposal,
    ChangeModelVersion,
    Comment,
    Dependency,
    DraftInput,
    GivenAnswer,
    Item,
    Leg,
    LegIdentity,
    Move,
    Revision,
    SavedSearch,
    Watch,
)
from apps.changes.states import Kind, State
from apps.core.canonical import digest
from tests.conftest import NOW
from tests.factories.accounts import PersonFactory, make_person
from tests.factories.catalog import ServiceFactory, TargetFactory, make_target

COMMIT, OTHER_COMMIT = "git:" + "4a92c6e8" * 5, "git:" + "d07be3f1" * 5
PREVIOUS_RELEASE = Rollback(strategy=Strategy.PREVIOUS_RELEASE, trigger="abandoned checkouts over 30 %", seconds_to_restore=140)
FIX_FORWARD = Rollback(
    strategy=Strategy.FIX_FORWARD,
    steps=(Step("Build and deploy a corrected version", StepBy.PERSON, 900, "/healthz answers 200"),),
    reason="It is the first deployment: there is nothing to go back to.",
)
SERVICE_ID = UUID("01936a00-0000-7000-8000-000000000001")
ENVIRONMENT_ID = UUID("01936a00-0000-7000-8000-0000000000e1")


def make_item(
    service: Service | None = None,
    environments: tuple[Environment, ...] | None = None,
    *,
    identities: tuple[str, ...] = (COMMIT,),
    label: str = "3.18.1",
) -> ItemContent:
    """One item; of a made-up service in a made-up environment unless rows are given."""
    return ItemContent(
        service_id=service.public_id if service else SERVICE_ID,
        service_name=service.name if service else "Checkout web",
        label=label,
        identities=identities,
        repository=service.repository_id if service else "repo-1",
        environments=(EnvironmentRef(ENVIRONMENT_ID, "Production"),)
        if environments is None
        else tuple(EnvironmentRef(each.public_id, each.name) for each in environments),
    )


def make_content(
    *, targets: tuple[Target, ...] = (), not_after: datetime | None = None, title: str = "Offer the return ferry first", **parts: Any
) -> Content:
    """Content that can be submitted; TARGETS fill its items, PARTS replace whole parts."""
    services = {target.service: [each.environment for each in targets if each.service == target.service] for target in targets}
    items = tuple(make_item(service, tuple(environments)) for service, environments in services.items()) or (make_item(),)
    content = Content(
        scope=Scope(items=items, aspects=frozenset({Aspect.CODE}), reason="Visitors give up when the outward ferry is full."),
        plan=Plan(steps=(Step("Roll out to all hosts", StepBy.AUTOMATION, 120, "/version says 3.18.1"),)),
        rollback=FIX_FORWARD if any(not target.running_identities for target in targets) else PREVIOUS_RELEASE,
        period=Period(None, not_after or NOW + timedelta(days=3650), "Europe/Berlin"),
        story=Story(title=title, labels=("checkout",), told=("Payments team",)),
    )
    return replace(content, **parts)


def make_change(
    *,
    requester: Person | None = None,
    targets: tuple[Target, ...] | None = None,
    content: Content | None = None,
    now: datetime = NOW,
    **parts: Any,
) -> Change:
    """A draft, made by the real action; its requester has the role for everything unless given."""
    requester = requester or make_person(Role.REQUESTER)
    if content is None:
        content = make_content(targets=targets if targets is not None else (make_target(),), **parts)
    return create_change(content=content, by=requester.actor, now=now)


class ChangeFactory(DjangoModelFactory):
    """A bare row, for tests of queries alone."""

    class Meta:
        model = Change

    kind = Kind.NORMAL
    title = "A change"
    requester = factory.SubFactory(PersonFactory)
    created_at = NOW


class RevisionFactory(DjangoModelFactory):
    class Meta:
        model = Revision

    change = factory.SubFactory(ChangeFactory)
    number = factory.Sequence(lambda n: n + 1)
    author = factory.SelfAttribute("change.requester")
    made_at = NOW
    scope = plan = rollback = period = story = b"{}"
    scope_digest = plan_digest = rollback_digest = period_digest = story_digest = digest = "0" * 64


class ItemFactory(DjangoModelFactory):
    class Meta:
        model = Item

    change = factory.SubFactory(ChangeFactory)
    position = 0
    service = factory.SubFactory(ServiceFactory)
    label = "3.18.1"
    identities = factory.LazyFunction(lambda: [COMMIT])


class LegFactory(DjangoModelFactory):
    class Meta:
        model = Leg

    change = factory.SelfAttribute("item.change")
    item = factory.SubFactory(ItemFactory, service=factory.SelfAttribute("..target.service"))
    service = factory.SelfAttribute("target.service")
    environment = factory.SelfAttribute("target.environment")
    target = factory.SubFactory(TargetFactory)


class LegIdentityFactory(DjangoModelFactory):
    class Meta:
        model = LegIdentity

    leg = factory.SubFactory(LegFactory)
    service = factory.SelfAttribute("leg.service")
    environment = factory.SelfAttribute("leg.environment")
    identity = COMMIT


class MoveFactory(DjangoModelFactory):
    class Meta:
        model = Move

    change = factory.SubFactory(ChangeFactory)
    seq = factory.Sequence(lambda n: n + 1)
    start, goal = State.DRAFT, State.IN_REVIEW
    at = NOW
    by = "SYSTEM:test"


class CommentFactory(DjangoModelFactory):
    class Meta:
        model = Comment

    change = factory.SubFactory(ChangeFactory)
    author = factory.SubFactory(PersonFactory)
    at = NOW
    text = "Seen."


class WatchFactory(DjangoModelFactory):
    class Meta:
        model = Watch

    change = factory.SubFactory(ChangeFactory)
    person = factory.SubFactory(PersonFactory)
    since_at = NOW


class SavedSearchFactory(DjangoModelFactory):
    class Meta:
        model = SavedSearch

    person = factory.SubFactory(PersonFactory)
    name = factory.Sequence(lambda n: f"Search {n}")
    text = "state:open"
    saved_at = NOW


def make_template(**parts: Any) -> Template:
    """What a change model says: a plan and a way back, unless PARTS say otherwise."""
    said: dict[str, Any] = {
        "scope": Scope(aspects=frozenset({Aspect.CODE}), reason="It is Tuesday."),
        "plan": Plan((Step("Roll out", StepBy.AUTOMATION, 60),)),
        "rollback": Rollback(strategy=Strategy.PREVIOUS_RELEASE, seconds_to_restore=30),
        "story": Story("", labels=("weekly",)),
        "use": "Every week.",
    }
    return Template(**said | parts)


def make_model(slug: str = "weekly", name: str = "Weekly release", **parts: Any) -> ChangeModel:
    """A change model, written by an administrator."""
    return write_change_model(slug=slug, name=name, template=make_template(**parts), by=make_person(Role.ADMINISTRATOR).actor)


def make_coverage(*targets: Target, fixed: frozenset[str] = frozenset(), **more: Any) -> Coverage:
    """What a model approves beforehand: these targets' services where they are."""
    said: dict[str, Any] = {
        "services": tuple(Named(one.service.public_id, one.service.name) for one in targets),
        "environments": tuple(Named(one.environment.public_id, one.environment.name) for one in targets),
        "fixed": fixed,
    }
    return Coverage(**said | more)


def make_standard_model(*targets: Target, author: Person | None = None, **parts: Any) -> ChangeModel:
    """A model that approves changes of these targets beforehand, by its author alone."""
    template = make_template(**{"kind": Kind.STANDARD, "coverage": make_coverage(*targets), **parts})
    by = author or make_person(Role.ADMINISTRATOR, name="Ada")
    return write_change_model(slug="restart", name="Weekly restart", template=template, by=by.actor, now=NOW)


def as_modelled(model: ChangeModel, *targets: Target, **parts: Any) -> Content:
    """Content that stays as a model says; PARTS replace parts of it."""
    assert model.version is not None
    says = read_template(bytes(model.version.body))
    content = make_content(targets=targets)
    scope = replace(says.scope, items=content.scope.items)
    return replace(content, **{"scope": scope, "plan": says.plan, "rollback": says.rollback, **parts})


class DraftInputFactory(DjangoModelFactory):
    class Meta:
        model = DraftInput

    public_id = factory.LazyFunction(uuid4)
    person = factory.SubFactory(PersonFactory)
    body = "{}"
    saved_at = NOW


class ChangeModelFactory(DjangoModelFactory):
    class Meta:
        model = ChangeModel

    slug = factory.Sequence(lambda n: f"model-{n}")
    name = factory.Sequence(lambda n: f"Model {n}")


class ChangeModelVersionFactory(DjangoModelFactory):
    class Meta:
        model = ChangeModelVersion

    model = factory.SubFactory(ChangeModelFactory)
    number = factory.Sequence(lambda n: n + 1)
    body = factory.LazyFunction(lambda: template_bytes(make_template()))
    digest = factory.LazyAttribute(lambda row: digest(bytes(row.body)))
    author = factory.SubFactory(PersonFactory)
    made_at = NOW


class ChangeModelProposalFactory(DjangoModelFactory):
    class Meta:
        model = ChangeModelProposal

    slug = factory.Sequence(lambda n: f"proposed-{n}")
    name = factory.Sequence(lambda n: f"Proposed {n}")
    body = factory.LazyFunction(lambda: template_bytes(make_template()))
    proposed_at = NOW
    proposed_by = factory.SubFactory(PersonFactory)


class DependencyFactory(DjangoModelFactory):
    class Meta:
        model = Dependency

    change = factory.SubFactory(ChangeFactory)
    needs = factory.SubFactory(ChangeFactory)
    since_at = NOW
    since_by = "SYSTEM:test"


class GivenAnswerFactory(DjangoModelFactory):
    class Meta:
        model = GivenAnswer

    person = factory.SubFactory(PersonFactory)
    credential = "session"
    key = factory.Sequence(lambda n: f"key-{n}")
    asked = "0" * 64
    status = 201
    body = "{}"
    given_at = NOW
