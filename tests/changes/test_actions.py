"""The verbs of a change: works, refused, whole or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes import actions, transitions
from apps.changes.actions import close_change, comment_on_change, create_change, finish_change, withdraw_change
from apps.changes.facts import current_legs
from apps.changes.models import Change, Comment, Revision
from apps.changes.states import LegState, Outcome, State
from apps.changes.steps import drafts, leg_done, leg_failed, leg_started
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.changes.flags import assert_flags_are_true, put_in
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.catalog import ServiceFactory, make_target
from tests.factories.changes import make_change, make_content

pytestmark = pytest.mark.django_db
BY = system("test")


@pytest.fixture
def manager():
    return make_person(Role.RELEASE_MANAGER)


def started(change, now, end):
    """An approved change one of whose legs was started and ended so."""
    put_in(change, State.APPROVED)
    leg = current_legs(change).first()
    leg_started(leg, by=BY, at=now)
    end(leg, by=BY, at=now)
    change.refresh_from_db()
    return change


def in_post_review(now, end):
    change = started(make_change(targets=(make_target(),)), now, end)
    if change.state == State.IN_PROGRESS:
        finish_change(change_id=change.pk, by=change.requester.actor, reason="it will not work", now=now)
        change.refresh_from_db()
    return change


@pytest.mark.parametrize("scope", ["everything", "the service's team"])
def test_create_change_begins_a_draft(scope, now):
    team = TeamFactory()
    target = make_target(ServiceFactory(team=team))
    person = make_person(Role.REQUESTER) if scope == "everything" else make_person()
    if scope != "everything":
        give_team_role(person, Role.REQUESTER, team)

    change = create_change(content=make_content(targets=(target,)), by=person.actor, now=now)

    assert (change.kind, change.state, change.requester, change.created_at) == ("NORMAL", State.DRAFT, person, now)
    assert change.ref == f"CHG-{change.pk}"


def test_create_change_needs_the_role_for_every_service(now):
    mine, other = make_target(ServiceFactory(team=TeamFactory())), make_target()
    person = make_person()
    give_team_role(person, Role.REQUESTER, mine.service.team)

    with pytest.raises(Refused) as refused:
        create_change(content=make_content(targets=(mine, other)), by=person.actor, now=now)

    assert refused.value.refusal.code == "not_a_requester"
    assert not Change.objects.exists()


@pytest.mark.parametrize("by", [BY, "inactive"])
def test_create_change_needs_a_present_person(by, now):
    actor = make_person(Role.REQUESTER, is_active=False).actor if by == "inactive" else by

    with pytest.raises(Refused) as refused:
        create_change(content=make_content(targets=(make_target(),)), by=actor, now=now)

    assert refused.value.refusal.code == "not_present"


def test_create_change_refuses_bad_content_and_keeps_nothing(now):
    content = make_content(targets=(make_target(),), title=" ")

    with pytest.raises(BadContent) as refused:
        create_change(content=content, by=make_person(Role.REQUESTER).actor, now=now)

    assert [*refused.value.errors] == ["story.title"]
    assert not Change.objects.exists()


def test_comment_is_kept_outside_what_is_signed(now):
    change, person = make_change(), make_person()

    comment = comment_on_change(change_id=change.pk, text="Seen.\r\nFine by me. ", by=person.actor, now=now)

    entry = entries_about(change.reference, limit=1)[0]
    change.refresh_from_db()
    assert (comment.text, comment.author, comment.at) == ("Seen.\nFine by me.", person, now)
    assert (entry.event, entry.data, entry.details["text"]) == (Event.CHANGE_COMMENTED, {"comment": str(comment.public_id)}, comment.text)
    assert change.revision.number == 1


@pytest.mark.parametrize("text", ["", " \n", "a\x00b", "x" * 10_001, "\x1b[2J"])
def test_comment_refuses_text_that_cannot_be_kept(text, now):
    change = make_change()

    with pytest.raises(BadContent) as refused:
        comment_on_change(change_id=change.pk, text=text, by=change.requester.actor, now=now)

    assert [*refused.value.errors] == ["text"]
    assert not Comment.objects.exists()


@pytest.mark.parametrize("who", ["requester", "manager"])
def test_withdraw_takes_a_change_back(who, manager, now):
    change = put_in(make_change(), State.IN_REVIEW)
    by = change.requester if who == "requester" else manager

    withdraw_change(change_id=change.pk, by=by.actor, reason="not needed", now=now)

    change.refresh_from_db()
    assert (change.state, change.outcome) == (State.WITHDRAWN, Outcome.NOT_DEPLOYED)
    assert entries_about(change.reference, limit=1)[0].details["reason"] == "not needed"
    assert_flags_are_true(change)


def test_withdraw_is_refused_once_something_was_started_and_to_others(manager, now):
    change = started(make_change(), now, leg_failed)

    with pytest.raises(Refused) as refused:
        withdraw_change(change_id=change.pk, by=manager.actor, now=now)
    assert refused.value.refusal.code == "already_started"
    with pytest.raises(Refused) as refused:
        withdraw_change(change_id=make_change().pk, by=make_person(Role.APPROVER, Role.OPERATOR).actor, now=now)
    assert refused.value.refusal.code == "not_yours"
    assert refused.value.about.kind == "change"


def test_withdraw_refuses_a_reason_that_does_not_fit(now):
    change = make_change()

    with pytest.raises(BadContent, match="300 fit"):
        withdraw_change(change_id=change.pk, by=change.requester.actor, reason="x" * 301, now=now)


def test_finish_needs_a_reason_and_a_start(now):
    change = put_in(make_change(), State.APPROVED)

    with pytest.raises(Refused) as refused:
        finish_change(change_id=change.pk, by=change.requester.actor, reason="enough", now=now)
    assert refused.value.refusal.code == "nothing_started"
    with pytest.raises(BadContent):
        finish_change(change_id=started(change, now, leg_failed).pk, by=change.requester.actor, reason=" ", now=now)


def test_finish_is_for_operators_too(now):
    change = started(make_change(), now, leg_failed)

    finish_change(change_id=change.pk, by=make_person(Role.OPERATOR).actor, reason="the host is gone", now=now)

    change.refresh_from_db()
    assert (change.state, change.outcome) == (State.POST_REVIEW, Outcome.FAILED)


def test_close_keeps_the_review_as_a_comment(now):
    change = in_post_review(now, leg_failed)

    with pytest.raises(BadContent) as refused:
        close_change(change_id=change.pk, by=change.requester.actor, now=now)
    close_change(change_id=change.pk, by=change.requester.actor, review="The host was full. It has an alarm now.", now=now)

    change.refresh_from_db()
    assert [*refused.value.errors] == ["review"]
    assert (change.state, change.outcome) == (State.CLOSED, Outcome.FAILED)
    assert change.comments.get().text.startswith("The host was full.")


def test_close_of_a_success_needs_no_words(now):
    change = in_post_review(now, leg_done)

    close_change(change_id=change.pk, by=change.requester.actor, now=now)

    assert not change.comments.exists()
    assert Change.objects.get(pk=change.pk).state == State.CLOSED


def test_close_is_refused_before_the_review_and_to_others(now):
    change = make_change()
    with pytest.raises(Refused) as refused:
        close_change(change_id=change.pk, by=change.requester.actor, now=now)
    assert refused.value.refusal.code == "not_in_post_review"

    with pytest.raises(Refused) as refused:
        close_change(change_id=in_post_review(now, leg_done).pk, by=make_person(Role.OPERATOR).actor, now=now)
    assert refused.value.refusal.code == "not_yours"


class BrokenStreamError(Exception):
    """The stream could not be written."""


def broken(*args, **kwargs):
    raise BrokenStreamError


@pytest.mark.parametrize("verb", ["create", "comment", "withdraw", "close"])
def test_without_its_entry_nothing_happened(verb, now, monkeypatch):
    change = in_post_review(now, leg_done) if verb == "close" else make_change()
    before = (Change.objects.count(), Revision.objects.count(), change.moves.count(), change.state)
    person = change.requester
    for module in (actions.requesting, drafts, transitions):
        monkeypatch.setattr(module, "record", broken)
    verbs = {
        "create": lambda: create_change(content=make_content(targets=(make_target(),)), by=person.actor, now=now),
        "comment": lambda: comment_on_change(change_id=change.pk, text="Seen.", by=person.actor, now=now),
        "withdraw": lambda: withdraw_change(change_id=change.pk, by=person.actor, now=now),
        "close": lambda: close_change(change_id=change.pk, by=person.actor, review="All well.", now=now),
    }

    with pytest.raises(BrokenStreamError):
        verbs[verb]()

    change.refresh_from_db()
    assert (Change.objects.count(), Revision.objects.count(), change.moves.count(), change.state) == before
    assert not Comment.objects.exists()


def test_deciding_time_is_the_databases_when_nobody_gives_one(now):
    change = make_change(now=now - timedelta(days=1))

    withdraw_change(change_id=change.pk, by=change.requester.actor)

    at = change.moves.get().at
    assert at == entries_about(change.reference, limit=1)[0].at
    assert abs((at - database_now()).total_seconds()) < 60


def test_legs_of_a_withdrawn_change_are_shut(now):
    change = put_in(make_change(), State.APPROVED)

    withdraw_change(change_id=change.pk, by=change.requester.actor, now=now)

    assert [(leg.state, leg.is_open) for leg in current_legs(change)] == [(LegState.WAITING, False)]


def test_content_that_differs_only_in_period_zone_is_an_edit(now):
    change = make_change()
    content = replace(make_content(targets=tuple(leg.target for leg in current_legs(change))))
    content = replace(content, period=replace(content.period, zone="UTC"))

    assert drafts.add_revision(change, content=content, by=change.requester.actor, at=now).number == 2
