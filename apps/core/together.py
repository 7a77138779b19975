"""Several querysets read by one statement: what a page asks of many tables at once takes one trip. No queries of its own."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any, ClassVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from psycopg import Cursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format


class _JsonText(Loader):
    """JSON as its text: what Django's fields expect to read."""

    format = Format.BINARY
    skipped: ClassVar[int] = 0

    def load(self, data: Buffer) -> str:
        """The text, without the number of the format before it."""
        return bytes(data)[self.skipped :].decode()


class _JsonbText(_JsonText):
    skipped = 1


class _Read(SQLCompiler):
    """A compiler whose rows are here already."""

    rows: list[tuple[Any, ...]]

    def execute_sql(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - as many answers as Django has kinds
        """One piece with all rows."""
        return [self.rows]


def read_together(*querysets: QuerySet[Any, Any]) -> None:
    """Fill these querysets in one statement, all of them as of one moment; whoever goes over one then asks the database nothing.

    Rows come as records in the database's own binary form, which names each value's type: nothing is turned into text and back."""
    pieces: list[tuple[QuerySet[Any, Any], _Read, str]] = []
    parameters: list[Any] = []
    for queryset in querysets:
        compiler = _Read(queryset.query, connections[queryset.db], queryset.db)
        try:
            sql, given = compiler.as_sql()
        except EmptyResultSet:  # nothing can match, and Django asks nothing either
            continue
        pieces.append((queryset, compiler, f"array(select row(q.*) from ({sql}) q)"))
        parameters += given
    if pieces:
        answers = _asked(pieces[0][0].db, f"select {', '.join(sql for _, _, sql in pieces)}", parameters)
        for (queryset, compiler, _), rows in zip(pieces, answers, strict=True):
            _fill(queryset, compiler, rows)


def _asked(alias: str, sql: str, parameters: Iterable[Any]) -> tuple[list[tuple[Any, ...]], ...]:
    with connections[alias].cursor() as cursor, closing(cursor.cursor) as below:
        # Django's own cursor puts parameters in by itself and can read text alone; the driver's usual one reads what is bound already.
        cursor.cursor = Cursor(below.connection)
        cursor.cursor.format = Format.BINARY
        cursor.cursor.adapters.register_loader("json", _JsonText)
        cursor.cursor.adapters.register_loader("jsonb", _JsonbText)
        cursor.execute(below.mogrify(sql, [*parameters]))
        answer: tuple[list[tuple[Any, ...]], ...] = cursor.fetchone()
        return answer


def _fill(queryset: QuerySet[Any, Any], compiler: _Read, rows: list[tuple[Any, ...]]) -> None:
    """Let the queryset build what it builds of rows, of these rows."""
    query: Any = queryset.query
    compiler.rows = rows
    query.get_compiler = lambda *_, **__: compiler
    try:
        len(queryset)
    finally:
        del query.get_compiler  # a queryset made of this one asks for itself
