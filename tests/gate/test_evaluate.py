"""The endpoint over a real database: what is answered, recorded and handed out."""

import json
from base64 import b64decode
from datetime import timedelta

import pytest
from django.db import connection

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.audit.record import Draft
from apps.audit.stream import entries_about
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.core.ids import new_id
from apps.core.locks import database_now
from apps.core.references import reference
from apps.gate.actions import revoke_gate_token, rotate_gate_token
from apps.gate.models import Evaluation, EvaluationKey, GateToken, Ticket, UnknownTokens, VerdictRow
from apps.gate.rules import Detail
from apps.schedule.models import Hold
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, look, make_gate_token
from tests.factories.schedule import HoldFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def target():
    return make_place()


@pytest.fixture
def secret():
    return make_gate_token()[1]


def approved(target):
    return make_change(State.APPROVED, targets=(target,))


def hold(target):
    return HoldFactory(scope=5_000_000_000 + target.pk)


def rows():
    return Evaluation.objects.count(), VerdictRow.objects.count(), Ticket.objects.count()


def test_ask_without_change_is_denied_with_the_cure(target, secret):
    response = ask(secret, body_for(target, COMMIT))

    body = response.json()
    assert (response.status_code, body["verdict"], body["codes"], body["final"]) == (201, "DENY", ["no_change"], False)
    assert body["findings"][0]["cure"] == "Request a change for it."
    assert body["ticket"] is None
    assert rows() == (1, 1, 0)


def test_ask_for_an_approved_change_is_allowed_with_tickets_both_ways(target, secret):
    change = approved(target)

    body = ask(secret, body_for(target, COMMIT)).json()

    assert (body["verdict"], body["findings"]) == ("ALLOW", [])
    assert body["bound"]["change"] == change.ref
    forward, back = (json.loads(b64decode(body[name]["payload"]))["predicate"] for name in ("ticket", "rollback_ticket"))
    assert (forward["action"], forward["identities"], forward["revisionDigest"]) == ("DEPLOY", [COMMIT], change.revision.digest)
    assert (back["action"], back["identities"]) == ("ROLLBACK", target.running_identities)
    assert rows() == (1, 1, 2)


def test_answer_is_recorded_in_the_stream_with_the_hash_of_its_record(target, secret):
    change = approved(target)

    body = ask(secret, body_for(target, COMMIT)).json()

    (entry,) = [one for one in entries_about(reference("evaluation", body["id"]), limit=5) if one.event == "gate.answered"]
    assert entry.data["verdict"] == "ALLOW"
    assert {str(change.reference), str(target.reference), str(target.service.reference)} <= set(map(str, entry.refs))
    assert entry.by.kind == "TOKEN"


def test_dry_run_records_nothing_and_hands_out_nothing(target, secret):
    approved(target)

    response = ask(secret, body_for(target, COMMIT, dry_run=True), key="run-1")

    assert (response.status_code, response.json()["verdict"], response.json()["ticket"]) == (200, "ALLOW", None)
    assert rows() == (0, 0, 0)
    assert not EvaluationKey.objects.exists()


def test_same_key_and_question_is_the_same_evaluation_and_adds_a_row_only_when_the_answer_changed(target, secret):
    first = ask(secret, body_for(target, COMMIT), key="run-1")
    second = ask(secret, body_for(target, COMMIT), key="run-1")
    approved(target)
    third = ask(secret, body_for(target, COMMIT), key="run-1")
    fourth = ask(secret, body_for(target, COMMIT), key="run-1")

    assert [one.status_code for one in (first, second, third, fourth)] == [201, 200, 200, 200]
    assert len({one.json()["id"] for one in (first, second, third, fourth)}) == 1
    assert [one.json()["verdict"] for one in (first, second, third, fourth)] == ["DENY", "DENY", "ALLOW", "ALLOW"]
    assert rows() == (1, 2, 2)
    assert third.json()["ticket"] == fourth.json()["ticket"]


def test_same_key_with_another_question_is_409(target, secret):
    ask(secret, body_for(target, COMMIT), key="run-1")

    response = ask(secret, body_for(target, "git:" + "b" * 40), key="run-1")

    assert (response.status_code, response.json()["code"]) == (409, "key_reused")
    assert rows() == (1, 1, 0)


def test_same_question_written_otherwise_is_the_same_question(target, secret):
    body = body_for(target, COMMIT)
    ask(secret, body, key="run-1")

    response = ask(secret, {**dict(reversed(body.items())), "identities": {"git": [COMMIT.removeprefix("git:").upper()]}}, key="run-1")

    assert response.status_code == 200


def test_key_of_another_token_is_another_evaluation(target, secret):
    first = ask(secret, body_for(target, COMMIT), key="run-1")
    second = ask(make_gate_token()[1], body_for(target, COMMIT), key="run-1")

    assert first.json()["id"] != second.json()["id"]


def test_final_answer_is_not_judged_again(target, secret):
    make_change(State.REJECTED, targets=(target,))
    first = ask(secret, body_for(target, COMMIT), key="run-1").json()
    approved(target)

    again = ask(secret, body_for(target, COMMIT), key="run-1").json()
    other = ask(secret, body_for(target, COMMIT), key="run-2").json()

    assert (first["codes"], first["final"]) == (["change_rejected"], True)
    assert {**again} == {**first}
    assert other["verdict"] == "ALLOW"


def test_ticket_is_renewed_when_what_it_binds_changed(target, secret):
    change = approved(target)
    first = ask(secret, body_for(target, COMMIT), key="run-1").json()
    content = content_of(change.revision)
    story = content.story.__class__(title="Another title")
    revise_change(
        change_id=change.pk,
        content=content.__class__(content.scope, content.plan, content.rollback, content.period, story),
        by=change.requester.actor,
    )

    again = ask(secret, body_for(target, COMMIT), key="run-1").json()

    assert (first["verdict"], again["verdict"]) == ("ALLOW", "ALLOW")
    assert first["ticket"] != again["ticket"]
    assert rows() == (1, 1, 4)
    assert [one.event for one in entries_about(reference("evaluation", first["id"]), limit=5)] == ["ticket.issued", "gate.answered"]


def test_get_judges_now_records_nothing_and_hands_out_nothing(target, secret):
    approved(target)
    asked = ask(secret, body_for(target, COMMIT)).json()
    hold(target)

    seen = look(secret, asked["id"]).json()

    assert (asked["verdict"], seen["verdict"], seen["codes"], seen["ticket"]) == ("ALLOW", "DENY", ["held"], None)
    assert rows() == (1, 1, 2)


@pytest.mark.parametrize(
    "evaluation", ["01980000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff", "9f2c1f0e-0000-4000-8000-000000000000"]
)
def test_get_of_an_unknown_evaluation_is_404(secret, evaluation):
    assert look(secret, evaluation).status_code == 404


def test_get_of_another_tokens_evaluation_is_404(target, secret):
    asked = ask(secret, body_for(target, COMMIT)).json()

    assert look(make_gate_token()[1], asked["id"]).status_code == 404


def test_get_is_answered_to_every_token_that_was_rotated_from_or_into_the_one_that_asked(target):
    chief = make_person(Role.ADMINISTRATOR).actor
    first, old = make_gate_token()
    second = rotate_gate_token(first.pk, days=30, hours=1, by=chief)
    third = rotate_gate_token(second.token.pk, days=30, hours=1, by=chief)
    by_first, by_third = (ask(secret, body_for(target, COMMIT)).json()["id"] for secret in (old, third.secret))

    assert {look(secret, by_first).status_code for secret in (old, second.secret, third.secret)} == {200}
    assert {look(secret, by_third).status_code for secret in (old, second.secret)} == {200}
    assert look(make_gate_token()[1], by_third).status_code == 404


@pytest.mark.parametrize("secret_of", ["unknown", "over"])
def test_error_in_noting_who_is_not_let_in_is_told_as_one_of_ours(target, secret_of, monkeypatch, caplog):
    token, secret = make_gate_token()
    revoke_gate_token(token.pk, by=make_person(Role.ADMINISTRATOR).actor)
    broken = {"unknown": "apps.gate.api.unknown_tokens.add", "over": "apps.gate.api.note_dead_token"}[secret_of]
    monkeypatch.setattr(broken, lambda *given, **more: {}["missing"])

    response = ask(secret if secret_of == "over" else "ccg_" + "x" * 43, body_for(target, COMMIT))

    assert (response.status_code, response.json()["code"], "Retry-After" in response) == (503, "could_not_tell", True)
    assert "could not tell" in caplog.text


def test_pending_says_when_to_ask_again(target, secret):
    make_change(State.IN_REVIEW, targets=(target,))

    response = ask(secret, body_for(target, COMMIT))

    assert response.json()["verdict"] == "PENDING"
    assert 2 <= int(response["Retry-After"]) <= 15
    assert response.json()["retry_after"] == int(response["Retry-After"])


def test_token_that_is_told_codes_gets_no_sentence_and_no_name(target):
    secret = make_gate_token(detail=Detail.CODES)[1]
    make_change(State.IN_REVIEW, targets=(target,))

    body = ask(secret, body_for(target, COMMIT)).json()

    link = f"{body['url']}#code-sign_off_missing"
    assert body["findings"] == [{"rule": "approval", "effect": "WAIT", "code": "sign_off_missing", "until": None, "url": link}]
    assert body["bound"] is None
    assert "CHG" not in json.dumps(body)
    assert body["url"]


def test_out_of_scope_token_is_denied_and_told_nothing_else(target):
    secret = make_gate_token(make_place().service)[1]
    hold(target)

    body = ask(secret, body_for(target, COMMIT)).json()

    assert (body["verdict"], body["codes"]) == ("DENY", ["out_of_scope"])


def test_token_for_one_service_and_environment_is_heard(target):
    secret = make_gate_token(target.service, environments=(target.environment,))[1]
    approved(target)

    assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"


def test_old_names_of_service_and_environment_work(target, secret):
    approved(target)
    body = body_for(target, COMMIT)
    target.service.aliases.create(slug="old-service")
    target.environment.aliases.create(slug="old-environment")

    assert ask(secret, {**body, "service": "old-service", "environment": "old-environment"}).json()["verdict"] == "ALLOW"


def test_unknown_token_is_counted_and_not_recorded(target, monkeypatch):
    monkeypatch.setattr("apps.gate.api.unknown_tokens._written_at", float("-inf"))

    response = ask("ccg_" + "x" * 43, body_for(target, COMMIT))

    assert (response.status_code, response.json()["code"], response["WWW-Authenticate"]) == (
        401,
        "unknown_token",
        'Bearer realm="change control"',
    )
    assert UnknownTokens.objects.get().count >= 1
    assert rows() == (0, 0, 0)


def test_revoked_token_is_refused_and_recorded_once_an_hour(target):
    token, secret = make_gate_token()
    revoke_gate_token(token.pk, by=_administrator().actor)

    answers = [ask(secret, body_for(target, COMMIT)) for _ in range(3)]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(401, "token_over")}
    refused = [one for one in entries_about(token.reference, limit=20) if one.event == "gate_token.refused"]
    assert len(refused) == 1
    assert rows() == (0, 0, 0)


def test_expired_token_is_refused(target):
    token, secret = make_gate_token()
    GateToken.objects.filter(pk=token.pk).update(
        issued_at=token.issued_at - timedelta(days=2), expires_at=token.issued_at - timedelta(days=1)
    )

    assert ask(secret, body_for(target, COMMIT)).status_code == 401


def test_use_of_a_token_is_noted(target):
    token, secret = make_gate_token()

    ask(secret, body_for(target, COMMIT))

    token.refresh_from_db()
    assert token.used_at is not None


def test_personal_token_may_only_make_dry_runs(target):
    secret = _personal(make_person())
    approved(target)

    asked, dry = ask(secret, body_for(target, COMMIT)), ask(secret, body_for(target, COMMIT, dry_run=True))

    assert (asked.status_code, asked.json()["code"]) == (403, "dry_run_only")
    assert (dry.status_code, dry.json()["verdict"], dry.json()["ticket"]) == (200, "ALLOW", None)


def test_personal_token_does_not_see_a_restricted_service_of_another_team(target):
    approved(target)
    target.service.is_restricted = True
    target.service.save()
    member = make_person(team=target.service.team)

    told = [ask(_personal(person), body_for(target, COMMIT, dry_run=True)).json()["codes"] for person in (make_person(), member)]

    assert told == [["unknown_service"], []]


def test_personal_token_reads_no_evaluation_of_a_service_its_person_may_not_see(target, secret):
    approved(target)
    known, other = (
        ask(secret, body_for(target, COMMIT)).json()["id"],
        ask(secret, {**body_for(target, COMMIT), "service": "gone"}).json()["id"],
    )
    stranger, member = _personal(make_person()), _personal(make_person(team=target.service.team))
    before = look(stranger, known)
    target.service.is_restricted = True
    target.service.save()

    hidden = look(stranger, known)

    assert (before.status_code, hidden.status_code, look(member, known).status_code) == (200, 404, 200)
    assert hidden.json() == look(stranger, str(new_id())).json()
    assert look(stranger, other).status_code == 404


def test_personal_token_of_somebody_deactivated_is_refused(target):
    person = make_person()
    secret = _personal(person)
    type(person).objects.filter(pk=person.pk).update(is_active=False, deactivated_at=database_now())

    assert ask(secret, body_for(target, COMMIT, dry_run=True)).status_code == 401


@pytest.mark.parametrize("broken", ["apps.gate.evaluate.judge", "apps.gate.evaluate.gather", "apps.gate.evaluate.compose"])
def test_error_of_ours_is_503_and_never_a_yes(target, secret, broken, monkeypatch, caplog):
    approved(target)
    monkeypatch.setattr(broken, lambda *args, **more: {}["missing"])

    response = ask(secret, body_for(target, COMMIT))

    assert (response.status_code, response.json()["code"]) == (503, "could_not_tell")
    assert response["Retry-After"]
    assert "verdict" not in response.json()
    assert rows() == (0, 0, 0)


def test_answer_that_cannot_be_written_is_not_given(target, secret, monkeypatch, caplog):
    approved(target)
    broken = Draft(columns=(None, "gate.answered", None, "x", ["x"], b"{}"), details=([], [], []))  # type: ignore[arg-type]
    monkeypatch.setattr("apps.gate.evaluate.compose", lambda *args, **more: broken)

    with connection.cursor() as cursor:
        cursor.execute("savepoint before")
        response = ask(secret, body_for(target, COMMIT))
        cursor.execute("rollback to savepoint before")

    assert response.status_code == 503
    assert rows() == (0, 0, 0)


def test_four_drafts_naming_the_commit_do_not_change_the_answer(target, secret):
    approved(target)
    for _ in range(6):
        make_change(State.DRAFT, targets=(target,))

    assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"


def test_more_open_changes_than_are_read_is_said(target, secret):
    for _ in range(9):
        make_change(State.IN_REVIEW, targets=(target,))

    assert "too_many_changes" in ask(secret, body_for(target, COMMIT)).json()["codes"]


def test_lifted_hold_is_no_hold(target, secret):
    approved(target)
    stop = hold(target)
    Hold.objects.filter(pk=stop.pk).update(lifted_at=database_now(), lifted_by="SYSTEM:test")

    assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"


def _administrator():
    from apps.accounts.roles import Role

    return make_person(Role.ADMINISTRATOR)


def _personal(person):
    from apps.accounts.actions import issue_personal_token

    return issue_personal_token(name="laptop", days=1, by=person.actor).secret


def test_denial_lists_the_steps_to_a_yes(target, secret):
    approved(target)
    hold(target)

    said = ask(secret, body_for(target)).json()

    assert said["way"]["complete"] is True
    assert [(step["act"], step["codes"], step["cure"]) for step in said["way"]["steps"]] == [
        ("DO", ["held"], "Clear up the reason, then lift the hold.")
    ]


def test_token_that_is_told_codes_gets_no_words_in_the_steps(target):
    secret = make_gate_token(detail=Detail.CODES)[1]

    (step,) = ask(secret, body_for(target)).json()["way"]["steps"]

    assert step == {"act": "DO", "codes": ["no_change"], "until": None}


def test_yes_has_no_steps(target, secret):
    approved(target)

    assert ask(secret, body_for(target)).json()["way"] is None
