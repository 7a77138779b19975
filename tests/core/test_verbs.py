"""Verbs: durable, retried, never nested."""

import pytest
from django.db import OperationalError, connection, transaction

from apps.core.refusals import Refused
from apps.core.verbs import TRIES, verb


class Again(Exception):
    sqlstate = "40001"


class Timeout(Exception):
    sqlstate = "55P03"


def fail_with(cause):
    try:
        raise cause
    except Exception as error:
        raise OperationalError from error


def test_verb_is_tried_again_after_a_serialization_failure(db):
    calls = []

    @verb
    def work():
        calls.append(1)
        if len(calls) < TRIES:
            fail_with(Again())
        return "done"

    assert work() == "done"
    assert len(calls) == TRIES


def test_verb_gives_up_after_its_tries(db):
    with pytest.raises(OperationalError):
        verb(lambda: fail_with(Again()))()


def test_verb_turns_a_lock_timeout_into_a_refusal(db):
    with pytest.raises(Refused, match="Somebody else is changing this") as caught:
        verb(lambda: fail_with(Timeout()))()

    assert caught.value.refusal.status == 409


def test_verb_inside_a_transaction_is_an_error(own_database):
    with pytest.raises(RuntimeError), transaction.atomic():
        verb(lambda: None)()


def test_suite_runs_as_the_app_role(db):
    with connection.cursor() as cursor:
        cursor.execute("select current_user, current_setting('is_superuser')")

        assert cursor.fetchone() == ("changecontrol_app", "off")
