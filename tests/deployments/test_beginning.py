"""The moment an order begins: what was true when it was ordered is asked again, and whatever refuses it ends it."""

from dataclasses import replace

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.approvals.facts import review_facts
from apps.approvals.models import Implementer, Policy
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import ChangeRequired, OwnerKind, Target
from apps.changes.actions import withdraw_change
from apps.changes.facts import content_of
from apps.changes.states import State as ChangeState
from apps.core.refusals import Refused, not_now
from apps.core.verbs import BUSY
from apps.deployments.actions import order_deployment
from apps.deployments.beat import due_ids
from apps.deployments.models import Deployment
from apps.deployments.refusals import order_refusal
from apps.deployments.runner import run_step
from apps.deployments.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_policy, newest
from tests.factories.catalog import OwnershipFactory, TargetSettingsFactory
from tests.factories.changes import make_item
from tests.factories.deployments import make_leg, make_order, make_site, step
from tests.factories.proving import approve_change

pytestmark = pytest.mark.django_db

ANOTHER = "git:" + "e" * 40


def operator():
    return make_person(Role.OPERATOR)


def free_site(**more: object) -> Target:
    """A target whose environment asks for no change."""
    target = make_site(**more)
    ask_for(target, ChangeRequired.NO)
    return target


def ask_for(target: Target, required: ChangeRequired) -> None:
    target.environment.change_required = required
    target.environment.save()


def assert_ended(order: Deployment, code: str) -> None:
    order.refresh_from_db()
    order.target.refresh_from_db()
    assert (order.state, order.refusal_code) == (State.FAILED, code)
    assert order.target.occupied_by is None
    assert entries_about(order.reference, limit=1)[0].event is Event.DEPLOYMENT_REFUSED
    assert due_ids() == []
    if order.leg:
        order.leg.refresh_from_db()
        assert order.leg.failures_count == 0


@pytest.mark.parametrize("state", [ChangeState.DRAFT, ChangeState.WITHDRAWN])
def test_a_change_that_is_not_open_is_not_ordered_where_no_change_is_needed(fake, state):
    leg = make_leg(free_site(), state=state)

    refusal = order_refusal(leg, by=operator().actor)

    assert refusal is not None
    assert refusal.code == "change_not_open"
    with pytest.raises(Refused):
        order_deployment(leg.pk, by=operator().actor)


def test_a_change_withdrawn_while_its_order_waits_ends_the_order(fake):
    requester = make_person(Role.REQUESTER)
    order = make_order(free_site(), requester=requester)
    withdraw_change(change_id=order.leg.change_id, by=requester.actor, reason="Not needed.")

    step(order)

    assert_ended(order, "change_not_open")
    assert fake.calls == []


def test_a_refusal_in_the_middle_of_beginning_ends_the_order_in_another_transaction(fake, monkeypatch):
    order = make_order()

    def refuse(*args, **kwargs):
        raise Refused(not_now("no_more", "It does not go any more."))

    monkeypatch.setattr("apps.deployments.steps.leg_started", refuse)

    assert run_step(order.pk) is False

    assert_ended(order, "no_more")


@pytest.mark.parametrize("where", ["apps.deployments.steps.leg_started", "apps.deployments.runner.beginning.hold_deployment"])
def test_a_lock_that_could_not_be_had_is_no_refusal(fake, monkeypatch, where):
    order = make_order()

    def busy(*args, **kwargs):
        raise Refused(BUSY)

    monkeypatch.setattr(where, busy)
    assert run_step(order.pk) is False

    monkeypatch.undo()
    order.refresh_from_db()
    assert order.state == State.QUEUED
    assert step(order).state == State.RUNNING


def test_an_order_for_another_version_than_the_change_names_now_ends(fake):
    requester = make_person(Role.REQUESTER)
    target = free_site()
    order = make_order(target, requester=requester)
    change = order.leg.change
    old = content_of(newest(change))
    item = make_item(target.service, (target.environment,), identities=(ANOTHER,), label="3.19.0")
    revise_change(change_id=change.pk, content=replace(old, scope=replace(old.scope, items=(item,))), by=requester.actor)

    step(order)

    assert_ended(order, "version_changed")


@pytest.mark.parametrize("what", ["deactivated", "role"])
def test_who_ordered_it_must_still_be_who_may(fake, what):
    person = operator()
    order = make_order(by=person)
    if what == "role":
        person.role_grants.update(revoked_at=order.ordered_at, revoked_by="SYSTEM:test")
    else:
        person.is_active, person.deactivated_at = False, order.ordered_at
        person.save()

    step(order)

    assert_ended(order, "not_operating" if what == "role" else "orderer_not_present")


def agreed_site(owner) -> Target:
    target = make_site()
    ask_for(target, ChangeRequired.APPROVED)
    make_policy(target.environment, forbid_approver_start=True)
    OwnershipFactory(service=target.service, person=owner, kind=OwnerKind.BUSINESS)
    return target


def test_who_signed_after_ordering_does_not_start_it_where_that_is_kept_apart(fake):
    owner = make_person(Role.OPERATOR, Role.APPROVER)
    target = agreed_site(make_person(Role.APPROVER))
    order = make_order(target, by=owner)
    OwnershipFactory(service=target.service, person=owner, kind=OwnerKind.TECHNICAL)
    change = order.leg.change
    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=owner.actor)

    step(order)

    assert_ended(order, "signed_by_you")


def test_a_signature_that_came_to_be_missing_ends_the_order_instead_of_starting_it_later(fake):
    order = make_order()
    ask_for(order.target, ChangeRequired.APPROVED)
    make_policy(order.target.environment)

    step(order)

    assert_ended(order, "sign_off_missing")


def test_settings_whose_bytes_have_another_digest_are_not_carried_out(fake):
    order = make_order()
    target = order.target
    target.settings = TargetSettingsFactory(target=target, number=9, digest="0" * 64)
    target.save()

    step(order)

    assert_ended(order, "settings_differ")


def test_the_entry_of_a_start_names_the_digests_it_relied_on(fake):
    target = agreed_site(make_person(Role.APPROVER))
    order = step(make_order(target))

    (entry,) = [entry for entry in entries_about(order.reference, limit=9) if entry.event is Event.DEPLOYMENT_STARTED]
    assert order.state == State.RUNNING
    assert entry.data["settings_digest"] == target.settings.digest
    assert entry.data["revision_digest"] == order.leg.change.revision.digest
    assert entry.data["policy_digest"] == Policy.objects.get(environment=target.environment).version.digest


def excluded_hands(change):
    return {person for leg in review_facts(change).legs for person in leg.hands["implementer"]}


def implementing_site(**owners) -> Target:
    target = make_site()
    ask_for(target, ChangeRequired.APPROVED)
    make_policy(target.environment, exclude=["requester", "last_editor", "implementer"])
    for kind, person in owners.items():
        OwnershipFactory(service=target.service, person=person, kind=kind)
    return target


def test_whoever_had_it_started_is_remembered_and_signs_no_more(fake):
    starter = operator()
    target = implementing_site(BUSINESS=make_person(Role.APPROVER))
    order = make_order(target, by=starter)
    OwnershipFactory(service=target.service, person=starter, kind=OwnerKind.TECHNICAL)
    order = step(order)

    assert order.state == State.RUNNING
    assert [one.person for one in Implementer.objects.filter(leg=order.leg)] == [starter]
    change = order.leg.change
    with pytest.raises(Refused) as told:
        approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=starter.actor)
    assert told.value.refusal.code == "nobody_asked"  # what has begun asks nobody any more
    assert excluded_hands(change) == {starter.public_id}


def test_whoever_signed_does_not_start_it_where_implementers_are_kept_out(fake):
    owner = make_person(Role.OPERATOR, Role.APPROVER)
    target = implementing_site(BUSINESS=owner)
    leg = make_leg(target)

    refusal = order_refusal(leg, by=owner.actor)

    assert refusal is not None
    assert (refusal.code, refusal.cure) == ("signed_by_you", "Somebody who did not sign it can start it.")


def test_machinery_that_starts_it_is_nobody(fake):
    order = make_order(implementing_site(BUSINESS=make_person(Role.APPROVER)))
    Deployment.objects.filter(pk=order.pk).update(ordered_by="SYSTEM:slots")

    order = step(order)

    assert order.state == State.RUNNING
    assert not Implementer.objects.exists()
