"""Evidence on pages: taken with what was typed, shown with what was counted, given back as a file and never as a page."""

import re
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.roles import Role
from apps.changes.content import Evidence, Plan
from apps.changes.facts import asker_of, change_facts
from apps.changes.models import EvidenceUpload
from apps.changes.states import State
from apps.home.facts.evidence import evidence_board
from tests.conftest import NOW
from tests.factories.accounts import PersonFactory, TeamFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import make_change as make_draft
from tests.factories.evidence import JUNIT, PLAN, EvidenceFileFactory, EvidenceUploadFactory, make_upload
from tests.home.pages import HOSTILE, get, marks_of, post, text_of

pytestmark = pytest.mark.django_db
PAGE = b"<!doctype html><script>alert(document.domain)</script>"


def file(body: bytes = JUNIT, name: str = "report.xml", claimed: str = "text/xml") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, body, content_type=claimed)


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


@pytest.fixture
def change():
    return make_change(State.IN_REVIEW)


def leg_of(change):
    return change.legs.get(is_current=True)


def send(client, person, **data):
    """Send the part of the request form as htmx does."""
    client.force_login(person)
    return client.post("/evidence/", data, headers={"HX-Request": "true"})


def values_in(answer) -> list[str]:
    return re.findall(r'name="evidence" value="([^"]+)" checked', answer.content.decode())


# the part of the request form


def test_evidence_that_is_chosen_is_kept_and_stays_ticked(client, requester):
    first = send(client, requester, evidence_file=file())
    second = send(client, requester, evidence=values_in(first), evidence_file=file(PLAN, "firewall.md"))

    uploads = [*EvidenceUpload.objects.order_by("pk")]
    assert values_in(second) == [str(upload.public_id) for upload in uploads]
    assert "1 test: 1 passed" in text_of(second)
    assert "form" not in second.content.decode().lower().split("<")[1]


def test_several_files_and_a_link_are_kept_at_once(client, requester):
    answer = send(
        client,
        requester,
        evidence_file=[file(), file(PLAN, "a.md"), file(b"x\x00", "b.bin")],
        evidence_link="https://ci.example.org/runs/7",
        evidence_link_name="Pipeline 7",
    )

    assert sorted(EvidenceUpload.objects.values_list("name", flat=True)) == ["Pipeline 7", "a.md", "b.bin", "report.xml"]
    assert len(values_in(answer)) == 4
    assert 'href="https://ci.example.org/runs/7" rel="noopener noreferrer nofollow"' in answer.content.decode()


def test_a_file_that_is_not_taken_is_said_and_the_others_are_kept(client, requester):
    answer = send(client, requester, evidence_file=[file(), file(b"PK\x03\x04", "fake.xml"), file(b"", "empty.txt")])

    assert answer.status_code == 422
    assert len(values_in(answer)) == 1
    assert "fake.xml is named .xml and holds a packed archive" in marks_of(answer)
    assert "empty.txt: The file is empty" in text_of(answer)


def test_the_kind_that_the_browser_claims_is_not_believed(client, requester):
    send(client, requester, evidence_file=file(PAGE, "picture", claimed="image/png"))

    assert EvidenceUpload.objects.get().file.kind == "HTML"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 300 + ".txt", "b\u202ecod.txt", "\x07bell.txt", "   ", ".xml.txt"])
def test_a_file_with_a_hostile_name_is_kept_under_one_that_can_be_shown(client, requester, name):
    answer = send(client, requester, evidence_file=file(PLAN, name or "x"))

    kept = EvidenceUpload.objects.filter(person=requester).first()
    assert answer.status_code in {200, 422}
    if kept:
        assert len(kept.name) <= 120
        assert "/" not in kept.name
        assert "\u202e" not in kept.name


def test_a_megabyte_of_a_name_is_no_form(client, requester):
    boundary = "x"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="evidence_file"; filename="{"n" * 1_000_000}"\r\n\r\nhello\r\n--{boundary}--\r\n'
    client.force_login(requester)

    answer = client.post("/evidence/", body.encode(), content_type=f"multipart/form-data; boundary={boundary}")

    assert answer.status_code in {200, 302, 400, 422}
    assert not EvidenceUpload.objects.filter(name__startswith="n" * 121).exists()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", ["evidence_link", "evidence_link_name", "evidence", "evidence_version"])
def test_a_hostile_field_is_refused_on_itself(client, requester, field, text):
    answer = send(client, requester, **{"evidence_link": "https://ci.example.org/", field: text})

    assert answer.status_code in {200, 400, 422}
    assert b"<script>alert" not in answer.content
    assert answer.status_code != 200 or field == "evidence_link_name" or not text.strip()


def test_a_piece_of_somebody_else_cannot_be_ticked(client, requester):
    theirs = make_upload(make_person(Role.REQUESTER))

    for value in (str(theirs.public_id), theirs.file.sha256, str(uuid4())):
        answer = send(client, requester, evidence=[value])
        assert answer.status_code == 422
        assert values_in(answer) == []
        assert "is not there any more" in text_of(answer)


def test_a_document_is_chosen_as_the_version_and_a_link_is_not(client, requester):
    plan, link = make_upload(requester, name="firewall.md", body=PLAN), make_upload(requester, body=b"", link="https://ci.example.org/")
    values = [str(plan.public_id), str(link.public_id)]

    chosen = send(client, requester, evidence=values, evidence_version=str(plan.public_id))
    assert chosen.status_code == 200
    assert f'<option value="{plan.public_id}" selected>firewall.md</option>' in chosen.content.decode()
    assert str(link.public_id) not in chosen.content.decode().partition('name="evidence_version"')[2].partition("</select>")[0]

    refused = send(client, requester, evidence=values, evidence_version=str(link.public_id))
    assert refused.status_code == 422
    assert "A version is a document" in text_of(refused)


def test_more_evidence_than_fits_is_refused(client, requester):
    file_row = EvidenceFileFactory()
    made = [EvidenceUploadFactory(person=requester, file=file_row) for _ in range(51)]

    answer = send(client, requester, evidence=[str(one.public_id) for one in made])

    assert "There are 51 pieces of evidence. 50 fit." in text_of(answer)


def test_text_in_the_place_of_a_file_is_told(client, requester):
    answer = send(client, requester, evidence_file="report.xml")

    assert (answer.status_code, EvidenceUpload.objects.count()) == (422, 0)
    assert "This is text where a file belongs" in text_of(answer)


def test_eleven_files_at_once_are_too_many(client, requester):
    answer = send(client, requester, evidence_file=[file(f"{n}".encode(), f"{n}.txt") for n in range(11)])

    assert "These are 11 files. 10 fit at once" in text_of(answer)
    assert not EvidenceUpload.objects.exists()


def test_the_part_of_an_edit_shows_what_the_plan_names(client, requester):
    held = make_upload(requester)
    change = make_draft(requester=requester, plan=Plan(evidence=(Evidence("report.xml", held.file.sha256, "junit"),)))

    kept = send(client, requester, evidence=[held.file.sha256], evidence_change=change.ref, evidence_file=file(PLAN, "n.txt"))

    assert values_in(kept)[0] == held.file.sha256
    assert len(values_in(kept)) == 2


def test_the_part_of_a_change_that_one_may_not_see_is_not_there(client, requester):
    draft = make_draft(requester=make_person(Role.REQUESTER))

    assert send(client, requester, evidence_change=draft.ref).status_code == 404


def test_who_may_not_ask_for_changes_uploads_nothing(client):
    answer = send(client, make_person(Role.APPROVER), evidence_file=file())

    assert (answer.status_code, EvidenceUpload.objects.count()) == (403, 0)


# what waits


def test_what_waits_is_shown_to_its_owner_alone(client, requester):
    make_upload(requester)
    make_upload(make_person(Role.REQUESTER), name="secret.xml")

    page = get(client, requester, "home:evidence")
    assert "report.xml" in text_of(page)
    assert "secret.xml" not in text_of(page)
    answer = post(client, requester, "home:evidence", evidence_file=file(PLAN, "plan.md"))
    assert (answer.status_code, answer["Location"]) == (302, "/evidence/")
    assert "plan.md" in text_of(get(client, requester, "home:evidence"))
    assert post(client, requester, "home:evidence", evidence_link="ftp://x").status_code == 422


# a leg


def test_evidence_is_shown_for_a_leg_and_lapses_nothing(client, change):
    before = change.revision.digest
    args = (change.ref, leg_of(change).public_id)
    assert "Nothing was shown" in text_of(get(client, change.requester, "home:leg_evidence", *args))

    answer = post(client, change.requester, "home:leg_evidence", *args, evidence_file=file())

    assert (answer.status_code, answer["Location"]) == (302, f"/changes/{change.ref}/")
    change.refresh_from_db()
    assert change.revision.digest == before
    assert "1 test: 1 passed" in text_of(get(client, change.requester, "home:leg_evidence", *args))


@pytest.mark.parametrize("data", [{}, {"evidence_link": "http://x"}, {"evidence_link_name": "alone"}, {"evidence_file": "text"}])
def test_nothing_to_show_for_a_leg_is_said(client, change, data):
    answer = post(client, change.requester, "home:leg_evidence", change.ref, leg_of(change).public_id, **data)

    assert answer.status_code == 422
    assert not EvidenceUpload.objects.exists()


def test_a_leg_of_another_change_is_not_there(client, change):
    other = make_change(State.IN_REVIEW)

    assert get(client, change.requester, "home:leg_evidence", change.ref, leg_of(other).public_id).status_code == 404
    assert post(client, change.requester, "home:leg_evidence", change.ref, uuid4()).status_code == 404


def test_who_may_not_add_sees_why(client, change):
    nobody = PersonFactory()
    args = (change.ref, leg_of(change).public_id)

    page = get(client, nobody, "home:leg_evidence", *args)
    assert "is not yours to change this way" in text_of(page)
    assert post(client, nobody, "home:leg_evidence", *args, evidence_file=file()).status_code == 403


# giving back


def test_a_file_is_given_back_to_keep_and_never_as_a_page(client, change):
    post(client, change.requester, "home:leg_evidence", change.ref, leg_of(change).public_id, evidence_file=file(PAGE, "evil.html"))
    upload = EvidenceUpload.objects.get()

    answer = get(client, PersonFactory(), "home:evidence_file", upload.public_id)

    assert b"".join(answer.streaming_content) == PAGE
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="evil.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Content-Length"] == str(len(PAGE))
    assert "no-store" in answer["Cache-Control"] or "private" in answer["Cache-Control"]


def test_a_file_with_a_name_in_any_script_is_given_back_under_it(client, requester):
    upload = make_upload(requester, name='Prüf"bericht №7.txt', body=PLAN)

    answer = get(client, requester, "home:evidence_file", upload.public_id)

    assert "\n" not in answer["Content-Disposition"]
    assert answer["Content-Disposition"].startswith("attachment; filename")


def test_a_file_that_no_change_holds_is_its_owners_alone(client, requester):
    upload = make_upload(requester)

    assert get(client, requester, "home:evidence_file", upload.public_id).status_code == 200
    assert get(client, make_person(*Role), "home:evidence_file", upload.public_id).status_code == 404
    assert get(client, requester, "home:evidence_file", uuid4()).status_code == 404


def test_a_file_of_a_restricted_service_is_not_there_for_others(client):
    change = make_change(State.IN_REVIEW)
    leg = leg_of(change)
    upload = EvidenceUploadFactory(change=change, leg=leg, attached_at=NOW)
    leg.service.is_restricted, leg.service.team = True, TeamFactory()
    leg.service.save()

    assert get(client, PersonFactory(), "home:evidence_file", upload.public_id).status_code == 404


def test_naming_a_digest_gives_nobody_its_bytes(client, requester):
    """Whoever learns a digest may write it into a change of their own; the bytes stay with the change they were shown for."""
    secret = make_upload(make_person(Role.REQUESTER), name="secret.xml")

    change = make_draft(requester=requester, plan=Plan(evidence=(Evidence("mine", secret.file.sha256, "junit"),)))

    board = evidence_board(change, change.revision, requester)
    assert board.pieces[0].upload is None
    assert get(client, requester, "home:evidence_file", secret.public_id).status_code == 404


def test_a_lost_file_is_a_page_that_says_what_to_do(client, requester, settings, tmp_path):
    settings.FILES_DIR = tmp_path
    upload = make_upload(requester)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()

    answer = get(client, requester, "home:evidence_file", upload.public_id)

    assert answer.status_code == 409
    assert "report.xml is missing from the files" in text_of(answer)
    assert "restores it from the backup" in text_of(answer)


def test_a_link_is_not_given_back_as_a_file(client, requester):
    upload = make_upload(requester, body=b"", link="https://ci.example.org/")

    assert get(client, requester, "home:evidence_file", upload.public_id)["Location"] == "/evidence/"


# the board


def test_the_board_shows_the_plan_and_every_leg_in_few_statements(client, django_assert_max_num_queries):
    change = make_change(State.IN_REVIEW, targets=(make_place(), make_place()))
    for leg in change.legs.filter(is_current=True):
        for number in range(3):
            EvidenceUploadFactory(change=change, leg=leg, attached_at=NOW, name=f"{number}.txt")

    revision, facts, by = change.revision, change_facts(change), asker_of(change.requester, [])
    with django_assert_max_num_queries(2):
        evidence_board(change, revision, change.requester, facts=facts, by=by)
    with django_assert_max_num_queries(5):
        board = evidence_board(change, revision, change.requester)

    assert (board.count, [len(row.pieces) for row in board.legs], board.refusal) == (6, [3, 3], None)


def test_evidence_of_another_version_says_so(requester):
    change = make_change(State.IN_REVIEW)
    leg = leg_of(change)
    EvidenceUploadFactory(change=change, leg=leg, attached_at=NOW, service=leg.service, label="3.17", identities=["git:" + "ab" * 20])

    (piece,) = evidence_board(change, change.revision, requester).legs[0].pieces

    assert piece.stale == "3.17"


def test_names_and_counts_are_shown_marked(client, change):
    counted = {"tests": 1, "failures": 1, "errors": 0, "skipped": 0, "failing": ["<b>\u202etest"], "claims": {"tests": 9}}
    row = EvidenceFileFactory(kind="JUNIT", counted=counted)
    EvidenceUploadFactory(change=change, leg=leg_of(change), attached_at=NOW, name="<script>alert(1)</script>", file=row)

    page = get(client, change.requester, "home:leg_evidence", change.ref, leg_of(change).public_id)

    assert b"<script>alert(1)" not in page.content
    assert "U+202E" in marks_of(page)
    assert "The report itself claims 9 tests" in text_of(page)


# how much is taken


def test_a_body_larger_than_the_largest_file_is_not_read(client, settings, requester):
    settings.EVIDENCE_MEGABYTES = 1
    client.force_login(requester)

    for asked in (client, Client()):
        answer = asked.post("/evidence/", {"evidence_file": file(b"x" * 2_100_000, "big.bin")})
        assert answer.status_code == 413
        assert answer.json()["detail"].startswith("A request holds 1 MB at most")


@pytest.mark.parametrize("length", ["-1", "1e9", "x", "9" * 30, "\N{ARABIC-INDIC DIGIT THREE}" * 9])
def test_a_length_that_cannot_be_read_is_refused(client, length):
    assert client.get("/livez", CONTENT_LENGTH=length).status_code in {400, 413}


def test_uploads_have_ids_that_nobody_guesses(requester):
    assert isinstance(make_upload(requester).public_id, UUID)
