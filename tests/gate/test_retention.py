"""Old answers go by whole sealed months; the stream knows of it, nobody waits for it, and a killed run is finished by the next."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.urls import reverse

from apps.audit.record import record
from apps.audit.seal import seal_now
from apps.audit.stream import StreamFilter, latest
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.refusals import Refused
from apps.gate import retention
from apps.gate.answers import question_bytes
from apps.gate.models import Evaluation, VerdictRow
from apps.gate.retention import LOCK, PARENTS, Month, alone, drop_month, month_at, months_before, read_month
from apps.gate.rules import Question
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import EvaluationFactory, VerdictRowFactory, ask, body_for, look, make_gate_token

HOST = system("host")
MAKE = "create table {child} partition of {parent} for values from ('{begins}') to ('{ends}')"


@pytest.fixture
def house(own_database):
    """An installation of fifteen months: three old ones with answers of which two may go."""
    for ago in (14, 13, 12):
        add_month(own_database, month_ago(ago))
    seal_now()
    return own_database


def month_ago(ago: int) -> Month:
    return month_at(database_now()).later(-ago)


def add_month(own_database, month: Month) -> None:
    with own_database.connect(own_database.owner_url) as owner:
        owner.execute("set timezone = 'UTC'")
        for parent in PARENTS:
            owner.execute(MAKE.format(child=month.table(parent), parent=parent, begins=month.begins, ends=month.later(1).begins))
    one = EvaluationFactory(at=month.begins)
    VerdictRowFactory(evaluation_id=one.id, at=one.at)
    record(Event.GATE_ANSWERED, subject=month.reference, by=HOST, at=month.begins, data={"verdict": "DENY"})


def run(*words: str) -> str:
    out = StringIO()
    call_command("drop_gate_months", *words, stdout=out)
    return out.getvalue()


def run_alone() -> str:
    """Run in a thread, whose connections end with it."""
    try:
        return run("--before", str(month_ago(12)))
    finally:
        connections["owner"].close()


def told() -> list[object]:
    return [entry.data for entry in latest(StreamFilter(events=[Event.GATE_MONTH_DROPPED]), limit=20)]


def old_months() -> set[Month]:
    return {month_at(at) for model in (Evaluation, VerdictRow) for at in model.objects.values_list("at", flat=True)}


def tables_of(month: Month) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select relname from pg_class where relname = any(%s)", [[month.table(parent) for parent in PARENTS]])
        return [name for (name,) in cursor.fetchall()]


def test_months_before_the_named_one_are_dropped_and_told(house):
    said = run("--before", str(month_ago(12)))

    assert [line.split()[0] for line in said.splitlines()] == [str(month_ago(14)), str(month_ago(13))]
    assert old_months() == {month_ago(12)}
    assert tables_of(month_ago(13)) == []
    assert {str(data["month"]): (data["evaluations"], data["verdicts"]) for data in told()} == {
        str(month_ago(14)): (1, 1),
        str(month_ago(13)): (1, 1),
    }
    assert run("--before", str(month_ago(12))) == "Nothing is older.\n"
    assert len(told()) == 2


def test_the_gate_answers_before_and_after_and_the_stream_verifies(house):
    _, secret = make_gate_token(target := make_place())
    before = ask(secret, body_for(target, COMMIT)).json()
    seal_now()

    run("--before", str(month_ago(12)))

    assert ask(secret, body_for(target, COMMIT)).status_code == 201
    assert look(secret, before["id"]).status_code == 200
    seal_now()
    call_command("verify_audit", stdout=StringIO())


def test_dry_run_changes_nothing(house):
    assert run("--before", str(month_ago(12)), "--dry-run") == f"{month_ago(14)} would go.\n{month_ago(13)} would go.\n"
    assert len(old_months()) == 3
    assert told() == []


def test_an_answer_that_was_let_go_is_told_as_gone(house, client):
    token, secret = make_gate_token(target := make_place())
    question = question_bytes(Question(target.service.slug, target.environment.slug, (f"git:{COMMIT}",)))
    there = EvaluationFactory(at=month_ago(14).begins, token_id=token.pk, question=question)
    client.force_login(make_person())
    assert look(secret, there.id).status_code == 200

    run("--before", str(month_ago(12)))

    problem, page = look(secret, there.id), client.get(reverse("home:gate_evaluation", args=[there.id]))
    assert (problem.status_code, problem.json()["code"]) == (410, "month_dropped")
    assert page.status_code == 410
    assert f"answers of {month_ago(14)} were let go on" in page.content.decode()
    assert client.get(reverse("home:gate_evaluation", args=[EvaluationFactory.build().id])).status_code == 404


def test_what_is_kept_is_not_dropped(house, settings):
    with pytest.raises(CommandError, match="GATE_KEEP_MONTHS keeps 12 whole months"):
        run("--before", str(month_ago(11)))
    settings.GATE_KEEP_MONTHS = 13
    with pytest.raises(CommandError, match="keeps 13"):
        run("--before", str(month_ago(12)))
    assert len(old_months()) == 3


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-1", "0000-01", "last year", "2026-01-01", "２０２６-01", ""])
def test_a_month_that_is_none_is_refused(own_database, text):
    with pytest.raises(CommandError, match="written as 2026-01"):
        run("--before", text)


def test_a_month_with_an_answer_that_is_not_sealed_stays(house):
    record(Event.GATE_ANSWERED, subject=month_ago(13).reference, by=HOST, at=month_ago(13).begins, data={"verdict": "DENY"})

    with pytest.raises(CommandError, match=f"Not every answer of {month_ago(13)} is sealed"):
        run("--before", str(month_ago(12)))

    assert old_months() == {month_ago(13), month_ago(12)}  # what was sealed has gone


@pytest.mark.django_db
def test_without_the_owner_nothing_is_dropped():
    with pytest.raises(Refused, match="Set DATABASE_OWNER_URL"), alone():
        pytest.fail("nobody is let in")


def test_two_runs_do_not_meet(house):
    with house.connect(house.owner_url) as other:
        other.execute("select pg_advisory_lock(%s)", [LOCK])
        with pytest.raises(CommandError, match="Another run"):
            run("--before", str(month_ago(12)))
    assert run("--before", str(month_ago(12)))


def test_a_reader_keeps_a_month_and_no_question_waits_behind_it(house, racer, wait_until_blocked):
    _, secret = make_gate_token(target := make_place())
    with house.connect() as reader:
        reader.execute("begin")
        reader.execute("select count(*) from gate_evaluation")
        dropping = racer(run_alone)
        wait_until_blocked(reader.info.backend_pid)

        assert ask(secret, body_for(target, COMMIT)).status_code == 201

        reader.execute("commit")
        assert dropping.result()
    assert old_months() - {month_at(database_now())} == {month_ago(12)}


def test_a_run_that_gave_up_on_a_reader_is_finished_by_the_next(house, monkeypatch):
    monkeypatch.setattr(retention, "WAIT_SECONDS", 0.05)
    with house.connect() as reader:
        reader.execute("begin")
        reader.execute("select count(*) from gate_verdict")
        with pytest.raises(CommandError, match="Something has been reading the month"):
            run("--before", str(month_ago(13)))
        reader.execute("commit")

    run("--before", str(month_ago(13)))

    assert tables_of(month_ago(14)) == []
    assert len(told()) == 1


@pytest.mark.parametrize("done", ["told", "detached", "one dropped"])
def test_a_run_that_was_killed_is_finished_by_the_next(house, done):
    month = month_ago(14)
    retention._tell(month, by=HOST, at=database_now())
    with house.connect(house.owner_url) as owner:
        if done != "told":
            owner.execute(f"alter table gate_verdict detach partition {month.table('gate_verdict')} concurrently")
        if done == "one dropped":
            owner.execute(f"drop table {month.table('gate_verdict')}")

    run("--before", str(month_ago(13)))

    assert tables_of(month) == []
    assert len(told()) == 1


def test_months_are_read_and_counted():
    assert read_month(" 2026-01 ").later(-1) == Month(2025, 12)
    assert Month(2025, 12).later(13) == Month(2027, 1)
    assert str(Month(987, 6)) == "0987-06"


def test_a_month_is_dropped_by_its_own_name_alone(house):
    with alone():
        drop_month(month_ago(14), by=HOST)

    assert months_before(month_ago(12)) == [month_ago(13)]
