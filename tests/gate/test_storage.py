"""Partitions, privileges and what the clock does."""

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from apps.core.locks import database_now
from apps.gate import counting
from apps.gate.beat import make_partitions
from apps.gate.models import Evaluation, EvaluationKey, SpentTicket, Ticket, UnknownTokens, VerdictRow
from tests.factories.gate import (
    EvaluationFactory,
    EvaluationKeyFactory,
    SpentTicketFactory,
    TicketFactory,
    VerdictRowFactory,
    ask,
)

APPEND_ONLY = [
    (Evaluation, EvaluationFactory, "key"),
    (VerdictRow, VerdictRowFactory, "verdict"),
    (Ticket, TicketFactory, "binds"),
    (SpentTicket, SpentTicketFactory, "spent_by"),
]
PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1"


def partitions(parent):
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS, [parent])
        return [name for (name,) in cursor.fetchall()]


def month(ahead):
    with connection.cursor() as cursor:
        cursor.execute("select to_char(date_trunc('month', now() at time zone 'UTC') + make_interval(months => %s), 'YYYY_MM')", [ahead])
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "factory", "field"), APPEND_ONLY)
@pytest.mark.parametrize("act", ["update", "delete", "truncate"])
def test_app_role_only_adds(model, factory, field, act):
    factory()
    statement = {"update": f"update {{}} set {field} = {field}", "delete": "delete from {}", "truncate": "truncate {}"}[act]

    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(model._meta.db_table))


@pytest.mark.django_db
@pytest.mark.parametrize("parent", ["gate_evaluation", "gate_verdict"])
@pytest.mark.parametrize(
    "act", ["insert into {} select * from {}", "update {} set at = at", "delete from {}", "truncate {}", "drop table {}"]
)
def test_app_role_does_not_reach_a_partition_behind_its_parent(parent, act):
    child = partitions(parent)[0]

    with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(act.format(child, child))


@pytest.mark.django_db
@pytest.mark.parametrize("parent", ["gate_evaluation", "gate_verdict"])
def test_partitions_of_this_and_three_months_ahead_are_there(parent):
    assert set(partitions(parent)) >= {f"{parent}_{month(ahead)}" for ahead in range(4)}


def test_making_partitions_again_makes_none_and_missing_ones_are_made(own_database):
    with connection.cursor() as cursor:
        cursor.execute("select gate_make_partitions(3)")
        assert cursor.fetchone() == (0,)
        cursor.execute("select gate_make_partitions(5)")
        assert cursor.fetchone() == (4,)
    assert f"gate_verdict_{month(5)}" in partitions("gate_verdict")


def test_partition_made_later_is_closed_to_the_app_role(own_database):
    with connection.cursor() as cursor:
        cursor.execute("select gate_make_partitions(5)")
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute(f"delete from gate_verdict_{month(5)}")


def test_check_names_a_missing_partition_and_migrate_makes_it(own_database):
    assert not [found for found in run_checks(databases=["default"]) if found.id == "gate.W001"]
    with own_database.connect(own_database.owner_url) as owner:
        owner.execute(f"drop table gate_verdict_{month(1)}")

    (found,) = [found for found in run_checks(databases=["default"]) if found.id == "gate.W001"]
    call_command("migrate", database="owner", verbosity=0, interactive=False)

    assert f"gate_verdict_{month(1)}" in found.msg
    assert not [found for found in run_checks(databases=["default"]) if found.id == "gate.W001"]


@pytest.mark.django_db
def test_beat_forgets_keys_after_a_day():
    now = database_now()
    old, young = (EvaluationKeyFactory(at=now - timedelta(hours=hours)) for hours in (25, 23))

    make_partitions()

    assert [*EvaluationKey.objects.values_list("pk", flat=True)] == [young.pk]
    assert old.pk != young.pk


@pytest.mark.django_db
def test_unknown_tokens_are_written_at_most_every_five_seconds(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: clock[0])
    tally = counting.Tally()

    for at in (100.0, 101.0, 104.9, 105.0, 105.1, 111.0):
        clock[0] = at
        tally.add()

    assert UnknownTokens.objects.get().count == 6


@pytest.mark.django_db
def test_evaluation_can_only_be_made_where_there_is_a_partition():
    with pytest.raises(Exception, match="no partition"), transaction.atomic():
        EvaluationFactory(at=database_now() + timedelta(days=4000))


@pytest.mark.django_db
def test_flood_of_unknown_tokens_writes_no_evaluation():
    for number in range(50):
        assert ask(f"ccg_{number:043d}", {"service": "x", "environment": "y", "identities": {"git": "a" * 40}}).status_code == 401

    assert not Evaluation.objects.exists()
