"""Contents and drafts; what comes after a draft is walked in `tests.factories.approvals`."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Environment, Service, Target
from apps.changes.actions import create_change
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
from apps.changes.models import Change, Comment, Item, Leg, LegIdentity, Move, Revision
from apps.changes.states import Kind, State
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
