"""What goes over the wire: every kind of value comes back as it went."""

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from django.db import DataError, connection, transaction

from apps.gate import wire
from apps.gate.wire import OIDS, PLANNING, Statement, read, write

ODD = ["", "a", 'a"b', "a\\b", "a,b", "{a}", "NULL", " a ", "ü🦭", "a\nb"]
VALUES = {
    "bytea": b"\x00\xff\\'", "text": "ü\\\"'{}", "text[]": ODD, "timestamptz": datetime(2026, 11, 20, 14, 20, 6, 123456, tzinfo=UTC),
    "bigint": -(2**62), "uuid": UUID(int=7), "uuid[]": [UUID(int=7), None], "bytea[]": [b"", b"\x00\\\"", b"{}"], "boolean": True, "smallint": 7,
    "timestamptz[]": [datetime(2026, 11, 20, tzinfo=UTC)], "bigint[]": [-7, None],
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(OIDS))
def test_every_value_arrives_as_it_is(own_gate, kind):
    statement = Statement(f"echo_{kind}", "select $1 = $2::text::" + kind, (kind, "text"))
    value = VALUES[kind]
    written = psycopg.ClientCursor(wire._own_connection()).mogrify("select (%s)::" + kind + "::text", [value])
    ((said,),) = wire._own_connection().execute(written).fetchall()

    assert read(statement, (value, said)) == [[b"t"]]


@pytest.mark.parametrize("kind", sorted(OIDS))
def test_nothing_is_null(own_gate, kind):
    assert read(Statement(f"null_{kind}", "select $1 is null", (kind,)), (None,)) == [[b"t"]]


def test_value_of_another_kind_is_a_mistake(own_gate):
    with pytest.raises(TypeError):
        read(Statement("float", "select $1::text", ("text",)), (1.5,))


def test_error_of_the_database_is_raised_and_the_connection_goes_on(own_gate):
    fails = Statement("fails", "select 1 / $1::bigint", ("bigint",))

    with pytest.raises(psycopg.errors.DivisionByZero):
        read(fails, (0,))
    assert read(fails, (1,)) == [[b"1"]]


def test_lost_connection_is_not_made_again_for_writing(own_gate):
    one = Statement("one", "select $1::bigint", ("bigint",))
    write(one, (1,))
    with own_gate.connect(own_gate.superuser_url) as admin:
        admin.execute("select pg_terminate_backend(%s)", [wire._own_connection().info.backend_pid])

    with pytest.raises(psycopg.Error):
        write(one, (1,))
    assert write(one, (1,)) == [[b"1"]]


def planning() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("select " + ", ".join(f"current_setting('{name}')" for name in PLANNING))
        return dict(zip(PLANNING, cursor.fetchone(), strict=True))


def test_inside_a_transaction_only_the_gates_statement_is_planned_its_way(own_gate):
    seen = Statement("seen", "select current_setting($1)", ("text",))

    with transaction.atomic():
        before = planning()
        inside = {name: read(seen, (name,))[0][0].decode() for name in PLANNING}
        after = planning()

    assert inside == {**PLANNING, "timezone": "UTC"}
    assert after == before
    assert before["enable_seqscan"] == "on"


@pytest.mark.parametrize(
    ("statement", "parameter", "error"),
    [
        (Statement("fails_inside", "select 1 / $1::bigint", ("bigint",)), 0, DataError),
        (Statement("float_inside", "select $1::text", ("text",)), 1.5, TypeError),
    ],
)
def test_inside_a_transaction_a_failure_leaves_the_planning_as_it_was(own_gate, statement, parameter, error):
    with transaction.atomic():
        before = planning()
        with pytest.raises(error), transaction.atomic():
            read(statement, (parameter,))

        assert planning() == before


def test_value_of_another_kind_leaves_the_planning_of_the_transaction_as_it_was(own_gate):
    with transaction.atomic():
        before = planning()
        with pytest.raises(TypeError):
            read(Statement("float_inside", "select $1::text", ("text",)), (1.5,))

        assert planning() == before


def test_a_forked_process_makes_its_own_connection(own_gate, monkeypatch):
    first = wire._own_connection()
    monkeypatch.setattr(wire.os, "getpid", lambda: -1)
    second = wire._own_connection()
    monkeypatch.undo()

    assert second is not first
    assert first.execute("select 1").fetchone() == (1,)
    first.close()
    second.close()
