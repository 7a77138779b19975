"""The whole product's stream: a change walked to its approval by the real actions, then exported and verified."""

import psycopg
import pytest
from django.core.management import CommandError, call_command

from apps.approvals.actions import withdraw_sign_off
from apps.approvals.facts import review_facts
from apps.approvals.models import SignOff
from apps.approvals.proof import forget
from apps.approvals.rules import quorum
from apps.audit import verifier
from apps.audit.entries import read_reference
from apps.audit.export import export_file
from apps.audit.seal import seal_now
from apps.audit.sentences import sentence
from apps.audit.stream import entries_about, latest
from apps.audit.verifier import DoesNotHold, verify
from apps.audit.vocabulary import Event
from apps.changes.states import State
from apps.core.signing import signing_key
from tests.factories.approvals import agree, make_change


@pytest.fixture
def approved(own_database):
    change = make_change(State.APPROVED)
    seal_now()
    return change


def test_life_of_a_change_is_told_sealed_and_verified_with_its_sign_offs(own_database, approved, capsys):
    told = [entry.event for entry in entries_about(approved.reference, limit=100)]

    assert {Event.CHANGE_CREATED, Event.CHANGE_SUBMITTED, Event.SIGN_OFF_GIVEN, Event.CHANGE_APPROVED} <= set(told)
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert f"verified to position {len(latest(limit=1000))}, unsealed tail of 0 entries" in said
    assert f"{SignOff.objects.count()} sign-offs, signatures checked with" in said
    assert SignOff.objects.count() >= 1
    assert "columns and places in this database say what the bytes say" in said


def test_every_entry_of_that_life_has_a_whole_sentence(own_database, approved):
    for entry in latest(limit=1000):
        told = sentence(entry, lambda text: read_reference(text).kind.upper()).text

        assert "{" not in told
        assert "<b>" in told


def test_sign_off_that_somebody_slipped_into_the_table_is_found(own_database, approved):
    with psycopg.connect(own_database.superuser_url) as connection:
        connection.execute("alter table approvals_signoff disable trigger all")
        connection.execute("update approvals_signoff set statement = statement || ' ', statement_hash = repeat('a', 64)")

    with export_file() as file, pytest.raises(DoesNotHold, match="no entry tells of a statement"):
        verify(file)


def test_sign_off_that_was_taken_back_verifies_and_never_stands_again(own_database):
    change = make_change(State.IN_REVIEW)
    agree(change)
    last = SignOff.objects.filter(withdrawn_at__isnull=True).select_related("person").first()
    withdraw_sign_off(sign_off_id=last.pk, by=last.person.actor, reason="It was too early.")

    call_command("verify_audit")

    assert SignOff.objects.get(pk=last.pk).withdrawn_at
    with psycopg.connect(own_database.superuser_url) as connection:
        connection.execute("alter table approvals_signoff disable trigger all")
        connection.execute("update approvals_signoff set withdrawn_at = null, withdrawn_by = '' where id = %s", [last.pk])
    with pytest.raises(CommandError, match="the withdrawal is None here"):
        call_command("verify_audit")


@pytest.fixture
def forged(own_database, settings, tmp_path):
    """What the application's database role alone can write: a key of one's own with its endorsement and entry, and a sign-off
    that it signed, entry included. Here the real verb writes it, under another key file."""
    change, ours = make_change(State.IN_REVIEW), settings.SIGNING_KEY_FILE
    settings.SIGNING_KEY_FILE = tmp_path / "theirs.pem"
    theirs = signing_key().id
    agree(change)
    settings.SIGNING_KEY_FILE = ours
    forget()
    seal_now()
    yield change, theirs
    forget()


def test_sign_off_by_a_key_that_somebody_slipped_in_does_not_count_and_is_named(forged, capsys):
    change, theirs = forged

    (leg,) = review_facts(change).legs

    assert {one.signature_ok for one in leg.sign_offs} == {False}
    assert not quorum(leg).met
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert f"key {theirs}, listed at position" in said
    assert f"key {theirs} is neither this host's" in said
    with pytest.raises(CommandError, match=f"signed with key {theirs}, which is none of those"):
        call_command("verify_audit", key=[signing_key().id])


def test_sign_offs_of_an_earlier_key_count_again_once_the_host_accepts_it(forged, settings):
    change, earlier = forged
    settings.ACCEPTED_KEYS = frozenset({earlier})

    (leg,) = review_facts(change).legs

    assert quorum(leg).met


def test_signed_bytes_are_those_the_verifier_checks(own_database, approved, monkeypatch):
    monkeypatch.setitem(verifier.PREFIXES, "sign_off", b"something else\n")

    with export_file() as file, pytest.raises(DoesNotHold, match="signature does not belong"):
        verify(file)
