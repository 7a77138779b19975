"""An edit lapses exactly the sign-offs that covered what it changed."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from apps.approvals.actions import revise_change
from apps.approvals.facts import review_facts
from apps.approvals.rules import quorum
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.content import PARTS
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.changes.steps import leg_started
from tests.approvals.world import edit, events, make_world
from tests.conftest import NOW
from tests.factories.approvals import SYSTEM, a_rule, approve, newest

COVERAGES = (["scope"], ["plan"], ["rollback"], ["period"], ["story"], ["scope", "plan"], ["scope", "plan", "rollback", "period"], [*PARTS])


def states(change):
    change.refresh_from_db()
    return {answer.rule.key: answer.state.value for leg in review_facts(change).legs for answer in quorum(leg).rules}


@pytest.mark.parametrize(("part", "covered"), [*product(PARTS, COVERAGES)])
def test_an_edit_lapses_a_sign_off_exactly_when_it_covers_the_part(db, part, covered):
    world = make_world(a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"}, parts=covered))
    change = world.change()
    approve(change, world.business)

    edit(change, part)

    lapsed = part in covered
    assert states(change) == {"business": "LAPSED" if lapsed else "AGREED"}
    assert change.state == (State.IN_REVIEW if lapsed else State.APPROVED)
    assert (Event.SIGN_OFF_LAPSED in events(change)) is lapsed
    approve(change, world.business) if lapsed else None
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_an_edit_lapses_one_of_two_and_leaves_the_other(db):
    world = make_world(
        a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"}),
        a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, parts=["scope", "period"]),
    )
    change = world.change()
    given = approve(change, world.business)
    approve(change, world.manager)

    edit(change, "plan")

    assert states(change) == {"business": "LAPSED", "release": "AGREED"}
    entry = next(one for one in entries_about(change.reference, limit=20) if one.event is Event.SIGN_OFF_LAPSED)
    assert (entry.subject, entry.data["parts"], entry.details["name"]) == (given.reference, ["plan"], "Bea")
    assert events(change).count(Event.SIGN_OFF_LAPSED) == 1
    approve(change, world.business)
    assert states(change) == {"business": "AGREED", "release": "AGREED"}
    assert change.state == State.APPROVED


def test_a_save_without_a_difference_lapses_nothing(db):
    world = make_world()
    change = world.change()
    approve(change, world.business)
    before = events(change)

    assert revise_change(change_id=change.pk, content=content_of(newest(change)), by=world.requester.actor, now=NOW) is None

    assert states(change) == {"owner": "AGREED"}
    assert (change.state, events(change)) == (State.APPROVED, before)


def test_blanks_and_line_ends_are_no_difference(db):
    world = make_world()
    change = world.change()
    approve(change, world.business)
    content = content_of(newest(change))

    same = replace(content, scope=replace(content.scope, reason=content.scope.reason + "  \r\n"))
    assert revise_change(change_id=change.pk, content=same, by=world.requester.actor, now=NOW) is None


def test_moving_the_slot_inside_the_period_lapses_nothing(db):
    from apps.schedule.actions import book_slot

    world = make_world()
    change = world.change()
    approve(change, world.business)
    leg = change.legs.get()

    for hour in (1, 2):
        begins = NOW + timedelta(hours=hour)
        book_slot(leg_id=leg.pk, starts_at=begins, ends_at=begins + timedelta(hours=1), by=world.requester.actor, now=NOW)

    assert states(change) == {"owner": "AGREED"}
    assert change.state == State.APPROVED


def test_writing_the_old_bytes_again_lets_the_sign_off_stand_again(db):
    world = make_world()
    change = world.change()
    original = content_of(newest(change))
    approve(change, world.business)
    edit(change, "plan")
    assert states(change) == {"owner": "LAPSED"}

    revise_change(change_id=change.pk, content=original, by=world.requester.actor, now=NOW)

    assert states(change) == {"owner": "AGREED"}
    assert change.state == State.APPROVED


def test_an_edit_after_a_deployment_began_reopens_the_change(db):
    from apps.catalog.models import Target
    from tests.factories.approvals import make_change, make_policy
    from tests.factories.catalog import EnvironmentFactory, make_target

    world = make_world()
    second: Target = make_target(world.target.service, EnvironmentFactory())
    second.running_label, second.running_identities, second.running_since = "3.17.0", ["git:" + "4f" * 20], NOW
    second.save()
    make_policy(second.environment)
    change = make_change(State.APPROVED, targets=(world.target, second), requester=world.requester)
    leg_started(change.legs.get(target=second), by=SYSTEM, at=NOW)

    edit(change, "plan")

    change.refresh_from_db()
    assert change.state == State.IN_REVIEW
    approve(change, world.business)
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_dropping_the_strict_environment_approves_what_is_left(db):
    from apps.catalog.models import ChangeRequired
    from tests.factories.catalog import EnvironmentFactory, make_target

    world = make_world()
    staging = make_target(world.target.service, EnvironmentFactory(change_required=ChangeRequired.RECORDED, rank=1))
    staging.running_label, staging.running_identities, staging.running_since = "3.17.0", ["git:" + "4f" * 20], NOW
    staging.save()
    from tests.factories.approvals import make_change

    change = make_change(State.IN_REVIEW, targets=(staging, world.target), requester=world.requester)
    content = content_of(newest(change))
    item = content.scope.items[0]
    only = tuple(each for each in item.environments if each.id == staging.environment.public_id)
    wanted = replace(content, scope=replace(content.scope, items=(replace(item, environments=only),)))

    revise_change(change_id=change.pk, content=wanted, by=world.requester.actor, now=NOW)

    change.refresh_from_db()
    assert change.state == State.APPROVED
    approved = next(one for one in entries_about(change.reference, limit=20) if one.event is Event.CHANGE_APPROVED)
    assert str(approved.by.id) == "quorum"


def test_a_newer_form_of_a_part_lapses_nothing_that_was_not_edited(db, monkeypatch):
    from apps.changes.content import SCHEMAS

    world = make_world()
    change = world.change()
    approve(change, world.business)
    monkeypatch.setitem(SCHEMAS, "plan", 2)

    assert revise_change(change_id=change.pk, content=content_of(newest(change)), by=world.requester.actor, now=NOW) is None
    revision = edit(change, "story")

    assert revision.part_digests["plan"] == change.revisions.get(number=1).part_digests["plan"]
    assert states(change) == {"owner": "AGREED"}
