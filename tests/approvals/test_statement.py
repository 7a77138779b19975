"""Statement v1: bytes that can never change."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest

from apps.approvals.statement import NotAStatement, StatedRule, Statement, read_statement, signed_message, statement_bytes

GOLDEN = Path(__file__).parent / "golden" / "statement-v1.json"
TARGET = "0198aaaa-0000-7000-8000-000000000005"
STATEMENT = Statement(
    installation="0198aaaa-0000-7000-8000-000000000001",
    change="0198aaaa-0000-7000-8000-000000000002",
    ref="CHG-1042",
    revision=4,
    revision_digest="e8" * 32,
    covers={"scope": "41" * 32, "plan": "b0" * 32, "rollback": "f2" * 32, "period": "9d" * 32},
    rules=(
        StatedRule("0198aaaa-0000-7000-8000-000000000003", "owner", TARGET, "owner:ANY:0198aaaa-0000-7000-8000-000000000004", "APPROVAL"),
        StatedRule(
            "0198aaaa-0000-7000-8000-000000000003", "business", TARGET, "owner:BUSINESS:0198aaaa-0000-7000-8000-000000000004", "APPROVAL"
        ),
    ),
    policies={"0198aaaa-0000-7000-8000-000000000003": "6f" * 32},
    settings={TARGET: "77" * 32},
    decision="APPROVE",
    meaning="APPROVAL",
    reason="Ends 40 min before the freeze – “fine”.",
    person_id=UUID("0198aaaa-0000-7000-8000-000000000006"),
    person_name="Zoë Ångström",
    by={"kind": "PERSON", "id": "0198aaaa-0000-7000-8000-000000000006", "credential": "session"},
    at=datetime(2026, 11, 19, 13, 20, 44, tzinfo=UTC),
    nonce="00112233445566778899aabbccddeeff",
)


def test_statement_bytes_are_the_golden_ones():
    assert statement_bytes(STATEMENT) == GOLDEN.read_bytes()


def test_statement_is_read_back_as_it_was_written():
    read = read_statement(GOLDEN.read_bytes())

    assert read == replace(STATEMENT, rules=tuple(sorted(STATEMENT.rules)))
    assert statement_bytes(read) == GOLDEN.read_bytes()


def test_statement_bytes_do_not_depend_on_zone_order_or_repetition():
    same = replace(
        STATEMENT,
        at=STATEMENT.at.astimezone(timezone(timedelta(hours=1))),
        rules=(*reversed(STATEMENT.rules), STATEMENT.rules[0]),
        person_name="Zoe\u0308 A\u030angstro\u0308m",
    )

    assert statement_bytes(same) == GOLDEN.read_bytes()


def test_a_statement_is_read_as_it_was_written_whatever_unicode_says_today():
    """What was composed when it was signed may be composed otherwise later: the bytes are signed, not the text."""
    data = GOLDEN.read_bytes().replace("Zoë".encode(), "Zoe\u0308".encode())

    assert read_statement(data).person_name.startswith("Zoe\u0308 ")


def test_signed_message_begins_with_its_type():
    assert signed_message(b"x") == b"changecontrol/sign-off/v1\nx"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        GOLDEN.read_bytes() + b" ",
        GOLDEN.read_bytes().replace(b'"schema":1', b'"schema":2'),
        GOLDEN.read_bytes().replace(b"sign-off/v1", b"sign-off/v2"),
        GOLDEN.read_bytes().replace(b'"number":4', b'"number":4.5'),
        GOLDEN.read_bytes().replace("Zoë".encode(), b"Zo\\u00eb"),
        GOLDEN.read_bytes().replace(b'"rule":"owner",', b'"rule":"owner", '),
        GOLDEN.read_bytes().replace(b'"rule":"owner",', b""),
        json.dumps({**json.loads(GOLDEN.read_bytes()), "more": 1}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps({key: value for key, value in json.loads(GOLDEN.read_bytes()).items() if key != "nonce"}).encode(),
    ],
)
def test_other_bytes_are_no_statement(data):
    with pytest.raises(NotAStatement):
        read_statement(data)
