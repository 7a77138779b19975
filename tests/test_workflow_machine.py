"""The way of a change as a state machine: whatever people do in whatever order, the product does what the model says.

P1: an edit lapses exactly the sign-offs that cover it. P3: nobody agrees to their own change. P8: no change of state
without an entry, and no entry without one. Each example runs in its own savepoint of a transaction that is rolled back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from apps.accounts.actions import deactivate_person, reactivate_person
from apps.accounts.roles import Role
from apps.approvals.actions import revise_change, send_back_change, submit_change, withdraw_sign_off, write_policy
from apps.approvals.facts import review_facts
from apps.approvals.models import SignOff
from apps.approvals.rules import quorum
from apps.audit.models import Entry
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.core.refusals import Refused
from tests.conftest import NOW
from tests.factories.accounts import RoleGrantFactory, make_person
from tests.factories.approvals import a_rule, make_change, make_place, make_policy, newest
from tests.factories.catalog import OwnershipFactory
from tests.factories.proving import approve_change, reject_change
from tests.workflow_model import SIGNED, Model

PEOPLE = ("requester", "bea", "ben", "both", "max", "sam")
GROUPS = {
    "requester": frozenset({"business"}),  # an owner who asks may still not agree
    "bea": frozenset({"business"}),
    "ben": frozenset({"business"}),
    "both": frozenset({"business", "release"}),
    "max": frozenset({"release"}),
    "sam": frozenset(),
}
SIGN_OFF_VERBS = {"approve", "reject", "send_back", "withdraw"}
who = st.sampled_from(PEOPLE)
signers = st.sampled_from(["bea", "ben", "both", "max", "bea", "ben", "both", "max", "requester", "sam"])  # mostly those who may


def rules_of(needed):
    business = a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"}, needed=needed, parts=sorted(SIGNED))
    return [business, a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, stage=2, parts=["scope", "period"])]


class Workflow(RuleBasedStateMachine):
    """People at work on one change."""

    @initialize(submits=st.sampled_from([True, True, True, False]))
    def begin(self, submits):
        self.clock = NOW
        self.savepoint = transaction.atomic()
        self.savepoint._from_testcase = True  # as Django's own test case says it: verbs may be durable inside
        self.savepoint.__enter__()
        self.people = {name: make_person(name=name) for name in PEOPLE}
        for name in ("requester", "bea"):
            RoleGrantFactory(person=self.people[name], role=Role.REQUESTER)
        for name in ("both", "max"):
            RoleGrantFactory(person=self.people[name], role=Role.RELEASE_MANAGER)
        self.administrator = make_person(Role.ADMINISTRATOR)
        target = make_place(business=self.people["bea"], policy=False)
        for name in ("requester", "ben", "both"):
            OwnershipFactory(service=target.service, person=self.people[name])
        self.environment = target.environment
        make_policy(self.environment, *rules_of(1))
        self.change = make_change(State.DRAFT, targets=(target,), requester=self.people["requester"])
        self.first = content_of(newest(self.change))
        self.model = self.begin_model(groups=GROUPS, editors=frozenset({"bea"}), requester="requester")
        if submits:
            self.submit("requester")

    def begin_model(self, **more):
        return Model(**more)

    def teardown(self):
        if hasattr(self, "savepoint"):
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def compare(self, verb, expected, act):
        """Do it, and hold the outcome and the stream against what the model expects."""
        before, state = Entry.objects.count(), self.stored_state()
        try:
            act()
        except Refused:
            went = False
        else:
            went = True
        added = Entry.objects.count() - before
        assert went is expected, f"{verb}: the product says {went}, the model {expected}"
        if not went:
            assert (added, self.stored_state()) == (1 if verb in SIGN_OFF_VERBS else 0, state)
        return added

    def stored_state(self):
        self.change.refresh_from_db()
        return self.change.state

    def later(self):
        """A moment after the last one: who comes back signs anew."""
        self.clock += timedelta(seconds=1)
        return self.clock

    def actor(self, name):
        return self.people[name].actor

    @precondition(lambda self: self.model.state == "DRAFT" or self.model.revision % 5 == 0)
    @rule(name=st.sampled_from(["requester", "requester", "requester", "bea", "max"]))
    def submit(self, name):
        expected = self.model.submit(name)
        self.compare("submit", expected, lambda: submit_change(change_id=self.change.pk, by=self.actor(name), now=NOW))

    @rule(
        name=st.sampled_from(["requester", "requester", "bea", "max"]),
        part=st.sampled_from(sorted(SIGNED | {"story"})),
        version=st.integers(0, 2),
    )
    def edit(self, name, part, version):
        changes_something = self.model.versions[part] != version
        content = written(content_of(newest(self.change)), self.first, part, version)
        expected = self.model.edit(name, part, version)
        added = self.compare(
            "edit", expected, lambda: revise_change(change_id=self.change.pk, content=content, by=self.actor(name), now=NOW)
        )
        assert bool(added) is (expected and changes_something)

    @precondition(lambda self: self.model.state in {"IN_REVIEW", "APPROVED"} or self.model.revision % 5 == 0)
    @rule(name=signers)
    def approve(self, name):
        expected = self.model.approve(name)
        self.compare(
            "approve",
            expected,
            lambda: approve_change(
                change_id=self.change.pk, revision_digest=newest(self.change).digest, by=self.actor(name), now=self.later()
            ),
        )

    @precondition(lambda self: self.model.state == "IN_REVIEW")
    @rule(names=st.permutations(["bea", "ben", "both", "max"]))
    def all_of_them_agree(self, names):
        for name in names:
            self.approve(name)

    @precondition(lambda self: self.model.revision > 1)
    @rule(name=signers)
    def approve_what_was_read_before_the_last_edit(self, name):
        old = self.change.revisions.order_by("-number")[1].digest
        self.compare("approve", False, lambda: approve_change(change_id=self.change.pk, revision_digest=old, by=self.actor(name), now=NOW))

    @precondition(lambda self: len(self.model.given) > 3)
    @rule(name=who)
    def reject(self, name):
        digest = newest(self.change).digest
        expected = self.model.reject(name)
        self.compare(
            "reject",
            expected,
            lambda: reject_change(change_id=self.change.pk, revision_digest=digest, by=self.actor(name), reason="No.", now=NOW),
        )

    @precondition(lambda self: self.model.given and self.model.state != "DRAFT")
    @rule(name=who)
    def send_back(self, name):
        expected = self.model.send_back(name)
        self.compare(
            "send_back", expected, lambda: send_back_change(change_id=self.change.pk, by=self.actor(name), reason="More.", now=NOW)
        )

    @precondition(lambda self: any(not one.withdrawn for one in self.model.given))
    @rule(data=st.data())
    def withdraw(self, data):
        name = data.draw(st.sampled_from(sorted({one.person for one in self.model.given if not one.withdrawn})))
        row = SignOff.objects.filter(person=self.people[name], withdrawn_at__isnull=True, decision="APPROVE").last()
        expected = self.model.withdraw(name)
        self.compare("withdraw", expected, lambda: withdraw_sign_off(sign_off_id=row.pk, by=self.actor(name), now=NOW))

    @rule(name=st.sampled_from(["bea", "both"]))
    def leave_or_come_back(self, name):
        verb = reactivate_person if name in self.model.inactive else deactivate_person
        self.model.leave_or_come_back(name)
        verb(self.people[name].pk, by=self.administrator.actor, now=self.later())

    @rule(needed=st.integers(1, 2))
    def write_the_policy_anew(self, needed):
        self.model.rules[0].needed = needed
        document = {"rules": rules_of(needed)}
        write_policy(name="Who agrees", environment_id=self.environment.pk, document=document, by=self.administrator.actor, now=NOW)

    @invariant()
    def the_state_is_the_one_of_the_model(self):
        if hasattr(self, "model"):
            assert self.stored_state() == self.model.state

    @invariant()
    def the_quorum_is_the_one_of_the_model(self):
        if not hasattr(self, "model"):
            return
        (leg,) = review_facts(self.change).legs
        answer = quorum(leg)
        assert answer.met is self.model.met()
        for said, told in zip(answer.rules, self.model.rules, strict=True):
            assert not {person.name for person in said.by} & (self.model.kept_out(told) | self.model.inactive)

    @invariant()
    def every_sign_off_stands_exactly_as_long_as_its_bytes(self):
        if hasattr(self, "model"):
            standing = sorted((one.person, one.revision) for one in self.model.given if not one.withdrawn)
            rows = SignOff.objects.filter(withdrawn_at__isnull=True, decision="APPROVE").values_list("person__name", "revision__number")
            assert sorted(rows) == standing

    @invariant()
    def the_last_move_is_where_it_is_and_every_move_is_told(self):
        if not hasattr(self, "model"):
            return
        moves = self.change.moves.order_by("seq").values_list("start", "goal")
        assert [start for start, _ in moves] == ["DRAFT", *[goal for _, goal in moves]][: len(moves)]
        assert (moves.last() or ("", "DRAFT"))[1] == self.stored_state()
        told = Entry.objects.filter(subject=str(self.change.reference)).exclude(
            event__in=["change.created", "change.revised", "sign_off.refused"]
        )
        assert told.count() == len(moves)


def written(now, first, part, version):
    """The content with one part as it is in this version; version 0 is how it was first written."""
    mark = "." * version
    match part:
        case "scope":
            changed = replace(first.scope, impact=first.scope.impact + mark)
        case "plan":
            changed = replace(first.plan, steps=(*first.plan.steps, *[first.plan.steps[0]] * version))
        case "rollback":
            changed = replace(first.rollback, trigger=first.rollback.trigger + mark)
        case "period":
            changed = replace(first.period, not_after=first.period.not_after + timedelta(hours=version))
        case _:
            changed = replace(first.story, description=first.story.description + mark)
    return replace(now, **{part: changed})


@pytest.mark.slow
def test_the_workflow_does_what_the_model_says(db):
    run_state_machine_as_test(
        Workflow,
        settings=settings(max_examples=15, stateful_step_count=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)),
    )
