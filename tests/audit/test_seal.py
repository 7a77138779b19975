"""Sealing under everything that runs beside it: open transactions, another sealer, full batches."""

from datetime import timedelta
from threading import Barrier

import psycopg
import pytest
from django.db import DatabaseError, connections

from apps.audit import beat, seal
from apps.audit.models import Place, Seal
from apps.audit.record import INSERT, compose
from apps.audit.seal import CannotSeal, seal_lag, seal_now, standing
from apps.audit.vocabulary import Event
from apps.core.locks import database_now
from apps.core.references import reference
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_entries, make_entry


def insert_by(connection: psycopg.Connection) -> str:
    """An entry through a connection of the test's own, in whatever transaction that is in."""
    draft = compose(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW)
    connection.execute(INSERT, draft.columns)
    return str(draft.columns[0])


@pytest.fixture
def begun(own_database) -> None:
    """One seal is there: the very first sealing takes all it sees, by id, because there is nothing to go on from."""
    make_entry()
    assert seal_now() == 1


def order() -> list[str]:
    """All sealed entries, in the order of their positions, without a gap."""
    placed = list(Place.objects.order_by("position").values_list("position", "entry_id"))
    assert [position for position, _ in placed] == list(range(1, len(placed) + 1))
    assert [entry_id for seal in Seal.objects.order_by("number") for entry_id in seal.entry_ids] == [entry_id for _, entry_id in placed]
    return [str(entry_id) for _, entry_id in placed]


def test_empty_stream_has_nothing_to_seal(own_database):
    assert seal_now() == 0
    assert (standing().sealed_to, standing().tail, seal_lag(NOW)) == (0, 0, timedelta())


def test_sealing_continues_where_the_last_seal_ended(own_database):
    first, second = make_entries(3), []
    assert (seal_now(), seal_now()) == (3, 0)

    second = make_entries(2)

    assert seal_now() == 2
    assert order() == [str(entry.id) for entry in first + second]
    assert [(seal.first_position, seal.count) for seal in Seal.objects.order_by("number")] == [(1, 3), (4, 2)]


def test_open_transaction_delays_those_after_it_and_nothing_is_skipped(own_database, begun):
    with own_database.connect() as old, own_database.connect() as young:
        with old.transaction():
            first = insert_by(old)
            with young.transaction():
                second = insert_by(young)
            third = str(make_entry().id)

            assert seal_now() == 0
            assert standing().tail == 2

        assert seal_now() == 3
    assert order()[1:] == [first, second, third]


def test_what_ended_before_an_open_transaction_began_is_sealed(own_database, begun):
    with own_database.connect() as first, own_database.connect() as second, own_database.connect() as third:
        with first.transaction():
            one = insert_by(first)
        with second.transaction():
            two = insert_by(second)
            with third.transaction():
                three = insert_by(third)

            assert seal_now() == 1
            assert order()[1:] == [one]

        assert seal_now() == 2
    assert order()[1:] == [one, two, three]


def test_rolled_back_transaction_leaves_no_gap(own_database, begun):
    with own_database.connect() as connection:
        with connection.transaction(force_rollback=True):
            insert_by(connection)
        with connection.transaction():
            kept = insert_by(connection)

    assert seal_now() == 1
    assert order()[1:] == [kept]


def test_transaction_in_another_database_delays_too_and_breaks_nothing(own_database, begun):
    with own_database.connect(own_database.server.url("postgres", "postgres")) as elsewhere:
        with elsewhere.transaction():
            elsewhere.execute("select pg_current_xact_id()")
            make_entries(2)
            assert seal_now() == 0

        assert seal_now() == 2


def test_first_sealing_skips_nobody_who_was_still_writing(own_database):
    with own_database.connect() as old:
        with old.transaction():
            late = insert_by(old)
            early = str(make_entry().id)
            assert seal_now() == 1

        assert seal_now() == 1
    assert order() == [early, late]


def test_full_batches_end_inside_a_transaction_and_lose_nothing(own_database, monkeypatch):
    monkeypatch.setattr(seal, "BATCH", 3)
    seal_now()
    make_entry()
    assert seal_now() == 1
    with own_database.connect() as connection, connection.transaction():
        made = [insert_by(connection) for _ in range(8)]

    assert seal_now() == 8
    assert order()[1:] == sorted(made)
    assert [found.count for found in Seal.objects.order_by("number")] == [1, 3, 3, 2]


def test_first_sealing_of_a_long_stream_goes_in_batches_too(own_database, monkeypatch):
    monkeypatch.setattr(seal, "BATCH", 3)
    make_entries(7)

    assert seal_now() == 7
    assert [found.count for found in Seal.objects.order_by("number")] == [3, 3, 1]
    assert len(order()) == 7


def test_sealer_gives_way_to_the_one_at_work(own_database):
    make_entries(2)
    with own_database.connect(own_database.sealer_url) as other, other.transaction():
        other.execute("select pg_advisory_xact_lock(%s)", [seal.SEALER_LOCK])

        assert seal_now() == 0

    assert seal_now() == 2


def test_of_two_sealers_one_wins_and_each_entry_is_sealed_once(own_database, racer):
    start, rounds = Barrier(2, timeout=20), 5
    made = make_entries(10)

    def work() -> int:
        start.wait()
        sealed = 0
        try:
            for _ in range(rounds):
                sealed += seal_now()
        finally:
            connections["sealer"].close()
        return sealed

    sealers = [racer(work) for _ in range(2)]

    assert sum(sealer.result() for sealer in sealers) == 10
    assert order() == [str(entry.id) for entry in made]


def test_killed_sealer_leaves_no_half_seal(own_database, monkeypatch):
    make_entries(3)
    with monkeypatch.context() as killed:
        killed.setattr(seal, "PLACE", "select pg_terminate_backend(pg_backend_pid()), %s")
        with pytest.raises(DatabaseError, match=r"terminating|closed"):
            seal_now()
    connections["sealer"].close()

    assert not Seal.objects.exists()
    assert seal_now() == 3


def test_application_role_cannot_seal_and_says_what_is_missing(own_database, monkeypatch):
    make_entry()
    monkeypatch.setattr(seal, "SEALER", "nobody")

    with pytest.raises(CannotSeal, match="DATABASE_SEALER_URL"):
        seal_now()


def test_other_errors_of_the_database_are_not_taken_for_a_missing_role(own_database, monkeypatch):
    make_entry()
    monkeypatch.setattr(seal, "PLACE", "insert into no_such_table values (%s)")

    with pytest.raises(DatabaseError, match="no_such_table"):
        seal_now()


def test_lag_is_the_age_of_the_oldest_unsealed_entry(own_database):
    make_entry(at=NOW - timedelta(hours=1))
    seal_now()
    make_entry(at=NOW)
    make_entry(at=NOW + timedelta(seconds=2))

    assert seal_lag(NOW + timedelta(seconds=5)) == timedelta(seconds=5)
    assert seal_lag(NOW - timedelta(days=1)) == timedelta()
    assert standing().tail == 2


def test_seal_binds_its_head_to_the_one_before(own_database):
    for _ in range(3):
        make_entry()
        seal_now()

    heads = [(bytes(found.previous_head), bytes(found.head)) for found in Seal.objects.order_by("number")]

    assert heads[0][0] == bytes(32)
    assert [previous for previous, _ in heads[1:]] == [head for _, head in heads[:-1]]


def test_task_seals_and_then_lets_the_followers_read(own_database, monkeypatch):
    make_entry(at=database_now())
    seen = []
    monkeypatch.setattr(beat, "run_followers", lambda: seen.append(standing().sealed_to))

    beat.seal_stream(unknown="from a newer version")

    assert seen == [1]
