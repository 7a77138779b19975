"""A row counts only as far as a statement of ours proves it: every way to make one up fails."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.approvals import proof
from apps.approvals.facts import review_facts
from apps.approvals.models import SignOff
from apps.approvals.proof import claim_of, proved_statement, statement_holds
from apps.approvals.rules import quorum
from apps.approvals.statement import PREFIX, read_statement, statement_bytes
from apps.audit.keys import installation_id
from apps.changes.models import Change
from apps.core.canonical import digest
from apps.core.signing import SigningKey
from tests.approvals.world import edit, make_world
from tests.factories.approvals import SignOffFactory, approve, newest


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def claim(world):
    change = world.change()
    approve(change, world.business)
    return claim_of(SignOff.objects.get(), installation=installation_id())


def test_a_real_sign_off_is_proved(claim):
    assert statement_holds(claim)
    assert proved_statement(claim) == read_statement(claim.statement)


def test_every_flipped_bit_of_the_statement_and_of_the_signature_is_noticed(claim):
    for at in range(len(claim.statement)):
        flipped = bytearray(claim.statement)
        flipped[at] ^= 1
        assert not statement_holds(replace(claim, statement=bytes(flipped), statement_hash=digest(bytes(flipped))))
    for at in range(len(claim.signature)):
        flipped = bytearray(claim.signature)
        flipped[at] ^= 1
        assert not statement_holds(replace(claim, signature=bytes(flipped)))


@pytest.mark.parametrize(
    "change",
    [
        {"installation": uuid4()},
        {"change_id": uuid4()},
        {"revision": 2},
        {"revision_digest": "0" * 64},
        {"person_id": uuid4()},
        {"decision": "REJECT"},
        {"meaning": "REVIEW"},
        {"covered_parts": ["period", "plan", "rollback", "scope", "story"]},
        {"covered_parts": ["plan"]},
        {"statement_hash": "0" * 64},
        {"key_id": "ed25519-0000000000000000"},
        {"key_id": ""},
        {"alg": "none"},
        {"signature": b""},
        {"statement": b""},
        {"statement": b"{}"},
    ],
    ids=lambda change: f"{next(iter(change))}",
)
def test_a_column_that_says_something_else_is_noticed(claim, change):
    assert not statement_holds(replace(claim, **change))


@pytest.mark.parametrize("away", [timedelta(seconds=-1), timedelta(minutes=5, seconds=1)])
def test_another_moment_is_noticed(claim, away):
    assert not statement_holds(replace(claim, given_at=claim.given_at + away))


def test_a_signature_of_the_bytes_without_their_type_is_noticed(claim):
    from apps.core.signing import signing_key

    assert signing_key().sign(PREFIX + claim.statement).value == claim.signature
    assert not statement_holds(replace(claim, signature=signing_key().sign(claim.statement).value))


def test_a_key_that_is_listed_under_the_wrong_name_proves_nothing(claim):
    from apps.audit.models import PublicKey
    from tests.conftest import NOW

    other = SigningKey(Ed25519PrivateKey.generate())
    PublicKey.objects.create(
        key_id="ed25519-feedfeedfeedfeed", alg="Ed25519", public=other.public, endorsement=b"{}", signature=bytes(64), listed_at=NOW
    )
    signature = other.sign(PREFIX + claim.statement).value

    assert not statement_holds(replace(claim, key_id="ed25519-feedfeedfeedfeed", signature=signature))


def test_a_row_without_a_statement_does_not_count(world):
    change = world.change()
    SignOffFactory(change=change, revision=newest(change), person=world.business, requester=world.requester)

    (leg,) = review_facts(change).legs

    assert leg.sign_offs[0].signature_ok is False
    assert not quorum(leg).met


@pytest.mark.parametrize("stolen", ["person", "change"])
def test_a_real_statement_under_another_name_does_not_count(world, stolen):
    real = approve(world.change(), world.business)
    change = world.change() if stolen == "change" else real.change
    person = world.technical if stolen == "person" else world.business
    said = read_statement(bytes(real.statement))
    forged = statement_bytes(replace(said, nonce="0" * 32))  # its hash is unique, so a copy must differ somewhere
    SignOffFactory(
        change=change,
        revision=newest(change),
        person=person,
        requester=world.requester,
        statement=forged,
        statement_hash=digest(forged),
        key_id=real.key_id,
        signature=bytes(real.signature),
    )

    (leg,) = review_facts(change).legs

    assert [one.signature_ok for one in leg.sign_offs if one.person.id == person.public_id] == [False]


def test_sign_offs_of_persons_merged_into_one_count_once(db):
    from apps.accounts.steps import fold
    from tests.conftest import NOW
    from tests.factories.approvals import SYSTEM, a_rule

    world = make_world(a_rule(needed=2))
    change = world.change()
    approve(change, world.business)
    approve(change, world.technical)
    (leg,) = review_facts(change).legs
    assert quorum(leg).met

    fold(world.technical, world.business, by=SYSTEM, at=NOW)

    (leg,) = review_facts(change).legs
    assert (quorum(leg).met, quorum(leg).rules[0].missing) == (False, 1)


@pytest.mark.parametrize("end", ["deactivated", "ownership ended"])
def test_who_left_no_longer_counts(world, end):
    from apps.catalog.models import Ownership
    from tests.conftest import NOW

    change = world.change()
    approve(change, world.business)
    if end == "deactivated":
        world.business.is_active, world.business.deactivated_at = False, NOW
        world.business.save()
    else:
        Ownership.objects.filter(person=world.business).update(ended_at=NOW, ended_by="SYSTEM:test")

    (leg,) = review_facts(change).legs

    assert not quorum(leg).met


def test_the_requester_merged_with_an_approver_loses_the_approval(world):
    from apps.accounts.steps import fold
    from tests.conftest import NOW
    from tests.factories.approvals import SYSTEM

    change = world.change()
    approve(change, world.business)
    fold(world.requester, world.business, by=SYSTEM, at=NOW)
    change.refresh_from_db()

    (leg,) = review_facts(change).legs

    assert not quorum(leg).met


@pytest.mark.parametrize("field", ["kind", "requester"])
def test_what_picks_the_policy_and_whom_it_excludes_is_signed_too(world, field):
    change = world.change()
    approve(change, world.business)
    edit(change, "story")  # the agreement was given to the revision before, and stands
    assert review_facts(change).legs[0].sign_offs[0].signature_ok

    Change.objects.filter(pk=change.pk).update(**{field: {"kind": "EMERGENCY", "requester": world.stranger}[field]})

    change = Change.objects.get(pk=change.pk)
    (leg,) = review_facts(change).legs
    assert leg.sign_offs[0].signature_ok is False
    assert not quorum(leg).met


def test_a_proof_is_remembered_until_everything_is_proved_again(claim, monkeypatch):
    asked = []
    monkeypatch.setattr(proof, "verifies", lambda *_: asked.append(1) or True)
    proof.forget()

    for _ in range(3):
        assert statement_holds(claim)
    assert len(asked) == 1
    proof.forget()
    assert statement_holds(claim)

    assert len(asked) == 2
    proof.forget()  # what was believed here is not believed by the next test
