"""What is read strictly from the environment, and how workers are woken."""

import subprocess
import sys

import pytest

from apps.core.references import reference, with_public_ids
from changecontrol.celery import app
from changecontrol.env import BadSetting, env_key_ids

ONE, OTHER = "ed25519-" + "a1" * 16, "ed25519-" + "b2" * 16


def test_key_ids_are_read_as_a_set(monkeypatch):
    assert env_key_ids("ACCEPTED_KEYS") == frozenset()

    monkeypatch.setenv("ACCEPTED_KEYS", f"{ONE}, {OTHER},")

    assert env_key_ids("ACCEPTED_KEYS") == {ONE, OTHER}


@pytest.mark.parametrize("wrong", ["ed25519-a1", ONE.upper(), ONE + "a", "all", f"{ONE};{OTHER}"])
def test_mistyped_key_id_stops_the_start(monkeypatch, wrong):
    monkeypatch.setenv("ACCEPTED_KEYS", wrong)

    with pytest.raises(BadSetting, match="ed25519- and 32 hex digits"):
        env_key_ids("ACCEPTED_KEYS")


def test_nobody_steers_workers_through_the_broker():
    assert app.conf.worker_enable_remote_control is False


def test_ticks_outlive_a_clock_that_runs_ahead_and_each_task_exists():
    app.loader.import_default_modules()

    for tick in app.conf.beat_schedule.values():
        assert tick["options"]["expires"] >= 30
        assert tick["task"] in app.tasks


def test_only_what_may_name_a_row_is_looked_up():
    row = reference("service", "01a1f98b-97a4-76f8-b6fd-ebee378fd37d")

    assert with_public_ids([row, row, reference("key", ONE), reference("service", "x"), reference("person", "")]) == {row}


@pytest.mark.parametrize("megabytes", ["0", "101", "-1", "sixteen"])
def test_a_size_of_evidence_that_cannot_be_meant_stops_the_start(megabytes):
    argv = [sys.executable, "-c", "import changecontrol.settings"]
    done = subprocess.run(argv, env={"EVIDENCE_MEGABYTES": megabytes, "SECRET_KEY": "x"}, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "EVIDENCE_MEGABYTES is" in done.stderr
