"""Erasing a text: two administrators, the owner role, an entry, and a stream that verifies as before and says erased."""

from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from apps.accounts.roles import Role
from apps.audit import erasure
from apps.audit.erasure import administrator, erase_detail, register_witness
from apps.audit.export import export_file
from apps.audit.management.commands import erase_detail as command
from apps.audit.models import Detail
from apps.audit.seal import seal_now
from apps.audit.stream import entry_by_id, latest
from apps.audit.verifier import DoesNotHold, sentences, verify
from apps.audit.vocabulary import Event
from apps.core.references import reference
from apps.core.refusals import Refused
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.audit import make_entry

ADA, BOB = uuid4(), uuid4()


@pytest.fixture(autouse=True)
def nothing_else_exported(only_sign_offs):
    only_sign_offs([])


def test_erased_text_is_gone_told_and_the_stream_says_erased(own_database):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "Ada Lovelace, 555-0101", "name": "Ada"})
    seal_now()

    erase_detail(entry.id, field="text", first=ADA, second=BOB, reason="She asked for it.")

    seal_now()
    again = entry_by_id(entry.id)
    assert again is not None
    assert again.details == {"text": None, "name": "Ada"}
    (told,) = [entry for entry in latest(limit=5) if entry.event is Event.DETAIL_ERASED]
    assert (told.subject, told.by.id, told.data) == (reference("entry", entry.id), str(ADA), {"entry": str(entry.id), "field": "text"})
    assert reference("person", BOB) in told.refs
    assert told.details == {"reason": "She asked for it."}
    with export_file() as file:
        said = sentences(verify(file))
    assert said[0].startswith("verified to position 2")
    assert "1 details erased, each told by an entry" in said


def test_entry_that_tells_of_another_erasure_covers_nothing(own_database):
    kept = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})
    gone = make_entry(Event.CHANGE_COMMENTED, details={"text": "two"})
    erase_detail(gone.id, field="text", first=ADA, second=BOB, reason="x")
    with connections["owner"].cursor() as cursor:
        cursor.execute("begin; select set_config('changecontrol.erasing', %s, true)", [f"{kept.id}:text"])
        cursor.execute("delete from audit_detail where entry_id = %s", [kept.id])
        cursor.execute("commit")

    with export_file() as file, pytest.raises(DoesNotHold, match="no entry tells of it"):
        verify(file)


@pytest.mark.parametrize(
    ("second", "reason", "field", "code"),
    [(ADA, "x", "text", "two_persons"), (BOB, " ", "text", "no_reason"), (BOB, "x", "name", "no_such_detail")],
)
def test_erasure_is_refused_and_leaves_everything(own_database, second, reason, field, code):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})

    with pytest.raises(Refused) as caught:
        erase_detail(entry.id, field=field, first=ADA, second=second, reason=reason)

    assert caught.value.refusal.code == code
    assert Detail.objects.count() == 1
    assert len(latest(limit=5)) == 1


def test_erasing_needs_the_address_of_the_owner(own_database, monkeypatch):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})
    monkeypatch.setattr(erasure, "OWNER", "nobody")

    with pytest.raises(Refused, match="DATABASE_OWNER_URL"):
        erase_detail(entry.id, field="text", first=ADA, second=BOB, reason="x")


def test_application_role_cannot_erase_by_the_same_way(own_database, monkeypatch):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})
    monkeypatch.setattr(erasure, "OWNER", "default")

    with pytest.raises(DatabaseError, match="permission denied"):
        erase_detail(entry.id, field="text", first=ADA, second=BOB, reason="x")


def test_erasure_that_cannot_be_told_does_not_happen(own_database, monkeypatch):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})

    def broken(*_, **__):
        raise DatabaseError("disk full")

    monkeypatch.setattr(erasure, "insert", broken)
    with pytest.raises(DatabaseError, match="disk full"):
        erase_detail(entry.id, field="text", first=ADA, second=BOB, reason="x")

    assert Detail.objects.count() == 1


def test_command_asks_two_administrators_for_their_passwords(own_database, monkeypatch, capsys):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})
    first, second = make_person(Role.ADMINISTRATOR), make_person(Role.ADMINISTRATOR)
    asked = []
    monkeypatch.setattr(command, "getpass", lambda prompt: asked.append(prompt) or PASSWORD)

    call_command("erase_detail", str(entry.id), "text", first=first.email, second=second.email, reason="Asked for.")

    assert asked == [f"Password of {first.email}: ", f"Password of {second.email}: "]
    assert not Detail.objects.filter(entry_id=entry.id).exists()
    assert "Erased: text of entry" in capsys.readouterr().out


@pytest.mark.parametrize("who", ["nobody@example.org", "wrong password", "no administrator", "inactive"])
def test_command_refuses_whoever_is_no_active_administrator(own_database, monkeypatch, who):
    entry = make_entry(Event.CHANGE_COMMENTED, details={"text": "one"})
    first = make_person(Role.ADMINISTRATOR)
    second = make_person(*([] if who == "no administrator" else [Role.ADMINISTRATOR]), is_active=who != "inactive")
    monkeypatch.setattr(command, "getpass", lambda _: "guess" if who == "wrong password" else PASSWORD)

    with pytest.raises(CommandError, match="of no active administrator"):
        call_command("erase_detail", str(entry.id), "text", first=first.email, second=who if "@" in who else second.email, reason="x")

    assert Detail.objects.filter(entry_id=entry.id).exists()


def test_without_a_witness_nobody_is_an_administrator(monkeypatch):
    monkeypatch.setattr(erasure, "_witnesses", [])

    with pytest.raises(Refused, match="no active administrator"):
        administrator("ada@example.org", password="x")


def test_one_witness_is_registered(monkeypatch):
    monkeypatch.setattr(erasure, "_witnesses", [])
    register_witness(lambda *_: None)

    with pytest.raises(ValueError, match="Two witnesses"):
        register_witness(lambda *_: None)
