"""A small place for the tests of the verbs: one service in production, its owners, and edits of each part."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.audit.models import Entry
from apps.catalog.models import Target
from apps.changes.content import Content, Step
from apps.changes.facts import content_of
from apps.changes.models import Change, Revision
from apps.changes.states import State
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place, make_policy, newest


@dataclass(frozen=True)
class World:
    """Who is who."""

    requester: Person
    business: Person
    technical: Person
    manager: Person
    stranger: Person
    target: Target

    def change(self, state: State = State.IN_REVIEW, **more) -> Change:
        return make_change(state, targets=(self.target,), requester=self.requester, **more)


def make_world(*rules, **policy) -> World:
    """Owners of both kinds, a release manager and somebody without any part in it; the default policy unless rules are given."""
    business, technical = make_person(Role.REQUESTER, name="Bea"), make_person(Role.REQUESTER, name="Tom")
    target = make_place(business=business, technical=technical, policy=False)
    make_policy(target.environment, *rules, **policy)
    return World(
        requester=make_person(Role.REQUESTER, name="Rita"),
        business=business,
        technical=technical,
        manager=make_person(Role.RELEASE_MANAGER, name="Max"),
        stranger=make_person(name="Sam"),
        target=target,
    )


def edited(content: Content, part: str) -> Content:
    """The content with one part changed."""
    match part:
        case "scope":
            return replace(content, scope=replace(content.scope, impact=content.scope.impact + " More."))
        case "plan":
            return replace(content, plan=replace(content.plan, steps=(*content.plan.steps, Step("Look once more"))))
        case "rollback":
            return replace(content, rollback=replace(content.rollback, trigger=content.rollback.trigger + " or more"))
        case "period":
            return replace(content, period=replace(content.period, not_after=content.period.not_after + timedelta(hours=1)))
    return replace(content, story=replace(content.story, description=content.story.description + " More."))


def edit(change: Change, part: str, *, by: Person | None = None, now: datetime = NOW) -> Revision | None:
    """Save an edit of one part through the real action."""
    content = edited(content_of(newest(change)), part)
    return revise_change(change_id=change.pk, content=content, by=(by or change.requester).actor, now=now)


def events(change: Change) -> list[str]:
    """The events of the stream about a change, oldest first."""
    return [*Entry.objects.filter(refs__contains=[str(change.reference)]).order_by("id").values_list("event", flat=True)]
