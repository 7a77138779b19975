"""The gate when something else is broken: it says that it could not tell, or nothing at all. Never yes, and no ticket without its rows."""

import pytest
from django.db import connections
from psycopg import sql

from apps.audit.models import Entry
from apps.core.actors import system
from apps.gate import evaluate, wire
from apps.gate.models import Evaluation, EvaluationKey, SpentTicket, Ticket, VerdictRow
from apps.gate.rules import Action
from changecontrol.celery import app as celery_app
from tests.conftest import point_default_at
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, look, make_gate_token
from tests.gate.test_fuzz_tickets import begun

BY = system("test")
WRITTEN = ("gate_evaluation", "gate_verdict", "gate_ticket", "gate_evaluationkey", "audit_entry")
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"  # the port of discarding: nobody listens


@pytest.fixture
def target(own_gate):
    place = make_place()
    make_change(targets=(place,))
    return place


@pytest.fixture
def secret(own_gate):
    return make_gate_token(actions=tuple(Action))[1]


@pytest.fixture
def owner(own_gate):
    """The database's owner, who breaks things; all of it goes with the database."""
    with own_gate.connect(own_gate.superuser_url) as connection:
        yield connection


def could_not_tell(answer) -> bool:
    body = answer.json()
    told = (answer.status_code, answer["Content-Type"].partition(";")[0], body["code"])
    return told == (503, "application/problem+json", "could_not_tell") and bool(answer["Retry-After"]) and "verdict" not in body


def rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Evaluation, VerdictRow, Ticket, EvaluationKey, Entry))


def break_inserts(owner, table, *, code="53100") -> None:
    """As a full disk would: every insert into the table fails with PostgreSQL's own code for it."""
    body = sql.SQL("begin raise exception 'no space left on device' using errcode = {}; end").format(sql.Literal(code))
    owner.execute(
        sql.SQL("create function public.full_disk() returns trigger language plpgsql as {}").format(sql.Literal(body.as_string(owner)))
    )
    owner.execute(
        sql.SQL("create trigger full_disk before insert on {} for each row execute function public.full_disk()").format(
            sql.Identifier(table)
        )
    )


def mend(owner, table) -> None:
    owner.execute(sql.SQL("drop trigger full_disk on {}").format(sql.Identifier(table)))
    owner.execute("drop function public.full_disk()")


@pytest.mark.parametrize("table", sorted(WRITTEN))
def test_full_disk_under_any_of_its_rows_is_no_yes_and_leaves_none_of_them(table, target, secret, owner):
    before = rows()
    for code in ("53100", "53200", "57P01"):  # disk full, out of memory, shutting down
        break_inserts(owner, table, code=code)

        answers = [ask(secret, body_for(target, COMMIT), key="run-1") for _ in range(2)]

        assert all(could_not_tell(answer) for answer in answers)
        assert rows() == before
        mend(owner, table)
    assert ask(secret, body_for(target, COMMIT), key="run-1").json()["verdict"] == "ALLOW"


def test_full_disk_when_a_ticket_is_renewed_hands_out_none(target, secret, owner):
    first = ask(secret, body_for(target, COMMIT), key="run-1").json()["ticket"]
    assert begun(secret, first).status_code == 201
    before = rows()
    break_inserts(owner, "gate_ticket")
    break_occupied(owner)

    assert could_not_tell(ask(secret, body_for(target, COMMIT), key="run-1"))
    assert rows() == before


def break_occupied(owner) -> None:
    """Nothing is on the target any more, and its way back has closed: the answer would be a yes again."""
    owner.execute("update catalog_target set occupied_by = null, occupied_since = null")
    owner.execute("update schedule_reservation set released_at = now()")
    owner.execute("update changes_leg set state = 'WAITING', is_open = true")


@pytest.mark.parametrize("table", ["audit_entry", "gate_spentticket", "schedule_reservation"])
def test_full_disk_when_a_deployment_begins_spends_nothing(table, target, secret, owner):
    ticket = ask(secret, body_for(target, COMMIT)).json()["ticket"]
    break_inserts(owner, table)

    answer = begun(secret, ticket)

    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (503, "application/problem+json")
    assert SpentTicket.objects.count() == 0
    mend(owner, table)
    assert begun(secret, ticket).status_code == 201


def test_database_that_is_not_there_is_no_yes(target, secret, own_gate):
    body = body_for(target, COMMIT)
    evaluation = ask(secret, body, key="run-1").json()["id"]
    before = rows()
    wire.close()
    point_default_at(NOWHERE)

    told = [ask(secret, body), ask(secret, body, key="run-1"), ask(secret, {**body, "dry_run": True}), look(secret, evaluation)]

    wire.close()
    point_default_at(own_gate.app_url)
    assert all(could_not_tell(answer) for answer in told)
    assert rows() == before


def test_database_that_goes_away_between_asking_and_writing_is_no_yes(target, secret, owner, monkeypatch):
    before, original = rows(), evaluate.write_answer

    def written_without_a_database(*args, **given):
        owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'changecontrol gate'")
        return original(*args, **given)

    monkeypatch.setattr(evaluate, "write_answer", written_without_a_database)
    answer = ask(secret, body_for(target, COMMIT), key="run-1")

    assert could_not_tell(answer)
    assert rows() == before
    monkeypatch.setattr(evaluate, "write_answer", original)
    assert ask(secret, body_for(target, COMMIT), key="run-1").json()["verdict"] == "ALLOW"


@pytest.mark.parametrize("table", ["catalog_service", "changes_legidentity", "gate_evaluation", "audit_entry"])
def test_database_that_keeps_it_waiting_is_no_yes(table, target, secret, owner, monkeypatch):
    monkeypatch.setitem(wire.OWN, "lock_timeout", "200ms")
    wire.close()
    before = rows()
    with owner.transaction():
        owner.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(table)))
        assert could_not_tell(ask(secret, body_for(target, COMMIT), key="run-1"))

    assert rows() == before
    assert ask(secret, body_for(target, COMMIT), key="run-1").json()["verdict"] == "ALLOW"


def test_statement_that_takes_too_long_is_no_yes(target, secret, owner, monkeypatch):
    monkeypatch.setitem(wire.OWN, "statement_timeout", "300ms")
    wire.close()
    before = rows()
    owner.execute("create function public.full_disk() returns trigger language plpgsql as 'begin perform pg_sleep(60); return new; end'")
    owner.execute("create trigger full_disk before insert on audit_entry for each row execute function public.full_disk()")

    assert could_not_tell(ask(secret, body_for(target, COMMIT)))
    assert rows() == before


def test_database_that_only_reads_answers_what_records_nothing_and_is_no_yes_elsewhere(target, secret, own_gate, owner):
    body = body_for(target, COMMIT)
    evaluation = ask(secret, body).json()["id"]
    before = rows()
    owner.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(sql.Identifier(own_gate.name)))
    wire.close()
    connections["default"].close()

    assert could_not_tell(ask(secret, body, key="run-1"))
    assert (ask(secret, {**body, "dry_run": True}).json()["verdict"], look(secret, evaluation).json()["verdict"]) == ("ALLOW", "ALLOW")
    assert (ask(secret, {**body, "dry_run": True}).json()["ticket"], look(secret, evaluation).json()["ticket"]) == (None, None)
    assert rows() == before


def test_broker_that_is_not_there_is_nobody_s_concern(target, secret, monkeypatch):
    monkeypatch.setattr(celery_app.conf, "broker_url", "redis://127.0.0.1:9/0")

    told = ask(secret, body_for(target, COMMIT))

    assert (told.status_code, told.json()["verdict"]) == (201, "ALLOW")
    assert VerdictRow.objects.filter(evaluation_id=told.json()["id"], verdict="ALLOW").exists()
    assert begun(secret, told.json()["ticket"]).status_code == 201


@pytest.mark.parametrize("broken", ["_tickets", "_told", "gather", "judge", "record_of"])
def test_mistake_of_ours_is_no_yes(broken, target, secret, monkeypatch):
    for error in (ValueError, KeyError, RecursionError, MemoryError, AssertionError):

        def mistaken(*_, error=error, **__):
            raise error("a mistake of ours")

        monkeypatch.setattr(evaluate, broken, mistaken)
        assert could_not_tell(ask(secret, body_for(target, COMMIT)))
