"""The verifier against an untouched stream, and against everything that somebody might do to one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps.audit import verifier
from apps.audit.merkle import head_hash, leaf_hash, merkle_root
from apps.audit.verifier import DoesNotHold, UnreadableExport, main, sentences, verify
from tests.audit.conftest import KEY, sign_off_row

ENTRY_AT = "select id from audit_place p join audit_entry on id = entry_id where position = {}"


def body_at(stream, position: int) -> bytes:
    return bytes(stream.one(f"select body from audit_entry join audit_place on id = entry_id where position = {position}"))


def id_at(stream, position: int) -> str:
    return str(stream.one(f"select entry_id from audit_place where position = {position}"))


def set_body(position: int, body: bytes) -> str:
    return f"update audit_entry set body = '\\x{body.hex()}' where id = (select entry_id from audit_place where position = {position})"


def test_untouched_stream_verifies_and_says_how_far(stream):
    report = stream.verified()

    assert (report.position, report.tail, report.seals, report.sign_offs, report.erased) == (9, 2, 3, 1, 0)
    assert sentences(report)[0] == "verified to position 9, unsealed tail of 2 entries, anchored to nothing"
    assert "written anew" in sentences(report)[1]
    assert "signatures checked with 1 listed keys" in "\n".join(sentences(report))


def test_noted_head_anchors_what_came_before_it(stream):
    head = bytes(stream.one("select head from audit_seal where number = 2")).hex()

    report = stream.verified(heads=(head.upper(),))

    assert sentences(report)[0].endswith("anchored to position 7")
    assert "written anew" in sentences(report)[1]


def test_head_that_no_seal_has_does_not_hold(stream):
    with pytest.raises(DoesNotHold, match="cut off or written anew"):
        stream.verified(heads=("ab" * 32,))


def flip_bit(stream) -> str:
    body = bytearray(body_at(stream, 5))
    body[-3] ^= 1
    return set_body(5, bytes(body))


def put_newline(stream) -> str:
    return set_body(5, body_at(stream, 5) + b"\n")


def recompute_leaf(stream) -> str:
    """Edit an entry and put its new hash where the seal lists it."""
    body = body_at(stream, 5).replace(b"change.created", b"change.revised")
    leaves = bytearray(stream.one("select leaves from audit_seal where number = 2"))
    leaves[32:64] = leaf_hash(body)
    return f"{set_body(5, body)}; update audit_seal set leaves = '\\x{leaves.hex()}' where number = 2"


def recompute_seal(stream) -> str:
    """Edit an entry, its listed hash, the seal's root and head, and stop there."""
    body = body_at(stream, 5).replace(b"change.created", b"change.revised")
    leaves = bytearray(stream.one("select leaves from audit_seal where number = 2"))
    leaves[32:64] = leaf_hash(body)
    seal = json.loads(bytes(stream.one("select body from audit_seal where number = 2")))
    seal["root"] = merkle_root([bytes(leaves[at : at + 32]) for at in range(0, len(leaves), 32)]).hex()
    text = json.dumps(seal, separators=(",", ":"), sort_keys=True).encode()
    head = head_hash(bytes(stream.one("select previous_head from audit_seal where number = 2")), text)
    return (
        f"{set_body(5, body)}; update audit_seal set leaves = '\\x{leaves.hex()}', body = '\\x{text.hex()}', "
        f"head = '\\x{head.hex()}' where number = 2"
    )


SWAP_BODIES = """
update audit_entry e set body = other.body from audit_entry other
where (e.id = '{a}' and other.id = '{b}') or (e.id = '{b}' and other.id = '{a}')
"""
SWAP_LISTED = (
    "update audit_seal set entry_ids = array_replace(array_replace(array_replace(entry_ids, '{a}', '{z}'), '{b}', '{a}'), '{z}', '{b}')"
)
ANYBODY = "00000000-0000-0000-0000-000000000000"
INSERT_LISTED = """
update audit_seal set entry_ids = entry_ids || entry_ids[1], count = count + 1, leaves = leaves || substr(leaves, 1, 32) where number = 2
"""

TAMPERED = {
    "a bit of an entry flipped": (flip_bit, "position 5, entry {5}: its bytes do not match the hash that seal 2 lists"),
    "a line break put in": (put_newline, "position 5, entry {5}: its bytes do not match"),
    "an entry edited with its own hash": (recompute_leaf, "seal 2, positions 4 to 7: its root"),
    "an entry edited with its whole seal": (recompute_seal, "seal 3: its previous head"),
    "an entry deleted in the middle": (
        lambda s: f"delete from audit_entry where id = '{id_at(s, 5)}'",
        "position 5, entry {5}: it is missing",
    ),
    "two entries swapped": (lambda s: SWAP_BODIES.format(a=id_at(s, 4), b=id_at(s, 6)), "position 4, entry {4}: its bytes"),
    "two listed places swapped": (lambda s: SWAP_LISTED.format(a=id_at(s, 4), b=id_at(s, 6), z=ANYBODY), "position 4"),
    "an entry listed twice": (lambda s: INSERT_LISTED, "seal 2: count is 4 in its bytes"),
    "an entry renumbered": (
        lambda s: (
            f"update audit_entry set id = '{ANYBODY}' where id = '{id_at(s, 5)}'; "
            f"update audit_seal set entry_ids = array_replace(entry_ids, '{id_at(s, 5)}', '{ANYBODY}')"
        ),
        f"position 5, entry {ANYBODY}: its bytes name another id",
    ),
    "a seal deleted": (lambda s: "delete from audit_seal where number = 2", "seal 2: its previous head"),
    "the first seal deleted": (lambda s: "delete from audit_seal where number = 1", "seal 1: its previous head"),
    "a seal renumbered": (
        lambda s: "update audit_seal set number = 5 where number = 3",
        "seal 3: number is 3 in its bytes and 5 beside them",
    ),
    "a position moved": (lambda s: "update audit_seal set first_position = 40 where number = 3", "seal 3: first_position is 8"),
    "a seal edited": (lambda s: "update audit_seal set body = body || ' ' where number = 2", "seal 2: its head is not"),
    "a head edited": (lambda s: f"update audit_seal set head = '\\x{'ab' * 32}' where number = 3", "seal 3: its head is not"),
    "a detail edited": (
        lambda s: "update audit_detail set text = 'Everything.' where field = 'text'",
        "position 3, entry {3}: its detail text",
    ),
    "a salt changed": (lambda s: f"update audit_detail set salt = '\\x{'ab' * 32}' where field = 'text'", "its detail text does not match"),
    "a detail added": (
        lambda s: f"insert into audit_detail (entry_id, field, salt, text) values ('{id_at(s, 4)}', 'reason', '\\x{'ab' * 32}', 'x')",
        "position 4, entry {4}: it never had a detail reason",
    ),
    "a detail deleted": (lambda s: "delete from audit_detail where field = 'text'", "its detail text is gone, no entry tells of it"),
    "a detail of the tail edited": (lambda s: "update audit_detail set text = 'x' where text = 'It waits.'", "unsealed entry"),
    "a key replaced": (lambda s: f"update audit_publickey set public = '\\x{'ab' * 32}'", "the stream never listed it like this"),
    "another installation": (lambda s: "update audit_installation set public_id = gen_random_uuid()", "seal 1: installation is"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampered_stream_does_not_hold_and_the_first_place_is_named(stream, what):
    change, told = TAMPERED[what]
    known = {str(position): id_at(stream, position) for position in (3, 4, 5)}
    statement = change(stream)

    stream.owner_may(*statement.split("; "))

    with pytest.raises(DoesNotHold) as caught:
        stream.verified()
    for position, entry_id in known.items():
        told = told.replace(f"{{{position}}}", entry_id)
    assert told in str(caught.value)


def test_inserted_entry_shows_as_tail_and_never_as_sealed(stream):
    body = body_at(stream, 5).replace(b"change.created", b"change.revised")
    stream.owner_may(
        "insert into audit_entry (id, event, at, subject, refs, body, xid) "
        f"select '{ANYBODY}', event, at, subject, refs, '\\x{body.hex()}', '3' from audit_entry limit 1"
    )

    assert stream.verified().tail == 3


def test_stream_cut_at_its_end_is_seen_only_with_a_noted_head(stream):
    head = bytes(stream.one("select head from audit_seal where number = 3")).hex()
    stream.owner_may(
        "delete from audit_detail", "delete from audit_place where position > 7", "delete from audit_seal where number = 3",
        "delete from audit_entry where id not in (select entry_id from audit_place)",
    )  # fmt: skip
    stream.owner_may(
        f"update audit_entry set body = convert_to(replace(convert_from(body, 'utf8'), '\"x\"', ''), 'utf8') where id = '{ANYBODY}'"
    )

    with pytest.raises(DoesNotHold, match="no seal has the head"):
        verify(stream.exported().splitlines(keepends=True), heads=(head,))


def test_whole_chain_written_anew_passes_and_the_report_says_anchored_to_nothing(stream):
    body = body_at(stream, 5).replace(b"change.created", b"change.revised")
    stream.owner_may(set_body(5, body))
    seals, head = [], bytes(32)
    for number, ids, text in stream.rows("select number, entry_ids, body from audit_seal order by number"):
        bodies = dict(stream.rows("select id, body from audit_entry where id = any(%s)", ids))
        leaves = [leaf_hash(bytes(bodies[entry_id])) for entry_id in ids]
        seal = json.loads(bytes(text)) | {"root": merkle_root(leaves).hex(), "previous_head": head.hex()}
        new = json.dumps(seal, separators=(",", ":"), sort_keys=True).encode()
        previous, head = head, head_hash(head, new)
        seals.append(
            f"update audit_seal set leaves = '\\x{b''.join(leaves).hex()}', body = '\\x{new.hex()}', "
            f"previous_head = '\\x{previous.hex()}', head = '\\x{head.hex()}' where number = {number}"
        )
    noted = bytes(stream.one("select head from audit_seal where number = 3")).hex()

    stream.owner_may(*seals)

    assert sentences(stream.verified())[0] == "verified to position 9, unsealed tail of 2 entries, anchored to nothing"
    with pytest.raises(DoesNotHold, match="no seal has the head"):
        stream.verified(heads=(noted,))


def signed_anew(row: dict) -> None:
    row.update(sign_off_row(row["statement"].replace(b"APPROVE", b"REJECT")))


SIGN_OFFS = {
    "its statement edited": (lambda rows: rows[0].update(statement=b"{}"), "no entry tells of a statement"),
    "made up with the real key": (lambda rows: signed_anew(rows[0]), "no entry tells of a statement"),
    "its signature edited": (lambda rows: rows[0].update(signature=bytes(64)), "its signature does not belong"),
    "an unlisted key": (lambda rows: rows[0].update(key_id="ed25519-0000000000000000"), "was never listed in the stream"),
    "deleted": (lambda rows: rows.clear(), "is told and not there"),
    "given twice": (lambda rows: rows.append(dict(rows[0])), "no entry tells of a statement"),
    "another id": (lambda rows: rows[0].update(id="2"), "position 2: the sign-off is sign_off:2 here and sign_off:1 in the stream"),
    "said to be withdrawn": (
        lambda rows: rows[0].update(withdrawn_at="2026-11-20T14:20:00.000000Z"),
        "the withdrawal is 2026-11-20T14:20:00.000000Z here and None in the stream",
    ),
}


@pytest.mark.parametrize("what", SIGN_OFFS)
def test_sign_off_that_was_touched_does_not_hold(stream, what):
    touch, told = SIGN_OFFS[what]
    touch(stream.sign_offs)

    with pytest.raises(DoesNotHold, match=told):
        stream.verified()


def test_key_id_of_another_key_does_not_hold(stream):
    export = stream.exported().replace(KEY.id.encode(), b"ed25519-0000000000000000")

    with pytest.raises(DoesNotHold):
        verify(export.splitlines(keepends=True))


def test_without_cryptography_the_program_says_so_and_ends_with_3_unless_that_was_asked_for(stream, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verifier, "HAS_CRYPTOGRAPHY", False)
    stream.sign_offs[0]["signature"] = bytes(64)
    path = tmp_path / "export"
    path.write_bytes(stream.exported())

    assert main([str(path)]) == 3
    assert "1 sign-offs, signatures not checked" in capsys.readouterr().out
    assert main([str(path), "--without-signatures"]) == 0


def test_sign_offs_that_are_not_exported_are_said_to_be_missing(stream, monkeypatch):
    monkeypatch.setattr("apps.audit.export._exporters", {"other": lambda: [{"a": 1}]})

    said = "\n".join(sentences(stream.verified()))

    assert "sign-offs are not in this export" in said
    assert "1 lines of kind other not looked at" in said


def test_every_cut_of_an_export_is_unreadable(stream):
    lines = stream.exported().splitlines(keepends=True)

    for kept in range(len(lines)):
        with pytest.raises(UnreadableExport):
            verify(lines[:kept])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"kind":"seal"', b'"kind":"sea'),
        (b'{"kind":"header"', b'{"kind":"heater"'),
        (b'"format":"changecontrol/export/v1"', b'"format":"changecontrol/export/v9"'),
        (b'"lines":', b'"lines":1'),
        (b'"kind":"end"', b'"mind":"end"'),
        (b'"leaves":"', b'"leaves":"?'),
        (b'"count":', b'"how_many":'),
        (b'{"kind":"tail"', b'{"kind":"key"'),
    ],
)
def test_garbled_export_is_unreadable_or_does_not_hold(stream, old, new):
    whole = stream.exported()
    assert old in whole

    with pytest.raises((UnreadableExport, DoesNotHold)):
        verify(whole.replace(old, new).splitlines(keepends=True))


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_an_export_is_noticed(stream, bit):
    """Every bit of the first two seals with their entries; only the time of the export, which stands before, may be changed unseen."""
    whole = stream.exported()
    start = whole.index(b'{"kind":"seal"')
    end = whole.index(b'"number":3')

    for at in range(start, end):
        if whole[at + 1 : at + 2] == b"=":
            continue  # the last bits of padded base64 stand for nothing
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        with pytest.raises((UnreadableExport, DoesNotHold)):
            verify(bytes(flipped).splitlines(keepends=True))


def test_program_exits_with_0_1_and_2(stream, tmp_path, capsys):
    good, bad, cut = tmp_path / "good", tmp_path / "bad", tmp_path / "cut"
    whole = stream.exported()
    good.write_bytes(whole)
    bad.write_bytes(whole.replace(b"change.created", b"change.revised", 1))
    cut.write_bytes(whole[:-20])

    assert [main([str(path)]) for path in (good, bad, cut, tmp_path / "nowhere")] == [0, 1, 2, 2]
    said = capsys.readouterr().out
    assert "verified to position 9" in said
    assert "does not hold: position 4" in said
    assert "cannot be read: The export is cut off" in said


def test_one_copied_file_runs_without_us(stream, tmp_path):
    copy = tmp_path / "verifier.py"
    copy.write_bytes(Path(verifier.__file__).read_bytes())
    (tmp_path / "export.jsonl").write_bytes(stream.exported())

    done = subprocess.run(
        [sys.executable, "-I", str(copy), "export.jsonl"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified to position 9")


def test_standard_input_is_read(stream):
    done = subprocess.run([sys.executable, verifier.__file__, "-"], input=stream.exported(), capture_output=True, check=False, timeout=60)

    assert done.returncode == 0


@pytest.mark.parametrize("line", [b'{"kind":"key"}', b'{"kind":"missing","id":"x"}'])
def test_tail_that_is_not_there_is_unreadable(stream, line):
    lines = stream.exported().splitlines(keepends=True)
    at = next(number for number, said in enumerate(lines) if said.startswith(b'{"kind":"tail"'))

    with pytest.raises(UnreadableExport, match=f"Line {at + 2}"):
        verify([*lines[: at + 1], line + b"\n", *lines[at + 2 :]])
