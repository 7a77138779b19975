"""Real processes that send mail, killed while the server already has it: nothing is lost, and what goes twice is one mail."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.changes.states import State as ChangeState
from apps.notifications.delivery import send_due
from apps.notifications.models import Delivery
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.notifications import follow_all, told
from tests.notifications.post import Post, post_office

pytestmark = [pytest.mark.faults, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import django; django.setup(); from apps.notifications.delivery import send_due; send_due()"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def killed_while_sending(post: Post, *, database: str, place: Path) -> None:
    """Start a sender of its own, wait until the server has the mail, and kill it before it hears so."""
    has_it, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        has_it.set()
        assert go_on.wait(60)

    post.on_taken = hold
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "changecontrol.settings",
        "DATABASE_URL": database,
        "VAR_DIR": str(place / "var"),
        "EMAIL_URL": f"smtp://127.0.0.1:{post.port}",
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment) as sender:
        assert has_it.wait(60), "the sender never sent"
        os.kill(sender.pid, signal.SIGKILL)
        assert sender.wait(20) == -signal.SIGKILL
    post.on_taken = None
    go_on.set()


def test_mail_of_killed_senders_is_sent_again_under_its_own_id(own_database, settings, tmp_path):
    owner = make_person(email="olga@example.org")
    make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC) - timedelta(minutes=1))
    follow_all()
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    with post_office() as post:
        settings.EMAIL_PORT = post.port
        for _ in range(2):
            killed_while_sending(post, database=own_database.app_url, place=tmp_path)
            assert told(owner)[0].state == State.QUEUED
            assert send_due() == 0, "the lease of the killed one still runs"
            Delivery.objects.update(lease_expires_at=LONG_AGO)

        send_due()

        (delivery,) = told(owner)
        assert (delivery.state, delivery.attempt) == (State.SENT, 3)
        assert len(post.taken) == 3
        assert {mail["Message-ID"] for mail in post.taken} == {f"<delivery.{delivery.public_id}@localhost>"}
