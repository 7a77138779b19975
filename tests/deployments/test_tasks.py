"""What a message wakes, and what a broker that is away does not break."""

import logging
import time

import pytest
from celery import Celery
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.deployments import tasks
from apps.deployments.tasks import wake, wake_after_commit, wake_deployment
from changecontrol.celery import app
from tests.deployments.town import free_port


@pytest.mark.parametrize(("more_to_do", "woken"), [(True, [7]), (False, [])])
def test_a_step_that_leads_to_another_wakes_the_next_free_worker(monkeypatch, more_to_do, woken):
    seen = []
    monkeypatch.setattr(tasks, "run_step", lambda deployment_id: more_to_do)
    monkeypatch.setattr(tasks, "wake", seen.append)

    wake_deployment(deployment_id=7, from_a_newer_sender=True)

    assert seen == woken


def test_a_broker_that_is_away_is_logged_and_not_fatal(monkeypatch, caplog):
    def away(**_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(wake_deployment, "apply_async", away)

    with caplog.at_level(logging.WARNING):
        wake(7)

    assert "found by the sweeper" in caplog.text


@pytest.mark.django_db
def test_nobody_is_woken_for_an_order_that_was_not_committed(monkeypatch, django_capture_on_commit_callbacks):
    seen = []
    monkeypatch.setattr(tasks, "wake", seen.append)

    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            wake_after_commit(7)
            transaction.set_rollback(True)
        wake_after_commit(8)

    assert seen == [8]


def test_the_tasks_that_beat_calls_exist():
    app.loader.import_default_modules()

    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks


def test_a_broker_that_is_away_holds_nobody_up():
    broken = Celery("broken", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    broken.conf.broker_transport_options = app.conf.broker_transport_options
    began = time.monotonic()

    with pytest.raises(OperationalError):
        broken.send_task("anything", retry=False, ignore_result=True)

    assert time.monotonic() - began < 2
