"""Tickets: what is signed is what holds, nothing else does, and once."""

import json
from base64 import b64decode, b64encode
from dataclasses import fields, replace
from datetime import timedelta
from uuid import UUID

import pytest

from apps.changes.content import Period
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.refusals import Refused
from apps.core.signing import SigningKey, signing_key
from apps.gate.models import SpentTicket
from apps.gate.rules import Action
from apps.gate.steps import redeem
from apps.gate.tickets import PAYLOAD_TYPE, NotATicket, Permit, issue, open_ticket, pae
from tests.conftest import NOW
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import IDS, ask, body_for, make_gate_token
from tests.factories.schedule import HOUR, CalendarRuleFactory, HoldFactory

HASH = "ab" * 32
PERMIT = Permit(
    asked=("payments", "production"),
    id=IDS[0], installation=IDS[1], evaluation=IDS[2], action=Action.DEPLOY, service="checkout", environment="production", target=IDS[3],
    identities=(COMMIT,), change="CHG-7", leg=str(IDS[4]), revision_digest=HASH, settings_digest=HASH, policy_digest=HASH,
    not_before=NOW, expires_at=NOW + timedelta(minutes=60),
)  # fmt: skip
DEPLOYMENT = reference("deployment", IDS[5])
BY = system("test")


def envelope(permit=PERMIT):
    return issue(permit, key=signing_key()).envelope


def keys(key_id):
    return signing_key().public if key_id == signing_key().id else None


def opened(ticket, now=NOW):
    return open_ticket(ticket, keys=keys, now=now)


def code_of(ticket, now=NOW):
    with pytest.raises(NotATicket) as told:
        opened(ticket, now=now)
    return told.value.code


def test_ticket_says_what_was_permitted():
    assert opened(envelope()) == PERMIT


def test_ticket_is_an_in_toto_statement_about_the_identities():
    statement = json.loads(b64decode(envelope(replace(PERMIT, identities=(COMMIT, "sha256:" + "1" * 64)))["payload"]))

    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert [one["digest"] for one in statement["subject"]] == [{"gitCommit": COMMIT.removeprefix("git:")}, {"sha256": "1" * 64}]


def test_pae_is_that_of_dsse():
    assert pae(b"hello world", "http://example.com/HelloWorld") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize(("late", "code"), [(-1, "ticket_early"), (3600, "ticket_expired")])
def test_ticket_holds_between_its_moments(late, code):
    assert code_of(envelope(), now=NOW + timedelta(seconds=late)) == code


def test_ticket_of_another_key_is_refused():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    forged = issue(PERMIT, key=SigningKey(Ed25519PrivateKey.generate())).envelope
    claiming = {**forged, "signatures": [{**forged["signatures"][0], "keyid": signing_key().id}]}

    assert {code_of(forged), code_of(claiming)} == {"ticket_signature"}


def test_every_bit_of_payload_and_signature_is_signed():
    ticket = envelope()
    payload, signature = b64decode(ticket["payload"]), b64decode(ticket["signatures"][0]["sig"])
    for data, put in (
        (payload, lambda changed: {**ticket, "payload": changed}),
        (signature, lambda changed: {**ticket, "signatures": [{**ticket["signatures"][0], "sig": changed}]}),
    ):
        for bit in range(len(data) * 8):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            assert code_of(put(b64encode(bytes(flipped)).decode())) == "ticket_signature"


def test_every_character_of_the_envelope_matters():
    text = json.dumps(envelope(), separators=(",", ":"))
    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        try:
            ticket = json.loads(changed)
        except ValueError:
            continue
        if isinstance(ticket, dict):
            assert code_of(ticket) in {"ticket_form", "ticket_signature"}


@pytest.mark.parametrize("field", [field.name for field in fields(Permit)])
def test_every_field_is_in_what_is_signed(field):
    value = getattr(PERMIT, field)
    other = {str: "other", UUID: IDS[20], tuple: ("git:" + "b" * 40,), Action: Action.ROLLBACK, int: 60}.get(
        type(value), NOW + timedelta(seconds=9)
    )

    other = ("other", "production") if field == "asked" else other

    assert envelope(replace(PERMIT, **{field: other}))["payload"] != envelope()["payload"]


@pytest.mark.parametrize(
    "ticket",
    [
        {}, {"payloadType": PAYLOAD_TYPE}, {"payloadType": PAYLOAD_TYPE, "payload": 1, "signatures": []},
        {"payloadType": PAYLOAD_TYPE, "payload": "e30=", "signatures": [{"keyid": "x", "sig": "!"}]},
        {"payloadType": PAYLOAD_TYPE, "payload": "e30=\n", "signatures": [{"keyid": "x", "sig": ""}]},
        {"payloadType": PAYLOAD_TYPE, "payload": "é", "signatures": [{"keyid": "x", "sig": ""}]},
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(ticket):
    assert code_of(ticket) == "ticket_form"


def test_envelope_with_more_in_it_is_refused():
    ticket = envelope()
    signature = ticket["signatures"][0]

    assert code_of({**ticket, "extra": 1}) == "ticket_form"
    assert code_of({**ticket, "signatures": [signature, signature]}) == "ticket_form"
    assert code_of({**ticket, "signatures": [{**signature, "cert": "x"}]}) == "ticket_form"
    assert code_of({**ticket, "payloadType": "text/plain"}) == "ticket_form"


def test_signed_document_of_another_kind_is_no_ticket():
    payload = json.dumps({"_type": "other", "predicate": {}}).encode()
    made = signing_key().sign(pae(payload))
    signatures = [{"keyid": made.key_id, "sig": b64encode(made.value).decode()}]
    ticket = {"payloadType": PAYLOAD_TYPE, "payload": b64encode(payload).decode(), "signatures": signatures}

    assert code_of(ticket) == "ticket_form"


@pytest.fixture
def target(db):
    return make_place()


@pytest.fixture
def secret(db):
    return make_gate_token()[1]


def asked(target, secret, **parts):
    make_change(targets=(target,), **parts)
    return ask(secret, body_for(target, COMMIT)).json()


def spend(ticket, **more):
    return redeem(ticket, spent_for=more.pop("spent_for", DEPLOYMENT), by=BY, at=database_now(), **more)


def refused(ticket, **more):
    with pytest.raises(Refused) as told:
        spend(ticket, **more)
    return told.value.refusal.code


def test_ticket_is_spent_once(target, secret):
    ticket = asked(target, secret)["ticket"]

    permit = spend(ticket)

    assert (permit.target, permit.identities) == (target.public_id, (COMMIT,))
    assert refused(ticket) == "ticket_spent"
    assert SpentTicket.objects.get().spent_for == str(DEPLOYMENT)


def test_spent_ticket_is_not_handed_out_again(target, secret):
    make_change(targets=(target,))
    first = ask(secret, body_for(target, COMMIT), key="run-1").json()["ticket"]
    spend(first)

    again = ask(secret, body_for(target, COMMIT), key="run-1").json()["ticket"]

    assert again not in (None, first)


def test_ticket_does_not_pass_a_hold_placed_since(target, secret):
    ticket = asked(target, secret)["ticket"]
    HoldFactory()

    assert refused(ticket) == "held"


def test_rollback_ticket_passes_holds_and_freezes(target, secret):
    type(target).objects.filter(pk=target.pk).update(previous_identities=target.running_identities)
    body = asked(target, secret)
    HoldFactory()
    now = database_now()
    CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)

    assert spend(body["rollback_ticket"]).action == "ROLLBACK"


def test_ticket_made_for_another_revision_is_stale(target, secret):
    ticket = asked(target, secret)["ticket"]
    from apps.gate.models import Ticket

    stored = Ticket.objects.get(action="DEPLOY")
    permit = opened(ticket, now=database_now())
    other = replace(permit, id=IDS[30], revision_digest=HASH)
    Ticket.objects.create(
        public_id=other.id, evaluation_id=other.evaluation, action="DEPLOY", binds=other.binds, payload=b"", key_id="", signature=b"",
        issued_at=stored.issued_at, expires_at=stored.expires_at,
    )  # fmt: skip

    assert refused(envelope(other)) == "ticket_stale"


def test_forged_ticket_is_refused(target, secret):
    ticket = asked(target, secret)["ticket"]
    forged = {**ticket, "signatures": [{**ticket["signatures"][0], "sig": b64encode(bytes(64)).decode()}]}

    assert refused(forged) == "ticket_signature"


def test_spending_a_ticket_is_recorded(target, secret):
    from apps.audit.stream import entries_about

    spend(asked(target, secret)["ticket"])

    (entry,) = [one for one in entries_about(target.reference, limit=20) if one.event == "ticket.spent"]
    assert DEPLOYMENT in entry.refs


def test_ticket_that_was_never_stored_is_refused(target, secret):
    permit = opened(asked(target, secret)["ticket"], now=database_now())

    assert refused(envelope(replace(permit, id=IDS[31]))) == "ticket_unknown"
    assert refused(envelope(replace(permit, identities=("git:" + "b" * 40,)))) == "ticket_unknown"


def test_ticket_expires_with_the_signed_period(target, secret):
    ends = database_now() + timedelta(minutes=20)
    permit = opened(asked(target, secret, period=Period(None, ends, "UTC"))["ticket"], now=database_now())

    assert permit.expires_at == ends.replace(microsecond=0)


def test_ticket_expires_with_the_window(target, secret):
    now = database_now()
    CalendarRuleFactory(kind="WINDOW", starts_at=now - HOUR, ends_at=now + HOUR / 4)

    permit = opened(asked(target, secret)["ticket"], now=now + timedelta(seconds=5))

    assert permit.expires_at == (now + HOUR / 4).replace(microsecond=0)


def test_ticket_lives_an_hour_at_most(target, secret):
    permit = opened(asked(target, secret)["ticket"], now=database_now() + timedelta(seconds=1))

    assert permit.expires_at - permit.not_before == timedelta(minutes=60)
