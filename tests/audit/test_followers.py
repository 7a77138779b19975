"""Reading on: an entry that cannot be reacted to is tried a few times and passed; a database in trouble is nobody's entry."""

import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection

from apps.audit.followers import TRIES, read_on
from apps.audit.models import Cursor
from apps.audit.seal import seal_now
from apps.audit.stream import latest, ready_cursor
from apps.audit.vocabulary import Event
from apps.core.actors import ActorKind
from tests.approvals.test_races import Pause
from tests.factories.audit import make_entries, make_entry

AT_FAULT = [ZeroDivisionError("x"), IntegrityError("x"), DataError("x")]
NOT_AT_FAULT = [OperationalError("gone"), InterfaceError("closed"), ProgrammingError("no such column")]


class Reader:
    """Reacts to entries by writing a row, and fails at some of them."""

    def __init__(self, failure: Exception | None = None, *, at=()) -> None:
        self.failure, self.at, self.tried = failure, set(at), []

    def react(self, entry) -> None:
        self.tried.append(entry.position)
        Cursor.objects.create(name=f"seen {entry.position}", position=entry.position)
        if entry.position in self.at:
            raise self.failure

    def go(self, *, limit: int = 50) -> int:
        return read_on("reader", self.react, limit=limit)

    @property
    def seen(self) -> set[int]:
        """The entries whose reaction stands."""
        return set(Cursor.objects.filter(name__startswith="seen ").values_list("position", flat=True))


def position() -> int:
    return Cursor.objects.get(name="reader").position


def failures() -> list:
    return [entry for entry in latest(limit=50) if entry.event is Event.FOLLOWER_FAILED]


@pytest.fixture
def five(own_database):
    """Five sealed entries."""
    made = make_entries(5)
    seal_now()
    return made


@pytest.mark.parametrize("failure", AT_FAULT, ids=lambda error: type(error).__name__)
def test_entry_that_cannot_be_reacted_to_is_passed_after_a_few_tries_and_later_ones_are_reacted_to(five, failure, caplog):
    reader = Reader(failure, at=[3])

    for _ in range(TRIES - 1):
        reader.go()
        assert (reader.seen, position(), failures()) == ({1, 2}, 2, [])
    reader.go()

    assert (reader.seen, position()) == ({1, 2, 4, 5}, 5)
    assert reader.tried == [1, 2, *([3] * TRIES), 4, 5]
    (told,) = failures()
    assert (told.by.kind, told.by.id, told.subject.kind) == (ActorKind.SYSTEM, "reader", "entry")
    assert (told.data["position"], told.data["follower"]) == (3, "reader")
    assert told.subject.id == told.data["entry"]
    assert caplog.text.count("Traceback") == TRIES
    assert "The follower reader passes entry" in caplog.text


def test_entry_that_can_be_reacted_to_the_next_time_is_not_passed(five):
    reader = Reader(ZeroDivisionError("x"), at=[3])
    reader.go()

    reader.at = set()
    reader.go()

    assert (reader.seen, position(), failures()) == ({1, 2, 3, 4, 5}, 5, [])


def test_every_entry_has_its_own_tries(five):
    reader = Reader(ZeroDivisionError("x"), at=[2])
    for _ in range(TRIES - 1):
        reader.go()

    reader.at = {4}
    reader.go()

    assert (reader.seen, position(), failures()) == ({1, 2, 3}, 3, [])


def test_several_that_fail_are_passed_one_after_the_other_in_batches_of_any_size(five):
    reader = Reader(ZeroDivisionError("x"), at=[1, 2, 5])

    for _ in range(3 * TRIES):
        reader.go(limit=2)

    assert (reader.seen, position(), len(failures())) == ({3, 4}, 5, 3)


@pytest.mark.parametrize("failure", NOT_AT_FAULT, ids=lambda error: type(error).__name__)
def test_database_in_trouble_is_not_the_fault_of_an_entry_and_undoes_everything(five, failure):
    reader = Reader(failure, at=[3])

    for _ in range(TRIES + 1):
        with pytest.raises(type(failure)):
            reader.go()
    assert (reader.seen, position(), failures()) == (set(), 0, [])

    reader.at = set()
    reader.go()

    assert (reader.seen, failures()) == ({1, 2, 3, 4, 5}, [])


def test_connection_that_is_lost_while_reacting_is_not_the_fault_of_an_entry(five, own_database):
    reader = Reader()

    def lose(entry) -> None:
        with own_database.connect(own_database.superuser_url) as admin:
            admin.execute("select pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        reader.react(entry)

    with pytest.raises(OperationalError):
        read_on("reader", lose, limit=50)
    connection.close()
    reader.go()

    assert (reader.seen, failures()) == ({1, 2, 3, 4, 5}, [])


def test_follower_that_fails_at_everything_does_not_answer_itself_for_ever(own_database):
    make_entry()
    reader = Reader(ZeroDivisionError("x"), at=range(1, 50))

    for _ in range(4 * TRIES):
        seal_now()
        reader.go()

    assert (position(), len(failures())) == (2, 1)


def test_two_workers_that_begin_at_once_neither_wait_nor_read_twice(five, racer, monkeypatch):
    first, second = Reader(), Reader()
    pause = Pause(monkeypatch, "apps.audit.followers", "_can_react")

    winner = racer(first.go)
    pause.wait()  # in its transaction, with the cursor it is the first to need
    loser = racer(second.go)

    assert loser.result() == 0  # while the other still reads: waiting would end by the clock
    pause.go_on()
    assert winner.result() == 5
    assert (first.tried, second.tried, position()) == ([1, 2, 3, 4, 5], [], 5)


def test_two_workers_make_one_cursor(own_database, racer, wait_until_blocked):
    """Both have seen that there is none; both insert, neither fails."""
    with own_database.connect() as other, other.transaction():
        other.execute("insert into audit_cursor (name, position) values ('late', 0)")
        late = racer(lambda: ready_cursor("late"))
        wait_until_blocked(other.info.backend_pid)
    late.result()

    assert Cursor.objects.filter(name="late").count() == 1
