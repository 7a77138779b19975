"""Writing content and telling legs: rows, revisions, frozen items, outcomes; against the real database."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.content import EnvironmentRef, Period, Rollback, content_from_bytes, part_digests, revision_digest
from apps.changes.facts import content_of, current_legs
from apps.changes.models import Change, Item, Leg, LegIdentity, Move, Revision
from apps.changes.states import LegState, Outcome, State
from apps.changes.steps import (
    add_revision,
    approve,
    expire,
    finish,
    leg_done,
    leg_failed,
    leg_rolled_back,
    leg_skipped,
    leg_started,
    reject,
    reopen,
    send_back,
    submit,
)
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from tests.changes.flags import assert_flags_are_true, put_in
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import EnvironmentFactory, ServiceFactory, make_target
from tests.factories.changes import COMMIT, FIX_FORWARD, OTHER_COMMIT, make_change, make_content, make_item

pytestmark = pytest.mark.django_db
BY = system("test")


@pytest.fixture
def targets():
    """One service in staging and production."""
    service = ServiceFactory(name="Checkout web")
    return tuple(make_target(service, EnvironmentFactory(name=name, rank=rank)) for name, rank in (("Staging", 501), ("Production", 502)))


@pytest.fixture
def change(targets):
    return make_change(targets=targets)


def edit(change, content, at):
    return add_revision(change, content=content, by=change.requester.actor, at=at)


def with_items(change, *items):
    old = content_of(change.revision)
    return replace(old, scope=replace(old.scope, items=items))


def leg_in(change, name):
    return current_legs(change).get(environment__name=name)


def test_a_draft_stores_the_bytes_and_the_rows(change, targets):
    revision = change.revision
    parts = {part: bytes(getattr(revision, part)) for part in revision.part_digests}

    assert (change.state, change.title, change.submitted_at) == (State.DRAFT, "Offer the return ferry first", None)
    assert revision.part_digests == part_digests(parts)
    assert revision.digest == revision_digest(revision.bound, part_digests=revision.part_digests)
    assert content_from_bytes(parts) == content_of(revision)
    assert (change.not_before, change.not_after) == (content_of(revision).period.not_before, content_of(revision).period.not_after)
    assert [(leg.target, leg.state, leg.is_open) for leg in current_legs(change)] == [(target, "WAITING", False) for target in targets]
    assert set(LegIdentity.objects.filter(leg__change=change).values_list("identity", "is_open")) == {(COMMIT, False)}


def test_a_draft_is_told_with_everything_it_touches(change, targets):
    entry = entries_about(change.reference, limit=1)[0]

    assert (entry.event, entry.data["kind"], entry.data["revision"]) == (Event.CHANGE_CREATED, "NORMAL", 1)
    assert entry.details == {"title": change.title}
    assert {target.reference for target in targets} <= set(entry.refs)
    assert {targets[0].service.reference, targets[0].environment.reference} <= set(entry.refs)


def test_saving_what_is_there_makes_no_revision(change, now):
    content = content_of(change.revision)
    same = replace(content, story=replace(content.story, description=content.story.description + "\r\n"))

    assert edit(change, same, now) is None
    assert change.revisions.count() == 1
    assert len(entries_about(change.reference, limit=10)) == 1


def test_a_rename_in_the_catalogue_is_no_edit(change, now):
    old = content_of(change.revision)
    (item,) = old.scope.items
    renamed = replace(item, service_name="New name", environments=tuple(replace(each, name="Renamed") for each in item.environments))

    assert edit(change, with_items(change, renamed), now) is None


def test_an_edit_is_a_revision_that_names_what_changed(change, now):
    content = replace(content_of(change.revision), story=replace(content_of(change.revision).story, title="Another title"))

    revision = edit(change, content, now)

    entry = entries_about(change.reference, limit=1)[0]
    change.refresh_from_db()
    assert (revision.number, revision.author) == (2, change.requester)
    assert (change.revision, change.title) == (revision, "Another title")
    assert (entry.event, entry.data["revision"], entry.data["parts"]) == (Event.CHANGE_REVISED, 2, ["story"])
    assert entry.data["digest"] == revision.digest


def test_an_edit_of_the_version_moves_the_gates_lookup(change, now):
    put_in(change, State.APPROVED)
    (item,) = content_of(change.revision).scope.items

    edit(change, with_items(change, replace(item, label="3.18.2", identities=(OTHER_COMMIT,))), now)

    assert set(LegIdentity.objects.filter(leg__change=change).values_list("identity", "is_open")) == {(OTHER_COMMIT, True)}
    assert Item.objects.get(change=change).label == "3.18.2"
    assert_flags_are_true(change)


def test_an_environment_that_is_removed_retires_its_leg_and_comes_back_as_a_new_one(change, now):
    put_in(change, State.IN_REVIEW)
    (item,) = content_of(change.revision).scope.items
    before = leg_in(change, "Production")

    edit(change, with_items(change, replace(item, environments=item.environments[:1])), now)
    before.refresh_from_db()
    retired = (before.is_current, before.is_open, set(before.identities.values_list("is_open", flat=True)))
    edit(change, with_items(change, item), now)

    assert retired == (False, False, {False})
    assert leg_in(change, "Production").pk != before.pk
    assert change.legs.filter(is_current=True).count() == 2
    assert_flags_are_true(change)


def test_a_service_that_is_removed_retires_its_item_and_an_added_one_gets_legs(change, now):
    put_in(change, State.IN_REVIEW)
    other = make_target()

    edit(change, with_items(change, make_item(other.service, (other.environment,))), now)

    assert [(item.service, item.is_current) for item in change.items.order_by("pk")][-1] == (other.service, True)
    assert [leg.target for leg in current_legs(change)] == [other]
    assert change.items.filter(is_current=False).count() == 1
    assert_flags_are_true(change)


def test_a_started_leg_freezes_its_item_and_nothing_else(change, now):
    put_in(change, State.APPROVED)
    leg_started(leg_in(change, "Staging"), by=BY, at=now)
    change.refresh_from_db()
    (item,) = content_of(change.revision).scope.items

    with pytest.raises(Refused) as refused:
        edit(change, with_items(change, replace(item, label="3.18.2")), now)
    revision = edit(change, replace(content_of(change.revision), rollback=replace(FIX_FORWARD, trigger="errors")), now)

    assert refused.value.refusal.code == "item_is_frozen"
    assert revision.number == 2


def test_a_rolled_back_leg_waits_again_with_a_newer_revision(change, now):
    put_in(change, State.APPROVED)
    leg = leg_in(change, "Staging")
    leg_started(leg, by=BY, at=now)
    leg_rolled_back(leg, by=BY, at=now, reason="checks failed")
    change.refresh_from_db()
    assert change.state == State.IN_PROGRESS

    edit(change, replace(content_of(change.revision), rollback=replace(FIX_FORWARD, trigger="errors")), now)

    leg.refresh_from_db()
    assert (leg.state, leg.rolled_back_revision, leg.is_open) == (LegState.WAITING, 1, True)
    assert entries_about(leg.reference, limit=1)[0].event is Event.LEG_REOPENED
    assert_flags_are_true(change)


@pytest.mark.parametrize("field", ["story.title", "scope.items.0.service", "scope.items.0.environments"])
def test_what_no_draft_may_hold_is_refused_by_field(change, now, field):
    old = content_of(change.revision)
    (item,) = old.scope.items
    content = {
        "story.title": replace(old, story=replace(old.story, title="")),
        "scope.items.0.service": with_items(change, replace(item, service_id=UUID(int=1))),
        "scope.items.0.environments": with_items(change, replace(item, environments=(EnvironmentRef(UUID(int=1), "Moon"),))),
    }[field]

    with pytest.raises(BadContent) as refused, transaction.atomic():
        edit(change, content, now)

    assert [*refused.value.errors] == [field]
    assert change.revisions.count() == 1


def test_a_draft_may_be_incomplete_but_not_submitted_nor_a_submitted_change_made_so(change, now):
    bare = replace(content_of(change.revision), rollback=Rollback())
    edit(change, bare, now)

    with pytest.raises(BadContent) as refused:
        submit(change, by=BY, at=now)
    assert [*refused.value.errors] == ["rollback.strategy"]

    edit(change, replace(bare, rollback=FIX_FORWARD), now)
    submit(change, by=BY, at=now)
    with pytest.raises(BadContent) as refused:
        edit(change, bare, now)
    assert [*refused.value.errors] == ["rollback.strategy"]
    assert (change.state, change.submitted_at) == (State.IN_REVIEW, now)


def test_places_that_were_retired_meanwhile_may_stay(change, targets, now):
    service = targets[0].service
    service.retired_at = now
    service.save()

    assert edit(change, replace(content_of(change.revision), story=replace(content_of(change.revision).story, title="Later")), now)


def test_another_persons_restricted_service_is_no_service(change, now):
    hidden = make_target(ServiceFactory(is_restricted=True, team=TeamFactory()))

    with pytest.raises(BadContent) as refused:
        edit(change, with_items(change, make_item(hidden.service, (hidden.environment,))), now)

    assert [*refused.value.errors] == ["scope.items.0.service"]


def test_a_leg_that_starts_brings_an_approved_change_in_progress(change, now):
    put_in(change, State.APPROVED)

    leg_started(leg_in(change, "Staging"), by=BY, at=now)

    change.refresh_from_db()
    assert change.state == State.IN_PROGRESS
    assert_flags_are_true(change)


def test_a_leg_that_starts_in_review_leaves_the_change_in_review(change, now):
    put_in(change, State.IN_REVIEW)

    leg_started(leg_in(change, "Staging"), by=BY, at=now)

    change.refresh_from_db()
    assert change.state == State.IN_REVIEW


def test_a_leg_is_not_started_twice_nor_in_a_draft(change, now):
    with pytest.raises(Refused) as refused:
        leg_started(leg_in(change, "Staging"), by=BY, at=now)
    assert refused.value.refusal.code == "change_not_open"

    put_in(change, State.APPROVED)
    leg_started(leg_in(change, "Staging"), by=BY, at=now)
    with pytest.raises(Refused) as refused:
        leg_started(leg_in(change, "Staging"), by=BY, at=now)
    assert refused.value.refusal.code == "leg_in_flight"


@pytest.mark.parametrize("first", [State.IN_REVIEW, State.APPROVED])
def test_the_last_leg_ends_the_change(change, now, first):
    put_in(change, first)
    for name in ("Staging", "Production"):
        leg = leg_in(change, name)
        leg_started(leg, by=BY, at=now)
        leg_done(leg, by=BY, at=now)

    change.refresh_from_db()
    assert (change.state, change.outcome) == (State.POST_REVIEW, Outcome.SUCCESSFUL)
    assert_flags_are_true(change)


def test_a_leg_that_ends_after_approval_came_late_ends_the_change(change, now):
    put_in(change, State.IN_REVIEW)
    leg = leg_in(change, "Staging")
    leg_started(leg, by=BY, at=now)
    change.refresh_from_db()
    approve(change, by=BY, at=now)
    leg_skipped(leg_in(change, "Production"), by=BY, at=now, reason="not this time")

    leg_done(leg, by=BY, at=now)

    change.refresh_from_db()
    assert (change.state, change.outcome) == (State.POST_REVIEW, Outcome.SUCCESSFUL_WITH_ISSUES)


def test_three_failures_then_the_leg_is_out(targets, now):
    change = put_in(make_change(targets=targets[:1]), State.APPROVED)
    leg = leg_in(change, "Staging")
    for _ in range(3):
        leg_started(leg, by=BY, at=now)
        leg_failed(leg, by=BY, at=now, reason="disk full")

    change.refresh_from_db()
    assert not leg.can_start
    assert (leg.failures_count, change.state, change.outcome) == (3, State.POST_REVIEW, Outcome.FAILED)
    with pytest.raises(Refused):
        leg_started(leg, by=BY, at=now)


@pytest.mark.parametrize("end", [State.POST_REVIEW, State.CLOSED, State.REJECTED])
def test_a_way_back_after_the_end_changes_the_outcome(targets, now, end):
    change = put_in(make_change(targets=targets[:1]), State.APPROVED)
    leg = leg_in(change, "Staging")
    leg_started(leg, by=BY, at=now)
    leg_done(leg, by=BY, at=now)
    Change.objects.filter(pk=change.pk).update(state=end)

    leg_rolled_back(leg, by=BY, at=now)

    change.refresh_from_db()
    assert (change.state, change.outcome) == (end, Outcome.ROLLED_BACK)


def test_finish_skips_what_waits(change, now):
    put_in(change, State.APPROVED)
    leg = leg_in(change, "Staging")
    leg_started(leg, by=BY, at=now)
    leg_rolled_back(leg, by=BY, at=now)
    change.refresh_from_db()

    finish(change, by=BY, at=now, reason="we start over")

    assert [leg.state for leg in current_legs(change)] == ["ROLLED_BACK", "SKIPPED"]
    assert (change.state, change.outcome) == (State.POST_REVIEW, Outcome.ROLLED_BACK)
    assert_flags_are_true(change)


def test_an_expired_change_is_expired_untouched_and_reviewed_otherwise(targets, now):
    late = now + timedelta(days=1)
    content = make_content(targets=targets, period=Period(None, now + timedelta(hours=1)))
    untouched, touched = (put_in(make_change(content=content), State.APPROVED) for _ in range(2))
    leg = leg_in(touched, "Staging")
    leg_started(leg, by=BY, at=now)
    touched.refresh_from_db()
    with pytest.raises(Refused) as refused:
        expire(touched, by=BY, at=late)
    leg_done(leg, by=BY, at=now)

    touched.refresh_from_db()
    expire(touched, by=BY, at=late)
    expire(untouched, by=BY, at=late)

    assert refused.value.refusal.code == "leg_in_flight"
    assert (untouched.state, untouched.outcome) == (State.EXPIRED, Outcome.NOT_DEPLOYED)
    assert (touched.state, touched.outcome) == (State.POST_REVIEW, Outcome.SUCCESSFUL_WITH_ISSUES)


@pytest.mark.parametrize(
    ("step", "state", "event"),
    [(send_back, State.DRAFT, Event.CHANGE_SENT_BACK), (reject, State.REJECTED, Event.CHANGE_REJECTED)],
)
def test_a_reviewed_change_goes_back_or_is_rejected_with_the_reason(change, now, step, state, event):
    put_in(change, State.IN_REVIEW)

    step(change, by=BY, at=now, reason="The plan has no proof.")

    entry = entries_about(change.reference, limit=1)[0]
    assert (change.state, entry.event, entry.details["reason"]) == (state, event, "The plan has no proof.")
    assert_flags_are_true(change)


def test_reopen_brings_an_approved_change_back_to_review(change, now):
    put_in(change, State.APPROVED)

    reopen(change, by=BY, at=now, reason="revision 2 lapsed a sign-off")

    assert entries_about(change.reference, limit=1)[0].event is Event.CHANGE_REOPENED


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.parametrize("model", [Revision, Move])
def test_revisions_and_moves_are_written_once(change, now, model, statement):
    submit(change, by=BY, at=now)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(model._meta.db_table))


def test_the_database_refuses_an_open_leg_of_no_open_state(change):
    leg = leg_in(change, "Staging")

    with pytest.raises(IntegrityError, match="open_leg_may_start_or_runs"), transaction.atomic():
        Leg.objects.filter(pk=leg.pk).update(state="DONE", is_open=True)


def test_a_requester_of_everything_makes_drafts_without_items(now):
    change = make_change(
        requester=make_person(Role.REQUESTER), content=replace(make_content(), scope=replace(make_content().scope, items=()))
    )

    assert not change.legs.exists()
    assert content_of(change.revision).scope.items == ()
