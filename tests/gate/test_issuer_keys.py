"""Keys of issuers: where they are read from, how much and how often, and what happens when nobody answers."""

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from apps.core import deadlines
from apps.gate import issuer_keys
from apps.gate.fetching import WHOLE_SECONDS, NotFetched, may_connect, read_document, why_not_address
from apps.gate.issuer_keys import KeysUnavailable, fetch_keys, forget_keys, key_of
from apps.gate.rules.workloads import NotTaken
from tests.accounts.provider import KEY

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
PUBLIC = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
ONE = {**PUBLIC, "kid": "one", "use": "sig", "alg": "RS256"}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(issuer_keys, "monotonic", made)
    forget_keys()
    yield made
    forget_keys()


@contextmanager
def serving(answers):
    """A server that answers each path as it is told: (status, headers, body), or a dict."""
    asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            said = answers(self.path)
            status, headers, body = said if isinstance(said, tuple) else (200, {}, json.dumps(said).encode())
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@contextmanager
def issuing(keys, *, metadata=None, issuer=None):
    """An issuer with these keys; `keys` may be asked anew each time."""
    place = {}

    def answers(path):
        if path.endswith("/openid-configuration"):
            return {"issuer": issuer or place["url"], "jwks_uri": f"{place['url']}/keys"} | (metadata or {})
        return {"keys": keys() if callable(keys) else keys}

    with serving(answers) as (url, asked):
        place["url"] = url
        yield url, asked


@pytest.fixture
def home(settings):
    settings.ISSUER_NETWORKS = LOOPBACK


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.5", "224.0.0.1", "239.255.255.250",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::", "2001::1", "2001:10::1",
        "2001:20::1", "2001:db8::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "100::1",
    ],
)  # fmt: skip
def test_private_and_special_addresses_are_never_asked(address):
    assert not may_connect(ipaddress.ip_address(address), [])


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "140.82.121.4", "2606:50c0:8000::153", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_are_asked(address):
    assert may_connect(ipaddress.ip_address(address), [])


def test_network_of_the_settings_is_asked_and_its_neighbours_are_not():
    allowed = [ipaddress.ip_network("10.20.0.0/16")]

    assert may_connect(ipaddress.ip_address("10.20.3.4"), allowed)
    assert may_connect(ipaddress.ip_address("::ffff:10.20.3.4"), allowed)
    assert not may_connect(ipaddress.ip_address("10.21.0.1"), allowed)


@pytest.mark.parametrize(
    "address",
    [
        "http://gitlab.example.com", "ftp://gitlab.example.com", "file:///etc/passwd", "https://", "gitlab.example.com", "https://a@b.example",
        "https://a:b@b.example", "https://b.example?x=1", "https://b.example#x", "https://b.example\\@c.example", "https://[::1", "//b.example",
        "https://b.example:99999", "https://b.example:0", "http://127.0.0.1.evil.example", "http://2130706433", "http://0x7f000001", "http://127.1",
    ],
)  # fmt: skip
def test_address_that_is_none_for_an_issuer_is_refused_by_its_form(address):
    assert why_not_address(address)


@pytest.mark.parametrize(
    "address", ["https://2130706433/x", "https://0x7f000001/x", "https://127.1/x", "https://localhost/x", "https://[::1]/x"]
)
def test_other_writings_of_loopback_are_resolved_and_refused(settings, address):
    settings.ISSUER_NETWORKS = []

    with pytest.raises(NotFetched, match=r"ISSUER_NETWORKS|no address"):
        read_document(address)


def test_name_with_one_address_that_is_not_allowed_is_refused(settings, monkeypatch):
    settings.ISSUER_NETWORKS = []
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("8.8.8.8", "169.254.169.254")]
    monkeypatch.setattr(deadlines.socket, "getaddrinfo", lambda *_, **__: rows)

    with pytest.raises(NotFetched, match="ISSUER_NETWORKS"):
        read_document("https://rebinding.example/x")


def test_connection_goes_to_the_address_that_was_looked_at(home, monkeypatch):
    looked_up = []
    with serving(lambda path: {"path": path}) as (url, asked):
        port = int(url.rpartition(":")[2])

        def once(host, *_, **__):
            looked_up.append(host)
            address = "127.0.0.1" if looked_up.count("localhost") == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(deadlines.socket, "getaddrinfo", once)
        found = read_document(f"http://localhost:{port}/x")

    assert (found, asked) == ({"path": "/x"}, [("/x", f"localhost:{port}")])
    assert looked_up.count("localhost") == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "answers with 302"),
        ((500, {}, b"{}"), "answers with 500"),
        ((200, {}, b"x" * 300_000), "more than 262144 bytes"),
        ((200, {}, b"not json"), "no JSON"),
        ((200, {}, b"[" * 5000), "no JSON"),
        ((200, {}, b"[]"), "no object"),
        ((200, {}, b"\xff\xfe"), "no JSON"),
        ((200, {"Content-Length": "5000"}, b"{}"), "does not answer"),
    ],
    ids=["redirect", "error", "giant", "text", "deep", "list", "bytes", "cut-off"],
)
def test_document_that_is_no_document_is_not_believed(home, answer, said):
    with serving(lambda _: answer) as (url, _), pytest.raises(NotFetched, match=said):
        read_document(f"{url}/x")


def test_nobody_there_is_told_as_that(home):
    with pytest.raises(NotFetched, match="does not answer"):
        read_document("http://127.0.0.1:1/x")


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()


def jwk_of(key, **more):
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPublicKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key)), "kid": "odd", **more}


@pytest.mark.parametrize(
    "odd",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "odd"},
        {**PUBLIC, "kid": "odd", "use": "enc"},
        {**PUBLIC, "kid": "odd", "alg": "RSA-OAEP"},
        {**PUBLIC, "kid": "odd", "alg": "HS256"},
        {**PUBLIC, "kid": "odd", "key_ops": ["encrypt"]},
        {"kty": "RSA", "kid": "odd"},
        {"kty": "RSA", "kid": "odd", "n": "AQ", "e": 3},
        {**PUBLIC, "kid": 7},
        PUBLIC,
        {"kid": "odd"},
        "odd",
        jwk_of(SMALL),
        jwk_of(ec.generate_private_key(ec.SECP256K1()).public_key()),
    ],
    ids=lambda one: None,
)
def test_key_that_is_none_for_signatures_is_passed_over(home, odd):
    with issuing([odd, ONE]) as (url, _):
        assert set(fetch_keys(url)) == {"one"}


def test_id_that_stands_twice_names_no_key(home):
    other = jwk_of(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(), kid="one")
    with issuing([ONE, other, {**PUBLIC, "kid": "two"}]) as (url, _):
        assert set(fetch_keys(url)) == {"two"}


@pytest.mark.parametrize(
    ("keys", "more", "said"),
    [
        ([], {}, "no key that signs"),
        ([ONE] * 51, {}, "no list of at most"),
        ({"one": ONE}, {}, "no list of at most"),
        ([ONE], {"issuer": "https://somebody.else.example"}, "by another name"),
        ([ONE], {"metadata": {"jwks_uri": 7}}, "where its keys are"),
        ([ONE], {"metadata": {"jwks_uri": "http://evil.example/keys"}}, "begins with https"),
        ([ONE], {"metadata": {"jwks_uri": "https://169.254.169.254/latest"}}, "ISSUER_NETWORKS"),
    ],
    ids=["none", "many", "no-list", "other-issuer", "no-address", "without-tls", "metadata-service"],
)
def test_issuer_whose_answer_does_not_fit_gives_no_keys(home, keys, more, said):
    with issuing(keys, **more) as (url, _), pytest.raises(NotFetched, match=said):
        fetch_keys(url)


def test_keys_are_read_once_and_then_kept(home, clock):
    with issuing([ONE]) as (url, asked):
        for _ in range(5):
            key_of(url, "one")

    assert [path for path, _ in asked] == ["/.well-known/openid-configuration", "/keys"]


def test_unknown_key_is_asked_for_again_but_not_often(home, clock):
    there = [ONE]
    with issuing(lambda: there) as (url, asked):
        key_of(url, "one")
        for number in range(50):
            with pytest.raises(NotTaken, match="no key with the id"):
                key_of(url, f"made-up-{number}")
        before = len(asked)
        there.append({**PUBLIC, "kid": "new"})
        clock.now += 31
        found = key_of(url, "new")

    assert (before, len(asked)) == (2, 4)
    assert found.key_id == "new"


def test_key_that_was_taken_out_is_forgotten_with_the_next_reading(home, clock):
    there = [ONE, {**PUBLIC, "kid": "two"}]
    with issuing(lambda: there) as (url, _):
        key_of(url, "two")
        there.pop()
        clock.now += 601
        key_of(url, "one")
        with pytest.raises(NotTaken):
            key_of(url, "two")


def test_keys_of_an_issuer_that_fell_silent_serve_for_a_day(home, clock):
    with issuing([ONE]) as (url, _):
        key_of(url, "one")
    clock.now += 23 * 3600
    kept = key_of(url, "one")
    with pytest.raises(KeysUnavailable):  # it may be a new one, and nobody can tell
        key_of(url, "two")
    clock.now += 2 * 3600
    with pytest.raises(KeysUnavailable):
        key_of(url, "one")

    assert kept.key_id == "one"


def test_silent_issuer_is_not_asked_for_every_token(home, clock):
    with serving(lambda _: (500, {}, b"")) as (url, asked):
        for _ in range(20):
            with pytest.raises(KeysUnavailable):
                key_of(url, "one")

    assert len(asked) == 1


def test_many_that_need_the_same_key_ask_once(home, clock, monkeypatch):
    monkeypatch.setattr(issuer_keys, "WAIT_SECONDS", 30.0)
    gate, inside = threading.Event(), threading.Event()

    def keys():
        inside.set()
        gate.wait(10)
        return [ONE]

    with issuing(keys) as (url, asked):
        found = []
        threads = [threading.Thread(target=lambda: found.append(key_of(url, "one").key_id)) for _ in range(8)]
        for thread in threads:
            thread.start()
        inside.wait(10)
        gate.set()
        for thread in threads:
            thread.join(10)

    assert (found, len(asked)) == (["one"] * 8, 2)


def test_made_up_key_waits_a_moment_for_a_slow_issuer_and_holds_no_thread(home, clock, monkeypatch):
    monkeypatch.setattr(issuer_keys, "WAIT_SECONDS", 0.01)
    gate, inside = threading.Event(), threading.Event()

    def keys():
        inside.set()
        gate.wait(10)
        return [ONE]

    with issuing(keys) as (url, asked):
        first = threading.Thread(target=lambda: key_of(url, "one"))
        first.start()
        inside.wait(10)
        with pytest.raises(KeysUnavailable, match="is being asked"):
            key_of(url, "made-up")
        is_asking = not gate.is_set()
        gate.set()
        first.join(10)

    assert (is_asking, len(asked)) == (True, 2)


def test_made_up_key_waits_for_no_issuer_that_was_heard_before(home, clock, monkeypatch):
    monkeypatch.setattr(issuer_keys, "WAIT_SECONDS", 30.0)
    there, gate, inside = [ONE], threading.Event(), threading.Event()

    def keys():
        if len(there) > 1:
            inside.set()
            gate.wait(10)
        return there

    with issuing(keys) as (url, asked):
        key_of(url, "one")
        there.append({**PUBLIC, "kid": "new"})
        clock.now += 31
        first = threading.Thread(target=lambda: key_of(url, "new"))
        first.start()
        inside.wait(10)
        with pytest.raises(KeysUnavailable, match="is being asked") as told:
            key_of(url, "made-up")
        is_asking = not gate.is_set()
        gate.set()
        first.join(10)

    assert (is_asking, told.value.again, len(asked)) == (True, WHOLE_SECONDS, 4)


@contextmanager
def serving_tls(name, folder):
    """A server whose certificate is for one name, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)

    class Fine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *given: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *given: object) -> None:
            """A client that does not trust the certificate hangs up."""

    with Quiet(("127.0.0.1", 0), Fine) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, ssl.create_default_context(cafile=pem)
        server.shutdown()
        thread.join()


def test_certificate_must_be_for_the_name_although_the_connection_goes_to_an_address(home, monkeypatch, tmp_path):
    rows = socket.getaddrinfo
    monkeypatch.setattr(deadlines.socket, "getaddrinfo", lambda host, *more, **named: rows("127.0.0.1", *more, **named))
    with serving_tls("issuer.example", tmp_path) as (port, trusting):
        monkeypatch.setattr(deadlines.httpx2, "create_ssl_context", lambda **_: trusting)

        assert read_document(f"https://issuer.example:{port}/x") == {}
        with pytest.raises(NotFetched, match="does not answer"):
            read_document(f"https://other.example:{port}/x")


def test_certificate_nobody_vouches_for_is_refused(home, tmp_path):
    with serving_tls("localhost", tmp_path) as (port, _), pytest.raises(NotFetched, match="does not answer"):
        read_document(f"https://localhost:{port}/x")
