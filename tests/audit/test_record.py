"""Writing: what an entry's bytes hold, where erasable text goes, and that nothing is told without what it tells."""

import json
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from kombu.exceptions import OperationalError

from apps.audit import nudge as nudges
from apps.audit import record as recording
from apps.audit.models import Cursor, Detail, Entry
from apps.audit.record import commitment, record
from apps.audit.stream import entry_by_id
from apps.audit.vocabulary import URGENT, Event
from apps.core.actors import Actor, ActorKind, system
from apps.core.canonical import NotCanonical, canonical_bytes
from apps.core.references import reference
from apps.core.verbs import verb
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_cursor, make_entry


def test_record_writes_canonical_bytes_that_say_who_what_and_when(db):
    by, change, service = make_actor(), reference("change", uuid4()), reference("service", uuid4())

    entry_id = record(Event.CHANGE_SUBMITTED, subject=change, by=by, at=NOW, refs=[service, change], data={"revision": 4})

    body = bytes(Entry.objects.values_list("body", flat=True).get(id=entry_id))
    said = json.loads(body)
    assert said == {
        "schema": 1,
        "id": str(entry_id),
        "event": "change.submitted",
        "at": "2026-11-20T14:20:00.000000Z",
        "by": {"kind": "PERSON", "id": by.id, "credential": "session"},
        "subject": str(change),
        "refs": sorted([str(change), str(service), f"person:{by.id}"]),
        "data": {"revision": 4},
        "details": {},
    }
    assert body == canonical_bytes(said)


def test_record_is_one_statement_with_and_without_details(db, django_assert_num_queries):
    with django_assert_num_queries(2):
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW)
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW, details={"reason": "a", "name": "b"})


def test_record_keeps_text_apart_and_commits_to_it(db):
    entry = make_entry(details={"reason": "Ada\u0301 asked  \r\nfor it", "name": "Ada", "nothing": ""})

    body = bytes(Entry.objects.values_list("body", flat=True).get(id=entry.id))
    kept = {detail.field: detail for detail in Detail.objects.filter(entry_id=entry.id)}
    assert b"Ad" not in body
    assert {field: detail.text for field, detail in kept.items()} == {"reason": "Ad\u00e1 asked\nfor it", "name": "Ada"}
    assert len({bytes(detail.salt) for detail in kept.values()}) == 2
    assert json.loads(body)["details"] == {field: commitment(bytes(d.salt), field, d.text) for field, d in kept.items()}
    assert entry.details == {"reason": "Ad\u00e1 asked\nfor it", "name": "Ada"}


def test_same_text_has_another_commitment_each_time(db):
    first, second = (bytes(Entry.objects.get(id=make_entry(details={"reason": "x"}).id).body) for _ in range(2))

    assert json.loads(first)["details"] != json.loads(second)["details"]


def test_acting_person_is_among_the_references_and_machinery_is_not(db):
    person = uuid4()
    token = Actor(ActorKind.TOKEN, str(uuid4()), "ccp_", on_behalf_of=str(person))

    assert reference("person", person) in make_entry(by=token).refs
    assert make_entry(by=system("sweeper")).ref("person") is None


@pytest.mark.parametrize("data", [{"seconds": 1.5}, {"n": 2**60}, {"at": object()}])
def test_record_refuses_what_has_no_canonical_form(db, data):
    with pytest.raises(NotCanonical):
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW, data=data)


def test_nul_in_a_text_is_refused_before_the_database_sees_it(db):
    with pytest.raises(NotCanonical):
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW, details={"reason": "a\x00b"})


def test_broken_record_takes_the_state_change_back(own_database, monkeypatch):
    monkeypatch.setattr(recording, "INSERT", "insert into no_such_table values (%s, %s, %s, %s, %s, %s)")

    @verb
    def change_something() -> None:
        make_cursor("changed")
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW)

    with pytest.raises(DatabaseError):
        change_something()

    assert not Cursor.objects.exists()


def test_rolled_back_state_change_takes_its_entry_with_it(own_database):
    with transaction.atomic():
        record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW, details={"reason": "x"})
        transaction.set_rollback(True)

    assert not Entry.objects.exists()
    assert not Detail.objects.exists()


def test_stored_transaction_id_is_the_inserting_one(own_database):
    with transaction.atomic(), connection.cursor() as cursor:
        with transaction.atomic():  # a savepoint has an id of its own, which is not the one that counts
            entry_id = record(Event.CHANGE_CREATED, subject=reference("change", 1), by=make_actor(), at=NOW)
        cursor.execute("select xid = pg_current_xact_id() from audit_entry where id = %s", [entry_id])
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("event", [Event.DEPLOYMENT_FAILED, Event.CHANGE_CREATED])
def test_urgent_entry_wakes_the_sealer_after_commit_and_only_it(own_database, monkeypatch, event):
    sent = []
    monkeypatch.setattr(nudges.current_app, "send_task", lambda name, **how: sent.append((name, how["retry"])))

    with transaction.atomic():
        record(event, subject=reference("deployment", 1), by=make_actor(), at=NOW)
        assert sent == []

    assert sent == ([("apps.audit.beat.seal_stream", False)] if event in URGENT else [])


def test_broker_that_is_away_costs_nothing(own_database, monkeypatch, caplog):
    def away(*_, **__):
        raise OperationalError("connection refused")

    monkeypatch.setattr(nudges.current_app, "send_task", away)

    entry = make_entry(Event.DEPLOYMENT_FAILED)

    assert entry_by_id(entry.id) == entry
    assert "followed at the next tick" in caplog.text
