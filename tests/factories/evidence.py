"""Evidence and what was read from repositories: bare rows, and pieces that the real verbs take."""

import hashlib
from datetime import timedelta

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.catalog.repositories.passage import Commit, Hand, Passage, Touched, as_body
from apps.changes.actions import upload_evidence
from apps.changes.models import EvidenceChunk, EvidenceFile, EvidenceUpload, FailedReading, VersionReading
from apps.changes.steps.evidence import Piece, ShownFor
from tests.conftest import NOW
from tests.factories.accounts import PersonFactory
from tests.factories.catalog import ServiceFactory

JUNIT = b'<testsuite><testcase classname="cart" name="adds"/></testsuite>'
PLAN = b"Open port 8443 from the office to the gate.\n"


def make_upload(person: Person, *, name: str = "report.xml", body: bytes = JUNIT, link: str = "") -> EvidenceUpload:
    """Something uploaded by the real verb, held by no change yet."""
    return upload_evidence(piece=Piece(name, body, link), shown_for=ShownFor(), by=person.actor, now=NOW)


def make_passage(base: str, commit: str, *hands: Hand, files: tuple[Touched, ...] = (Touched("cart.py", "M"),)) -> Passage:
    """One commit per hand, each written and committed by it."""
    commits = tuple(Commit(f"{at:040x}", NOW, f"Change {at}", (hand,), hand) for at, hand in enumerate(hands, 1))
    return Passage(base, commit, commits, files)


class EvidenceFileFactory(DjangoModelFactory):
    class Meta:
        model = EvidenceFile

    sha256 = factory.Sequence(lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    size = 4
    kind = "TEXT"
    kept_at = NOW


class EvidenceChunkFactory(DjangoModelFactory):
    class Meta:
        model = EvidenceChunk

    file = factory.SubFactory(EvidenceFileFactory)
    position = 0
    body = b"text"


class EvidenceUploadFactory(DjangoModelFactory):
    class Meta:
        model = EvidenceUpload

    file = factory.SubFactory(EvidenceFileFactory)
    name = "notes.txt"
    person = factory.SubFactory(PersonFactory)
    at = NOW


class FailedReadingFactory(DjangoModelFactory):
    class Meta:
        model = FailedReading

    service = factory.SubFactory(ServiceFactory)
    base = "ab" * 20
    commit = factory.Sequence(lambda n: f"{n:040x}")
    reason = "The repository does not answer."
    tried_at = NOW
    next_at = NOW + timedelta(minutes=1)


class VersionReadingFactory(DjangoModelFactory):
    class Meta:
        model = VersionReading

    service = factory.SubFactory(ServiceFactory)
    base = "ab" * 20
    commit = factory.Sequence(lambda n: f"{n:040x}")
    body = factory.LazyAttribute(lambda made: as_body(make_passage(made.base, made.commit)))
    read_at = NOW
