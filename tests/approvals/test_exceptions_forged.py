"""Exceptions that somebody makes up: what is handed in, what is put into the tables, and two people at the same time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.approvals.actions import agree_exception, ask_exception, draft_exception, draft_exception_agreement, withdraw_exception
from apps.approvals.exception_proof import proved_exception
from apps.approvals.exception_statement import exception_bytes, exception_challenge, exception_message, read_exception
from apps.approvals.facts import exceptions as facts
from apps.approvals.facts import proofs_of, read_exceptions
from apps.approvals.models import ExceptionSignature, LegException
from apps.approvals.statement import NotAStatement, signed_message
from apps.approvals.steps import Signed
from apps.audit.keys import installation_id
from apps.core.canonical import canonical_bytes, digest
from apps.core.refusals import Refused
from apps.core.signing import signing_key
from tests.approvals.test_races import Pause
from tests.approvals.world import edit, make_world
from tests.factories.exceptions import ExceptionSignatureFactory, LegExceptionFactory, agreed, asked, leg_of, make_emergency, plea
from tests.factories.proving import agree_exception as agree_proved
from tests.factories.signing import Signer, asserted, proved

SOON = timedelta(seconds=1)


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def change(world):
    return make_emergency(world.target, world.requester, now=timezone.now())


def assertion(signer, data, **more):
    signer.count += 1
    given = {"challenge": exception_challenge(data), "sign_count": signer.count, **more}
    return asserted(signer.passkey, signer.private, data, **given)


def code(act, **given):
    with pytest.raises(Refused) as raised:
        act(**given)
    return raised.value.refusal.code


def claim_of(one):
    row = read_exceptions().get(pk=one.pk)
    passkeys = facts.passkeys_behind(row.signatures.all())
    return facts._claim(row, installation=installation_id(), passkeys=passkeys)


# Handed in


def test_both_sign_by_their_passkeys_and_both_signatures_are_proved(world, change):
    first, second, leg = Signer(world.requester), Signer(world.manager), leg_of(change)
    data = draft_exception(leg_id=leg.pk, plea=plea("EMERGENCY"), by=first.by)
    one = ask_exception(leg_id=leg.pk, signed=Signed(data, assertion=assertion(first, data)), by=first.by)
    data = draft_exception_agreement(exception_id=one.pk, by=second.by)
    agree_exception(exception_id=one.pk, signed=Signed(data, assertion=assertion(second, data)), by=second.by)

    assert proofs_of([read_exceptions().get()])[one.pk] is not None
    assert [bool(row.assertion) for row in ExceptionSignature.objects.all()] == [True, True]
    broken = replace(claim_of(one), ask=replace(claim_of(one).ask, assertion=None))
    assert proved_exception(broken) is None


def test_assertion_over_a_sign_off_is_none_over_an_exception(world, change):
    first, leg = Signer(world.requester), leg_of(change)
    data = draft_exception(leg_id=leg.pk, plea=plea(), by=first.by)
    wrong = asserted(first.passkey, first.private, data, sign_count=1)  # the challenge of a sign-off's document

    assert code(ask_exception, leg_id=leg.pk, signed=Signed(data, assertion=wrong), by=first.by) == "passkey_challenge"


def test_statement_is_signed_once_fresh_and_as_it_was_read(world, change):
    first, leg = Signer(world.requester), leg_of(change)
    data = draft_exception(leg_id=leg.pk, plea=plea(), by=first.by)
    ask = {"leg_id": leg.pk, "by": first.by}
    longer = exception_bytes(replace(read_exception(data), minutes=240))

    assert code(ask_exception, **ask, signed=Signed(longer)) == "not_proved"  # it says itself what is asked: it is another plea
    assert code(ask_exception, **ask, signed=Signed(b"{}")) == "statement_unreadable"
    late = read_exception(data).at + timedelta(minutes=6)
    assert code(ask_exception, **ask, signed=Signed(data, assertion=assertion(first, data)), now=late) == "statement_old"
    edit(change, "scope")
    assert code(ask_exception, **ask, signed=Signed(data, assertion=assertion(first, data))) == "statement_changed"
    data = draft_exception(leg_id=leg.pk, plea=plea(), by=first.by)
    one = ask_exception(**ask, signed=Signed(data, assertion=assertion(first, data)))
    withdraw_exception(exception_id=one.pk, by=first.by)
    assert code(ask_exception, **ask, signed=Signed(data, assertion=assertion(first, data))) == "statement_used"


def test_session_alone_agrees_to_nothing_where_there_is_a_stronger_means(world, change):
    one = asked(change, world.requester, now=timezone.now())
    second = Signer(world.manager)

    data = draft_exception_agreement(exception_id=one.pk, by=second.by)
    for signed in (None, Signed(data), Signed(data, proved=proved(world.manager))):
        assert code(agree_exception, exception_id=one.pk, signed=signed, by=second.by) == "not_proved"


# Put into the tables


@pytest.mark.parametrize("part", ["statement", "signature", "statement_hash", "key_id", "alg"])
@pytest.mark.parametrize("act", ["ask", "agree"])
def test_every_flipped_part_of_either_signature_proves_nothing(world, change, part, act):
    claim = claim_of(agreed(change, world.requester, world.manager, now=timezone.now()))
    assert proved_exception(claim) is not None
    signature = getattr(claim, act)
    whole = getattr(signature, part)

    if isinstance(whole, bytes):
        bent = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 11)]
    else:
        bent = [whole[:-1] + ("0" if whole[-1] != "0" else "1")]
    for value in bent:
        assert proved_exception(replace(claim, **{act: replace(signature, **{part: value})})) is None


@pytest.mark.parametrize(
    "more",
    [
        {"minutes": 240},
        {"kind": "GATE"},
        {"kind": "EMERGENCY"},
        {"lifts": frozenset({"hold"})},
        {"reason": "Another one."},
        {"revision": 2},
        {"revision_digest": "0" * 64},
        {"agree": None},
        {"ask": None},
    ],
    ids=str,
)
def test_row_that_says_something_else_than_its_statements_proves_nothing(world, change, more):
    claim = claim_of(agreed(change, world.requester, world.manager, now=timezone.now()))

    assert proved_exception(replace(claim, **more)) is None


def test_later_end_other_persons_and_swapped_signatures_prove_nothing(world, change):
    claim = claim_of(agreed(change, world.requester, world.manager, now=timezone.now()))
    stranger, later = world.stranger.public_id, claim.ends_at + timedelta(hours=1)

    for bent in (
        replace(claim, ends_at=later),
        replace(claim, due_at=claim.due_at + timedelta(days=30)),
        replace(claim, due_at=None),
        replace(
            claim,
            agreed_at=claim.agreed_at + timedelta(minutes=6),
            ends_at=claim.ends_at + timedelta(minutes=6),
            due_at=claim.due_at + timedelta(minutes=6),
        ),
        replace(claim, agreed_by=stranger, agree=replace(claim.agree, person_id=stranger)),
        replace(claim, asked_by=claim.agreed_by, asked_at=claim.agreed_at, ask=claim.agree),
        replace(claim, agreed_by=claim.asked_by, agreed_at=claim.asked_at, agree=claim.ask),
        replace(claim, change_id=stranger),
        replace(claim, leg_id=stranger),
        replace(claim, target_id=stranger),
        replace(claim, installation=stranger),
    ):
        assert proved_exception(bent) is None


def test_agreement_to_another_request_proves_nothing(world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now())
    claim = claim_of(one)
    said = read_exception(claim.agree.statement)
    data = exception_bytes(replace(said, asked="0" * 64))
    forged = replace(claim.agree, statement=data, statement_hash=digest(data), signature=signing_key().sign(exception_message(data)).value)

    assert proved_exception(replace(claim, agree=forged)) is None


def test_signature_over_a_sign_offs_document_is_none_over_an_exception(world, change):
    claim = claim_of(agreed(change, world.requester, world.manager, now=timezone.now()))
    other = signing_key().sign(signed_message(claim.ask.statement)).value

    assert proved_exception(replace(claim, ask=replace(claim.ask, signature=other))) is None


def test_rows_with_made_up_signatures_prove_nothing(world, change):
    one = LegExceptionFactory(leg=leg_of(change), revision=change.revision, asked_by=world.requester, agreed_by=world.manager)
    for act, person in (("ASK", world.requester), ("AGREE", world.manager)):
        ExceptionSignatureFactory(exception=one, act=act, person=person)

    assert proofs_of([read_exceptions().get(pk=one.pk)]) == {one.pk: None}


@pytest.mark.parametrize(
    "bent",
    [b"", b"{}", b"[]", b'{"act":"ASK"}', b"\xff", b"{" * 5000],
    ids=["nothing", "empty", "list", "one member", "no text", "deep"],
)
def test_bytes_that_are_no_statement_are_refused(bent):
    with pytest.raises(NotAStatement):
        read_exception(bent)


def test_statement_with_other_members_is_refused(world, change):
    one = asked(change, world.requester, now=timezone.now())
    import json

    body = json.loads(bytes(one.signatures.get().statement))
    for wrong in (
        {**body, "more": "x"},
        {**body, "type": "changecontrol/sign-off/v1"},
        {**body, "schema": 2},
        {**body, "act": "AGREE"},
        {**body, "asked": "0" * 64},
        {name: value for name, value in body.items() if name != "nonce"},
    ):
        with pytest.raises(NotAStatement):
            read_exception(canonical_bytes(wrong))


# Two at once


@pytest.fixture
def committed(own_database):
    world = make_world()
    return world, make_emergency(world.target, world.requester, now=timezone.now())


def test_two_persons_agree_at_once_and_one_of_them_is_told_so(committed, racer, wait_until_blocked, monkeypatch):
    world, change = committed
    one = asked(change, world.requester, "EMERGENCY", now=None)
    pause = Pause(monkeypatch, "apps.approvals.actions.exceptions", "write_agreement")

    first = racer(lambda: agree_proved(exception_id=one.pk, by=world.manager.actor))
    pid = pause.wait()
    second = racer(lambda: agree_proved(exception_id=one.pk, by=world.business.actor))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()

    with pytest.raises(Refused) as refused:
        second.result()
    assert refused.value.refusal.code == "already_agreed"
    one.refresh_from_db()
    assert one.agreed_by == world.manager
    assert ExceptionSignature.objects.filter(exception=one).count() == 2


def test_agreement_and_withdrawal_at_once_end_in_one_of_both(committed, racer, wait_until_blocked, monkeypatch):
    world, change = committed
    one = asked(change, world.requester, now=None)
    pause = Pause(monkeypatch, "apps.approvals.actions.exceptions", "end_exception")

    first = racer(lambda: withdraw_exception(exception_id=one.pk, by=world.requester.actor))
    pid = pause.wait()
    second = racer(lambda: agree_proved(exception_id=one.pk, by=world.manager.actor))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()

    with pytest.raises(Refused) as refused:
        second.result()
    assert refused.value.refusal.code == "exception_over"


def test_two_ask_for_the_same_kind_at_once_and_one_waits(committed, racer, wait_until_blocked, monkeypatch):
    world, change = committed
    pause = Pause(monkeypatch, "apps.approvals.actions.exceptions", "write_exception")

    first = racer(lambda: asked(change, world.requester, now=None))
    pid = pause.wait()
    second = racer(lambda: asked(change, world.manager, now=None))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()

    with pytest.raises(Refused) as refused:
        second.result()
    assert refused.value.refusal.code == "already_asked"
    assert LegException.objects.count() == 1
    connection.close()
