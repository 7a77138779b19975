"""Agreeing, refusing, sending back, taking back: each works, each is refused, each is recorded."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import RoleGrant
from apps.accounts.roles import Role
from apps.approvals.actions import send_back_change, withdraw_sign_off
from apps.approvals.models import SignOff
from apps.approvals.statement import read_statement
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.states import State
from apps.changes.steps import leg_started
from apps.core.refusals import BadContent, Refused
from tests.approvals.world import edit, events, make_world
from tests.conftest import NOW
from tests.factories.approvals import SYSTEM, a_rule, approve, newest
from tests.factories.proving import approve_change, reject_change

BUSINESS = a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"})
TECHNICAL = a_rule("technical", group={"kind": "OWNER", "owner": "TECHNICAL"})
RELEASE = a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, parts=["scope", "period"])


@pytest.fixture
def world(db):
    return make_world()


def refused(code):
    return pytest.raises(Refused, check=lambda error: error.refusal.code == code)


def state_of(change):
    change.refresh_from_db()
    return change.state


def last(change, event):
    return next(entry for entry in entries_about(change.reference, limit=50) if entry.event is event)


def test_approve_by_an_owner_moves_to_approved_and_tells_so(world):
    change = world.change()

    sign_off = approve(change, world.business, reason="Looks right.")

    assert state_of(change) == State.APPROVED
    assert events(change)[-2:] == [Event.SIGN_OFF_GIVEN, Event.CHANGE_APPROVED]
    entry = last(change, Event.SIGN_OFF_GIVEN)
    assert entry.by == replace(world.business.actor, credential="password_and_code")
    assert entry.subject == sign_off.reference
    assert entry.data["statement"] == sign_off.statement_hash
    assert entry.details == {"name": "Bea", "reason": "Looks right."}


def test_approve_states_everything_that_was_seen(world):
    change = world.change()

    sign_off = approve(change, world.business, reason="Fine.")

    said, revision = read_statement(bytes(sign_off.statement)), newest(change)
    assert (said.change, said.ref, said.revision, said.revision_digest) == (str(change.public_id), change.ref, 1, revision.digest)
    assert said.covers == {part: revision.part_digests[part] for part in ("scope", "plan", "rollback", "period")}
    assert [rule.group for rule in said.rules] == [f"owner:ANY:{world.target.service.public_id}"]
    assert said.settings == {str(world.target.public_id): world.target.settings.digest}
    assert (said.decision, said.meaning, said.reason, said.person_name, said.at) == ("APPROVE", "APPROVAL", "Fine.", "Bea", NOW)
    assert sign_off.covered_parts == ["period", "plan", "rollback", "scope"]
    assert said.by == {"kind": "PERSON", "id": str(world.business.public_id), "credential": "password_and_code"}
    assert len(said.nonce) == 32


def test_approve_lists_the_key_before_it_signs(world):
    change = world.change()

    approve(change, world.business)

    from apps.audit.models import Entry, PublicKey

    listed = Entry.objects.get(event=Event.KEY_LISTED)
    given = Entry.objects.get(event=Event.SIGN_OFF_GIVEN)
    assert listed.id < given.id
    assert PublicKey.objects.filter(key_id=SignOff.objects.get().key_id).exists()


def test_approve_under_two_rules_needs_both(db):
    world = make_world(BUSINESS, RELEASE)
    change = world.change()

    first = approve(change, world.business)
    assert state_of(change) == State.IN_REVIEW
    second = approve(change, world.manager)

    assert state_of(change) == State.APPROVED
    assert (first.covered_parts, second.covered_parts) == (["period", "plan", "rollback", "scope"], ["period", "scope"])


@pytest.mark.parametrize(("who", "code"), [("requester", "own_change"), ("stranger", "not_asked"), ("manager", "not_asked")])
def test_approve_by_somebody_else_is_refused_and_recorded(world, who, code):
    change, person = world.change(), getattr(world, who)

    with refused(code):
        approve(change, person)

    assert state_of(change) == State.IN_REVIEW
    assert not SignOff.objects.exists()
    entry = last(change, Event.SIGN_OFF_REFUSED)
    assert (entry.by.person_id, entry.data["code"]) == (person.public_id, code)


def test_approve_by_the_last_editor_is_refused(world):
    change = world.change()
    edit(change, "plan", by=world.business)
    edit(change, "story")

    with refused("own_edit"):
        approve(change, world.business)
    approve(change, world.technical)


def test_approve_by_somebody_who_was_deactivated_is_refused_and_recorded(world):
    change = world.change()
    world.business.is_active, world.business.deactivated_at = False, NOW
    world.business.save()

    with refused("not_present"):
        approve(change, world.business)

    assert last(change, Event.SIGN_OFF_REFUSED).data["code"] == "not_present"


def test_approve_what_was_edited_meanwhile_is_refused(world):
    change = world.change()
    read = newest(change).digest
    edit(change, "plan")

    with refused("stale_revision"):
        approve_change(change_id=change.pk, revision_digest=read, by=world.business.actor)


def test_approve_twice_is_refused(world):
    change = world.change()
    approve(change, world.business)

    with refused("already"):
        approve(change, world.business)


def test_approve_after_giving_oneself_the_role_is_refused(db):
    world = make_world(RELEASE)
    change = world.change(now=NOW)
    RoleGrant.objects.create(
        person=world.stranger,
        role=Role.RELEASE_MANAGER,
        granted_at=NOW + timedelta(minutes=1),
        granted_by=f"PERSON:{world.stranger.public_id}",
    )

    with refused("self_granted"):
        approve(change, world.stranger)
    approve(change, world.manager)


@pytest.mark.parametrize("meaning", ["APPROVE", "approval", "\x00"])
def test_approve_with_an_unknown_meaning_is_bad_content(world, meaning):
    change = world.change()

    with pytest.raises(BadContent, check=lambda error: "meaning" in error.errors):
        approve(change, world.business, meaning=meaning)


@pytest.mark.parametrize("reason", ["\x00", "x" * 2001, "\ud800"])
def test_approve_with_a_reason_that_cannot_be_kept_is_bad_content(world, reason):
    change = world.change()

    with pytest.raises(BadContent, check=lambda error: "reason" in error.errors):
        approve(change, world.business, reason=reason)


def test_solo_needs_a_reason_and_is_marked(db):
    world = make_world(solo=True)
    change = world.change()
    from tests.factories.catalog import OwnershipFactory

    OwnershipFactory(service=world.target.service, person=world.requester)

    with pytest.raises(BadContent, check=lambda error: "reason" in error.errors):
        approve(change, world.requester)
    sign_off = approve(change, world.requester, reason="Nobody else is here until Monday.")

    assert sign_off.is_solo
    assert state_of(change) == State.APPROVED
    assert last(change, Event.SIGN_OFF_GIVEN).data["solo"] is True


def test_approve_after_the_settings_changed_replaces_the_earlier_sign_off(world):
    from apps.catalog.settings_body import settings_bytes
    from tests.factories.catalog import TargetSettingsFactory

    change = world.change()
    first = approve(change, world.business)
    body = settings_bytes({"driver": "release_dir", "options": {"keep": 3}, "checks": []})
    world.target.settings = TargetSettingsFactory(target=world.target, number=2, body=body)
    world.target.save()

    second = approve(change, world.business)

    first.refresh_from_db()
    assert (first.withdrawn_at, second.withdrawn_at) == (NOW, None)
    assert last(change, Event.SIGN_OFF_GIVEN).data["replaces"] == [str(first.public_id)]
    assert state_of(change) == State.APPROVED


def test_reject_ends_the_change_with_its_reason(world):
    change = world.change()

    sign_off = reject_change(
        change_id=change.pk, revision_digest=newest(change).digest, by=world.technical.actor, reason="Not before the season.", now=NOW
    )

    assert state_of(change) == State.REJECTED
    assert sign_off.decision == "REJECT"
    assert change.moves.last().reason == "Not before the season."


def test_reject_an_approved_change_replaces_ones_own_agreement(world):
    change = world.change()
    approved = approve(change, world.business)

    reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, reason="I was wrong.", now=NOW)

    approved.refresh_from_db()
    assert approved.withdrawn_at == NOW
    assert state_of(change) == State.REJECTED


def test_agreeing_with_another_meaning_leaves_the_first_and_rejecting_withdraws_both(db):
    world = make_world(BUSINESS, a_rule("read", meaning="REVIEW"))
    change = world.change()

    first, second = approve(change, world.business), approve(change, world.business)
    assert (first.meaning, second.meaning) == ("APPROVAL", "REVIEW")
    assert last(change, Event.SIGN_OFF_GIVEN).data["replaces"] == []
    approve(change, world.technical)
    assert state_of(change) == State.APPROVED
    reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, reason="I was wrong.", now=NOW)

    assert {*SignOff.objects.filter(person=world.business, withdrawn_at__isnull=True).values_list("decision", flat=True)} == {"REJECT"}
    assert {*last(change, Event.SIGN_OFF_GIVEN).data["replaces"]} == {str(first.public_id), str(second.public_id)}


def test_reject_without_a_reason_is_bad_content(world):
    change = world.change()

    with pytest.raises(BadContent, check=lambda error: "reason" in error.errors):
        reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, reason=" ", now=NOW)


@pytest.mark.parametrize(("who", "code"), [("requester", "own_change"), ("stranger", "not_asked")])
def test_reject_by_somebody_else_is_refused_and_recorded(world, who, code):
    change = world.change()

    with refused(code):
        reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=getattr(world, who).actor, reason="No.", now=NOW)

    assert last(change, Event.SIGN_OFF_REFUSED).data["code"] == code


def test_send_back_keeps_what_stands_and_resubmitting_finds_it(db):
    world = make_world(BUSINESS, TECHNICAL)
    change = world.change()
    approve(change, world.business)

    send_back_change(change_id=change.pk, by=world.technical.actor, reason="Name the host.", now=NOW)
    assert state_of(change) == State.DRAFT
    with refused("not_submitted"):
        approve(change, world.technical)
    edit(change, "story")
    from apps.approvals.actions import submit_change

    submit_change(change_id=change.pk, by=world.requester.actor, now=NOW)
    approve(change, world.technical)

    assert state_of(change) == State.APPROVED


@pytest.mark.parametrize(("who", "code"), [("requester", "own_change"), ("stranger", "not_asked"), ("manager", None), ("business", None)])
def test_send_back_is_for_who_is_asked_and_release_managers(world, who, code):
    change = world.change()

    if code is None:
        send_back_change(change_id=change.pk, by=getattr(world, who).actor, reason="More, for the night shift.", now=NOW)
        assert state_of(change) == State.DRAFT
    else:
        with refused(code):
            send_back_change(change_id=change.pk, by=getattr(world, who).actor, reason="More.", now=NOW)


def test_withdraw_a_sign_off_puts_the_change_back_into_review(world):
    change = world.change()
    sign_off = approve(change, world.business)

    withdraw_sign_off(sign_off_id=sign_off.pk, by=world.business.actor, reason="Not sure.", now=NOW)

    assert state_of(change) == State.IN_REVIEW
    assert events(change)[-2:] == [Event.SIGN_OFF_WITHDRAWN, Event.CHANGE_REOPENED]
    with refused("already_withdrawn"):
        withdraw_sign_off(sign_off_id=sign_off.pk, by=world.business.actor, now=NOW)
    approve(change, world.business)
    assert state_of(change) == State.APPROVED


def test_withdraw_anothers_sign_off_is_refused_and_recorded(world):
    change = world.change()
    sign_off = approve(change, world.business)

    with refused("not_yours"):
        withdraw_sign_off(sign_off_id=sign_off.pk, by=world.technical.actor, now=NOW)

    assert last(change, Event.SIGN_OFF_REFUSED).data["code"] == "not_yours"


def test_withdraw_after_the_deployment_began_is_refused(world):
    change = world.change()
    sign_off = approve(change, world.business)
    leg_started(change.legs.get(), by=SYSTEM, at=NOW)

    with refused("leg_started"):
        withdraw_sign_off(sign_off_id=sign_off.pk, by=world.business.actor, now=NOW)


def test_withdraw_takes_older_agreements_back_too(world):
    change = world.change()
    original = newest(change)
    approve(change, world.business)
    edit(change, "plan")
    second = approve(change, world.business)
    withdraw_sign_off(sign_off_id=second.pk, by=world.business.actor, now=NOW)

    from apps.approvals.actions import revise_change
    from apps.changes.facts import content_of

    revise_change(change_id=change.pk, content=content_of(original), by=world.requester.actor, now=NOW)

    assert state_of(change) == State.IN_REVIEW
    assert not SignOff.objects.filter(withdrawn_at__isnull=True).exists()


def test_a_broken_record_rolls_an_approval_back(world, monkeypatch):
    change = world.change()

    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("apps.changes.transitions.record", broken)
    with pytest.raises(RuntimeError), transaction.atomic():
        approve(change, world.business)

    assert state_of(change) == State.IN_REVIEW
    assert not SignOff.objects.exists()


@pytest.mark.parametrize("field", ["decision", "statement", "person", "revision"])
def test_the_database_refuses_to_change_a_sign_off(world, field):
    change = world.change()
    approve(change, world.business)
    value = {"decision": "REJECT", "statement": b"x", "person": world.technical, "revision": None}[field]

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        SignOff.objects.update(**{field: value})


def test_the_database_refuses_to_remove_or_revive_a_sign_off(world):
    change = world.change()
    sign_off = approve(change, world.business)
    withdraw_sign_off(sign_off_id=sign_off.pk, by=world.business.actor, now=NOW)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        SignOff.objects.update(withdrawn_at=None, withdrawn_by="")
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        SignOff.objects.all()._raw_delete("default")


def test_the_database_refuses_self_approval_and_a_second_sign_off(world):
    from tests.factories.approvals import SignOffFactory

    change = world.change()
    sign_off = approve(change, world.business)

    with pytest.raises(IntegrityError, match="no_self_approval"), transaction.atomic():
        SignOffFactory(change=change, revision=newest(change), person=world.requester, requester=world.requester)
    with pytest.raises(IntegrityError, match="one_standing_sign_off"), transaction.atomic():
        SignOffFactory(change=change, revision=sign_off.revision, person=world.business, requester=world.requester)
