"""A dump restored into a fresh cluster, where transaction ids begin anew: the stream goes on and still verifies."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connections

from apps.audit import seal
from apps.audit.models import Place, Seal
from apps.audit.seal import seal_now, standing
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from changecontrol.embedded.cluster import DATABASE
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres, throwaway_postgres
from changecontrol.settings import database
from tests.audit.conftest import Stream
from tests.factories.audit import make_entries

BURN = "do $$ begin for i in 1..{} loop perform pg_current_xact_id(); commit; end loop; end $$"


def burn(url: str, count: int) -> None:
    """Use up transaction ids, so that the two clusters' numbers overlap in a known way."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BURN.format(count))


def run(program: Path, *arguments: str) -> None:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def fresh_cluster() -> Iterator[PrivatePostgres]:
    with throwaway_postgres() as running:
        running.provision()
        yield running


@pytest.fixture
def moved(live_stream: Stream, fresh_cluster: PrivatePostgres, tmp_path: Path) -> Iterator[Stream]:
    """The stream dumped with an unsealed tail, restored by the owner's own hand, and Django's connections turned there."""
    burn(live_stream.own.superuser_url, 3000)
    make_entries(2)
    dump, programs = tmp_path / "dump", live_stream.own.server.programs
    run(programs / "pg_dump", "--format=custom", f"--file={dump}", live_stream.own.superuser_url)
    run(programs / "pg_restore", "--exit-on-error", f"--dbname={fresh_cluster.url(SUPERUSER)}", str(dump))
    was = {alias: dict(connections[alias].settings_dict) for alias in ("default", "sealer")}
    for alias, url in (("default", fresh_cluster.url()), ("sealer", fresh_cluster.addresses().sealer)):
        connections[alias].close()
        connections[alias].settings_dict.update(database(url))
    here = Stream(live_stream.own, fresh_cluster.url(SUPERUSER), live_stream.sign_offs)
    yield here
    for alias, settings in was.items():
        connections[alias].close()
        connections[alias].settings_dict.update(settings)


def test_moved_stream_seals_its_tail_tells_of_the_move_and_verifies(moved: Stream):
    make_entries(1)
    before = Seal.objects.order_by("-number").values_list("system", flat=True).first()

    assert seal_now() == 2 + 2 + 1 + 1  # the old tail, the two written before the dump, the new one, the entry of the move

    (told,) = [entry for entry in latest(limit=20) if entry.event is Event.STREAM_MOVED]
    assert told.is_sealed
    assert told.data["from"] == before
    assert told.data["to"] == Seal.objects.order_by("-number").values_list("system", flat=True).first() != before
    assert (moved.verified().position, moved.verified().tail) == (15, 0)


def test_moved_stream_never_seals_an_entry_twice_while_ids_catch_up(moved: Stream, fresh_cluster: PrivatePostgres):
    highest, current = (int(moved.one(f"select {what}")) for what in ("max(xid)::text from audit_entry", "pg_current_xact_id()::text"))
    assert current < highest
    seal_now()
    for _ in range(4):
        make_entries(2)
        assert seal_now() == 2
        burn(fresh_cluster.url(SUPERUSER), (highest - current) // 4 + 1)
    assert int(moved.one("select pg_current_xact_id()::text")) > highest

    make_entries(3)

    assert seal_now() == 3
    assert seal_now() == 0
    assert standing().tail == 0
    assert Place.objects.count() == moved.verified().position == 14 + 8 + 3


def test_move_is_told_once_though_the_sealer_died_in_between(moved: Stream, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(seal, "PLACE", "select 1/0, %s")
        for _ in range(2):
            with pytest.raises(DatabaseError, match="division by zero"):
                seal_now()

    seal_now()

    assert [entry.event for entry in latest(limit=30)].count(Event.STREAM_MOVED) == 1
    assert moved.verified().tail == 0


def test_move_is_told_though_somebody_put_garbage_beside_it(moved: Stream, fresh_cluster: PrivatePostgres):
    with psycopg.connect(fresh_cluster.url(), autocommit=True) as connection:
        connection.execute(
            "insert into audit_entry (id, event, at, subject, refs, body) "
            "values (gen_random_uuid(), 'stream.moved', now(), 'stream:1', array['stream:1'], 'x')"
        )

    assert seal_now() == 2 + 2 + 1 + 1

    assert [entry.event for entry in latest(limit=30)].count(Event.STREAM_MOVED) == 1


def test_guard_and_privileges_move_with_the_dump(moved: Stream, fresh_cluster: PrivatePostgres):
    with psycopg.connect(fresh_cluster.url(), autocommit=True) as connection:
        for statement in ("update audit_entry set at = at", "insert into audit_place values (gen_random_uuid(), 1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    with psycopg.connect(fresh_cluster.url(SUPERUSER, DATABASE)) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("delete from audit_entry")
