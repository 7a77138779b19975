"""Who gets a sign-off to see, and what an export carries of it."""

import io
from base64 import b64decode
from datetime import timedelta
from uuid import uuid4

import pytest
from django.http import Http404

from apps.approvals.access import get_sign_off
from apps.approvals.actions import give_delegation, withdraw_sign_off
from apps.audit.export import write_export
from apps.audit.lines import LINES
from apps.audit.vocabulary import Event
from apps.changes.states import State
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.approvals import DelegationFactory, approve

HOUR = timedelta(hours=1)


@pytest.fixture
def world(db):
    return make_world()


def test_a_sign_off_is_seen_with_its_change(world):
    sign_off = approve(world.change(), world.business)

    assert get_sign_off(world.stranger, sign_off.public_id) == sign_off
    for unknown in (uuid4(), "x", ""):
        with pytest.raises(Http404):
            get_sign_off(world.stranger, unknown)


def test_a_sign_off_of_a_restricted_service_is_unseen(world):
    sign_off = approve(world.change(), world.business)
    world.target.service.is_restricted = True
    world.target.service.save()

    assert get_sign_off(world.business, sign_off.public_id) == sign_off
    with pytest.raises(Http404):
        get_sign_off(world.stranger, sign_off.public_id)


def test_an_export_carries_every_statement_and_signature(world):
    import json

    change = world.change()
    sign_off = approve(change, world.business)
    withdraw_sign_off(sign_off_id=sign_off.pk, by=world.business.actor, now=NOW)
    out = io.BytesIO()

    write_export(out)

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    (line,) = [line for line in lines if line.get("kind") == "sign_off"]
    assert b64decode(line["statement"]) == bytes(sign_off.statement)
    assert b64decode(line["signature"]) == bytes(sign_off.signature)
    assert (line["key_id"], line["withdrawn_at"]) == (sign_off.key_id, "2026-11-20T14:20:00.000000Z")


def test_the_verifier_proves_an_export_and_finds_a_forged_sign_off(world, tmp_path):
    from apps.audit import verifier

    world.change(State.APPROVED)
    out = io.BytesIO()
    write_export(out)

    report = verifier.verify(io.BytesIO(out.getvalue()))
    assert report.sign_offs == 1
    forged = out.getvalue().replace(b'"alg":"Ed25519","signature":"', b'"alg":"Ed25519","signature":"AAAA', 1)
    with pytest.raises(verifier.DoesNotHold):
        verifier.verify(io.BytesIO(forged))


@pytest.mark.parametrize("asked", [True, False])
def test_the_verifier_finds_who_asked_for_a_sign_off_in_their_place(world, asked):
    from apps.audit import verifier

    change, scope = world.change(), {"kinds": ["NORMAL"]}
    if asked:
        until = {"starts_at": NOW - HOUR, "ends_at": NOW + timedelta(days=300), "now": NOW - HOUR}
        give_delegation(delegate_id=world.stranger.pk, by=world.business.actor, **until, **scope)
    else:  # a row that was put in by hand: nobody told of it
        DelegationFactory(person=world.business, delegate=world.stranger)
    approve(change, world.stranger)
    out = io.BytesIO()
    write_export(out)

    if asked:
        assert verifier.verify(io.BytesIO(out.getvalue())).stood_in == 1
    else:
        with pytest.raises(verifier.DoesNotHold, match="who had not asked for that"):
            verifier.verify(io.BytesIO(out.getvalue()))


def test_every_event_of_sign_off_has_a_sentence():
    told = {Event.SIGN_OFF_GIVEN, Event.SIGN_OFF_WITHDRAWN, Event.SIGN_OFF_LAPSED, Event.SIGN_OFF_REFUSED, Event.POLICY_WRITTEN}

    assert told <= set(LINES)
