"""What repositories say about open changes: read once by the clock, kept for good, and whose hands were in it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from apps.accounts.actions import merge_persons
from apps.accounts.identities import IdentityKind
from apps.accounts.roles import Role
from apps.catalog.repositories.passage import Hand, as_body
from apps.changes import beat
from apps.changes.actions import keep_failed_reading, keep_reading
from apps.changes.authors import Hands, hands_of
from apps.changes.beat import read_versions
from apps.changes.content import Evidence, Plan
from apps.changes.models import Change, FailedReading, VersionReading
from apps.changes.readings import reading_rows, ways_of, ways_to_read
from apps.changes.states import State
from apps.core.locks import database_now
from tests.catalog.repository import ADA, BEN, make_repository
from tests.factories.accounts import IdentityFactory, PersonFactory, make_person
from tests.factories.approvals import make_change, make_place, newest
from tests.factories.changes import make_change as make_draft
from tests.factories.changes import make_content
from tests.factories.evidence import PLAN, VersionReadingFactory, make_passage, make_upload

pytestmark = pytest.mark.django_db
HEAD = "4a92c6e8" * 5
CLEO = Hand("Cleo", "cleo@elsewhere.example")


@pytest.fixture
def change() -> Change:
    """In review, of a service whose repository is known."""
    target = make_place()
    target.service.repository, target.service.repository_id = "/srv/git/shop.git", "repo-1"
    target.service.save()
    return make_change(State.IN_REVIEW, targets=(target,))


def keep(change: Change, *hands: Hand, **more: object) -> None:
    way = ways_of(change)[0].way
    body = as_body(make_passage(way.base, way.commit, *hands)) | more
    keep_reading(way=way, body=body)


def test_ways_to_read_are_those_of_open_changes_that_nobody_read(change):
    make_change(State.DRAFT, targets=(make_place(),))
    (way,) = ways_to_read(most=10, now=database_now())

    assert (way.commit, way.repository, way.repository_id) == (HEAD, "/srv/git/shop.git", "repo-1")
    keep(change)
    assert ways_to_read(most=10, now=database_now()) == []


def test_ways_begin_at_what_runs(change):
    target = change.legs.get(is_current=True).target
    target.running_identities = ["git:" + "ab" * 20, "sha256:" + "cd" * 32]
    target.save()

    (gone,) = ways_of(change)
    assert gone.way.base == "ab" * 20
    assert gone.places == (f"{target.service.name} in {target.environment.name}",)
    assert gone.passage is None


def test_keep_reading_keeps_the_first_of_two(change):
    keep(change, Hand(*ADA))
    keep(change, CLEO)

    assert VersionReading.objects.count() == 1
    assert ways_of(change)[0].passage.commits[0].authors == (Hand(*ADA),)


def test_readings_are_written_once():
    reading = VersionReadingFactory()

    for harm in (lambda rows: rows.update(commit="x"), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError, match="written once"), transaction.atomic():
            harm(VersionReading.objects.filter(pk=reading.pk))


# whose hands


def test_hands_of_a_change_are_persons_by_their_verified_mailboxes(change):
    ada, ben = PersonFactory(), PersonFactory()
    IdentityFactory(person=ada, kind=IdentityKind.GIT_AUTHOR, value="ada@example.org")
    IdentityFactory(person=ben, kind=IdentityKind.EMAIL, value="ben@example.org")
    IdentityFactory(person=PersonFactory(), kind=IdentityKind.OIDC, issuer="https://id", value=CLEO.email)
    keep(change, Hand(*ADA), Hand(*BEN), CLEO)

    hands = hands_of(change)

    assert hands.authors == hands.committers == {ada.public_id, ben.public_id}
    assert hands.unknown == ("Cleo <cleo@elsewhere.example>",)
    assert hands.is_read


def test_hands_of_a_merged_person_are_of_who_they_are_now(change):
    keeper, gone = PersonFactory(), PersonFactory()
    IdentityFactory(person=gone, kind=IdentityKind.GIT_AUTHOR, value="ada@example.org")
    keep(change, Hand(*ADA))
    merge_persons(keep_id=keeper.pk, gone_id=gone.pk, by=make_person(Role.ADMINISTRATOR).actor)

    assert hands_of(change).authors == {keeper.public_id}


def test_an_identity_that_was_not_verified_stands_for_nobody(change):
    IdentityFactory(person=PersonFactory(), kind=IdentityKind.EMAIL, value="ada@example.org", verified_at=None)
    keep(change, Hand(*ADA))

    assert hands_of(change).authors == frozenset()


@pytest.mark.parametrize("more", [{"has_more_commits": True}, {"is_known": False}])
def test_hands_are_not_read_where_commits_are_missing(change, more):
    keep(change, Hand(*ADA), **more)

    assert not hands_of(change).is_read


def test_hands_are_not_read_before_the_repository_was(change):
    assert not hands_of(change).is_read


def test_the_author_of_a_document_is_who_uploaded_it():
    requester = make_person(Role.REQUESTER)
    document = make_upload(requester, name="firewall.md", body=PLAN)
    target = make_place()
    content = make_content(targets=(target,), plan=Plan(evidence=(Evidence("firewall.md", document.file.sha256, "text"),)))
    item = replace(content.scope.items[0], identities=(f"config:{document.file.sha256}",))
    change = make_draft(requester=requester, content=replace(content, scope=replace(content.scope, items=(item,))))

    assert hands_of(change) == Hands(frozenset({requester.public_id}), frozenset(), (), is_read=True)


@pytest.mark.parametrize("identities", [["config:" + "ab" * 32], ["sha256:" + "ab" * 32]])
def test_a_version_that_names_neither_commit_nor_document_may_be_anybodys(change, identities):
    change.items.update(identities=identities)

    assert hands_of(change) == Hands(frozenset(), frozenset(), (), is_read=False)


def test_something_that_runs_without_a_commit_leaves_the_hands_unread(tmp_path, change):
    repository = make_repository(tmp_path / "shop")
    point_at(change, str(repository.root), base="", head=repository.commit("one"))
    target = change.legs.get(is_current=True).target
    target.running_identities = ["sha256:" + "ab" * 32]
    target.save()

    assert read_versions() == 1
    assert not ways_of(change)[0].passage.is_known
    assert not hands_of(change).is_read


@pytest.mark.parametrize("mail", ["", "a\x00b", "x" * 5000, "\u202eada@example.org"])
def test_a_hostile_mailbox_is_nobodys(change, mail):
    way = ways_of(change)[0].way
    hand = Hand("Ada", mail.replace("\x00", ""))
    keep_reading(way=way, body=as_body(make_passage(way.base, way.commit, hand)))

    hands = hands_of(change)
    assert (hands.authors, len(hands.unknown)) == (frozenset(), 1)


# the clock


def test_read_versions_reads_the_repository_of_open_changes(tmp_path, change):
    repository = make_repository(tmp_path / "shop")
    base = repository.commit("one")
    head = repository.commit("two", author=BEN)
    point_at(change, str(repository.root), base=base, head=head)

    assert read_versions() == 1
    assert read_versions() == 0

    (gone,) = ways_of(change)
    assert [one.subject for one in gone.passage.commits] == ["two"]
    assert hands_of(change).unknown == (str(Hand(*ADA)), str(Hand(*BEN)))


def test_read_versions_keeps_why_and_leaves_a_broken_repository_alone_for_a_while(tmp_path, change):
    point_at(change, str(tmp_path / "gone"), base="", head=HEAD)

    assert (read_versions(), read_versions()) == (0, 0)

    row = FailedReading.objects.get()
    assert (row.tries_count, row.next_at - row.tried_at) == (1, timedelta(minutes=1))
    assert str(tmp_path / "gone") in row.reason
    FailedReading.objects.update(next_at=row.tried_at)
    assert read_versions() == 0
    row.refresh_from_db()
    assert (row.tries_count, row.next_at - row.tried_at) == (2, timedelta(minutes=2))
    assert ways_of(change, rows=reading_rows(newest(change)))[0].failed == row
    assert not VersionReading.objects.exists()


def test_read_versions_forgets_why_once_it_is_read(tmp_path, change):
    repository = make_repository(tmp_path / "shop")
    point_at(change, str(repository.root), base="", head=HEAD)
    assert read_versions() == 0
    assert HEAD in FailedReading.objects.get().reason
    point_at(change, str(repository.root), base="", head=repository.commit("one"))

    keep_failed_reading(way=ways_of(change)[0].way, reason="It did not answer.", now=database_now() - timedelta(hours=2))

    assert read_versions() == 1
    assert FailedReading.objects.get().commit == HEAD  # another way, which nobody takes any more


def test_a_repository_that_does_not_answer_keeps_no_other_waiting(change):
    for _ in range(3):
        other = make_place()
        other.service.repository, other.service.repository_id = "/srv/git/dead.git", "repo-2"
        other.service.save()
        make_change(State.IN_REVIEW, targets=(other,))

    first, second, *_ = ways_to_read(most=10, now=database_now())

    assert {first.repository, second.repository} == {"/srv/git/dead.git", "/srv/git/shop.git"}
    keep_failed_reading(way=first if first.repository.endswith("dead.git") else second, reason="It does not answer.")
    later = database_now() + timedelta(hours=2)
    assert ways_to_read(most=10, now=later)[-1].repository == "/srv/git/dead.git"


def test_read_versions_stops_when_its_time_is_over(change, monkeypatch):
    monkeypatch.setattr(beat, "SECONDS", -1)

    assert read_versions() == 0


def point_at(change: Change, repository: str, *, base: str, head: str) -> None:
    """Let the change go from one commit to another of this repository."""
    leg = change.legs.get(is_current=True)
    leg.service.repository = repository
    leg.service.save()
    leg.target.running_identities = [f"git:{base}"] if base else []
    leg.target.save()
    change.items.update(identities=[f"git:{head}"])
