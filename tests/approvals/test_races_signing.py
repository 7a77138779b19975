"""Every ordered pair of what can happen to an agreement, interleaved by hand: the first one waits inside its transaction, the second
one waits for it. Statements are put before people before the race begins, as in a browser."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from apps.accounts.actions import deactivate_person
from apps.accounts.models import Passkey, Person
from apps.accounts.roles import Role
from apps.approvals.actions import give_delegation, revise_change, sign_statement, withdraw_sign_off, write_policy
from apps.approvals.facts import review_facts
from apps.approvals.models import Delegation, SignOff
from apps.approvals.policy_body import default_body
from apps.approvals.rules import all_met
from apps.approvals.steps import Signed
from apps.changes.actions import withdraw_change
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import OPEN, State
from apps.core.refusals import Refused
from tests.approvals.test_races import Pause
from tests.approvals.world import World, edited, make_world
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, newest
from tests.factories.proving import approve_change
from tests.factories.signing import Signer

# Where each one stands when it holds its locks and has not committed.
INSIDE = {
    "edit": ("apps.approvals.actions.requests", "note_lapses"),
    "approve": ("apps.approvals.actions.sign_offs", "write_sign_off"),
    "reject": ("apps.approvals.actions.sign_offs", "write_sign_off"),
    "take back": ("apps.approvals.actions.sign_offs", "end_sign_offs"),
    "withdraw": ("apps.changes.actions.requesting", "withdraw"),
    "delegate": ("apps.approvals.actions.standing_in", "record"),
    "deprovision": ("apps.accounts.actions.people", "end_access"),
}
# They touch nothing in common: the one is done while the other still stands in its transaction.
APART = [{people, one} for people in ("delegate", "deprovision") for one in ("take back", "withdraw")]
# What the second one may be told; none: it is done.
TOLD = {"stale_revision", "change_over", "change_is_over", "already_withdrawn", "not_present"}


@dataclass(frozen=True)
class Story:
    """One change that Tom agreed to; Bea is about to, and everybody has their statement before them."""

    world: World
    change: Change
    administrator: Person
    acts: dict[str, Callable[[], object]]


@pytest.fixture
def story(own_database):
    world = make_world(a_rule(needed=2))
    change = world.change(now=timezone.now())
    bea, tom, administrator = Signer(world.business), Signer(world.technical), make_person(Role.ADMINISTRATOR)
    given = tom.sign(change)
    content = edited(content_of(newest(change)), "plan")
    approval, rejection = bea.statement(change), tom.statement(change, "REJECT", reason="I was wrong.")
    yes, no = Signed(approval, assertion=bea.assertion(approval)), Signed(rejection, assertion=tom.assertion(rejection))
    by_bea, by_tom = bea.by, tom.by
    return Story(
        world,
        change,
        administrator,
        {
            "edit": lambda: revise_change(change_id=change.pk, content=content, by=world.requester.actor),
            "approve": lambda: sign_statement(change_id=change.pk, signed=yes, by=by_bea),
            "reject": lambda: sign_statement(change_id=change.pk, signed=no, by=by_tom),
            "take back": lambda: withdraw_sign_off(sign_off_id=given.pk, by=world.technical.actor),
            "withdraw": lambda: withdraw_change(change_id=change.pk, by=world.requester.actor, reason="Not needed."),
            "delegate": lambda: give_delegation(
                delegate_id=world.stranger.pk, starts_at=timezone.now(), ends_at=timezone.now() + timedelta(days=1), by=world.business.actor
            ),
            "deprovision": lambda: deactivate_person(world.business.pk, by=administrator.actor),
        },
    )


def outcome(running) -> str:
    """How it ended: done, or the code of its refusal."""
    try:
        running.result()
    except Refused as error:
        return error.refusal.code
    return "done"


@pytest.mark.parametrize(("first", "second"), [pytest.param(*pair, id=" then ".join(pair)) for pair in sorted(permutations(INSIDE, 2))])
def test_two_at_once_leave_the_change_as_one_after_the_other(story, racer, wait_until_blocked, monkeypatch, first, second):
    pause = Pause(monkeypatch, *INSIDE[first])

    running = racer(story.acts[first])
    pid = pause.wait()
    waiting = racer(story.acts[second])
    if {first, second} in APART:
        assert outcome(waiting) == "done"
    else:
        wait_until_blocked(pid)
    pause.go_on()
    ended = {first: outcome(running), second: outcome(waiting)}

    assert ended[first] == "done"
    assert ended[second] in {"done", *TOLD}
    story.change.refresh_from_db()
    check_truth(story, ended)


def check_truth(story: Story, ended: dict[str, str]) -> None:
    """Whatever order they came in, what stands is true."""
    review, state = review_facts(story.change), State(story.change.state)
    standing = {one.person_id: one for one in SignOff.objects.filter(withdrawn_at__isnull=True)}
    bea = standing.get(story.world.business.pk)
    if state in {State.IN_REVIEW, State.APPROVED} and "deprovision" not in ended:
        assert (state is State.APPROVED) == all_met(review.legs)
    if ended.get("reject") == "done" and state is not State.WITHDRAWN:
        assert state is State.REJECTED
    if ended.get("withdraw") == "done":
        assert state is State.WITHDRAWN
    if ended.get("deprovision") == "done":
        assert not all_met(review.legs), "who was let go counts no longer"
    if ended.get("edit") == "done" and state in OPEN:
        assert not all_met(review.legs), "what was agreed to is not what stands there"
    if ended.get("approve") == "done":
        assert bea is not None
        assert bea.revision.number == 1, "nobody agreed to what they did not read"
    elif "approve" in ended:
        assert bea is None
    if ended.get("take back") == "done":
        assert story.world.technical.pk not in standing or ended.get("reject") == "done"
    assert Delegation.objects.count() == (ended.get("delegate") == "done")
    if (
        "delegate" in ended and "approve" not in ended and state in OPEN
    ):  # where Bea has signed, the two fill one seat: test_rules_standing_in.py
        check_stand_in(story, is_seated=ended["delegate"] == "done" and "deprovision" not in ended)


def check_stand_in(story: Story, *, is_seated: bool) -> None:
    """Sam sits in Bea's seat as long as she is there, and nowhere else."""
    digest, by = newest(story.change).digest, story.world.stranger.actor
    if is_seated:
        assert approve_change(change_id=story.change.pk, revision_digest=digest, by=by).delegation is not None
        return
    with pytest.raises(Refused):
        approve_change(change_id=story.change.pk, revision_digest=digest, by=by)


def test_passkey_removed_while_it_signs_signs_or_does_not(story, racer, wait_until_blocked, monkeypatch):
    """It waits for the row; what it finds there decides."""
    pause = Pause(monkeypatch, "apps.approvals.steps.signing", "use_passkey")
    signing = racer(story.acts["approve"])
    pause.wait()
    Passkey.objects.filter(person=story.world.business).update(removed_at=timezone.now())
    pause.go_on()

    assert outcome(signing) == "passkey_removed"
    assert not SignOff.objects.filter(person=story.world.business).exists()


def test_policy_written_while_somebody_signs_makes_the_statement_another_one(story, racer, wait_until_blocked, monkeypatch):
    place = story.world.target.environment
    document = {**default_body(), "rules": [a_rule(needed=2, parts=["plan"])]}
    pause = Pause(monkeypatch, "apps.approvals.actions.policies", "set_policy")

    writing = racer(lambda: write_policy(name="Who agrees", environment_id=place.pk, document=document, by=story.administrator.actor))
    pid = pause.wait()
    signing = racer(story.acts["approve"])
    wait_until_blocked(pid)
    pause.go_on()

    assert outcome(writing) == "done"
    assert outcome(signing) == "statement_changed"


def test_one_statement_sent_twice_at_once_is_signed_once(story, racer, wait_until_blocked, monkeypatch):
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "write_sign_off")

    first = racer(story.acts["approve"])
    pid = pause.wait()
    second = racer(story.acts["approve"])
    wait_until_blocked(pid)
    pause.go_on()

    assert outcome(first) == "done"
    assert outcome(second) in {"already", "statement_used"}
    assert SignOff.objects.filter(person=story.world.business).count() == 1
