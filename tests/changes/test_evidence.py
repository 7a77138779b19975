"""Evidence: kept by digest, bound to the change whose plan names it, put on legs, given back as it came, and gone when nobody holds it."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.actions import attach_evidence, clear_evidence, create_change, upload_evidence, withdraw_change
from apps.changes.beat import clear_evidence_waiting
from apps.changes.content import Evidence, Plan
from apps.changes.evidence import keeping
from apps.changes.evidence.keeping import checked, path_of
from apps.changes.evidence.kinds import link_bytes
from apps.changes.facts import content_of
from apps.changes.models import EvidenceChunk, EvidenceFile, EvidenceUpload
from apps.changes.states import State
from apps.changes.steps.evidence import MOST_WAITING, Piece, ShownFor
from apps.core.refusals import BadContent, Refused
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change as make_walked
from tests.factories.catalog import make_target
from tests.factories.changes import COMMIT, make_change, make_content
from tests.factories.evidence import JUNIT, PLAN, EvidenceChunkFactory, EvidenceFileFactory, EvidenceUploadFactory, make_upload

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1, seconds=1)


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


def named(*uploads: EvidenceUpload) -> Plan:
    return Plan(evidence=tuple(Evidence(one.name, one.file.sha256, one.file.kind.lower()) for one in uploads))


def bytes_of(upload: EvidenceUpload) -> bytes:
    return b"".join(checked(upload.file, name=upload.name))


def show(change, leg, person, *, body: bytes = JUNIT, name: str = "report.xml", link: str = ""):
    return attach_evidence(change_id=change.pk, leg_id=leg.pk, piece=Piece(name, body, link), by=person.actor, now=NOW)


# keeping


@pytest.mark.parametrize("size", [1, keeping.CHUNK - 1, keeping.CHUNK, keeping.CHUNK + 1, 3 * keeping.CHUNK])
def test_upload_evidence_keeps_bytes_as_they_are(requester, size):
    body = bytes(range(256)) * (size // 256) + b"\x00" * (size % 256)

    upload = make_upload(requester, name="dump.bin", body=body)

    assert bytes_of(upload) == body
    assert (upload.file.size, upload.file.sha256) == (size, hashlib.sha256(body).hexdigest())
    assert upload.file.chunks.count() == -(-size // keeping.CHUNK)


def test_upload_evidence_under_files_dir_writes_one_file_per_digest(requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path

    first, second = make_upload(requester), make_upload(requester, name="again.xml")

    assert first.file == second.file
    assert first.file.is_outside
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [path_of(first.file.sha256)]
    assert bytes_of(second) == JUNIT
    assert not EvidenceChunk.objects.exists()


def test_upload_evidence_brings_back_a_file_that_was_lost(requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    upload = make_upload(requester)
    path_of(upload.file.sha256).unlink()
    with pytest.raises(Refused) as refused:
        bytes_of(upload)
    assert refused.value.refusal.code == "evidence_missing"

    make_upload(requester)

    assert bytes_of(upload) == JUNIT


@pytest.mark.parametrize(("body", "code"), [(b"other", "evidence_damaged"), (b"", "evidence_missing"), (JUNIT[:-1], "evidence_damaged")])
def test_bytes_that_are_not_those_of_the_digest_are_not_given_out(requester, settings, tmp_path, body, code):
    settings.FILES_DIR = tmp_path
    upload = make_upload(requester)
    path_of(upload.file.sha256).write_bytes(body)

    with pytest.raises(Refused) as refused:
        bytes_of(upload)

    assert refused.value.refusal.code == code
    assert "backup" in refused.value.refusal.cure


def test_a_file_of_a_directory_that_is_no_longer_set_says_so(requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    upload = make_upload(requester)
    settings.FILES_DIR = None

    with pytest.raises(Refused) as refused:
        bytes_of(upload)

    assert refused.value.refusal.code == "files_dir_unset"


def test_a_disk_that_is_full_leaves_nothing(requester, settings, tmp_path, monkeypatch):
    settings.FILES_DIR = tmp_path
    monkeypatch.setattr("apps.changes.evidence.keeping.os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))

    with pytest.raises(Refused) as refused:
        make_upload(requester)

    assert refused.value.refusal.code == "evidence_not_kept"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not EvidenceFile.objects.exists()


def test_upload_evidence_keeps_a_link_in_the_database_and_its_address_readable(requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path

    upload = make_upload(requester, name="", body=b"", link="https://ci.example.org/runs/7")

    assert (upload.file.link, upload.name) == ("https://ci.example.org/runs/7", "https://ci.example.org/runs/7")
    assert bytes_of(upload) == link_bytes(upload.file.link)
    assert not upload.file.is_outside


@pytest.mark.parametrize("tool", ["a\\u0000b", "a\\ud800b", "\\u202e" * 500])
def test_upload_evidence_keeps_counts_of_a_report_with_hostile_names(requester, tool):
    body = f'{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "{tool}"}}}}, "results": [{{}}]}}]}}'.encode()

    upload = make_upload(requester, name="s.sarif", body=body)

    upload.file.refresh_from_db()
    assert upload.file.counted["warning"] == 1


@pytest.mark.parametrize(
    ("piece", "field"),
    [
        (Piece("a.xml", b""), "file"),
        (Piece("a.xml", b"PK\x03\x04"), "file"),
        (Piece("", JUNIT), "name"),
        (Piece("a\x00.xml", JUNIT), "name"),
        (Piece("a\u202e.xml", JUNIT), "name"),
        (Piece("a" * 121, JUNIT), "name"),
        (Piece("a\nb", JUNIT), "name"),
        (Piece("run", link="http://ci.example.org/"), "link"),
        (Piece("run", link="javascript:alert(1)"), "link"),
    ],
)
def test_upload_evidence_that_cannot_be_taken_names_the_field(requester, piece, field):
    with pytest.raises(BadContent) as error:
        upload_evidence(piece=piece, shown_for=ShownFor(), by=requester.actor, now=NOW)

    assert set(error.value.errors) == {field}
    assert not EvidenceFile.objects.exists()


def test_upload_evidence_takes_the_role_of_requester():
    with pytest.raises(Refused) as refused:
        make_upload(make_person(Role.APPROVER))

    assert refused.value.refusal.code == "not_a_requester"


def test_upload_evidence_is_not_taken_without_end(requester):
    file = EvidenceFileFactory()
    EvidenceUpload.objects.bulk_create(EvidenceUpload(file=file, name="x", person=requester, at=NOW) for _ in range(MOST_WAITING))

    with pytest.raises(Refused) as refused:
        make_upload(requester)

    assert refused.value.refusal.code == "too_many_waiting"


# binding


def test_create_change_holds_what_its_plan_names(requester):
    report, other = make_upload(requester), make_upload(requester, name="notes.txt", body=PLAN)

    change = make_change(requester=requester, plan=named(report))

    report.refresh_from_db()
    other.refresh_from_db()
    assert (report.change, report.attached_at) == (change, NOW)
    assert (report.label, report.identities) == ("3.18.1", [COMMIT])
    assert other.change is None
    told = latest(None, limit=5)
    assert [entry.data["sha256"] for entry in told if entry.event is Event.EVIDENCE_ATTACHED] == [report.file.sha256]


def test_create_change_does_not_hold_what_somebody_else_uploaded(requester):
    theirs = make_upload(make_person(Role.REQUESTER))

    make_change(requester=requester, plan=named(theirs))

    theirs.refresh_from_db()
    assert theirs.change is None


def test_what_was_uploaded_for_a_version_stays_shown_for_it(requester):
    shown_for = ShownFor(label="3.17", identities=("sha256:" + "ab" * 32,))
    report = upload_evidence(piece=Piece("r.xml", JUNIT), shown_for=shown_for, by=requester.actor, now=NOW)

    make_change(requester=requester, plan=named(report))

    report.refresh_from_db()
    assert (report.label, report.identities) == ("3.17", ["sha256:" + "ab" * 32])


def test_the_same_file_uploaded_twice_is_held_once(requester):
    first, second = make_upload(requester), make_upload(requester)

    change = make_change(requester=requester, plan=named(first))

    assert [*change.uploads.all()] == [second]
    first.refresh_from_db()
    assert first.change is None


def test_revise_change_holds_new_evidence_and_lapses_the_plan_alone():
    change = make_walked(State.IN_REVIEW)
    report = make_upload(change.requester)
    content = content_of(change.revision)

    revision = revise_change(
        change_id=change.pk,
        content=replace(content, plan=replace(content.plan, evidence=named(report).evidence)),
        by=change.requester.actor,
        revision_digest=change.revision.digest,
        now=NOW,
    )

    report.refresh_from_db()
    assert report.change == change
    assert revision.plan_digest != change.revision.plan_digest
    assert revision.scope_digest == change.revision.scope_digest


def test_upload_evidence_for_a_change_that_names_the_digest_is_held_without_an_edit(requester):
    digest = hashlib.sha256(JUNIT).hexdigest()
    change = make_change(requester=requester, plan=Plan(evidence=(Evidence("report", digest, "junit"),)))

    upload = upload_evidence(piece=Piece("r.xml", JUNIT), shown_for=ShownFor(), by=requester.actor, change_id=change.pk, now=NOW)

    change.refresh_from_db()
    assert upload.change == change
    assert change.revisions.count() == 1


def test_the_document_of_a_change_without_a_commit_is_its_config_identity(requester):
    plan = make_upload(requester, name="firewall.md", body=PLAN)
    target = make_target()
    content = make_content(targets=(target,), plan=named(plan))
    item = replace(content.scope.items[0], identities=(f"config:{plan.file.sha256}",))

    change = create_change(content=replace(content, scope=replace(content.scope, items=(item,))), by=requester.actor, now=NOW)

    plan.refresh_from_db()
    assert plan.identities == [f"config:{plan.file.sha256}"]
    assert change.uploads.get() == plan


# legs


def test_attach_evidence_to_a_leg_lapses_nothing():
    change = make_walked(State.APPROVED)
    leg, before = change.legs.get(is_current=True), (change.state, change.revision.digest)

    upload, is_new = show(change, leg, change.requester)

    change.refresh_from_db()
    assert is_new
    assert (change.state, change.revision.digest) == before
    assert (upload.change, upload.leg, upload.identities) == (change, leg, leg.item.identities)
    entry = next(entry for entry in latest(None, limit=3) if entry.event is Event.EVIDENCE_ATTACHED)
    assert entry.data["leg"] == str(leg.public_id)
    assert entry.details["name"] == "report.xml"


def test_attach_evidence_of_the_same_bytes_is_one_piece():
    change = make_walked(State.IN_REVIEW)
    leg = change.legs.get(is_current=True)
    first, _ = show(change, leg, change.requester)

    second, is_new = show(change, leg, change.requester, name="renamed.xml")

    assert (second, is_new) == (first, False)
    assert leg.uploads.count() == 1


@pytest.mark.parametrize("role", [Role.REQUESTER, Role.OPERATOR, Role.RELEASE_MANAGER])
def test_attach_evidence_is_for_whoever_asks_or_runs_it(role):
    change = make_walked(State.APPROVED)

    assert show(change, change.legs.get(is_current=True), make_person(role))[1]


@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_attach_evidence_by_somebody_else_is_refused(role):
    change = make_walked(State.APPROVED)

    with pytest.raises(Refused) as refused:
        show(change, change.legs.get(is_current=True), make_person(role))

    assert refused.value.refusal.code == "not_yours"


@pytest.mark.parametrize("state", State)
def test_attach_evidence_until_the_change_is_over(state):
    change = make_walked(state)
    leg = change.legs.filter(is_current=True).first()

    if state in {State.CLOSED, State.REJECTED, State.WITHDRAWN, State.EXPIRED}:
        with pytest.raises(Refused) as refused:
            show(change, leg, change.requester)
        assert refused.value.refusal.code == "change_is_over"
    else:
        assert show(change, leg, change.requester)[1]


def test_attach_evidence_is_counted(monkeypatch):
    monkeypatch.setattr("apps.changes.steps.evidence.MOST_EVIDENCE", 2)
    change = make_walked(State.IN_REVIEW)
    leg = change.legs.get(is_current=True)
    for number in range(2):
        show(change, leg, change.requester, body=f"{number}".encode(), name="n.txt")

    with pytest.raises(BadContent, match="on this leg already"):
        show(change, leg, change.requester)


def test_attach_evidence_rolls_back_when_it_cannot_be_told(monkeypatch):
    change = make_walked(State.IN_REVIEW)
    monkeypatch.setattr("apps.changes.steps.evidence.record", lambda *args, **kwargs: (_ for _ in ()).throw(RuntimeError("no stream")))

    with pytest.raises(RuntimeError, match="no stream"):
        show(change, change.legs.get(is_current=True), change.requester)

    assert not EvidenceFile.objects.exists()
    assert not EvidenceUpload.objects.exists()


# what nobody holds


def test_clear_evidence_removes_what_no_change_holds_after_a_day(requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    held, waiting = make_upload(requester), make_upload(requester, name="n.txt", body=PLAN)
    make_change(requester=requester, plan=named(held))

    assert clear_evidence(most=10, now=NOW + timedelta(hours=23)) == 0
    assert clear_evidence(most=10, now=LATER) == 1

    assert [*EvidenceUpload.objects.all()] == [held]
    assert not path_of(waiting.file.sha256).exists()
    assert path_of(held.file.sha256).exists()
    assert [*EvidenceFile.objects.all()] == [held.file]


def test_clear_evidence_keeps_bytes_that_another_change_holds(requester):
    held = make_upload(requester)
    make_change(requester=requester, plan=named(held))
    make_upload(requester)

    assert clear_evidence(most=10, now=LATER) == 1
    assert bytes_of(held) == JUNIT


def test_clear_evidence_takes_chunks_with_it(requester):
    make_upload(requester)

    assert clear_evidence(most=10, now=LATER) == 1
    assert (EvidenceFile.objects.count(), EvidenceChunk.objects.count()) == (0, 0)


def test_clear_evidence_is_driven_by_the_clock(requester):
    make_upload(requester)  # NOW is in the past or the future of this machine: only that the tick runs matters

    assert clear_evidence_waiting() in {0, 1}


def test_withdrawn_changes_keep_their_evidence(requester):
    held = make_upload(requester)
    change = make_change(requester=requester, plan=named(held))
    withdraw_change(change_id=change.pk, by=requester.actor, now=NOW)

    assert clear_evidence(most=10, now=LATER) == 0
    assert bytes_of(held) == JUNIT


# what the database itself refuses


@pytest.mark.parametrize(
    "harm",
    [
        lambda held: EvidenceChunk.objects.filter(file=held.file).update(body=b"forged"),
        lambda held: EvidenceChunk.objects.filter(file=held.file).delete(),
        lambda held: EvidenceFile.objects.filter(pk=held.file.pk).update(counted={"tests": 999}),
        lambda held: EvidenceFile.objects.filter(pk=held.file.pk)._raw_delete("default"),
        lambda held: EvidenceUpload.objects.filter(pk=held.pk).update(name="forged"),
        lambda held: EvidenceUpload.objects.filter(pk=held.pk).update(change=None, attached_at=None),
        lambda held: EvidenceUpload.objects.filter(pk=held.pk).delete(),
    ],
)
def test_held_evidence_cannot_be_changed_or_removed(requester, harm):
    held = make_upload(requester)
    make_change(requester=requester, plan=named(held))

    with pytest.raises(DatabaseError, match="Evidence is kept"), transaction.atomic():
        harm(held)

    assert bytes_of(held) == JUNIT


def test_waiting_evidence_cannot_be_given_other_bytes_or_another_owner(requester):
    waiting, other = make_upload(requester), make_upload(requester, body=PLAN, name="n.txt")

    for fields in ({"file": other.file}, {"person": make_person()}, {"name": "forged"}):
        with pytest.raises(DatabaseError, match="Evidence is kept"), transaction.atomic():
            EvidenceUpload.objects.filter(pk=waiting.pk).update(**fields)


def test_rows_say_what_belongs_together():
    chunk = EvidenceChunkFactory()
    upload = EvidenceUploadFactory(file=chunk.file)

    assert str(upload.reference) == f"evidence:{upload.public_id}"
    with pytest.raises(DatabaseError, match="a_link_has_an_address"), transaction.atomic():
        EvidenceFileFactory(kind="LINK")
    with pytest.raises(DatabaseError, match="a_link_has_an_address"), transaction.atomic():
        EvidenceFileFactory(link="https://ci.example.org/")
    with pytest.raises(DatabaseError, match="evidence_attached_at"), transaction.atomic():
        EvidenceUploadFactory(attached_at=NOW)
