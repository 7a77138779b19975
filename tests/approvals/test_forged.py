"""Forged sign-offs: what somebody might hand in, and what somebody might put into the table. Each is refused, and named."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from apps.approvals.actions import sign_statement
from apps.approvals.facts import passkeys_behind, review_facts
from apps.approvals.models import SignOff
from apps.approvals.proof import Enrolment, claim_of, statement_holds, why_not_by_passkey
from apps.approvals.rules import quorum
from apps.approvals.statement import read_statement, signed_message, statement_bytes
from apps.approvals.steps import Signed
from apps.audit.keys import installation_id
from apps.audit.models import Entry
from apps.audit.vocabulary import Event
from apps.core.canonical import digest
from apps.core.refusals import Refused
from apps.core.signing import signing_key
from apps.gate.gather import gather
from apps.gate.rules import Question
from tests.approvals.world import make_world
from tests.factories.approvals import SignOffFactory, make_policy, newest
from tests.factories.signing import Signer, asserted, proved

SOON = timedelta(seconds=1)


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def change(world):
    return world.change(now=timezone.now())


@pytest.fixture
def business(world):
    return Signer(world.business)


def refused(change, signed, by, *, now=None):
    """The code of the refusal; it is recorded about the change, and nothing is signed."""
    with pytest.raises(Refused) as raised:
        sign_statement(change_id=change.pk, signed=signed, by=by, now=now)
    entry = Entry.objects.filter(event=Event.SIGN_OFF_REFUSED).order_by("id").last()
    assert json.loads(bytes(entry.body))["data"]["code"] == raised.value.refusal.code
    assert not SignOff.objects.filter(change=change, withdrawn_at__isnull=True).exists()
    return raised.value.refusal.code


def test_sign_by_a_passkey_is_kept_whole_proved_and_counted(world, change, business):
    sign_off = business.sign(change, reason="Rehearsed.")

    (leg,) = review_facts(change).legs
    assert bytes(sign_off.credential_id) == bytes(business.passkey.credential_id)
    assert all((sign_off.authenticator_data, sign_off.client_data, sign_off.assertion, sign_off.rp_id, sign_off.origin))
    assert read_statement(bytes(sign_off.statement)).by["credential"] == "passkey"
    assert quorum(leg).met
    assert leg.sign_offs[0].proof == "passkey"
    business.passkey.refresh_from_db()
    assert business.passkey.sign_count == 1


def test_rejection_is_signed_alike(change, business):
    sign_off = business.sign(change, "REJECT", reason="Not like this.")

    change.refresh_from_db()
    assert (sign_off.decision, change.state) == ("REJECT", "REJECTED")


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        ({"challenge": b"\x00" * 32}, "passkey_challenge"),
        ({"origin": "https://changes.example.com"}, "passkey_origin"),
        ({"origin": "https://127.0.0.1:8000"}, "passkey_origin"),
        ({"rp_id": "example.com"}, "passkey_relying_party"),
        ({"user_verified": False}, "passkey_not_verified"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_assertion_of_something_else_is_refused_and_named(change, business, forge, code):
    data = business.statement(change)

    assert refused(change, Signed(data, assertion=business.assertion(data, **forge)), business.by) == code


def test_assertion_of_another_record_is_refused(world, change, business):
    other = world.change(now=timezone.now())
    theirs = business.assertion(business.statement(other))

    assert refused(change, Signed(business.statement(change), assertion=theirs), business.by) == "passkey_challenge"


@pytest.mark.parametrize(
    ("part", "codes"),
    [
        ("signature", {"passkey_signature"}),
        ("authenticator_data", {"passkey_signature", "passkey_relying_party", "passkey_not_present", "passkey_not_verified"}),
        ("client_data", {"passkey_signature", "passkey_client_data", "passkey_type", "passkey_challenge", "passkey_origin"}),
        ("credential_id", {"passkey_unknown"}),
    ],
)
def test_every_flipped_byte_of_an_assertion_is_refused(change, business, part, codes):
    data = business.statement(change)
    assertion = business.assertion(data)
    whole = getattr(assertion, part)

    for at in range(0, len(whole), 7):
        bent = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert refused(change, Signed(data, assertion=replace(assertion, **{part: bent})), business.by) in codes


@pytest.mark.parametrize("data", [b"", b"\x00" * 36, b"\xff" * 37])
def test_authenticator_data_of_any_length_is_refused_not_broken(change, business, data):
    statement = business.statement(change)
    assertion = replace(business.assertion(statement), authenticator_data=data)

    assert refused(change, Signed(statement, assertion=assertion), business.by) == "passkey_relying_party"


def test_counter_that_goes_back_or_stands_is_refused(change, business):
    business.passkey.sign_count = 7
    business.passkey.save()
    data = business.statement(change)

    for count in (7, 6, 0):
        signed = Signed(data, assertion=business.assertion(data, sign_count=count))
        assert refused(change, signed, business.by) == "passkey_counter_back"


def test_passkey_that_does_not_count_signs_again_and_again(world, change, business):
    data = business.statement(change)

    sign_statement(change_id=change.pk, signed=Signed(data, assertion=business.assertion(data, sign_count=0)), by=business.by)
    other = world.change(now=timezone.now())
    data = business.statement(other)
    sign_statement(change_id=other.pk, signed=Signed(data, assertion=business.assertion(data, sign_count=0)), by=business.by)

    assert SignOff.objects.count() == 2


def test_passkey_of_another_person_is_refused(world, change, business):
    data, theirs = business.statement(change), Signer(world.technical)

    assert refused(change, Signed(data, assertion=theirs.assertion(data)), business.by) == "passkey_not_yours"


def test_passkey_that_was_never_added_is_refused(change, business):
    data = business.statement(change)
    signed = Signed(data, assertion=asserted(business.passkey, business.private, data, credential_id=b"nobody's"))

    assert refused(change, signed, business.by) == "passkey_unknown"


def test_key_of_ones_own_under_a_known_credential_is_refused(change, business):
    data = business.statement(change)
    stranger = asserted(business.passkey, ec.generate_private_key(ec.SECP256R1()), data)

    assert refused(change, Signed(data, assertion=stranger), business.by) == "passkey_signature"


def test_removed_passkey_is_refused_while_another_one_stands(world, change, business):
    old = Signer(world.business)
    data = business.statement(change)
    old.passkey.removed_at = timezone.now()
    old.passkey.save()

    assert refused(change, Signed(data, assertion=old.assertion(data)), business.by) == "passkey_removed"


def test_passkey_of_a_removed_person_is_refused(world, change, business):
    data = business.statement(change)
    signed, by = Signed(data, assertion=business.assertion(data)), business.by
    world.business.is_active, world.business.deactivated_at = False, timezone.now()
    world.business.save()

    assert refused(change, signed, by) == "not_present"


def test_statement_made_for_a_passkey_that_is_gone_is_made_anew(change, business):
    data = business.statement(change)
    business.passkey.removed_at = timezone.now()
    business.passkey.save()

    assert refused(change, Signed(data, assertion=business.assertion(data)), business.by) == "other_proof"


def test_passkey_is_asked_for_where_one_is_enrolled(change, business):
    weaker = replace(business.by, credential="password")
    data = statement_bytes(replace(read_statement(business.statement(change)), by=weaker.as_data()))

    assert refused(change, Signed(data, proved=proved(business.person)), weaker) == "other_proof"


@pytest.mark.parametrize("way", ["spaces", "order", "escapes", "member more", "cut off", "none"])
def test_statement_written_otherwise_is_refused(change, business, way):
    data = business.statement(change)
    body = json.loads(data)
    written = {
        "spaces": json.dumps(body, sort_keys=True).encode(),
        "order": json.dumps(dict(reversed(body.items())), separators=(",", ":")).encode(),
        "escapes": data.replace(b'"APPROVE"', b'"\\u0041PPROVE"'),
        "member more": json.dumps({**body, "more": 1}, sort_keys=True, separators=(",", ":")).encode(),
        "cut off": data[:-1],
        "none": b"",
    }[way]

    signed = Signed(written, assertion=business.assertion(written))

    assert refused(change, signed, business.by) == "statement_unreadable"


@pytest.mark.parametrize(
    "said",
    [
        {"person_name": "Somebody else"},
        {"covers": {"story": "0" * 64}},
        {"settings": {}},
        {"policies": {}},
        {"rules": ()},
        {"ref": "CHG-1"},
        {"installation": "0198aaaa-0000-7000-8000-000000000001"},
        {"revision": 2},
    ],
    ids=lambda said: next(iter(said)),
)
def test_statement_that_says_something_else_than_would_be_stated_is_refused(change, business, said):
    data = statement_bytes(replace(read_statement(business.statement(change)), **said))

    assert refused(change, Signed(data, assertion=business.assertion(data)), business.by) == "statement_changed"


def test_statement_of_another_person_is_refused(world, change, business):
    theirs = Signer(world.technical)
    data = theirs.statement(change)

    assert refused(change, Signed(data, assertion=theirs.assertion(data)), business.by) == "other_proof"
    assert refused(change, Signed(data, assertion=business.assertion(data)), theirs.by) == "passkey_not_yours"


def test_statement_that_was_signed_is_not_signed_again(change, business):
    data = business.statement(change)
    sign_statement(change_id=change.pk, signed=Signed(data, assertion=business.assertion(data)), by=business.by)
    SignOff.objects.update(withdrawn_at=timezone.now(), withdrawn_by="SYSTEM:test")

    assert refused(change, Signed(data, assertion=business.assertion(data)), business.by) == "statement_used"


@pytest.mark.parametrize("late", [timedelta(minutes=5, seconds=2), timedelta(minutes=-1)])
def test_statement_is_signed_while_it_is_good(change, business, late):
    data = business.statement(change)
    now = read_statement(data).at + late

    assert refused(change, Signed(data, assertion=business.assertion(data)), business.by, now=now) == "statement_old"


@pytest.mark.parametrize("given", ["nothing", "another's", "too long ago", "weaker", "passkey"])
def test_password_proves_its_person_this_moment(world, change, given):
    person = Signer(world.business)
    person.passkey.removed_at = timezone.now()
    person.passkey.save()
    data = person.statement(change)
    signed = {
        "nothing": Signed(data),
        "another's": Signed(data, proved=proved(world.technical)),
        "too long ago": Signed(data, proved=proved(world.business, at=timezone.now() - timedelta(minutes=3))),
        "weaker": Signed(data, proved=proved(world.business, method="NOTHING")),
        "passkey": Signed(data, assertion=person.assertion(data)),
    }[given]

    assert refused(change, signed, person.by) == "not_proved"
    assert sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=person.by)


def test_session_alone_signs_no_statement(change, business):
    data = statement_bytes(replace(read_statement(business.statement(change)), by=business.person.actor.as_data()))
    business.passkey.removed_at = timezone.now()
    business.passkey.save()
    business.person.set_unusable_password()
    business.person.save()

    assert refused(change, Signed(data), business.person.actor) == "no_means"


def test_policy_that_demands_a_passkey_counts_no_other_signature(world, change, business):
    without = Signer(world.technical)
    without.passkey.removed_at = timezone.now()
    without.passkey.save()
    data = without.statement(change)
    sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.technical)), by=without.by)
    assert quorum(review_facts(change).legs[0]).met

    make_policy(world.target.environment, require_passkey=True)

    assert not quorum(review_facts(change).legs[0]).met
    with pytest.raises(Refused, match="asks for a passkey"):
        without.statement(change)
    business.sign(change)
    assert quorum(review_facts(change).legs[0]).met


# What stands in the table, as somebody with its password could write it.


@pytest.fixture
def real(change, business):
    return business.sign(change)


def claimed(sign_off):
    sign_off = SignOff.objects.select_related("change", "revision__change__requester", "revision__author", "person").get(pk=sign_off.pk)
    passkeys = passkeys_behind([sign_off])
    return claim_of(sign_off, installation=installation_id(), passkey=passkeys.get(bytes(sign_off.credential_id)))


def test_real_claim_holds(real):
    assert statement_holds(claimed(real))


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda claim: replace(claim, assertion=None), "missing"),
        (lambda claim: replace(claim, passkey=None), "unknown"),
        (lambda claim: replace(claim, passkey=replace(claim.passkey, person_id=installation_id())), "not_theirs"),
        (lambda claim: replace(claim, passkey=replace(claim.passkey, rp_id="example.com")), "elsewhere"),
        (lambda claim: replace(claim, passkey=replace(claim.passkey, added_at=claim.given_at + SOON)), "added_later"),
        (lambda claim: replace(claim, passkey=replace(claim.passkey, removed_at=claim.given_at - timedelta(hours=1))), "removed_before"),
        (lambda claim: replace(claim, passkey=replace(claim.passkey, public_key=b"no key")), "signature"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, signature=b"")), "signature"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, origin="https://[")), "origin"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, origin="http://localhost.example.com")), "origin"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, rp_id="example.com")), "elsewhere"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, client_data=b"[]")), "client_data"),
        (lambda claim: replace(claim, assertion=replace(claim.assertion, authenticator_data=b"")), "relying_party"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_columns_beside_a_statement_are_proved_too(real, forge, code):
    forged = forge(claimed(real))

    assert why_not_by_passkey(read_statement(forged.statement), claim=forged) == code
    assert not statement_holds(forged)


def test_passkey_removed_afterwards_goes_on_proving_what_it_signed(real, business):
    business.passkey.removed_at = timezone.now() + SOON
    business.passkey.save()

    assert statement_holds(claimed(real))


def test_assertion_beside_a_statement_that_tells_of_none_is_noticed(world, change, business, real):
    claim = claimed(real)
    by = replace(world.business.actor, credential="password_and_code")
    said = replace(read_statement(claim.statement), by=by.as_data(), at=claim.given_at)
    data = statement_bytes(said)
    server = signing_key().sign(signed_message(data)).value
    bare = replace(claim, statement=data, statement_hash=digest(data), signature=server, assertion=None)

    assert statement_holds(bare)
    assert not statement_holds(replace(bare, assertion=claim.assertion))


def test_holder_of_the_servers_key_cannot_make_up_what_a_passkey_signs(world, change, real):
    """They have the key file and the database: still every approval by passkey needs an enrolment of that person."""
    theirs, claim = Signer(world.stranger), claimed(real)
    data = statement_bytes(replace(read_statement(claim.statement), nonce="0" * 32))
    made_up = replace(
        claim,
        statement=data,
        statement_hash=digest(data),
        signature=signing_key().sign(signed_message(data)).value,
        assertion=theirs.assertion(data),
        passkey=Enrolment(world.stranger.public_id, bytes(theirs.passkey.public_key), theirs.passkey.rp_id, claim.given_at, None),
    )

    assert why_not_by_passkey(read_statement(data), claim=made_up) == "not_theirs"
    assert not statement_holds(made_up)


@pytest.mark.parametrize("given", [timedelta(seconds=-1), timedelta(minutes=5, seconds=2)])
def test_row_given_before_its_statement_or_long_after_it_does_not_hold(real, given):
    claim = claimed(real)

    assert not statement_holds(replace(claim, given_at=read_statement(claim.statement).at + given))


def copy_of(sign_off, **other):
    """A row put in by hand, with everything the real one has."""
    columns = ("key_id", "signature", "credential_id", "authenticator_data", "client_data", "assertion", "rp_id", "origin")
    row = {name: getattr(sign_off, name) for name in columns}
    row |= {"change": sign_off.change, "revision": newest(sign_off.change), "person": sign_off.person, "requester": sign_off.requester}
    return SignOffFactory(**{**row, "statement": bytes(sign_off.statement) + b" ", **other})


def at_gate(world, change):
    """The change's leg as the gate reads it."""
    place, identities = world.target, tuple(change.items.get().identities)
    asked = Question(service=place.service.slug, environment=place.environment.slug, identities=identities)
    return next(one for one in gather(asked).facts.legs if one.ref == change.ref)


@pytest.mark.parametrize("row", ["another's name", "another change", "passkey taken away"])
def test_row_put_in_by_hand_does_not_count_at_the_page_nor_at_the_gate(world, change, business, row):
    other = world.change(now=timezone.now())
    real = business.sign(other)
    match row:
        case "another's name":
            copy_of(real, change=change, revision=newest(change), person=world.technical)
        case "another change":
            copy_of(real, change=change, revision=newest(change))
        case _:
            data = bytes(business.statement(change))
            server = signing_key().sign(signed_message(data)).value
            SignOffFactory(
                change=change,
                revision=newest(change),
                person=world.business,
                requester=change.requester,
                given_at=timezone.now(),
                statement=data,
                statement_hash=digest(data),
                key_id=signing_key().id,
                signature=server,
            )

    (leg,) = review_facts(change).legs
    asked = at_gate(world, change)

    assert [one.signature_ok for one in leg.sign_offs] == [False]
    assert [one.signature_ok for one in asked.quorum.sign_offs] == [False]
    assert not quorum(leg).met
    assert not quorum(asked.quorum).met


def test_gate_proves_a_passkeys_signature_as_the_page_does(world, change, business):
    business.sign(change)

    leg = at_gate(world, change)

    assert [(one.signature_ok, one.proof) for one in leg.quorum.sign_offs] == [(True, "passkey")]
    assert quorum(leg.quorum).met
