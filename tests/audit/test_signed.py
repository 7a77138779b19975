"""Keys and sign-offs in an export: whose key signed, and whether what was signed is what the stream tells."""

import json
from base64 import b64decode, b64encode
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from apps.audit.keys import PREFIX, list_key
from apps.audit.seal import seal_now
from apps.audit.verifier import DoesNotHold, main, sentences, verify
from apps.audit.vocabulary import Event
from apps.core.references import reference
from apps.core.signing import SigningKey
from tests.audit.conftest import KEY, SIGNER, sign_off_row, statement, tell_sign_off
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_entry

SECOND = {"nonce": "2"}  # the digest of a statement is told once


def other_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def slip_in(stream, key: SigningKey) -> None:
    """A key with its entry, and a sign-off that it signed with its entry: what the application's database role can write."""
    list_key(key, by=SIGNER, at=NOW)
    tell_sign_off(statement(**SECOND), sign_off="2")
    stream.sign_offs.append(sign_off_row(statement(**SECOND), key=key, sign_off="2"))


def test_each_key_is_named_with_its_place_and_who_listed_it(stream):
    said = sentences(stream.verified())

    (line,) = [line for line in said if line.startswith("key ")]
    assert line.startswith(f"key {KEY.id}, listed at position 1 by PERSON:")
    assert line.endswith(", 1 sign-offs")
    assert "was believed" in said[said.index(line) + 1]


def test_key_that_was_slipped_in_is_named_and_fails_where_ours_is_named(stream):
    stranger = other_key()
    slip_in(stream, stranger)

    said = "\n".join(sentences(stream.verified()))

    assert f"key {stranger.id}, listed at position unsealed by PERSON:{SIGNER.id}, 1 sign-offs" in said
    assert "2 sign-offs, 1 of them told in the unsealed tail only" in said
    with pytest.raises(DoesNotHold, match=f"sign-off 2, position unsealed: it is signed with key {stranger.id}, which is none of those"):
        stream.verified(keys=(KEY.id,))
    both = sentences(stream.verified(keys=(KEY.id, stranger.id)))
    assert not any("was believed" in line for line in both)


def test_program_and_command_take_keys(stream, tmp_path, capsys):
    path = tmp_path / "export"
    path.write_bytes(stream.exported())

    assert main([str(path), "--key", KEY.id]) == 0
    assert main([str(path), "--key", "ed25519-" + "0" * 32]) == 1
    call_command("verify_audit", str(path), key=[KEY.id])
    with pytest.raises(CommandError, match="none of those that were named"):
        call_command("verify_audit", str(path), key=["ed25519-" + "0" * 32])
    assert f"key {KEY.id}, listed at position 1" in capsys.readouterr().out


def test_command_says_which_keys_do_not_count_at_the_gate(live_stream, capsys, settings):
    call_command("verify_audit")
    assert f"key {KEY.id} is neither this host's nor in ACCEPTED_KEYS" in capsys.readouterr().out

    settings.ACCEPTED_KEYS = frozenset({KEY.id})
    call_command("verify_audit")
    assert "ACCEPTED_KEYS" not in capsys.readouterr().out


def test_new_key_says_which_earlier_ones_it_accepts(stream, settings):
    settings.ACCEPTED_KEYS = frozenset({KEY.id})
    new = other_key()
    list_key(new, by=SIGNER, at=NOW)

    assert f"accepts {KEY.id}" in "\n".join(sentences(stream.verified()))


LISTED = {
    "under an id that is not its own": ({"key_id": "ed25519-" + "0" * 32}, "its id does not belong to its bytes"),
    "again with other bytes": ({"key_id": KEY.id, "public": b64encode(bytes(32)).decode()}, f"lists key {KEY.id} a second time"),
    "without an endorsement": ({"endorsement": ""}, "says about itself is not what is told"),
    "with another list than it signed": ({"accepts": ["ed25519-" + "1" * 32]}, "says about itself is not what is told"),
    "with a signature of somebody else": ({"signature": b64encode(bytes(64)).decode()}, "was not signed with it"),
}


@pytest.mark.parametrize("what", LISTED)
def test_key_that_is_listed_in_a_way_of_its_own_does_not_hold(stream, what):
    change, told = LISTED[what]
    said = json.dumps({"accepts": [], "installation": str(stream.one("select public_id from audit_installation"))})
    key = other_key()
    whole = {"key_id": key.id, "public": b64encode(key.public).decode(), "accepts": []}
    said = json.dumps({**whole, **json.loads(said)}).encode()
    signed = {"endorsement": b64encode(said).decode(), "signature": b64encode(key.sign(PREFIX + said).value).decode()}
    make_entry(Event.KEY_LISTED, data=whole | signed | change)

    with pytest.raises(DoesNotHold, match=told):
        stream.verified()


def test_key_listed_only_after_the_sign_off_does_not_hold(stream):
    late = other_key()
    list_key(late, by=SIGNER, at=NOW)
    stream.sign_offs[:] = [sign_off_row(statement(), key=late)]

    with pytest.raises(DoesNotHold, match=f"position 2: its key {late.id} was listed after it, at position unsealed"):
        stream.verified()


def test_key_and_first_sign_off_in_one_seal_hold_in_either_order(live_stream):
    """Who waited for the transaction that lists the key may have begun before it."""
    key, data = other_key(), statement(**SECOND)
    tell_sign_off(data, sign_off="2")
    slip = sign_off_row(data, key=key, sign_off="2")
    list_key(key, by=SIGNER, at=NOW)
    seal_now()
    live_stream.sign_offs.append(slip)

    report = live_stream.verified()

    assert report.keys[key.id].signed["sign_off"] == 1
    assert report.unsealed_sign_offs == 0


WORDS = {
    "installation": {"installation": str(uuid4())},
    "change": {"change": str(uuid4())},
    "person": {"person": {"id": str(uuid4()), "name": "Ada"}},
    "revision": {"revision": {"number": 3, "digest": "ab" * 32}},
    "digest of the revision": {"revision": {"number": 2, "digest": "00" * 32}},
    "parts": {"covers": {"scope": "cd" * 32}},
    "decision": {"decision": "REJECT"},
    "meaning": {"meaning": "REVIEW"},
    "moment": {"at": "2026-11-20T14:20:01Z"},
}


@pytest.mark.parametrize("what", WORDS)
def test_statement_that_says_something_else_than_its_entry_does_not_hold(stream, what):
    """The key is real, the signature is real, the bytes are told: only what they say is another thing."""
    data = statement(**WORDS[what])
    tell_sign_off(data, sign_off="2")
    stream.sign_offs.append(sign_off_row(data, sign_off="2"))

    with pytest.raises(DoesNotHold, match=f"sign-off 2, position unsealed: the {what} is "):
        stream.verified()


@pytest.mark.parametrize("data", [b"{}", b"[]", b"not json"])
def test_statement_without_its_members_does_not_hold(stream, data):
    tell_sign_off(data, sign_off="2")
    stream.sign_offs.append(sign_off_row(data, sign_off="2"))

    with pytest.raises(DoesNotHold, match="lacks what must be compared"):
        stream.verified()


def test_sign_off_by_another_hand_than_its_persons_does_not_hold(stream):
    data = statement(**SECOND)
    entry = tell_sign_off(data, sign_off="2")
    told = {name: entry.data[name] for name in entry.data}
    stream.owner_may(f"delete from audit_entry where id = '{entry.id}'")
    make_entry(Event.SIGN_OFF_GIVEN, subject=entry.subject, by=make_actor(), at=NOW, refs=entry.refs, data=told)
    stream.sign_offs.append(sign_off_row(data, sign_off="2"))

    with pytest.raises(DoesNotHold, match=f"the person is PERSON:{SIGNER.id} here and PERSON:"):
        stream.verified()


def test_sign_off_told_a_second_time_does_not_hold(stream):
    tell_sign_off(statement(), sign_off="1")

    with pytest.raises(DoesNotHold, match="tells of what an entry before it tells of"):
        stream.verified()


def withdraw(stream) -> None:
    make_entry(Event.SIGN_OFF_WITHDRAWN, subject=reference("sign_off", "1"), by=SIGNER, at=NOW, data={"sign_offs": ["1"]})


def replace(stream) -> None:
    data = statement(**SECOND)
    tell_sign_off(data, sign_off="2", replaces=["1"])
    stream.sign_offs.append(sign_off_row(data, sign_off="2"))


@pytest.mark.parametrize("end", [withdraw, replace])
def test_withdrawal_must_be_told_and_what_is_told_must_stand_beside_it(stream, end):
    end(stream)

    with pytest.raises(DoesNotHold, match=r"sign-off 1, position 2: the withdrawal is None here and 2026-11-20T14:20:00\.000000Z"):
        stream.verified()
    stream.sign_offs[0]["withdrawn_at"] = NOW
    assert stream.verified().sign_offs == len(stream.sign_offs)


def test_id_deep_inside_an_entry_is_not_its_own(stream):
    """Adjacent words in the data of an entry used to look like its id."""
    wanted = stream.one("select entry_id from audit_place where position = 4")
    exported = stream.exported().splitlines(keepends=True)
    at = next(number for number, line in enumerate(exported) if str(wanted).encode() in line and line.startswith(b'{"at":"'))
    said = json.loads(exported[at])
    said |= {"id": str(uuid4()), "data": {"id": str(wanted), "refs": []}}
    body = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    assert b'"id":"%s","refs":' % str(wanted).encode() in body
    resealed = seal_anew(exported, at, body)

    with pytest.raises(DoesNotHold, match=f"position 4, entry {wanted}: its bytes name another id"):
        verify(resealed)


def seal_anew(exported: list[bytes], at: int, body: bytes) -> list[bytes]:
    """The second seal over an entry with these bytes, as its leaf; what comes after it is not reached."""
    from apps.audit.merkle import head_hash, leaf_hash, merkle_root

    number = next(number for number in range(at, 0, -1) if exported[number].startswith(b'{"kind":"seal"'))
    seal = json.loads(exported[number])
    leaves = bytearray(b64decode(seal["leaves"]))
    index = seal["entry_ids"].index(json.loads(exported[at])["id"])
    leaves[index * 32 : (index + 1) * 32] = leaf_hash(body)
    inside = json.loads(b64decode(seal["body"]))
    inside["root"] = merkle_root([bytes(leaves[start : start + 32]) for start in range(0, len(leaves), 32)]).hex()
    text = json.dumps(inside, separators=(",", ":"), sort_keys=True).encode()
    seal |= {
        "leaves": b64encode(leaves).decode(),
        "body": b64encode(text).decode(),
        "head": head_hash(bytes.fromhex(seal["previous_head"]), text).hex(),
    }
    lines = list(exported)
    lines[number], lines[at] = json.dumps(seal, separators=(",", ":")).encode() + b"\n", body + b"\n"
    return lines


@pytest.mark.parametrize("body", ["not json", "[]", "{}", '{"at":"x"}'])
def test_bytes_that_are_no_entry_do_not_hold(stream, body):
    entry = make_entry()
    stream.owner_may(f"update audit_entry set body = convert_to('{body}', 'utf8') where id = '{entry.id}'")

    with pytest.raises(DoesNotHold, match=r"unsealed entry \d+: its bytes are no entry"):
        stream.verified()
