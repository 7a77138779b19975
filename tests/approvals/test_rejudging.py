"""An approved change that lost its agreement elsewhere waits for people again, and says why."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.actions import (
    deactivate_person,
    end_membership,
    grant_role,
    merge_persons,
    reactivate_person,
    revoke_role,
    start_membership,
)
from apps.accounts.actions.identities import add_person_identity
from apps.accounts.identities import IdentityKind
from apps.accounts.roles import Role
from apps.approvals import beat, following
from apps.approvals.actions import chase_agreement, rejudge_change, retire_policy, write_policy
from apps.approvals.facts.doubts import TELLERS, touched_by
from apps.approvals.models import Doubt, Policy
from apps.approvals.policy_body import default_body
from apps.approvals.steps import JUDGE
from apps.audit.followers import run_followers
from apps.audit.seal import seal_now
from apps.audit.stream import entries_about, latest
from apps.audit.vocabulary import Event
from apps.catalog.actions import change_environment, change_service, end_ownership, start_ownership
from apps.catalog.models import OwnerKind
from apps.changes.models import Move
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.core.verbs import BUSY
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery
from apps.notifications.states import State as MailState
from tests.approvals.test_races import Pause
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories import notifications
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import DelegationFactory, DoubtFactory, a_rule, approve

LATER = NOW + timedelta(hours=1)


def follow() -> int:
    """React to what happened after the tests' moment, then count again."""
    for entry in reversed(latest(limit=500)):
        if entry.at > NOW:
            following.react(entry)
    return beat.rejudge_changes()


def state_of(change) -> str:
    change.refresh_from_db()
    return change.state


def reason_of(change) -> str:
    return Move.objects.filter(change=change, leg__isnull=True).latest("seq").reason


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def world(ada):
    return make_world()


def approved(world, by=None):
    change = world.change()
    approve(change, by or world.business)
    assert state_of(change) == State.APPROVED
    return change


def test_a_change_whose_signer_is_deactivated_waits_again_and_says_why(world, ada):
    change, other = approved(world), approved(world, by=world.technical)

    deactivate_person(world.business.pk, by=ada.actor, now=LATER)
    assert follow() == 1

    assert (state_of(change), state_of(other)) == (State.IN_REVIEW, State.APPROVED)
    assert reason_of(change) == "Bea is not active any more."
    (entry,) = entries_about(change.reference, limit=1)
    assert (entry.event, entry.by, entry.details["reason"]) == (Event.CHANGE_REOPENED, JUDGE, "Bea is not active any more.")
    assert not Doubt.objects.exists()


def test_counting_again_twice_moves_once(world, ada):
    change = approved(world)
    deactivate_person(world.business.pk, by=ada.actor, now=LATER)

    assert (follow(), follow()) == (1, 0)
    assert Move.objects.filter(change=change, start=State.APPROVED).count() == 1


def test_whoever_still_has_to_sign_and_the_requester_are_told_and_reminded(ada):
    world = make_world(remind_after_hours=2)
    change = world.change()
    notifications.follow_all()
    approve(change, world.business)
    Delivery.objects.update(state=MailState.SUPERSEDED, ended_at=NOW)
    deactivate_person(world.business.pk, by=ada.actor, now=LATER)
    follow()

    notifications.follow_all()

    assert [row.kind for row in notifications.told(world.technical, Kind.SIGN_OFF_ASKED)] == [Kind.SIGN_OFF_ASKED] * 2
    assert [row.event for row in notifications.told(world.requester, Kind.CHANGE_DECIDED)][-1] == Event.CHANGE_REOPENED
    moved = Move.objects.filter(change=change).latest("seq").at
    assert chase_agreement(change_id=change.pk, by=beat.CLOCK, now=moved) == 0
    assert chase_agreement(change_id=change.pk, by=beat.CLOCK, now=moved.replace(year=moved.year + 1)) == 1


def test_a_merger_that_makes_requester_and_signer_one_person_takes_the_agreement(world, ada):
    change = approved(world)

    merge_persons(world.business.pk, world.requester.pk, by=ada.actor, now=LATER)
    follow()

    assert state_of(change) == State.IN_REVIEW
    assert reason_of(change) == "Rita and Bea are one person."


def test_a_lost_ownership_takes_the_agreement(world, ada):
    change = approved(world)

    end_ownership(world.target.service_id, world.business.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=LATER)
    follow()

    assert state_of(change) == State.IN_REVIEW
    assert reason_of(change) == f"Bea is not that owner of {world.target.service.name} any more."


def test_a_lost_role_takes_the_agreement_of_who_stood_in_too(ada):
    world = make_world(a_rule(group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    DelegationFactory(person=world.manager, delegate=world.stranger)
    own, in_place = approved(world, by=world.manager), approved(world, by=world.stranger)

    revoke_role(world.manager.pk, role=Role.RELEASE_MANAGER, by=ada.actor, now=LATER)
    follow()

    assert (state_of(own), state_of(in_place)) == (State.IN_REVIEW, State.IN_REVIEW)
    assert reason_of(in_place) == "Max is not a release manager any more."


def test_a_lost_membership_takes_the_agreement(ada):
    team = TeamFactory(name="Night shift")
    world = make_world(a_rule(group={"kind": "TEAM", "team": str(team.public_id)}))
    start_membership(team.pk, world.stranger.pk, by=ada.actor, now=NOW)
    change = approved(world, by=world.stranger)

    end_membership(team.pk, world.stranger.pk, by=ada.actor, now=LATER)
    follow()

    assert (state_of(change), reason_of(change)) == (State.IN_REVIEW, "Sam is not in Night shift any more.")


def test_a_stricter_policy_takes_the_agreement_and_the_old_wording_gives_it_back(world, ada):
    change, elsewhere = approved(world), approved(make_world())
    environment = world.target.environment
    written = {"name": "Who agrees", "environment_id": environment.pk, "by": ada.actor, "now": LATER}

    write_policy(document={**default_body(), "rules": [a_rule(needed=2)]}, **written)
    follow()
    assert (state_of(change), state_of(elsewhere)) == (State.IN_REVIEW, State.APPROVED)
    assert reason_of(change) == "The policy “Who agrees” asks for something else now."

    write_policy(document=default_body(), **written)
    follow()
    assert state_of(change) == State.APPROVED


def test_a_policy_for_one_kind_touches_that_kind_alone(world, ada):
    change = approved(world)

    write_policy(
        name="Hurry",
        environment_id=world.target.environment_id,
        kind="EMERGENCY",
        document={**default_body(), "rules": [a_rule(needed=2)]},
        by=ada.actor,
        now=LATER,
    )
    for entry in latest(limit=5):
        following.react(entry)

    assert not Doubt.objects.filter(change=change).exists()


def test_a_retired_policy_takes_the_agreement(world, ada):
    change = approved(world)

    retire_policy(policy_id=Policy.objects.get(environment=world.target.environment).pk, by=ada.actor, now=LATER)
    follow()

    assert (state_of(change), reason_of(change)) == (State.IN_REVIEW, "The policy “Who agrees” is not in force any more.")


def test_an_environment_that_asks_for_more_takes_what_nobody_had_to_give(ada):
    world = make_world()
    environment = world.target.environment
    environment.change_required = "RECORDED"
    environment.save()
    change = world.change(State.APPROVED)

    change_environment(environment.pk, change_required="APPROVED", by=ada.actor, now=LATER)
    follow()

    assert (state_of(change), reason_of(change)) == (State.IN_REVIEW, f"{environment.name} asks for something else now.")


def test_another_team_of_the_service_takes_what_a_role_in_the_old_one_gave(ada):
    world = make_world(a_rule(group={"kind": "ROLE", "role": "APPROVER"}))
    service = world.target.service
    grant_role(world.stranger.pk, role=Role.APPROVER, team_id=service.team_id, by=ada.actor, now=NOW)
    change = approved(world, by=world.stranger)

    change_service(service.pk, team_id=TeamFactory().pk, by=ada.actor, now=LATER)
    follow()

    assert (state_of(change), reason_of(change)) == (State.IN_REVIEW, f"{service.name} belongs to another team now.")


def test_where_everyone_is_asked_one_more_member_takes_the_agreement(ada):
    world = make_world(a_rule(needed=0))
    change = world.change()
    approve(change, world.business)
    approve(change, world.technical)

    start_ownership(world.target.service_id, world.stranger.pk, kind=OwnerKind.BUSINESS, by=ada.actor, now=LATER)
    follow()

    assert state_of(change) == State.IN_REVIEW
    assert reason_of(change) == f"Sam is an owner of {world.target.service.name} now."


def test_what_bears_on_nothing_here_moves_nothing(world, ada):
    change = approved(world)

    deactivate_person(world.stranger.pk, by=ada.actor, now=LATER)
    reactivate_person(world.stranger.pk, by=ada.actor, now=LATER)
    grant_role(world.technical.pk, role=Role.OPERATOR, by=ada.actor, now=LATER)
    change_environment(world.target.environment_id, name="Live", by=ada.actor, now=LATER)
    change_service(world.target.service_id, name="Tills", by=ada.actor, now=LATER)

    assert follow() == 0
    assert state_of(change) == State.APPROVED


def test_an_identity_of_a_maker_is_asked_about_only_where_makers_are_kept_out(world, ada):
    strict = make_world(exclude=["requester", "last_editor", "author"])
    lax, kept_out = world.change(), strict.change()

    add_person_identity(world.stranger.pk, kind=IdentityKind.GIT_AUTHOR, value="sam@other.example", by=ada.actor, now=LATER)
    following.react(latest(limit=1)[0])

    assert [*Doubt.objects.values_list("change", flat=True)] == [kept_out.pk]
    assert lax.pk != kept_out.pk


def test_a_change_that_is_over_is_left_alone(world, ada):
    change = world.change(State.REJECTED)
    DoubtFactory(change=change)

    assert not rejudge_change(change_id=change.pk, by=JUDGE)
    assert (state_of(change), Doubt.objects.count()) == (State.REJECTED, 0)


def test_without_a_doubt_nothing_is_counted(world):
    change = approved(world)

    with CaptureQueriesContext(connection) as asked:
        rejudge_change(change_id=change.pk, by=JUDGE)

    assert not any("approvals_signoff" in one["sql"] for one in asked)


def test_what_is_busy_or_cannot_be_counted_keeps_nobody_waiting(world, monkeypatch, caplog):
    busy, broken, change = DoubtFactory(change=world.change()), DoubtFactory(change=world.change()), DoubtFactory(change=world.change())
    done = []

    def count(*, change_id, by):
        if change_id == busy.change_id:
            raise Refused(BUSY)
        if change_id == broken.change_id:
            raise ZeroDivisionError("x")
        done.append(change_id)
        return True

    monkeypatch.setattr(beat, "rejudge_change", count)

    assert beat.rejudge_changes() == 1
    assert done == [change.change_id]
    assert f"CHG-{broken.change_id} cannot be counted again" in caplog.text


def test_a_tick_counts_a_bounded_number(world, monkeypatch):
    monkeypatch.setattr(beat, "AT_ONCE", 2)
    for _ in range(3):
        DoubtFactory(change=world.change())

    beat.rejudge_changes()

    assert Doubt.objects.count() == 1


def test_only_what_bears_on_an_agreement_touches_one(world):
    approved(world)

    touching = {entry.event for entry in latest(limit=500) if touched_by(entry)}

    assert touching <= {*TELLERS}
    assert Event.CHANGE_APPROVED not in touching


def test_the_follower_reads_sealed_entries_and_two_workers_move_once(own_database, racer, wait_until_blocked, monkeypatch):
    ada, world = make_person(Role.ADMINISTRATOR, name="Ada"), make_world()
    change = approved(world)
    deactivate_person(world.business.pk, by=ada.actor, now=LATER)
    seal_now()
    run_followers()
    assert Doubt.objects.filter(change=change).exists()
    pause = Pause(monkeypatch, "apps.approvals.actions.rejudging", "settle")

    first = racer(beat.rejudge_changes)
    pid = pause.wait()
    second = racer(beat.rejudge_changes)
    wait_until_blocked(pid)
    pause.go_on()

    assert sorted([first.result(), second.result()]) == [0, 1]
    assert state_of(change) == State.IN_REVIEW
    assert not Doubt.objects.exists()


def test_a_doubt_raised_while_it_is_counted_is_kept(own_database, racer, monkeypatch):
    change = approved(make_world())
    DoubtFactory(change=change)
    pause = Pause(monkeypatch, "apps.approvals.actions.rejudging", "settle")

    counting = racer(beat.rejudge_changes)
    pause.wait()
    late = DoubtFactory(change=change)
    pause.go_on()
    counting.result()

    assert [*Doubt.objects.all()] == [late]
