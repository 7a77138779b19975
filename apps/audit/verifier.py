"""Verifies an export of the audit stream, alone: copy this file anywhere and run `python verifier.py export.jsonl`.

Python's own library is enough for the hashes; signatures need the package `cryptography`. Exit codes: 0 verified,
1 something does not hold (the first place is named), 2 the export cannot be read, 3 signatures not checked. Never just "OK"."""

import argparse
import hashlib
import hmac
import json
import re
import sys
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The hashes are verified without it; the report and the exit code then say that signatures were not.
HAS_CRYPTOGRAPHY = find_spec("cryptography") is not None
if HAS_CRYPTOGRAPHY:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

FORMAT = "changecontrol/export/v1"
# What stands before the signed bytes, by the kind of the lines that carry them: sign-offs, and the signatures of exceptions.
PREFIXES = {"sign_off": b"changecontrol/sign-off/v1\n", "signature": b"changecontrol/exception/v1\n"}
ENTRY_START = b'{"at":"'
DETAIL_START = b'{"kind":"detail"'
PLAIN_START = b',"details":{},"event":"'
PLAIN = re.compile(PLAIN_START + rb'([a-z_.]+)","id":"([0-9a-f-]+)","refs":\[[^][{}\\]*\],"schema":1,"subject":"[^"{}\\]*"\}')
# Events that later checks are made with.
NEEDED = (
    b"key.",
    b"detail.",
    b"sign_off.",
    b"passkey.",
    b"delegation.",
    b"exception.",
    b"person.",
    b"change.created",
    b"target.created",
    b"policy.written",
)
STRONG = {"TWO_FACTORS": ("passkey", "password_and_code"), "PASSKEY": ("passkey",)}  # what a policy may ask an agreement to be proved by
# What happened to an exception itself; refused attempts are told of it too.
ACTS = {f"exception.{act}" for act in ("asked", "agreed", "declined", "withdrawn", "lapsed", "reviewed", "reminded", "overdue")}
SIGNED = {"sign_off.given": "sign_off", "exception.asked": "signature", "exception.agreed": "signature"}
ONES_OWN = {"act", "asked", "at", "by", "nonce", "person"}  # of a statement: what the two of an exception do not say alike
REVIEW_WITHIN = timedelta(hours=72)
ENDORSEMENT_PREFIX = b"changecontrol/key-endorsement/v1\n"
NO_HEAD = bytes(32)
HASH = 32
GOOD_FOR = timedelta(minutes=5)  # from the moment a statement is put before a person until they sign it
FLAGS = 0x01 | 0x04  # somebody was there, and the authenticator checked who
ASSERTED = ("credential_id", "authenticator_data", "client_data", "assertion")


class UnreadableExport(Exception):
    """The export is cut off or is none."""


class DoesNotHold(Exception):
    """The first thing that does not hold."""


@dataclass
class Key:
    """A public key as the stream lists it: where, by whom, and what it said about itself and about earlier keys."""

    public: bytes
    position: int | None  # None: not sealed yet
    seal: int  # of an unsealed entry: the number after the last seal
    by: str
    accepts: set[str] = field(default_factory=set)
    endorsements: set[tuple[str, str]] = field(default_factory=set)
    signed: Counter[str] = field(default_factory=Counter)  # how many lines of each kind


@dataclass
class Passkey:
    """A passkey as the stream tells of it: whose, its public key, for which domain, and when it was removed."""

    public: bytes
    person: str
    rp_id: str
    position: int | None
    at: str
    by: str
    removed_at: str = ""
    signed: Counter[str] = field(default_factory=Counter)


@dataclass
class Told:
    """An entry that tells of something that was signed, or of who may sign in another's place."""

    entry: dict[str, Any]
    position: int | None
    seal: int


@dataclass
class Report:
    """What was verified, and how far."""

    installation: str
    kinds: frozenset[str]  # of the lines beside the stream that this export holds
    believed: frozenset[str] = frozenset()  # the ids of keys that were named; empty: every listed key was believed
    position: int = 0
    head: bytes = NO_HEAD
    seals: int = 0
    tail: int = 0
    anchored: int = 0
    erased: int = 0
    sign_offs: int = 0
    exceptions: int = 0
    unsealed_sign_offs: int = 0
    stood_in: int = 0
    void: int = 0  # what was signed by somebody who was deactivated afterwards
    keys: dict[str, Key] = field(default_factory=dict)
    passkeys: dict[str, Passkey] = field(default_factory=dict)  # by credential, in base64url
    mandates: dict[str, Told] = field(default_factory=dict)  # by delegation
    same: dict[str, str] = field(default_factory=dict)  # merged persons: who they are since then
    absences: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)  # by person: when they left or came back, and which
    known: dict[str, str] = field(default_factory=dict)  # the kind of a change, the service of a target
    others: Counter[str] = field(default_factory=Counter)
    # Collected on the way, compared at the end: the entry that tells of a thing may come after it.
    gone: dict[tuple[str, str], int | None] = field(default_factory=dict)
    told_gone: set[tuple[str, str]] = field(default_factory=set)
    told_signed: dict[str, Told] = field(default_factory=dict)  # by the digest of the statement
    told_acts: dict[str, dict[str, Told]] = field(default_factory=dict)  # by exception and event
    stated: dict[tuple[str, str], Any] = field(default_factory=dict)  # by exception and event: what was signed
    told_ends: dict[str, str] = field(default_factory=dict)  # when a sign-off or delegation ended, when a person was merged


class Lines:
    """The lines of an export, one at a time, with one line of looking ahead."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source: Iterator[bytes] = iter(source)
        self.number = 0
        self.ahead = next(self._source, b"")

    def take(self) -> bytes:
        """The next line without its end; raises UnreadableExport where the export is cut off."""
        line = self.ahead
        if not line.endswith(b"\n"):
            raise UnreadableExport(f"The export is cut off after line {self.number}.")
        self.ahead = next(self._source, b"")
        self.number += 1
        return line[:-1]

    def read(self) -> dict[str, Any]:
        """The next line as an object that says its kind."""
        said = json.loads(self.take())
        if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
            raise TypeError("it does not say what it is")
        return said


def verify(source: Iterable[bytes], *, heads: Sequence[str] = (), keys: Collection[str] = ()) -> Report:
    """Verify an export; raises DoesNotHold or UnreadableExport.

    `heads` are heads of seals that were noted elsewhere, `keys` the ids of the only keys whose sign-offs are believed."""
    lines = Lines(source)
    try:
        return _verify(lines, {head.lower() for head in heads}, frozenset(keys))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableExport(f"Line {lines.number} cannot be read: {error}.") from error


def _verify(lines: Lines, wanted: set[str], believed: frozenset[str]) -> Report:
    header = lines.read()
    if header["kind"] != "header" or header.get("format") != FORMAT:
        raise UnreadableExport(f"This is no export in the format {FORMAT}.")
    report = Report(header["installation"], frozenset(header["kinds"]), believed)
    kept: dict[str, list[dict[str, Any]]] = {"key": [], "exception": [], "person": [], **{kind: [] for kind in PREFIXES}}
    while (said := lines.read())["kind"] != "end":
        match said["kind"]:
            case "seal":
                _verify_seal(said, lines, report)
                report.anchored = report.position if report.head.hex() in wanted else report.anchored
                wanted.discard(report.head.hex())
            case "tail":
                _verify_tail(said, lines, report)
            case kind if kind in kept:
                kept[kind].append(said)
            case other:
                report.others[other] += 1
    _verify_end(said, lines, report, wanted)
    report.sign_offs, report.exceptions = len(kept["sign_off"]), len(kept["exception"])
    _verify_keys(kept["key"], report)
    for kind in PREFIXES:
        _verify_signed(kept[kind], report, kind=kind)
    _verify_exceptions(kept["exception"], report)
    _verify_persons(kept["person"], report)
    return report


def _verify_seal(said: dict[str, Any], lines: Lines, report: Report) -> None:
    """One seal with its entries: chain, numbers, tree, and each entry's bytes."""
    body, listed, ids = b64decode(said["body"], validate=True), b64decode(said["leaves"], validate=True), said["entry_ids"]
    name, head = f"seal {report.seals + 1}", hashlib.sha256(b"\x02" + report.head + body).digest()
    if said["previous_head"] != report.head.hex():
        raise DoesNotHold(f"{name}: its previous head is not the head of the seal before it")
    if said["head"] != head.hex():
        raise DoesNotHold(f"{name}: its head is not the hash of its bytes")
    inside = {key: json.loads(body).get(key) for key in ("number", "first_position", "count", "previous_head", "installation")}
    around = (report.seals + 1, report.position + 1, len(ids), report.head.hex(), report.installation)
    for (key, value), expected in zip(inside.items(), around, strict=True):
        beside = said[key] if key != "installation" else expected
        if value != expected or beside != expected:
            raise DoesNotHold(f"{name}: {key} is {value} in its bytes and {beside} beside them, and must be {expected}")
    _verify_entries(lines, report, name=name, ids=ids, listed=listed, root=json.loads(body)["root"])
    report.seals, report.position, report.head = report.seals + 1, report.position + len(ids), head


def _verify_entries(lines: Lines, report: Report, *, name: str, ids: list[str], listed: bytes, root: str) -> None:
    """The entries that a seal lists. Hashes are made anew from their bytes; the list only tells which one is wrong."""
    leaves: list[bytes] = []
    for index, entry_id in enumerate(ids):
        position = report.position + 1 + index
        body = _entry(lines)
        leaf = hashlib.sha256(b"\x00" + body).digest() if body is not None else b""
        if body is None or leaf != listed[index * HASH : (index + 1) * HASH]:
            what = "it is missing" if body is None else f"its bytes do not match the hash that {name} lists"
            raise DoesNotHold(f"position {position}, entry {entry_id}: {what}")
        leaves.append(leaf)
        found = _plain_id(body, lines)
        said = {} if found else _parsed(body, where=f"position {position}, entry {entry_id}")
        if (found or said["id"]) != entry_id:
            raise DoesNotHold(f"position {position}, entry {entry_id}: its bytes name another id")
        if said:
            _look_inside(said, lines, report, position=position)
    if len(listed) != len(ids) * HASH or merkle_root(leaves).hex() != root:
        raise DoesNotHold(f"{name}, positions {report.position + 1} to {report.position + len(ids)}: its root is not that of its entries")


def _entry(lines: Lines) -> bytes | None:
    """The stored bytes of the next entry: a line as it is, or wrapped where they would not survive as a line."""
    if lines.ahead.startswith(ENTRY_START):
        return lines.take()
    said = lines.read()
    if said["kind"] == "missing":
        return None
    if said["kind"] != "entry":
        raise UnreadableExport(f"Line {lines.number} is a {said['kind']} where an entry is announced.")
    return b64decode(said["body"], validate=True)


def _plain_id(body: bytes, lines: Lines) -> str | None:
    """The id of an entry that has no details and that no later check needs: most are, and need not be parsed.

    The match ends with the entry and holds one closing brace, the last one: what it finds is a member of the entry itself."""
    start = body.rfind(PLAIN_START)
    found = PLAIN.fullmatch(body, start) if start > 0 and not lines.ahead.startswith(DETAIL_START) else None
    return found[2].decode() if found and not found[1].startswith(NEEDED) else None


def _parsed(body: bytes, *, where: str) -> dict[str, Any]:
    """An entry's bytes as an object with the members that are looked at."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {
            "id": str(),
            "event": str(),
            "at": str(),
            "by": {"kind": str(), "id": str()},
            "refs": list(),
            "data": dict(),
            "details": dict(),
        }:
            return dict(said)
    raise DoesNotHold(f"{where}: its bytes are no entry")


def _look_inside(said: dict[str, Any], lines: Lines, report: Report, *, position: int | None) -> None:
    """Erasable details against their commitments, and what later checks need."""
    where = f"position {position}, entry {said['id']}" if position else f"unsealed entry {said['id']}"
    committed: dict[str, str] = dict(said["details"])
    while lines.ahead.startswith(DETAIL_START):
        detail = lines.read()
        name, text = detail["field"], detail["text"]
        made = hmac.digest(b64decode(detail["salt"], validate=True), name.encode() + b"\x00" + text.encode(), "sha256").hex()
        if name not in committed:
            raise DoesNotHold(f"{where}: it never had a detail {name}")
        if committed.pop(name) != made:
            raise DoesNotHold(f"{where}: its detail {name} does not match its commitment")
    report.gone |= {(str(said["id"]), name): position for name in committed}
    _keep(said, report, where=where, position=position)


def _keep(said: dict[str, Any], report: Report, *, where: str, position: int | None) -> None:
    match said["event"], said["data"]:
        case "key.listed", {"key_id": str(), "public": str()}:
            _keep_key(said, report, where=where, position=position)
        case "detail.erased", {"entry": str(entry_id), "field": str(name)}:
            report.told_gone.add((entry_id, name))
        case (("passkey.added" | "passkey.removed"), {"credential_id": str()}):
            _keep_passkey(said, report, where=where, position=position)
        case event, dict(data) if event in ACTS or event in {"sign_off.given", "sign_off.withdrawn"}:
            _keep_signed(said, data, report, where=where, position=position)
        case "delegation.given", {"starts_at": str(), "ends_at": str()}:
            report.mandates[said["subject"]] = Told(said, position, report.seals + 1)
        case _, dict(data):
            _keep_known(said, data, report)


def _keep_known(said: dict[str, Any], data: dict[str, Any], report: Report) -> None:
    """What one has to know to see who somebody was, whether they were there, and whether a delegation covers what they signed."""
    subject, by = said["subject"], {f"person:{said['by']['id']}"}
    match said["event"]:
        case "delegation.ended":
            report.told_ends.setdefault(subject, said["at"])
        case "person.merged":
            gone = _named("person", said) - by - {subject} or by
            report.same |= dict.fromkeys(gone, subject)
            report.told_ends |= dict.fromkeys(gone, said["at"])
        case ("person.deactivated" | "person.reactivated") as event:
            report.absences.setdefault(subject, []).append((said["at"], event == "person.reactivated"))
        case "policy.written":
            report.known[f"policy:{data.get('digest')}"] = str(data.get("proof"))
        case "change.created" | "target.created":
            report.known[subject] = data.get("kind") or min(_named("service", said), default="")


def _named(kind: str, entry: dict[str, Any]) -> set[str]:
    return {ref for ref in entry["refs"] if ref.startswith(f"{kind}:")}


def _keep_signed(said: dict[str, Any], data: dict[str, Any], report: Report, *, where: str, position: int | None) -> None:
    """What tells of a sign-off or an exception, and what ended others; told twice is told by somebody else."""
    told, event = Told(said, position, report.seals + 1), said["event"]
    first = report.told_acts.setdefault(said["subject"], {}).setdefault(event, told) if event in ACTS else told
    if SIGNED.get(event) in report.kinds:
        first = report.told_signed.setdefault(str(data.get("statement")), first)
    if first is not told:
        raise DoesNotHold(f"{where}: it tells of what an entry before it tells of")
    for ended in (*data.get("replaces", ()), *data.get("sign_offs", ())):
        report.told_ends.setdefault(ended, said["at"])


def _keep_key(said: dict[str, Any], report: Report, *, where: str, position: int | None) -> None:
    """A listed key must be what its id says, once and for all, and must have signed what it says about itself."""
    data, by = said["data"], said["by"]
    key_id, public = data["key_id"], b64decode(data["public"], validate=True)
    key = report.keys.setdefault(key_id, Key(public, position, report.seals + 1, f"{by['kind']}:{by['id']}"))
    if key.public != public:
        raise DoesNotHold(f"{where}: it lists key {key_id} a second time, with other bytes")
    if key_id != "ed25519-" + hashlib.sha256(public).hexdigest()[:32]:
        raise DoesNotHold(f"{where}: key {key_id}: its id does not belong to its bytes")
    signed, signature = (b64decode(data.get(name, ""), validate=True) for name in ("endorsement", "signature"))
    inside = json.loads(signed or b"{}")
    expected = {"installation": report.installation, "key_id": key_id, "public": data["public"], "accepts": data.get("accepts")}
    if any(inside.get(name) != value for name, value in expected.items()):
        raise DoesNotHold(f"{where}: what key {key_id} says about itself is not what is told")
    if not _is_signed(public, ENDORSEMENT_PREFIX + signed, signature):
        raise DoesNotHold(f"{where}: what key {key_id} says about itself was not signed with it")
    key.accepts |= set(data["accepts"])
    key.endorsements.add((data["endorsement"], data["signature"]))


def _keep_passkey(said: dict[str, Any], report: Report, *, where: str, position: int | None) -> None:
    """A passkey is one person's, added once and removed once, by whomever."""
    data, credential = said["data"], said["data"]["credential_id"]
    if said["event"] == "passkey.added":
        if credential in report.passkeys:
            raise DoesNotHold(f"{where}: passkey {credential} was added before")
        by = f"{said['by']['kind']}:{said['by']['id']}"
        report.passkeys[credential] = Passkey(_unsafe(data["public_key"]), said["subject"], data["rp_id"], position, said["at"], by)
    elif credential in report.passkeys:
        report.passkeys[credential].removed_at = said["at"]


def _unsafe(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the message; True where nothing can check it, which the report says.

    Ours are bare Ed25519 keys; a passkey's comes with its algorithm: ES256, Ed25519 or RS256."""
    if not HAS_CRYPTOGRAPHY:
        return True
    try:
        key: Any = ed25519.Ed25519PublicKey.from_public_bytes(public) if len(public) == HASH else load_der_public_key(public)
        rs256 = padding.PKCS1v15(), SHA256()
        ways = {ec.EllipticCurvePublicKey: (ec.ECDSA(SHA256()),), rsa.RSAPublicKey: rs256, ed25519.Ed25519PublicKey: ()}
        key.verify(signature, message, *next(way for kind, way in ways.items() if isinstance(key, kind)))
    except (InvalidSignature, ValueError, StopIteration):
        return False
    return True


def _verify_tail(said: dict[str, Any], lines: Lines, report: Report) -> None:
    """Entries without a seal: their details are compared, their place and presence prove nothing yet."""
    for _ in range(said["count"]):
        body = _entry(lines)
        if body is None:
            raise UnreadableExport(f"Line {lines.number} announces an entry that is not there.")
        _look_inside(_parsed(body, where=f"unsealed entry {report.tail + 1}"), lines, report, position=None)
        report.tail += 1


def _verify_end(said: dict[str, Any], lines: Lines, report: Report, wanted: set[str]) -> None:
    if said.get("lines") != lines.number or lines.ahead:
        raise UnreadableExport(f"The export has {lines.number} lines, its end says {said.get('lines')}.")
    if wanted:
        raise DoesNotHold(f"no seal has the head {min(wanted)}: the stream was cut off or written anew after it was noted")
    for (entry_id, name), position in report.gone.items():
        if (entry_id, name) not in report.told_gone:
            raise DoesNotHold(f"position {position or 'unsealed'}, entry {entry_id}: its detail {name} is gone, no entry tells of it")
    report.erased = len(report.gone)


def _verify_keys(keys: list[dict[str, Any]], report: Report) -> None:
    """Keys count as the stream lists them; the table beside it must say the same."""
    for said in keys:
        key = report.keys.get(said["key_id"])
        endorsement = said["endorsement"], said["signature"]
        if key is None or key.public != b64decode(said["public"], validate=True) or endorsement not in key.endorsements:
            raise DoesNotHold(f"key {said['key_id']}: the stream never listed it like this")


def _verify_signed(signed: list[dict[str, Any]], report: Report, *, kind: str) -> None:
    """Each statement must be told by an entry, say what that entry says and be signed by a listed key. None may be missing."""
    for said in signed:
        statement, name = b64decode(said["statement"], validate=True), f"{kind.replace('_', '-')} {said['id']}"
        told = report.told_signed.pop(hashlib.sha256(statement).hexdigest(), None)
        if told is None or SIGNED[told.entry["event"]] != kind:
            raise DoesNotHold(f"{name}: no entry tells of a statement with these bytes")
        name += f", position {told.position or 'unsealed'}"
        try:
            _verify_signature(said, statement, told, report, name=name, kind=kind)
            _verify_words(said, json.loads(statement), told, report, name=name)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DoesNotHold(f"{name}: its statement or its entry lacks what must be compared ({error})") from error
        report.unsealed_sign_offs += told.position is None and kind == "sign_off"
    for digest, told in report.told_signed.items():
        if SIGNED[told.entry["event"]] == kind:
            raise DoesNotHold(
                f"position {told.position or 'unsealed'}: the {kind.replace('_', '-')} with the statement {digest} is told and not there"
            )


def _verify_signature(said: dict[str, Any], statement: bytes, told: Told, report: Report, *, name: str, kind: str) -> None:
    """Signed with a key that the stream lists, and with their passkey where it says so, by somebody who was not deactivated then."""
    key_id = said["key_id"]
    key = report.keys.get(key_id)
    if key is None:
        raise DoesNotHold(f"{name}: its key {key_id} was never listed in the stream")
    if report.believed and key_id not in report.believed:
        raise DoesNotHold(f"{name}: it is signed with key {key_id}, which is none of those that were named")
    # By seal: a transaction that waited for the one that lists the key may have begun before it, and is then sealed just before it.
    if key.seal > told.seal:
        raise DoesNotHold(f"{name}: its key {key_id} was listed after it, at position {key.position or 'unsealed'}")
    if not _is_signed(key.public, PREFIXES[kind] + statement, b64decode(said["signature"], validate=True)):
        raise DoesNotHold(f"{name}: its signature does not belong to its statement")
    absences = report.absences.get(f"person:{told.entry['by']['id']}", [])
    before = [is_back for at, is_back in absences if at <= told.entry["at"]]
    if before and not before[-1]:
        raise DoesNotHold(f"{name}: whoever signed it was deactivated then")
    report.void += len(before) < len(absences)
    key.signed[kind] += 1
    _verify_assertion(said, statement, told.entry, report, name=name, kind=kind)


def _verify_assertion(said: dict[str, Any], statement: bytes, entry: dict[str, Any], report: Report, *, name: str, kind: str) -> None:
    """What a passkey signed: this statement, verified by its authenticator, with a key that the stream gave to this person."""
    credential_id, data, client_data, signature = (b64decode(said[part], validate=True) for part in ASSERTED)
    if (way := json.loads(statement)["by"]["credential"]) != "passkey":
        if way not in {"password", "password_and_code"}:
            raise DoesNotHold(f"{name}: its person proved themselves by {way or 'nothing'}, which is no signature")
        if any((credential_id, data, client_data, signature, said["rp_id"], said["origin"])):
            raise DoesNotHold(f"{name}: an assertion stands beside a statement that tells of none")
        return
    passkey, client = urlsafe_b64encode(credential_id).rstrip(b"=").decode(), json.loads(client_data)
    key = report.passkeys.get(passkey)
    if key is None:
        raise DoesNotHold(f"{name}: its passkey {passkey} was never added in the stream")
    challenge = hashlib.sha256(PREFIXES[kind] + statement).digest()
    host = re.sub(r"^https?://|:\d+$", "", said["origin"])
    doubts = {
        "is another person's": key.person != f"person:{entry['by']['id']}",
        "was added after it": key.at > entry["at"],
        "was removed before it": bool(key.removed_at) and key.removed_at < entry["at"],
        "signed something else": client["type"] != "webauthn.get" or _unsafe(client["challenge"]) != challenge,
        "was asked at another address": client["origin"] != said["origin"] or not f".{host}".endswith(f".{key.rp_id}"),
        "is for another domain": (said["rp_id"], data[:HASH]) != (key.rp_id, hashlib.sha256(key.rp_id.encode()).digest()),
        "did not verify its person": len(data) < HASH + 5 or data[HASH] & FLAGS != FLAGS,
        "did not sign it": not _is_signed(key.public, data + hashlib.sha256(client_data).digest(), signature),
    }
    if wrong := next((what for what, holds in doubts.items() if holds), None):
        raise DoesNotHold(f"{name}: its passkey {passkey} {wrong}")
    key.signed[kind] += 1


def _verify_mandate(stated: dict[str, Any], told: Told, report: Report, *, name: str) -> None:
    """Who signs in another's place was asked to by that person, before, for that moment and for everything they spoke for."""
    if not (asked := stated["by"].get("on_behalf_of")):
        return
    at, kind = datetime.fromisoformat(told.entry["at"]), report.known.get(f"change:{stated['change']}")
    places = {report.known.get(f"target:{rule['target']}") for rule in stated["rules"]}
    for about, one in report.mandates.items():
        data, by = one.entry["data"], f"person:{one.entry['by']['id']}"  # given by whoever asks, for themselves
        to = _whoever(min(_named("person", one.entry) - {by}, default=""), report)
        ends = {data["ends_at"], report.told_ends.get(about, data["ends_at"])}
        hands = (by, to) == (f"person:{asked}", f"person:{stated['person']['id']}") and one.seal <= told.seal
        holds = datetime.fromisoformat(data["starts_at"]) <= at < min(map(datetime.fromisoformat, ends))
        services = _named("service", one.entry) or places
        if hands and holds and places <= services and (not data.get("kinds") or kind in data["kinds"]):
            report.stood_in += 1
            return
    raise DoesNotHold(f"{name}: it was given in the place of person {asked}, who had not asked for that in the stream")


def _verify_words(said: dict[str, Any], stated: dict[str, Any], told: Told, report: Report, *, name: str) -> None:
    """What was signed, member by member, against what the stream tells."""
    entry, data = told.entry, told.entry["data"]
    if entry["event"] in ACTS:
        report.stated[entry["subject"], entry["event"]] = stated
        act = "AGREE" if "asked" in stated else "ASK"
        words = {"exception": (f"exception:{said['exception']}", entry["subject"]), "act": (said["act"], act)}
        _compare(_of_everybody(stated, entry, report) | words, name=name)
        return
    words = {
        "sign-off": (f"sign_off:{said['id']}", entry["subject"]),
        "change": ([f"change:{stated['change']}"], [ref for ref in entry["refs"] if ref.startswith("change:")]),
        "revision": (stated["revision"]["number"], data["revision"]),
        "digest of the revision": (stated["revision"]["digest"], data["digest"]),
        "parts": (sorted(stated["covers"]), data["parts"]),
        "decision": (stated["decision"], data["decision"]),
        "meaning": (stated["meaning"], data["meaning"]),
        "withdrawal": (said["withdrawn_at"], report.told_ends.get(said["id"])),
    }
    _compare(_of_everybody(stated, entry, report) | words, name=name)
    way, asked = stated["by"]["credential"], {report.known.get(f"policy:{one['digest']}", "") for one in stated.get("policies", ())}
    if stated["decision"] == "APPROVE" and any(way not in STRONG.get(one, (way,)) for one in asked):
        raise DoesNotHold(f"{name}: its person proved themselves by {way}, and the policy asked for more")
    _verify_mandate(stated, told, report, name=name)


def _of_everybody(stated: dict[str, Any], entry: dict[str, Any], report: Report) -> dict[str, tuple[object, object]]:
    """What every statement says of its signing: it is signed while it is good."""
    by = entry["by"]
    waited = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(stated["at"])
    return {
        "installation": (stated["installation"], report.installation),
        "person": (f"PERSON:{stated['person']['id']}", f"{by['kind']}:{by['id']}"),
        "hand": (stated["by"], by),
        "moment": (stated["at"], stated["at"] if timedelta(0) <= waited <= GOOD_FOR else entry["at"]),
    }


def _compare(words: dict[str, tuple[Any, Any]], *, name: str, there: str = "in the stream") -> None:
    for what, (here, told) in words.items():
        if here != told:
            raise DoesNotHold(f"{name}: the {what} is {here} here and {told} {there}")


def _verify_exceptions(exceptions: list[dict[str, Any]], report: Report) -> None:
    """Everything that a row says happened is told by its entry, and nothing else is; what follows from the two signatures does."""
    for said in exceptions:
        about, name = f"exception:{said['id']}", f"exception {said['ref']}"
        told = {act: one.entry for act, one in report.told_acts.pop(about, {}).items()}
        acts = {act: [entry["at"], entry["by"]["id"] if entry["by"]["kind"] == "PERSON" else None] for act, entry in told.items()}
        _compare({act: (said["acts"].get(act), acts.get(act)) for act in sorted({*acts, *said["acts"]})}, name=name)
        asked = report.stated[about, "exception.asked"]
        _compare({what: (written, asked.get(what)) for what, written in said["terms"].items()}, name=name, there="in the first statement")
        if "exception.agreed" in told:
            _verify_agreement(said, told, report, name=name)
    if "exception" in report.kinds and report.told_acts:
        raise DoesNotHold(f"{min(report.told_acts)} is told and not there")


def _verify_agreement(said: dict[str, Any], told: dict[str, Any], report: Report, *, name: str) -> None:
    """Another person signed the same words and the first statement; end and day of the review follow from that."""
    first, second = (report.stated[told[act]["subject"], act] for act in ("exception.asked", "exception.agreed"))
    at = told["exception.agreed"]["at"]
    moment = datetime.fromisoformat(at)
    words: dict[str, tuple[Any, Any]] = {what: (second.get(what), first.get(what)) for what in sorted({*first, *second} - ONES_OWN)}
    words["first statement"] = (second["asked"], told["exception.asked"]["data"]["statement"])
    words["end"] = (datetime.fromisoformat(said["ends_at"]), moment + timedelta(minutes=said["terms"]["minutes"]))
    words["day of its review"] = (datetime.fromisoformat(said["due_at"]), moment + REVIEW_WITHIN)
    _compare(words, name=name, there="by what was asked")
    if len({_whoever(f"person:{one['person']['id']}", report, at=at) for one in (first, second)}) == 1:
        raise DoesNotHold(f"{name}: one and the same person asked for it and agreed to it")


def _whoever(who: str, report: Report, *, at: str = "now") -> str:
    """Who this account's person was at a moment: "now" comes after every moment."""
    for _ in report.same:  # forged ones may name each other
        if who in report.same and report.told_ends[who] <= at:
            who = report.same[who]
    return who


def _verify_persons(persons: list[dict[str, Any]], report: Report) -> None:
    """Who was away is so in the table too, and came back when the stream says: what they signed before that never counts again."""
    for said in persons:
        absences = report.absences.get(f"person:{said['id']}", [])
        back = max((at for at, is_back in absences if is_back), default=None)
        words = {"moment of coming back": (said["inactive_until"], back)}
        if absences and not absences[-1][1]:
            words["state"] = ("active" if said["is_active"] else "deactivated", "deactivated")
        _compare(words, name=f"person {said['id']}")


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of RFC 6962, with the stack of roots of full subtrees: another way than the sealer's."""
    stack: list[tuple[int, bytes]] = []
    sha256 = hashlib.sha256
    for leaf in leaves:
        size, node = 1, leaf
        while stack and stack[-1][0] == size:
            node = sha256(b"\x01" + stack.pop()[1] + node).digest()
            size *= 2
        stack.append((size, node))
    node = stack.pop()[1] if stack else sha256(b"").digest()
    while stack:
        node = sha256(b"\x01" + stack.pop()[1] + node).digest()
    return node


def sentences(report: Report) -> list[str]:
    """The report in words, the weakest point first."""
    anchor = f"position {report.anchored}" if report.anchored else "nothing"
    said = [f"verified to position {report.position}, unsealed tail of {report.tail} entries, anchored to {anchor}"]
    if report.anchored < report.position:
        said.append("what is not anchored could have been written anew from there by whoever owns the database")
    said.append(f"installation {report.installation}, {report.seals} seals, head {report.head.hex()}")
    if report.erased:
        said.append(f"{report.erased} details erased, each told by an entry")
    said.append(_sign_offs_in_words(report))
    said.append(f"{report.exceptions} exceptions" if "exception" in report.kinds else "exceptions are not in this export")
    if report.void:
        said.append(f"{report.void} of them count no more: who signed was deactivated since, and coming back revives nothing")
    said += [f"key {key_id}, {_key_in_words(key_id, key, report)}" for key_id, key in report.keys.items()]
    for name, one in report.passkeys.items():
        removed = f", removed {one.removed_at}" if one.removed_at else ""
        place = f"added at position {one.position or 'unsealed'} by {one.by} for {one.person} at {one.rp_id}"
        said.append(f"passkey {name}, {place}{removed}, {_signed_in_words(one.signed)}")
    if report.keys and not report.believed:
        said.append("each of these keys was believed: a key that is not yours could sign anything. Name yours with --key")
    said += [f"{count} lines of kind {kind} not looked at" for kind, count in report.others.items()]
    return said


def _sign_offs_in_words(report: Report) -> str:
    if "sign_off" not in report.kinds:
        return "sign-offs are not in this export"
    checked = f"checked with {len(report.keys)} listed keys" if HAS_CRYPTOGRAPHY else "not checked: there is no package cryptography"
    unsealed = f", {report.unsealed_sign_offs} of them told in the unsealed tail only" if report.unsealed_sign_offs else ""
    stood_in = f", {report.stood_in} of them in another's place as asked" if report.stood_in else ""
    return f"{report.sign_offs} sign-offs{unsealed}{stood_in}, signatures {checked}"


def _signed_in_words(signed: Counter[str]) -> str:
    return f"{signed['sign_off']} sign-offs" + (f", {signed['signature']} signatures of exceptions" if signed["signature"] else "")


def _key_in_words(key_id: str, key: Key, report: Report) -> str:
    accepts = f", accepts {', '.join(sorted(key.accepts))}" if key.accepts else ""
    named = ", named" if key_id in report.believed else ""
    return f"listed at position {key.position or 'unsealed'} by {key.by}, {_signed_in_words(key.signed)}{accepts}{named}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, verify, print what holds and how far."""
    parser = argparse.ArgumentParser(description="Verifies an export of the audit stream of Change Control.")
    parser.add_argument("export", help="the file that export_audit wrote, or - for standard input")
    parser.add_argument("--head", action="append", default=[], help="the head of a seal, noted elsewhere; may be repeated")
    parser.add_argument("--key", action="append", default=[], help="the id of a key that is believed, and no other; may be repeated")
    parser.add_argument("--without-signatures", action="store_true", help="end with 0 though signatures could not be checked")
    given = parser.parse_args(arguments)
    try:
        with sys.stdin.buffer if given.export == "-" else Path(given.export).open("rb") as file:
            print("\n".join(sentences(verify(file, heads=given.head, keys=given.key))))
    except DoesNotHold as error:
        print(f"does not hold: {error}")
        return 1
    except (UnreadableExport, OSError) as error:
        print(f"cannot be read: {error}")
        return 2
    if not HAS_CRYPTOGRAPHY and not given.without_signatures:
        print("signatures not checked: install the package cryptography, or ask --without-signatures")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
