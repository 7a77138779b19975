"""A web process that is killed in the middle of a question: whoever asked hears nothing, and whatever was heard is on disk."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from apps.core.locks import database_now
from apps.gate.models import Evaluation, EvaluationKey, Ticket, VerdictRow
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import IDS, PATH, ask, body_for, make_gate_token

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HERE = Path(__file__).resolve()
KILLS = 8
PATIENCE = 60


@pytest.fixture
def target(own_gate):
    place = make_place()
    make_change(targets=(place,))
    return place


@pytest.fixture
def token(own_gate):
    return make_gate_token()


@contextmanager
def web(own_database, place: Path, *, halt: str = ""):
    """A web process of its own, up; its port is in a file."""
    (place / "port").unlink(missing_ok=True)
    (place / "halted").unlink(missing_ok=True)
    environment = {
        "PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "changecontrol.settings", "DATABASE_URL": own_database.app_url,
        "VAR_DIR": str(place / "var"), "PYTHONPATH": str(HERE.parents[2]), "LOG_LEVEL": "ERROR", "HALT": halt,
        "SIGNING_KEY_FILE": str(settings.SIGNING_KEY_FILE), "REDIS_URL": "redis://127.0.0.1:9/0",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, str(HERE.with_name("faults_server.py")), str(place)], env=environment) as process:
        try:
            waited_for(place / "port")
            yield process
        finally:
            process.kill()


def waited_for(path: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < ends, f"{path.name} did not come"
        time.sleep(0.01)


class Asking(threading.Thread):
    """One question over a real connection; `answer` stays None where nothing came back."""

    def __init__(self, place: Path, secret: str, body: dict, *, key: str) -> None:
        super().__init__(daemon=True)
        self.port, self.body = int((place / "port").read_text()), json.dumps(body)
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": key}
        self.answer = None
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", PATH, self.body, self.headers)
            response = connection.getresponse()
            self.answer = (response.status, json.loads(response.read()))
        except (OSError, http.client.HTTPException, ValueError):
            self.answer = None
        finally:
            connection.close()

    def heard(self):
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.answer


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Evaluation, VerdictRow, Ticket, EvaluationKey))


def test_killed_after_judging_nothing_is_heard_and_nothing_written(own_gate, target, token, tmp_path):
    with web(own_gate, tmp_path, halt="judged") as process:
        asking = Asking(tmp_path, token[1], body_for(target, COMMIT), key="run-1")
        waited_for(tmp_path / "halted")
        process.send_signal(signal.SIGKILL)
        heard = asking.heard()

    assert heard is None
    assert counts() == (0, 0, 0, 0)


def test_killed_while_it_writes_nothing_is_heard_and_all_or_nothing_written(own_gate, target, token, tmp_path, wait_until_blocked):
    with web(own_gate, tmp_path) as process, transaction.atomic():
        EvaluationKey.objects.create(token=token[0], key="run-1", body_hash=b"\x00" * 32, evaluation_id=IDS[0], at=database_now())
        asking = Asking(tmp_path, token[1], body_for(target, COMMIT), key="run-1")
        wait_until_blocked(backend())
        process.send_signal(signal.SIGKILL)
        heard = asking.heard()
        transaction.set_rollback(True)
    waited_for_backends(own_gate)

    assert heard is None
    # PostgreSQL goes on with a statement whose asker is gone; what it writes then, nobody was told.
    assert counts() in {(0, 0, 0, 0), (1, 1, 2, 1)}


def waited_for_backends(own_database) -> None:
    """Until nothing of the killed process is at work any more."""
    ends = time.monotonic() + PATIENCE
    with own_database.connect(own_database.superuser_url) as watch:
        query = "select count(*) from pg_stat_activity where datname = %s and application_name = 'changecontrol gate' and state = 'active'"
        while watch.execute(query, [own_database.name]).fetchone() != (0,):
            assert time.monotonic() < ends, "the backend did not end"
            time.sleep(0.01)


def backend() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]


def test_killed_between_writing_and_answering_the_yes_is_on_disk_and_told_to_who_asks_again(own_gate, target, token, tmp_path):
    with web(own_gate, tmp_path, halt="written") as process:
        asking = Asking(tmp_path, token[1], body_for(target, COMMIT), key="run-1")
        waited_for(tmp_path / "halted")
        process.send_signal(signal.SIGKILL)
        heard = asking.heard()
    written = counts()

    again = ask(token[1], body_for(target, COMMIT), key="run-1").json()

    assert heard is None
    assert written[0] == written[1] == written[3] == 1
    assert counts() == written
    assert again["verdict"] == "ALLOW"
    assert Evaluation.objects.get().id.hex == again["id"].replace("-", "")
    assert Ticket.objects.get(action="DEPLOY").evaluation_id == Evaluation.objects.get().id


def test_killed_at_random_every_yes_that_was_heard_has_its_rows(own_gate, target, token, tmp_path):
    seed = int(os.environ.get("FAULT_SEED", str(random.randrange(10**6))))
    print(f"FAULT_SEED={seed}")
    chance, heard = random.Random(seed), []
    for turn in range(KILLS):
        with web(own_gate, tmp_path) as process:
            first = [Asking(tmp_path, token[1], body_for(target, COMMIT), key=f"warm-{turn}").heard()]
            asked = [Asking(tmp_path, token[1], body_for(target, COMMIT), key=f"run-{turn}-{number}") for number in range(6)]
            time.sleep(chance.random() * 0.05)  # the moment of the kill, not a wait for something
            process.send_signal(signal.SIGKILL)
            heard += [answer for answer in [*first, *(one.heard() for one in asked)] if answer is not None]

    assert {status for status, _ in heard} <= {200, 201, 503}
    yes = [body for status, body in heard if status != 503 and body["verdict"] == "ALLOW"]
    assert len(yes) >= KILLS
    for body in yes:
        assert VerdictRow.objects.filter(evaluation_id=body["id"], verdict="ALLOW").exists()
        assert Ticket.objects.filter(evaluation_id=body["id"], action="DEPLOY").exists()
