"""The whole matrix: every role against every verb, every state against every verb, every hand against every verb."""

from datetime import timedelta

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import (
    expire_change,
    retire_policy,
    revise_change,
    send_back_change,
    submit_change,
    withdraw_sign_off,
    write_policy,
)
from apps.approvals.models import Policy, SignOff
from apps.approvals.policy_body import default_body
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.core.refusals import Refused
from tests.approvals.world import edited, make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, newest
from tests.factories.proving import approve_change, reject_change

LATER = NOW + timedelta(days=4000)
VERBS = {
    "submit": lambda change, by: submit_change(change_id=change.pk, by=by, now=NOW),
    "revise": lambda change, by: revise_change(change_id=change.pk, content=edited(content_of(newest(change)), "story"), by=by, now=NOW),
    "approve": lambda change, by: approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=by, now=NOW),
    "reject": lambda change, by: reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=by, reason="No.", now=NOW),
    "send_back": lambda change, by: send_back_change(change_id=change.pk, by=by, reason="More.", now=NOW),
    "expire": lambda change, by: expire_change(change_id=change.pk, by=by, now=LATER),
    "write_policy": lambda change, by: write_policy(
        name="P", environment_id=change.legs.first().environment_id, document={**default_body(), "solo": True}, by=by, now=NOW
    ),
    "retire_policy": lambda change, by: retire_policy(policy_id=Policy.objects.get().pk, by=by, now=NOW),
}
# Which roles alone (nobody owns anything, nobody is named) may do a verb to a change in review that is not theirs.
BY_ROLE = {
    "submit": set(),
    "revise": {Role.REQUESTER},
    "approve": set(),
    "reject": set(),
    "send_back": {Role.RELEASE_MANAGER},
    "write_policy": {Role.ADMINISTRATOR},
    "retire_policy": {Role.ADMINISTRATOR},
}
BY_STATE = {
    "submit": {State.DRAFT},
    "revise": {State.DRAFT, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS},
    "approve": {State.IN_REVIEW, State.APPROVED},  # once a leg runs, nothing is left to agree to
    "reject": {State.IN_REVIEW, State.APPROVED},
    "send_back": {State.IN_REVIEW},
    "expire": {State.IN_REVIEW, State.APPROVED},
}
# Who, by what they have to do with the change in review, may do what.
BY_HAND = {
    "requester": {"revise"},
    "business": {"approve", "reject", "send_back", "revise"},
    "last editor": {"reject", "send_back", "revise"},
    "manager": {"send_back"},
    "stranger": set(),
    "deactivated owner": set(),
}


def goes(verb, change, by):
    try:
        VERBS[verb](change, by)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize("verb", BY_ROLE)
def test_every_role_against_every_verb(db, role, verb):
    world = make_world()
    change = world.change(State.DRAFT if verb == "submit" else State.IN_REVIEW)
    person = make_person(*([role] if role else []))

    assert goes(verb, change, person.actor) is (role in BY_ROLE[verb])


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("verb", BY_STATE)
def test_every_state_against_every_verb(db, state, verb):
    world = make_world()
    change = world.change(state)
    by = world.requester if verb in {"submit", "revise"} else world.technical

    allowed = goes(verb, change, by.actor)

    assert allowed is (state in BY_STATE[verb])
    change.refresh_from_db()
    assert allowed or change.state == state


@pytest.mark.parametrize("hand", BY_HAND)
@pytest.mark.parametrize("verb", ["submit", "revise", "approve", "reject", "send_back"])
def test_every_hand_against_every_verb(db, hand, verb):
    world = make_world()
    change = world.change()
    person = getattr(world, hand.replace("last editor", "technical").replace("deactivated owner", "technical"))
    if hand == "last editor":
        content = edited(content_of(newest(change)), "rollback")  # a part that the owners' rules cover
        revise_change(change_id=change.pk, content=content, by=person.actor, now=NOW)
    if hand == "deactivated owner":
        person.is_active, person.deactivated_at = False, NOW
        person.save()

    assert goes(verb, change, person.actor) is (verb in BY_HAND[hand])


@pytest.mark.parametrize("state", [State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS, State.CLOSED])
@pytest.mark.parametrize("who", ["business", "technical", "requester", "manager"])
def test_taking_a_sign_off_back_is_for_its_giver_until_the_deployment_begins(db, state, who):
    world = make_world()
    change = world.change(State.IN_REVIEW)
    sign_off = approve(change, world.business)
    if state is not State.IN_REVIEW:
        from tests.factories.approvals import _deploy

        if state is not State.APPROVED:
            _deploy(change, now=NOW, ends=state is State.CLOSED)

    try:
        withdraw_sign_off(sign_off_id=sign_off.pk, by=getattr(world, who).actor, now=NOW)
    except Refused:
        taken = False
    else:
        taken = True

    assert taken is (who == "business" and state in {State.IN_REVIEW, State.APPROVED})
    assert SignOff.objects.filter(withdrawn_at__isnull=taken).count() == 0
