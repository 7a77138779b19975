"""What watchers of the processes are told."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from apps.audit.record import record
from apps.audit.seal import seal_now
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.references import reference
from apps.home.views import health


def test_livez_answers_without_a_database(client):
    response = client.get("/livez")

    assert (response.status_code, response.content) == (200, b"live\n")


def test_readyz_says_yes_while_everything_keeps_up(db, client):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"database": True, "migrated": True, "sealed": True, "swept": True}


def test_readyz_says_no_when_the_sealer_falls_behind(own_database, client):
    late = timezone.now() - timedelta(seconds=health.MOST_LAG_SECONDS + 1)
    record(Event.KEY_LISTED, subject=reference("key", "k"), by=system("test"), at=late)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["sealed"] is False


def test_readyz_says_yes_again_after_a_seal(own_database, client):
    late = timezone.now() - timedelta(seconds=health.MOST_LAG_SECONDS + 1)
    record(Event.KEY_LISTED, subject=reference("key", "k"), by=system("test"), at=late)
    seal_now()

    assert client.get("/readyz").json()["sealed"] is True


@pytest.mark.parametrize(("name", "told"), [("seals_keep_up", "sealed"), ("sweeps_keep_up", "swept"), ("is_migrated", "migrated")])
def test_readyz_names_what_does_not_hold(db, client, monkeypatch, name, told):
    monkeypatch.setattr(health, name, lambda: False)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert [key for key, holds in response.json().items() if not holds] == [told]


def test_readyz_says_no_when_the_database_does_not_answer(db, client, monkeypatch):
    def gone():
        raise DatabaseError

    monkeypatch.setattr(health, "is_migrated", gone)

    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (503, {"database": False})


def test_is_migrated_sees_a_migration_that_waits(db, monkeypatch):
    monkeypatch.setattr(health, "REMEMBERED", set())
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: [("one", False)])

    assert health.is_migrated() is False
