"""Issuers that are slow: a drip, a silence, a name that nobody looks up. One deadline ends them all."""

import ipaddress
import select
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.core import deadlines
from apps.core.deadlines import Deadline
from apps.gate import issuer_keys
from apps.gate.fetching import NotFetched, read_document
from apps.gate.issuer_keys import fetch_keys
from tests.gate.test_issuer_keys import ONE, issuing

OK = b"HTTP/1.0 200 OK\r\n"
HEADERS = b"Content-Type: application/json\r\nX-And-More: of it\r\n"


@pytest.fixture
def home(settings):
    settings.ISSUER_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


@contextmanager
def dripping(at_once, slowly):
    """A server that sends the rest of its answer byte by byte, each once the one before was taken up; and how many it sent."""
    sent = [0]

    class Drips(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.wfile.write(at_once)
            for byte in slowly:
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return
                sent[0] += 1
                if select.select([self.connection], [], [], 0.05)[0]:  # nothing more is asked, so the other end has hung up
                    return

        def log_message(self, *given: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Drips) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        (OK + b"Content-Length: 102\r\n\r\n", b"{}" + b" " * 100),
        (OK, HEADERS * 20 + b"\r\n{}"),
        (b"", OK + HEADERS * 20 + b"\r\n{}"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    ],
    ids=["body", "headers", "first-line", "answers-before-the-answer"],
)
def test_drip_is_cut_off(home, monkeypatch, at_once, slowly):
    ticks = iter(range(0, 1000, 1))
    monkeypatch.setattr(deadlines, "monotonic", lambda: next(ticks) / 4)  # a quarter of a second for every look at the clock
    with dripping(at_once, slowly) as (url, sent), pytest.raises(NotFetched, match="too slowly"):
        read_document(f"{url}/x")

    assert sent[0] < 50


def test_drip_that_ends_in_time_is_read(home):
    with dripping(OK + b"Content-Length: 9\r\n", b'\r\n{"a": 1}\n') as (url, _):
        assert read_document(f"{url}/x") == {"a": 1}


def test_both_documents_of_an_issuer_have_one_deadline(home, monkeypatch):
    ticks = iter(range(0, 1000, 1))
    with issuing([ONE]) as (url, asked):
        monkeypatch.setattr(deadlines, "monotonic", lambda: next(ticks) / 8)
        read_document(f"{url}/keys")
        enough = next(ticks) / 8 * 1.5
        monkeypatch.setattr(issuer_keys, "WHOLE_SECONDS", enough)
        with pytest.raises(NotFetched, match="too slowly"):
            fetch_keys(url)

    assert [path for path, _ in asked][:2] == ["/keys", "/.well-known/openid-configuration"]


@contextmanager
def silent():
    """A place that takes connections and what is sent, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silence_is_as_short_as_the_deadline(home, scheme):
    with silent() as port, pytest.raises(NotFetched, match="too slowly"):
        read_document(f"{scheme}://127.0.0.1:{port}/x", Deadline(0.2))


def test_resolver_that_does_not_answer_is_not_waited_for(home, monkeypatch):
    gate, ended = threading.Event(), threading.Event()

    def waits(*_, **__):
        gate.wait(10)
        ended.set()
        return []

    monkeypatch.setattr(deadlines.socket, "getaddrinfo", waits)
    with pytest.raises(NotFetched, match=r"issuer\.example answers too slowly"):
        read_document("https://issuer.example/x", Deadline(0.05))
    gate.set()

    assert ended.wait(10)


def test_handshake_that_drips_is_cut_off(home):
    sent = []

    def drip(listener):
        listener.settimeout(10)  # on a busy machine nobody comes before the deadline
        with suppress(OSError), listener.accept()[0] as connection:  # the other end hangs up
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # the beginning of a long hello
            connection.recv(4096)
            while len(sent) < 1000 and not select.select([connection], [], [], 0.02)[0]:
                connection.sendall(b"x")
                sent.append(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(NotFetched, match="too slowly"):
            read_document(f"https://127.0.0.1:{listener.getsockname()[1]}/x", Deadline(0.3))
        thread.join(30)

    assert len(sent) < 1000
