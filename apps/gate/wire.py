"""Prepared statements straight through libpq: a cursor would cost as much again as the gather itself.

The gate speaks on a connection of its own per thread, set for short planned-once statements; inside a transaction it
speaks on Django's, because there it must see what that transaction has locked and written."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import pq

# A plan kept from small tables, or one made anew for every question, is 10 to 70 times slower; so is JIT.
PLANNING = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "timezone": "UTC",
}
# One trip says what held before and sets ours for the transaction; another one puts back what held.
_HELD = ", ".join(f"current_setting('{name}') as {name}" for name in PLANNING)
_OURS = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in PLANNING.items())
PLAN_OURS = f"with before as materialized (select {_HELD}) select {', '.join(PLANNING)}, {_OURS} from before"
PLAN_THEIRS = "select " + ", ".join(f"set_config('{name}', %s, true)" for name in PLANNING)
OWN = {"statement_timeout": "5s", "lock_timeout": "2s", "application_name": "changecontrol gate"}
OIDS = {"bytea": 17, "text": 25, "text[]": 1009, "timestamptz": 1184, "bigint": 20, "uuid": 2950, "uuid[]": 2951, "bytea[]": 1001,
        "boolean": 16, "bigint[]": 1016, "smallint": 21, "timestamptz[]": 1185}  # fmt: skip
WELL = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})
Row = list[bytes | None]


@dataclass(frozen=True)
class Statement:
    """A statement by name, its text with `$n`, and the types of its parameters."""

    name: str
    text: str
    types: tuple[str, ...]

    @cached_property
    def key(self) -> bytes:
        """Its name as libpq takes it."""
        return self.name.encode()

    @cached_property
    def formats(self) -> list[pq.Format]:
        """In which form each parameter is sent."""
        return [pq.Format.BINARY if kind == "bytea" else pq.Format.TEXT for kind in self.types]


class _Line:
    """A connection that is closed with the thread it belongs to, and the place it leads to: another place needs another one."""

    def __init__(self, connection: psycopg.Connection[Any], place: tuple[object, ...]) -> None:
        self.connection, self.place, self._process = connection, place, os.getpid()
        self.prepared: set[str] = set()

    def __del__(self) -> None:
        if self._process == os.getpid():  # after a fork it is the parent's, and closing would end it there
            self.connection.close()


class _Own(threading.local):
    line: _Line | None = None


_own = _Own()
_prepared: WeakKeyDictionary[psycopg.Connection[Any], set[str]] = WeakKeyDictionary()  # on Django's connections


def read(statement: Statement, parameters: Sequence[object]) -> list[Row]:
    """Run a statement that changes nothing; a connection that was lost meanwhile is made again, once."""
    try:
        return write(statement, parameters)
    except psycopg.Error:  # libpq tells a lost connection without a code
        if _own.line is not None:  # another kind of failure: the connection is well
            raise
        return write(statement, parameters)


def write(statement: Statement, parameters: Sequence[object]) -> list[Row]:
    """Run a statement once. Raises psycopg's or, inside Django's transaction, Django's database errors."""
    django = connections[DEFAULT_DB_ALIAS]
    if django.in_atomic_block:
        with _planning_ours(django) as connection, django.wrap_database_errors:
            return _run(connection, _prepared.setdefault(connection, set()), statement, parameters)
    try:
        line = _own_line(django)
        return _run(line.connection, line.prepared, statement, parameters)
    except psycopg.Error:
        if _own.line is not None and _own.line.connection.pgconn.status != pq.ConnStatus.OK:
            close()
        raise


def close() -> None:
    """Give up the thread's own connection."""
    _own.line = None


@contextmanager
def _planning_ours(django: BaseDatabaseWrapper) -> Iterator[psycopg.Connection[Any]]:
    """Django's connection with our planning, for one statement: what else the transaction does is planned as ever."""
    # Through Django first: a transaction of psycopg begins with its first own statement, and this must be inside it.
    with django.cursor() as cursor:
        cursor.execute(PLAN_OURS)
        before = cursor.fetchone()[: len(PLANNING)]
    try:
        yield django.connection
    finally:
        # A failed transaction takes no statement; where it goes on at a savepoint, that has put everything back.
        if django.connection.info.transaction_status == pq.TransactionStatus.INTRANS:
            django.connection.execute(PLAN_THEIRS, before)


def _own_line(django: BaseDatabaseWrapper) -> _Line:
    settings = django.settings_dict
    place = (os.getpid(), settings["HOST"], settings["PORT"], settings["NAME"], settings["USER"])
    if _own.line is None or _own.line.place != place:
        made = psycopg.connect(**{**django.get_connection_params(), "autocommit": True})
        line = _Line(made, place)  # kept only when it is set up whole
        for name, value in {**PLANNING, **OWN}.items():
            made.execute("select set_config(%s, %s, false)", [name, value])
        _own.line = line
    return _own.line


def _own_connection() -> psycopg.Connection[Any]:
    return _own_line(connections[DEFAULT_DB_ALIAS]).connection


def _run(connection: psycopg.Connection[Any], prepared: set[str], statement: Statement, parameters: Sequence[object]) -> list[Row]:
    libpq = connection.pgconn
    if statement.name not in prepared:
        types = [OIDS[kind] for kind in statement.types]
        _check(connection, libpq.prepare(statement.key, statement.text.encode(), types))
        prepared.add(statement.name)
    # The stub of psycopg.pq knows no NULL.
    values: list[Any] = [None if value is None else ENCODED.get(type(value), _encoded)(value) for value in parameters]
    result = libpq.exec_prepared(statement.key, values, statement.formats)
    _check(connection, result)
    return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]


def _check(connection: psycopg.Connection[Any], result: pq.abc.PGresult) -> None:
    if result.status not in WELL:
        raise psycopg.errors.error_from_result(result, connection.info.encoding)


def _encoded(value: object) -> bytes | None:
    match value:
        case None | bytes():
            return value
        case str():
            return value.encode()
        case UUID():
            return str(value).encode()
        case list() | tuple():
            return _array(value)
        case bool():
            return b"t" if value else b"f"
        case int():
            return str(value).encode()
        case datetime():
            return value.isoformat().encode()
        case _:
            raise TypeError(f"{type(value).__name__} is no parameter of a statement.")


def _array(value: Sequence[object]) -> bytes:
    return b"{" + b",".join([_quoted(item) for item in value]) + b"}"


def _moment(value: datetime) -> bytes:
    # What `isoformat` writes, in a fifth of its time, where the zone is UTC itself.
    return orjson.dumps(value)[1:-1] if value.tzinfo is UTC else value.isoformat().encode()


def _quoted(value: object) -> bytes:
    if isinstance(value, bytes):
        text: bytes | None = b"\\x" + value.hex().encode()
    else:
        text = value.encode() if type(value) is str else _encoded(value)
    if text is None:
        return b"NULL"
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


# By the very type, which is asked for most; what only descends from one of these is told apart above.
ENCODED: dict[type, Callable[[Any], bytes | None]] = {
    bytes: bytes,
    str: str.encode,
    UUID: lambda value: orjson.dumps(value)[1:-1],
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: str(value).encode(),
    datetime: _moment,
    list: _array,
    tuple: _array,
}
