"""Verifies an export of the audit stream, alone: copy this file anywhere and run `python verifier.py export.jsonl`.

Python's own library is enough; where the package `cryptography` is installed, signatures are checked too.
Exit codes: 0 verified, 1 something does not hold (the first place is named), 2 the export cannot be read. Never just "OK"."""

import argparse
import hashlib
import hmac
import json
import re
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The hashes are verified without it; the report then says that signatures were not.
HAS_CRYPTOGRAPHY = find_spec("cryptography") is not None
if HAS_CRYPTOGRAPHY:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "changecontrol/export/v1"
SIGN_OFF_PREFIX = b"changecontrol/sign-off/v1\n"
ENTRY_START = b'{"at":"'
DETAIL_START = b'{"kind":"detail"'
NEEDED = re.compile(rb'"event":"(?:key|detail|sign_off)\.')  # entries that later checks are made with
NO_HEAD = bytes(32)
HASH = 32


class UnreadableExport(Exception):
    """The export is cut off or is none."""


class DoesNotHold(Exception):
    """The first thing that does not hold."""


@dataclass
class Report:
    """What was verified, and how far."""

    installation: str
    has_sign_offs: bool
    position: int = 0
    head: bytes = NO_HEAD
    seals: int = 0
    tail: int = 0
    anchored: int = 0
    erased: int = 0
    sign_offs: int = 0
    keys: dict[str, bytes] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    # Collected on the way, compared at the end: the entry that tells of a thing may come after it.
    gone: dict[tuple[str, str], int | None] = field(default_factory=dict)
    told_gone: set[tuple[str, str]] = field(default_factory=set)
    told_statements: dict[str, int | None] = field(default_factory=dict)


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


def verify(source: Iterable[bytes], *, heads: Sequence[str] = ()) -> Report:
    """Verify an export; `heads` are heads of seals that were noted elsewhere. Raises DoesNotHold or UnreadableExport."""
    lines = Lines(source)
    try:
        return _verify(lines, {head.lower() for head in heads})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableExport(f"Line {lines.number} cannot be read: {error}.") from error


def _verify(lines: Lines, wanted: set[str]) -> Report:
    header = lines.read()
    if header["kind"] != "header" or header.get("format") != FORMAT:
        raise UnreadableExport(f"This is no export in the format {FORMAT}.")
    report = Report(installation=header["installation"], has_sign_offs="sign_off" in header["kinds"])
    kept: dict[str, list[dict[str, Any]]] = {"key": [], "sign_off": []}
    while (said := lines.read())["kind"] != "end":
        match said["kind"]:
            case "seal":
                _verify_seal(said, lines, report)
                if report.head.hex() in wanted:
                    wanted.discard(report.head.hex())
                    report.anchored = report.position
            case "tail":
                _verify_tail(said, lines, report)
            case "key" | "sign_off" as kind:
                kept[kind].append(said)
            case other:
                report.others[other] += 1
    _verify_end(said, lines, report, wanted)
    _verify_keys(kept["key"], report)
    _verify_sign_offs(kept["sign_off"], report)
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
        if b'"id":"%s","refs":' % entry_id.encode() not in body:
            raise DoesNotHold(f"position {position}, entry {entry_id}: its bytes name another id")
        _look_inside(body, lines, report, entry_id=entry_id, position=position)
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


def _look_inside(body: bytes, lines: Lines, report: Report, *, entry_id: str, position: int | None) -> None:
    """Erasable details against their commitments, and what later checks need. Most entries are passed by unread."""
    has_none = b'"details":{},' in body and body.count(b'"details":') == 1
    if has_none and not lines.ahead.startswith(DETAIL_START) and not NEEDED.search(body):
        return
    said = json.loads(body)
    where = f"position {position}, entry {entry_id}" if position else f"unsealed entry {entry_id}"
    committed: dict[str, str] = dict(said["details"])
    while lines.ahead.startswith(DETAIL_START):
        detail = lines.read()
        name, text = detail["field"], detail["text"]
        made = hmac.digest(b64decode(detail["salt"], validate=True), name.encode() + b"\x00" + text.encode(), "sha256").hex()
        if name not in committed:
            raise DoesNotHold(f"{where}: it never had a detail {name}")
        if committed.pop(name) != made:
            raise DoesNotHold(f"{where}: its detail {name} does not match its commitment")
    report.gone |= {(entry_id, name): position for name in committed}
    match said["event"], said["data"]:
        case "key.listed", {"key_id": str(key_id), "public": str(public)}:
            report.keys[key_id] = b64decode(public, validate=True)
        case "detail.erased", {"entry": str(entry_id), "field": str(name)}:
            report.told_gone.add((entry_id, name))
        case "sign_off.given", {"statement": str(statement)}:
            report.told_statements[statement] = position


def _verify_tail(said: dict[str, Any], lines: Lines, report: Report) -> None:
    """Entries without a seal: their details are compared, their place and presence prove nothing yet."""
    for _ in range(said["count"]):
        body = _entry(lines)
        if body is None:
            raise UnreadableExport(f"Line {lines.number} announces an entry that is not there.")
        entry_id = str(json.loads(body)["id"])
        _look_inside(body, lines, report, entry_id=entry_id, position=None)
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
    for key_id, public in report.keys.items():
        if key_id != "ed25519-" + hashlib.sha256(public).hexdigest()[:16]:
            raise DoesNotHold(f"key {key_id}: its id does not belong to its bytes")
    for said in keys:
        if report.keys.get(said["key_id"]) != b64decode(said["public"], validate=True):
            raise DoesNotHold(f"key {said['key_id']}: the stream never listed it like this")


def _verify_sign_offs(sign_offs: list[dict[str, Any]], report: Report) -> None:
    """Each statement must be told by an entry and signed by a listed key, and none that was told may be missing."""
    for said in sign_offs:
        statement = b64decode(said["statement"], validate=True)
        name, digest = f"sign-off {said.get('id')}", hashlib.sha256(statement).hexdigest()
        if digest not in report.told_statements:
            raise DoesNotHold(f"{name}: no entry tells of a statement with these bytes")
        if (public := report.keys.get(said["key_id"])) is None:
            raise DoesNotHold(f"{name}: its key {said['key_id']} was never listed in the stream")
        try:
            if HAS_CRYPTOGRAPHY:
                Ed25519PublicKey.from_public_bytes(public).verify(b64decode(said["signature"], validate=True), SIGN_OFF_PREFIX + statement)
        except (InvalidSignature, ValueError) as error:
            raise DoesNotHold(f"{name}: its signature does not belong to its statement") from error
        del report.told_statements[digest]
        report.sign_offs += 1
    if report.has_sign_offs and report.told_statements:
        digest, position = min(report.told_statements.items())
        raise DoesNotHold(f"position {position or 'unsealed'}: the sign-off with the statement {digest} is told and not there")


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
    checked = f"checked with {len(report.keys)} listed keys" if HAS_CRYPTOGRAPHY else "not checked: there is no package cryptography"
    said.append(f"{report.sign_offs} sign-offs, signatures {checked}" if report.has_sign_offs else "sign-offs are not in this export")
    said += [f"{count} lines of kind {kind} not looked at" for kind, count in report.others.items()]
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, verify, print what holds and how far."""
    parser = argparse.ArgumentParser(description="Verifies an export of the audit stream of Change Control.")
    parser.add_argument("export", help="the file that export_audit wrote, or - for standard input")
    parser.add_argument("--head", action="append", default=[], help="the head of a seal, noted elsewhere; may be repeated")
    given = parser.parse_args(arguments)
    try:
        with sys.stdin.buffer if given.export == "-" else Path(given.export).open("rb") as file:
            print("\n".join(sentences(verify(file, heads=given.head))))
    except DoesNotHold as error:
        print(f"does not hold: {error}")
        return 1
    except (UnreadableExport, OSError) as error:
        print(f"cannot be read: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
