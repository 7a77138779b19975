"""Exceptions in an export: walked by the real actions, then bent in every way a database can be bent by hand."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO

import pytest
from django.utils import timezone

from apps.accounts.actions import deactivate_person, merge_persons, reactivate_person
from apps.accounts.models import Person
from apps.approvals.actions import (
    agree_exception,
    ask_exception,
    draft_exception,
    draft_exception_agreement,
    refuse_exception,
    review_exception,
    withdraw_exception,
)
from apps.approvals.exception_statement import exception_bytes, exception_challenge, exception_message, read_exception
from apps.approvals.models import LegException
from apps.approvals.steps import Signed
from apps.audit.export import write_export
from apps.audit.record import record
from apps.audit.verifier import DoesNotHold, sentences, verify
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.references import reference
from apps.core.signing import signing_key
from tests.approvals.world import make_world
from tests.audit.test_passkeys import base64url
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.approvals import agree
from tests.factories.exceptions import LegExceptionFactory, agreed, asked, leg_of, make_emergency, plea
from tests.factories.signing import Signer, asserted

MINUTE = timedelta(minutes=1)
LONG = "It was the queue. " * 3


@pytest.fixture
def world(db):
    world = make_world()
    MembershipFactory(person=world.technical, team=world.target.service.team)
    return world


@pytest.fixture
def change(world):
    return make_emergency(world.target, world.requester, now=timezone.now())


@pytest.fixture
def one(world, change):
    return agreed(change, world.requester, world.manager, "EMERGENCY", now=None)


def exported():
    out = BytesIO()
    write_export(out)
    return out.getvalue().splitlines(keepends=True)


def bent(kind, bend, *, at=0):
    """The export with one line of a kind changed, as if its row had been."""
    lines = exported()
    numbers = [number for number, line in enumerate(lines) if line.startswith(f'{{"kind":"{kind}"'.encode())]
    said = json.loads(lines[numbers[at]])
    bend(said)
    lines[numbers[at]] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
    return lines


def without(kind, *, at=0):
    lines = exported()
    numbers = [number for number, line in enumerate(lines) if line.startswith(f'{{"kind":"{kind}"'.encode())]
    end = json.loads(lines[-1])
    end["lines"] -= 1
    del lines[numbers[at]]
    return [*lines[:-1], json.dumps(end, separators=(",", ":")).encode() + b"\n"]


def test_every_life_of_an_exception_verifies(world, change):
    given = agreed(change, world.requester, world.manager, "EMERGENCY", now=None)
    refused = asked(change, world.requester, "FREEZE", now=None)
    refuse_exception(exception_id=refused.pk, by=world.manager.actor, reason="Not today.")
    asked(change, world.requester, "GATE", now=None)
    withdraw_exception(exception_id=given.pk, by=world.requester.actor)
    review_exception(exception_id=given.pk, by=world.technical.actor, review=LONG, prevention=LONG)

    report = verify(exported())

    assert (report.exceptions, report.void) == (3, 0)
    said = sentences(report)
    assert "3 exceptions" in said
    assert any(line.startswith("key ") and ", 4 signatures of exceptions" in line for line in said)


def test_exception_signed_with_passkeys_verifies_and_its_assertion_is_proved(world, change):
    first, second, leg = enrolled(world.requester), enrolled(world.manager), leg_of(change)
    data = draft_exception(leg_id=leg.pk, plea=plea("EMERGENCY"), by=first.by)
    given = ask_exception(leg_id=leg.pk, signed=Signed(data, assertion=assertion(first, data)), by=first.by)
    data = draft_exception_agreement(exception_id=given.pk, by=second.by)
    agree_exception(exception_id=given.pk, signed=Signed(data, assertion=assertion(second, data)), by=second.by)

    assert [one.signed["signature"] for one in verify(exported()).passkeys.values()] == [1, 1]
    for part in ("assertion", "authenticator_data", "client_data"):
        with pytest.raises(DoesNotHold, match=r"signature EXC-\d+ AGREE, position unsealed: its passkey .* (signed|did not|is for)|lacks"):
            verify(bent("signature", lambda said, part=part: flip(said, part), at=1))
    with pytest.raises(DoesNotHold, match=r"was never added|lacks what"):
        verify(bent("signature", lambda said: said.update(credential_id="", assertion="", client_data="", authenticator_data=""), at=1))


def enrolled(person):
    signer = Signer(person)
    row = signer.passkey
    told = {"credential_id": base64url(bytes(row.credential_id)), "public_key": base64url(bytes(row.public_key)), "rp_id": row.rp_id}
    record(Event.PASSKEY_ADDED, subject=person, by=person.actor, at=row.enrolled_at, data=told)
    return signer


def assertion(signer, data):
    signer.count += 1
    return asserted(signer.passkey, signer.private, data, challenge=exception_challenge(data), sign_count=signer.count)


def flip(said, part):
    whole = bytearray(b64decode(said[part]))
    whole[len(whole) // 2] ^= 1
    said[part] = b64encode(whole).decode()


# What a row says


TERMS = {"minutes": 240, "kind": "FREEZE", "lifts": ["hold"], "reason": "Another one.", "change": "x", "leg": "x", "target": "x"}


@pytest.mark.parametrize("what", [*TERMS, "revision"])
def test_row_that_says_something_else_than_what_was_signed_is_named(one, what):
    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the {what} is .* in the first statement"):
        verify(bent("exception", lambda said: said["terms"].update({what: TERMS.get(what, {"number": 1, "digest": "0" * 64})})))


@pytest.mark.parametrize(("what", "named"), [("ends_at", "end"), ("due_at", "day of its review")])
def test_time_that_does_not_follow_from_the_agreement_is_named(one, what, named):
    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the {named} is "):
        verify(bent("exception", lambda said: said.update({what: "2027-01-01T00:00:00.000000Z"})))


@pytest.mark.parametrize(
    "act",
    ["exception.declined", "exception.withdrawn", "exception.lapsed", "exception.reviewed", "exception.reminded", "exception.overdue"],
)
def test_act_written_by_hand_without_its_entry_is_named(world, one, act):
    written = ["2026-11-20T14:20:00.000000Z", str(world.technical.public_id)]

    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the {act} is \[.*\] here and None in the stream"):
        verify(bent("exception", lambda said: said["acts"].update({act: written})))


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("act", ["exception.asked", "exception.agreed", "exception.reviewed"])
def test_moment_or_person_of_an_act_that_was_changed_is_named(world, one, act, place):
    withdraw_exception(exception_id=one.pk, by=world.requester.actor)
    review_exception(exception_id=one.pk, by=world.technical.actor, review=LONG, prevention=LONG)
    other = ["2026-11-20T14:20:00.000000Z", str(world.stranger.public_id)][place]

    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the {act} is "):
        verify(bent("exception", lambda said: said["acts"][act].__setitem__(place, other)))


def test_review_that_was_taken_away_is_named(world, one):
    withdraw_exception(exception_id=one.pk, by=world.requester.actor)
    review_exception(exception_id=one.pk, by=world.technical.actor, review=LONG, prevention=LONG)

    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the exception.reviewed is None here"):
        verify(bent("exception", lambda said: said["acts"].pop("exception.reviewed")))


def test_row_put_in_by_hand_is_named(world, change):
    slipped = LegExceptionFactory(leg=leg_of(change), revision=change.revision, asked_by=world.requester, agreed_by=world.manager)

    with pytest.raises(DoesNotHold, match=rf"exception {slipped.ref}: the exception.agreed is \[.*\] here and None in the stream"):
        verify(exported())


def test_review_written_by_sql_is_named(world, one):
    LegException.objects.filter(pk=one.pk).update(reviewed_at=timezone.now(), reviewed_by=world.technical, review="Fine.")

    with pytest.raises(DoesNotHold, match=rf"exception {one.ref}: the exception.reviewed is \[.*\] here and None in the stream"):
        verify(exported())


# What was signed


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("part", ["statement", "signature"])
def test_every_flipped_byte_of_either_signature_is_found(one, part, at):
    with pytest.raises(DoesNotHold, match=rf"signature {one.ref} (ASK|AGREE)"):
        verify(bent("signature", lambda said: flip(said, part), at=at))


@pytest.mark.parametrize("at", [0, 1])
def test_signature_that_was_taken_away_is_named(one, at):
    with pytest.raises(DoesNotHold, match=r"the signature with the statement .* is told and not there"):
        verify(without("signature", at=at))


def test_exception_that_was_taken_away_is_named(one):
    with pytest.raises(DoesNotHold, match=f"exception:{one.public_id} is told and not there"):
        verify(without("exception"))


@pytest.mark.parametrize("change_of", [{"act": "AGREE"}, {"exception": "0"}, {"key_id": "ed25519-" + "0" * 32}], ids=str)
def test_signature_of_another_act_exception_or_key_is_named(one, change_of):
    with pytest.raises(DoesNotHold, match=rf"signature {one.ref} ASK, position unsealed: (the act|the exception|its key)"):
        verify(bent("signature", lambda said: said.update(change_of)))


def forge(one, *, hand, said):
    """What somebody with our key file could write: an agreement of their own, with its row and its entry."""
    data = exception_bytes(said)
    value = signing_key().sign(exception_message(data)).value
    at = timezone.now()
    LegException.objects.filter(pk=one.pk).update(
        agreed_at=at, agreed_by=hand, ends_at=at + timedelta(minutes=one.minutes), review_due_at=at + timedelta(hours=72)
    )
    one.signatures.create(
        act="AGREE", person=hand, given_at=at, statement=data, statement_hash=sha256(data).hexdigest(), key_id=signing_key().id,
        alg="Ed25519", signature=value,
    )  # fmt: skip
    record(Event.EXCEPTION_AGREED, subject=one, by=hand_of(said), at=at, data={"statement": sha256(data).hexdigest()})


def hand_of(said):
    person = Person.objects.get(public_id=said.person_id)
    return type(person.actor)(person.actor.kind, person.actor.id, said.by["credential"])


def agreement(one, hand, **other):
    row = one.signatures.get(act="ASK")
    asked_for = read_exception(bytes(row.statement))
    mine = {"person_id": hand.public_id, "person_name": hand.name, "by": {**asked_for.by, "id": str(hand.public_id)}}
    given = {"asked": row.statement_hash, "at": timezone.now(), "nonce": "0" * 32, **mine, **other}
    return replace(asked_for, **given)


def test_agreement_forged_word_for_word_with_our_key_holds_so_that_the_next_ones_mean_something(world, change):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    forge(one, hand=world.manager, said=agreement(one, world.manager))

    assert verify(exported()).exceptions == 1


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"minutes": 240}, "the minutes is 240 here and 60 by what was asked"),
        ({"reason": "Another one."}, "the reason is "),
        ({"kind": "FREEZE"}, "the kind is "),
        ({"lifts": ("hold",)}, "the lifts is "),
        ({"settings": "0" * 64}, "the settings is "),
        ({"identities": ("0" * 40,)}, "the identities is "),
        ({"covers": {"scope": "0" * 64}}, "the covers is "),
        ({"asked": "0" * 64}, "the first statement is "),
    ],
    ids=str,
)
def test_agreement_to_other_words_is_named(world, change, other, named):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    forge(one, hand=world.manager, said=agreement(one, world.manager, **other))

    with pytest.raises(DoesNotHold, match=f"exception {one.ref}: {named}"):
        verify(exported())


@pytest.mark.parametrize("credential", ["session", "token", ""])
def test_agreement_proved_by_nothing_is_named(world, change, credential):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    by = {**agreement(one, world.manager).by, "credential": credential}
    forge(one, hand=world.manager, said=agreement(one, world.manager, by=by))

    with pytest.raises(DoesNotHold, match=rf"{one.ref} AGREE, position unsealed: its person proved themselves by (nothing|session|token),"):
        verify(exported())


def test_agreement_signed_long_after_it_was_read_is_named(world, change):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    forge(one, hand=world.manager, said=agreement(one, world.manager, at=timezone.now() - 6 * MINUTE))

    with pytest.raises(DoesNotHold, match=rf"signature {one.ref} AGREE, position unsealed: the moment is "):
        verify(exported())


# One and the same person


def test_one_person_twice_is_named(world, change):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    said = agreement(one, world.requester)
    data = exception_bytes(said)

    lines = forged_lines(one, data, said)
    with pytest.raises(DoesNotHold, match=f"exception {one.ref}: one and the same person asked for it and agreed to it"):
        verify(lines)


def forged_lines(one, data, said):
    """The database itself refuses a row whose two persons are one: the lines say so."""
    at = timezone.now()
    value, digest = signing_key().sign(exception_message(data)).value, sha256(data).hexdigest()
    one.signatures.create(
        act="AGREE", person=one.asked_by, given_at=at, statement=data, statement_hash=digest, key_id=signing_key().id, alg="Ed25519",
        signature=value,
    )  # fmt: skip
    record(Event.EXCEPTION_AGREED, subject=one, by=hand_of(said), at=at, data={"statement": digest})

    def bend(row):
        row["acts"]["exception.agreed"] = [at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), str(one.asked_by.public_id)]
        row["ends_at"], row["due_at"] = (at + timedelta(minutes=one.minutes)).isoformat(), (at + timedelta(hours=72)).isoformat()

    return bent("exception", bend)


def test_two_accounts_that_were_one_person_before_are_named_and_since_then_are_not(world, change):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    forge(one, hand=world.manager, said=agreement(one, world.manager))
    first = reference("person", world.requester.public_id)
    merged = {"subject": first, "by": world.stranger.actor, "refs": [reference("person", world.manager.public_id)]}

    record(Event.PERSON_MERGED, at=timezone.now() + MINUTE, **merged)
    assert verify(exported()).exceptions == 1
    record(Event.PERSON_MERGED, at=timezone.now() - MINUTE, **merged)
    with pytest.raises(DoesNotHold, match=f"exception {one.ref}: one and the same person"):
        verify(exported())


def test_persons_merged_into_each_other_by_forged_entries_keep_nobody_waiting(world, one):
    both = [reference("person", person.public_id) for person in (world.requester, world.manager)]
    for subject, gone in (both, both[::-1]):
        record(Event.PERSON_MERGED, subject=subject, by=world.stranger.actor, at=timezone.now() - MINUTE, refs=[gone])

    assert verify(exported()).exceptions == 1


def test_real_merge_of_both_leaves_what_was_told_true(world, one):
    merge_persons(world.requester.pk, world.manager.pk, by=make_person("ADMINISTRATOR").actor)

    assert verify(exported()).exceptions == 1


# Who was away


def away(person, *, back=True):
    administrator = make_person("ADMINISTRATOR")
    deactivate_person(person.pk, by=administrator.actor)
    if back:
        reactivate_person(person.pk, by=administrator.actor)
    person.refresh_from_db()


@pytest.mark.parametrize("back", [True, False])
def test_what_somebody_signed_before_they_were_deactivated_is_counted_as_void_also_after_they_came_back(world, change, one, back):
    agree(change)
    away(world.manager, back=back)

    report = verify(exported())

    assert report.void >= 1
    assert f"{report.void} of them count no more: who signed was deactivated since" in "\n".join(sentences(report))


def test_table_that_forgets_that_somebody_was_away_is_named(world, one):
    """Without the moment of coming back, everything they signed before would count again."""
    away(world.manager)
    assert verify(exported()).exceptions == 1
    Person.objects.filter(pk=world.manager.pk).update(inactive_until=None)

    with pytest.raises(DoesNotHold, match=f"person {world.manager.public_id}: the moment of coming back is None here and 20"):
        verify(exported())


def test_table_that_brings_somebody_back_is_named(world, one):
    away(world.manager, back=False)
    Person.objects.filter(pk=world.manager.pk).update(is_active=True, deactivated_at=None)

    with pytest.raises(DoesNotHold, match=f"person {world.manager.public_id}: the state is active here and deactivated in the stream"):
        verify(exported())


def test_signature_of_somebody_who_was_deactivated_then_is_named(world, change):
    one = asked(change, world.requester, "EMERGENCY", now=None)
    away(world.manager, back=False)
    forge(one, hand=world.manager, said=agreement(one, world.manager))

    with pytest.raises(DoesNotHold, match=rf"signature {one.ref} AGREE, position unsealed: whoever signed it was deactivated then"):
        verify(exported())


def test_act_told_a_second_time_is_named(world, one):
    record(Event.EXCEPTION_REMINDED, subject=one, by=system("clock"), at=timezone.now())
    record(Event.EXCEPTION_REMINDED, subject=one, by=system("clock"), at=timezone.now())

    with pytest.raises(DoesNotHold, match="it tells of what an entry before it tells of"):
        verify(exported())
