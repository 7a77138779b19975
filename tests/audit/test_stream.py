"""Reading: filters, pages by key, and followers that never skip and never read twice."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from apps.audit import followers
from apps.audit.models import Cursor
from apps.audit.seal import seal_now
from apps.audit.stream import StreamFilter, entries_about, entries_about_any, entry_by_id, follow, latest, ready_cursor
from apps.audit.vocabulary import Event
from apps.core.ids import new_id
from apps.core.references import reference
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_entries, make_entry

SERVICE, OTHER = reference("service", "1"), reference("service", "2")


def test_latest_shows_the_newest_first_and_pages_by_key(db):
    made = [make_entry(at=NOW + timedelta(seconds=number // 3)) for number in range(10)]  # several share a moment
    newest = [entry.id for entry in sorted(made, key=lambda entry: (entry.at, entry.id), reverse=True)]

    pages, before = [], None
    while page := latest(limit=4, before=before):
        pages.append(len(page))
        assert [entry.id for entry in page] == newest[sum(pages[:-1]) : sum(pages)]
        before = page[-1].id

    assert pages == [4, 4, 2]


def test_page_after_an_unknown_entry_is_empty(db):
    make_entry()

    assert latest(limit=5, before=uuid4()) == []


def test_latest_asks_one_statement_whatever_it_shows(db, django_assert_num_queries):
    for _ in range(20):
        make_entry(details={"reason": "x"})

    with django_assert_num_queries(1):
        assert len(latest(limit=50)) == 20


def test_filters_hold_together(db):
    by = make_actor()
    wanted = make_entry(Event.HOLD_PLACED, by=by, refs=[SERVICE], at=NOW)
    make_entry(Event.HOLD_PLACED, by=by, refs=[OTHER], at=NOW)
    make_entry(Event.HOLD_LIFTED, by=by, refs=[SERVICE], at=NOW)
    make_entry(Event.HOLD_PLACED, refs=[SERVICE], at=NOW)
    make_entry(Event.HOLD_PLACED, by=by, refs=[SERVICE], at=NOW + timedelta(hours=1))
    make_entry(Event.HOLD_PLACED, by=by, refs=[SERVICE], at=NOW - timedelta(hours=1))
    about = (SERVICE, reference("person", by.id))

    found = latest(StreamFilter(events=(Event.HOLD_PLACED,), about=about, since=NOW, until=NOW + timedelta(hours=1)), limit=9)

    assert [entry.id for entry in found] == [wanted.id]


def test_entries_about_a_thing_hold_every_entry_that_names_it(db):
    first = make_entry(subject=SERVICE, at=NOW)
    second = make_entry(refs=[SERVICE], at=NOW + timedelta(seconds=1))
    make_entry(subject=OTHER)

    assert [entry.id for entry in entries_about(SERVICE, limit=5)] == [second.id, first.id]
    assert [entry.id for entry in entries_about(SERVICE, limit=5, before=second.id)] == [first.id]


def test_entries_about_any_end_before_the_end(db):
    at_start = make_entry(refs=[SERVICE], at=NOW)
    inside = make_entry(refs=[OTHER], at=NOW + timedelta(minutes=1))
    make_entry(refs=[SERVICE], at=NOW + timedelta(minutes=2))
    make_entry(refs=[SERVICE], at=NOW - timedelta(seconds=1))

    found = entries_about_any([SERVICE, OTHER], since=NOW, until=NOW + timedelta(minutes=2), limit=9)

    assert [entry.id for entry in found] == [inside.id, at_start.id]


def test_unknown_entry_is_none(db):
    assert entry_by_id(uuid4()) is None


def test_follow_gives_sealed_entries_once_in_sealed_order(own_database):
    ready_cursor("reader")
    made = make_entries(5)
    with transaction.atomic():
        assert follow("reader", 10) == []
    seal_now()

    with transaction.atomic():
        first = follow("reader", 3)
    with transaction.atomic():
        second = follow("reader", 3)
        third = follow("reader", 3)

    assert [entry.position for entry in first + second] == [1, 2, 3, 4, 5]
    assert [entry.id for entry in first + second] == [entry.id for entry in made]
    assert all(entry.is_sealed for entry in first)
    assert third == []


def test_follower_that_fails_reads_the_same_again(own_database):
    ready_cursor("reader")
    make_entries(2)
    seal_now()

    with transaction.atomic():
        first = follow("reader", 5)
        transaction.set_rollback(True)
    with transaction.atomic():
        assert follow("reader", 5) == first


def test_readers_have_cursors_of_their_own(own_database):
    for name in ("one", "other"):
        ready_cursor(name)
    make_entries(2)
    seal_now()
    with transaction.atomic():
        follow("one", 5)

    with transaction.atomic():
        assert len(follow("other", 5)) == 2


def test_reader_gets_nothing_while_another_worker_reads_or_without_a_cursor(own_database):
    with transaction.atomic():
        assert follow("reader", 1) == []
    ready_cursor("reader")
    make_entries(2)
    seal_now()
    with transaction.atomic():
        follow("reader", 1)
    with own_database.connect() as other:
        with other.transaction():
            other.execute("select * from audit_cursor where name = 'reader' for update")
            with transaction.atomic():
                assert follow("reader", 5) == []

        with transaction.atomic():
            assert len(follow("reader", 5)) == 1


def insert(connection_, entry_id, event, body: object) -> None:
    """What a newer version writes, or somebody with the application's database role."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection_.execute(
        "insert into audit_entry (id, event, at, subject, refs, body) values (%s, %s, %s, 'service:1', array['service:1'], %s)",
        [entry_id, event, NOW, text],
    )


def newer(entry_id) -> dict[str, object]:
    said = {"id": str(entry_id), "event": "moon.landed", "at": "2026-11-20T14:20:00.000000Z", "by": {"kind": "SYSTEM", "id": "rocket"}}
    return said | {"subject": "service:1", "refs": ["service:1"], "data": {"crew": 3}, "details": {}}


def garbage(entry_id) -> dict[str, object]:
    whole = newer(entry_id) | {"event": "change.created"}
    return {
        "no JSON": b"\x00\xff",
        "no object": [],
        "nothing in it": {},
        "an actor of another kind": whole | {"by": {"kind": "MARTIAN", "id": "x"}},
        "a person without an id": whole | {"by": {"kind": "PERSON", "id": "x"}},
        "a moment that is none": whole | {"at": "yesterday"},
        "a list for an event": whole | {"event": []},
        "a number for data": whole | {"data": 5},
        "a list for details": whole | {"details": ["x"]},
        "a number among its references": whole | {"refs": [1]},
        "another id": newer(uuid4()) | {"event": "change.created"},
    }


def test_event_of_a_newer_version_is_read_as_plain_text(db):
    entry_id = uuid4()
    with connection.cursor() as cursor:
        insert(cursor, entry_id, "moon.landed", newer(entry_id))

    (entry,) = latest(limit=5)

    assert (entry.id, entry.event, entry.data, entry.subject) == (entry_id, "moon.landed", {"crew": 3}, SERVICE)


@pytest.mark.parametrize("what", garbage(uuid4()))
def test_bytes_that_are_no_entry_are_shown_as_something_that_is_there(db, what, caplog):
    entry_id = uuid4()
    with connection.cursor() as cursor:
        insert(cursor, entry_id, "change.created", garbage(entry_id)[what])

    (entry,) = entries_about(SERVICE, limit=5)

    assert (entry.id, entry.event, entry.at, entry.data) == (entry_id, "change.created (unreadable)", NOW, {})
    assert str(entry_id) in caplog.text


def test_followers_go_on_behind_what_they_cannot_read(own_database):
    ready_cursor("reader")
    with own_database.connect() as other:
        insert(other, new_id(), "moon.landed", b"{")
    made = make_entry()
    seal_now()

    with transaction.atomic():
        first, second = follow("reader", 5)

    assert (first.event, first.position) == ("moon.landed (unreadable)", 1)
    assert (second.id, second.position) == (made.id, 2)


def test_follow_needs_a_transaction(own_database):
    ready_cursor("reader")
    with pytest.raises(transaction.TransactionManagementError):
        follow("reader", 1)
    assert not connection.in_atomic_block
    assert Cursor.objects.get().position == 0


@pytest.fixture
def no_followers(monkeypatch):
    monkeypatch.setattr(followers, "_followers", {})


def test_follower_that_raises_is_logged_and_keeps_nobody_waiting(no_followers, caplog):
    called = []
    followers.register("broken", lambda: 1 / 0)
    followers.register("whole", lambda: called.append(1))

    followers.run_followers()

    assert called == [1]
    assert "The follower broken failed" in caplog.text


def test_name_of_a_follower_is_taken_once(no_followers):
    followers.register("one", print)
    followers.register("one", print)

    with pytest.raises(ValueError, match="Two followers"):
        followers.register("one", repr)
