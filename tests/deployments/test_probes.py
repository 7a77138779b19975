"""Asking over HTTP against a real server that behaves badly on request; and what the log keeps."""

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.catalog.versions import Version
from apps.core import deadlines
from apps.deployments import probes
from apps.deployments.logs import CAPPED, LARGEST, append_log, readable
from apps.deployments.models import Deployment, LogChunk
from apps.deployments.plots import plot_of
from apps.deployments.probes import fetch, measure, wordings
from apps.deployments.rules.verdicts import Sample
from tests.conftest import NOW
from tests.deployments.test_rules import a_check
from tests.factories.deployments import DeploymentFactory
from tests.gate.test_slow_issuers import OK, dripping

COMMIT = "4a" * 20
VERSION = Version("3.18.1", (f"git:{COMMIT}",))


class Odd(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        path = self.path.strip("/")
        body = {"version": COMMIT, "label": "runs 3.18.1", "empty": "", "large": "x" * 200_000, "binary": "\x00\ufffd"}.get(path, "fine")
        self.send_response({"error": 500, "moved": 302}.get(path, 200))
        if path == "moved":
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        if path == "cut":
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            return
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_drip_is_read_for_seconds_only(monkeypatch):
    ticks = iter(range(0, 1000, 2))

    class Hasty(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime(2026, 11, 20, tzinfo=tz) + timedelta(seconds=next(ticks))

    monkeypatch.setattr(probes, "datetime", Hasty)
    with dripping(OK + b"Content-Length: 100\r\n\r\n", b"x" * 100) as (url, sent):
        answer = fetch(url)

    assert (answer.status, 0 < len(answer.body) < 100, sent[0] < 100) == (200, True, True)


def test_headers_that_drip_are_a_silence(monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr(deadlines, "monotonic", lambda: next(ticks) / 4)
    with dripping(OK, b"X-And-More: of it\r\n" * 20) as (url, sent):
        answer = fetch(url)

    assert (answer.status, answer.silence, answer.is_our_fault) == (0, "The deadline has passed.", False)
    assert sent[0] < 50


@pytest.mark.parametrize(
    ("path", "expected", "more"),
    [
        ("/ok", Sample.PASS, {}),
        ("/error", Sample.FAIL, {}),
        ("/error", Sample.PASS, {"expect_status": 500}),
        ("/moved", Sample.FAIL, {}),
        ("/version", Sample.PASS, {"expect_text": "{version}"}),
        ("/label", Sample.PASS, {"expect_text": "runs {version}"}),
        ("/ok", Sample.FAIL, {"expect_text": "{version}"}),
        ("/empty", Sample.NO_DATA, {"expect_text": "{version}"}),
        ("/empty", Sample.PASS, {}),
        ("/cut", Sample.FAIL, {}),
    ],
)
def test_an_answer_is_measured(odd, path, expected, more):
    reading = measure(a_check(url=f"{odd}{path}", **more), VERSION)

    assert reading.sample is expected
    assert len(reading.said) <= 400


def test_a_refused_connection_is_a_failure():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"

        reading = measure(a_check(url=url), VERSION)

    assert reading.sample is Sample.FAIL
    assert reading.said.startswith("No answer:")


def test_silence_is_a_failure_and_does_not_hold_the_worker(monkeypatch):
    monkeypatch.setattr(probes, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        reading = measure(a_check(url=f"http://127.0.0.1:{mute.getsockname()[1]}/"), VERSION)

    assert reading.sample is Sample.FAIL


@pytest.mark.parametrize("url", ["http://[::1", "ftp://x/", "http://exa mple/"])
def test_an_address_that_cannot_be_asked_is_our_fault(url):
    answer = fetch(url)

    assert answer.silence
    assert answer.is_our_fault


def test_a_name_that_cannot_be_found_is_our_fault(monkeypatch):
    def nowhere(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)

    assert measure(a_check(url="http://nowhere.example/"), VERSION).sample is Sample.ERROR


def test_a_large_answer_is_cut(odd):
    assert len(fetch(f"{odd}/large").body) == probes.LARGEST


def test_an_answer_can_be_stored(odd):
    assert "\x00" not in fetch(f"{odd}/binary").body


def test_a_version_is_meant_by_its_label_or_its_commit():
    assert wordings("v={version}", VERSION) == {"v=3.18.1", f"v={COMMIT}"}
    assert wordings("ok", VERSION) == {"ok"}


def test_what_only_a_terminal_understands_is_left_out():
    assert readable("\x1b[31mred\x1b[0m \x1b]0;title\x07plain\r\n\x00\ttab\u0085") == "red plain\n\ttab"


@pytest.mark.django_db
def test_the_log_is_kept_in_order_and_capped_with_a_line_that_says_so():
    order = DeploymentFactory(attempt=1)
    append_log(order, "12:00:00 one\n", at=NOW)
    order.attempt = 2
    append_log(order, "x" * LARGEST, at=NOW)
    append_log(order, "never kept\n", at=NOW)
    append_log(order, "", at=NOW)

    chunks = list(LogChunk.objects.filter(deployment=order).order_by("offset"))
    assert [(chunk.attempt, chunk.offset) for chunk in chunks] == [(1, 0), (2, 13)]
    assert chunks[1].text.endswith(CAPPED)
    assert Deployment.objects.count() == 1


def test_a_curve_needs_two_answers_and_marks_the_bad_ones():
    assert plot_of([("200 in 3 ms", True)]) is None
    assert plot_of([("", False), ("", False)]) is None

    plot = plot_of([("200 in 5 ms", True), ("500 in 10 ms", False), ("", False)])

    assert plot is not None
    assert plot.path == "M0 42L170 12"
    assert plot.gaps == ((85, 170), (255, 170))
    assert plot.label == "3 answers, the slowest after 10 ms, 2 not as expected"
