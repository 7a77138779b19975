"""Two at once on the same bytes: one row, one file, and nothing is removed under whoever brings it."""

import pytest
from django.db import connection, transaction

from apps.accounts.roles import Role
from apps.changes.actions import attach_evidence, clear_evidence
from apps.changes.evidence.keeping import checked, path_of
from apps.changes.models import EvidenceChunk, EvidenceFile, EvidenceUpload
from apps.changes.states import State
from apps.changes.steps.evidence import Piece, ShownFor, add_upload, clear_waiting
from apps.core.locks import database_now
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.evidence import JUNIT, make_upload

BIG = b"x" * 3_000_000


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.fixture(params=["database", "files"])
def place(request, settings, tmp_path) -> str:
    settings.FILES_DIR = tmp_path if request.param == "files" else None
    return request.param


def test_two_who_bring_the_same_bytes_share_one_row(own_database, racer, wait_until_blocked, place):
    first, second = make_person(Role.REQUESTER), make_person(Role.REQUESTER)

    with transaction.atomic():
        mine = add_upload(Piece("a.txt", BIG), person=first, shown_for=ShownFor(), at=database_now())
        theirs = racer(lambda: make_upload(second, name="b.txt", body=BIG))
        wait_until_blocked(backend())

    assert theirs.result().file_id == mine.file_id
    assert EvidenceFile.objects.count() == 1
    assert EvidenceChunk.objects.count() == (3 if place == "database" else 0)
    assert b"".join(checked(mine.file, name="a")) == BIG


def test_bytes_that_are_being_removed_are_kept_for_who_brings_them_again(own_database, racer, wait_until_blocked, place):
    person = make_person(Role.REQUESTER)
    make_upload(person)

    with transaction.atomic():
        assert clear_waiting(at=database_now().replace(year=2100), most=10) == 1
        again = racer(lambda: make_upload(person))
        wait_until_blocked(backend())

    upload = again.result()
    assert b"".join(checked(upload.file, name="r")) == JUNIT
    if place == "files":
        assert path_of(upload.file.sha256).is_file()


def test_bytes_that_somebody_brings_are_not_removed(own_database, racer, place):
    person = make_person(Role.REQUESTER)
    EvidenceUpload.objects.filter(pk=make_upload(person).pk).delete()

    with transaction.atomic():
        kept = add_upload(Piece("r.xml", JUNIT), person=person, shown_for=ShownFor(), at=database_now())
        assert racer(lambda: clear_evidence(most=10, now=database_now().replace(year=2100))).result() == 0

    assert b"".join(checked(kept.file, name="r")) == JUNIT


def test_the_same_evidence_shown_twice_at_once_is_one_piece(own_database, racer, wait_until_blocked):
    change = make_change(State.IN_REVIEW)
    leg, by = change.legs.get(is_current=True), change.requester.actor

    def show():
        return attach_evidence(change_id=change.pk, leg_id=leg.pk, piece=Piece("r.xml", JUNIT), by=by)

    with transaction.atomic():
        type(change).objects.lock(change.pk)
        racers = [racer(show), racer(show)]
        wait_until_blocked(backend())

    assert sorted(is_new for _, is_new in (one.result() for one in racers)) == [False, True]
    assert leg.uploads.count() == 1
