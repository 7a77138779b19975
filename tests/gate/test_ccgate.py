"""The client for CI, run as CI runs it: a program of its own against a server that answers as it likes. 0 is a verified yes, nothing else."""

import ast
import json
import os
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.core.signing import SigningKey
from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from apps.gate.rules import Action
from apps.gate.tickets import Permit, issue

CLIENT = Path(ccgate.__file__)
COMMIT, OTHER, DIGEST = "a1" * 20, "b2" * 20, "c3" * 32
EVALUATION = UUID("01900000-0000-7000-8000-000000000001")
KEY, WRONG_KEY = (SigningKey(Ed25519PrivateKey.generate()) for _ in range(2))
ASK = ("check", "--service", "payments", "--environment", "production", "--commit", COMMIT)
FAST = ("--retry-for", "0", "--timeout", "2s")


class Answers(ThreadingHTTPServer):
    """An installation that says what the test wants; it keeps what it was asked."""

    daemon_threads = True

    def __init__(self, evaluations, keys=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.evaluations, self.keys = evaluations, keys or answered(key_set([("k1", KEY.public, None)]), kind="application/jwk-set+json")
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the function for its path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.keys(self)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((json.loads(body), dict(self.headers)))
        self.server.evaluations(self)

    def log_message(self, *_):
        """Nothing: the test looks at the client."""


def answered(body, status=200, kind="application/json", **headers):
    """Answer with a body: bytes as they are, anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Connection", "close")
        for name, value in {"Content-Length": str(len(data)), **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def in_turn(*answers):
    """One answer after the other; the last one again and again."""
    left = list(answers)

    def answer(handler):
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


@contextmanager
def serving(evaluations, keys=None):
    server = Answers(evaluations, keys)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(*arguments, url="", env=None):
    """Run the client as a job does."""
    clean = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"}}
    told = clean | {"CHANGE_CONTROL_URL": url, "CHANGE_CONTROL_TOKEN": "ccg_" + "x" * 30} | (env or {})
    return subprocess.run([sys.executable, CLIENT, *arguments], env=told, capture_output=True, text=True, timeout=60, check=False)


def asked_of(evaluations, *more, keys=None, env=None, arguments=ASK):
    with serving(evaluations, keys) as server:
        return run(*arguments, *FAST, *more, url=server.url, env=env), server.asked


def permit(**changes):
    now = datetime.now(UTC).replace(microsecond=0)
    whole = Permit(
        id=UUID(int=5), installation=UUID(int=6), evaluation=EVALUATION, action=Action.DEPLOY, service="payments", environment="production",
        asked=("payments", "production"), target=UUID(int=7), identities=("git:" + COMMIT,), change="CHG-7", leg="x", revision_digest="r",
        settings_digest="s", policy_digest="p", not_before=now, expires_at=now + timedelta(minutes=30),
    )  # fmt: skip
    return replace(whole, **changes)


def envelope(key=KEY, key_id="k1", **changes):
    found = issue(permit(**changes), key=key).envelope
    found["signatures"][0]["keyid"] = key_id
    return found


def yes(ticket=..., **changes):
    """The answer of an installation that allows it."""
    whole = {
        "id": str(EVALUATION), "verdict": "ALLOW", "final": False, "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "earliest": None, "codes": [], "findings": [], "bound": None, "url": "https://cc.example/changes/CHG-7/",
        "ticket": envelope() if ticket is ... else ticket, "rollback_ticket": None, "retry_after": None,
    }  # fmt: skip
    return whole | changes


def finding(effect, message="A freeze holds until Monday.", **more):
    return {"rule": "freeze", "effect": effect, "code": "freeze", "message": message, "cure": "Wait.", "who": "Rea", "until": None} | more


def no(verdict="DENY", **changes):
    effect = "BLOCK" if verdict == "DENY" else "WAIT"
    return yes(verdict=verdict, codes=["freeze"], findings=[finding(effect)], ticket=None) | changes


def test_a_verified_yes_is_the_only_nought():
    result, (asked,) = asked_of(answered(yes()))

    assert result.returncode == 0, result.stderr
    assert "ALLOWED: payments (git a1a1a1a1a1a1) to production" in result.stdout
    assert "CHG-7" in result.stdout
    assert asked[0] == {"service": "payments", "environment": "production", "identities": {"git": [COMMIT]}, "action": "deploy"}
    assert asked[1]["Authorization"] == "Bearer ccg_" + "x" * 30


def test_a_no_is_one_and_says_what_to_do():
    result, _ = asked_of(answered(no(earliest="2026-12-01T08:00:00Z")))

    assert result.returncode == 1
    assert "A freeze holds until Monday." in result.stdout
    assert "Wait. · Rea" in result.stdout
    assert "Earliest: 2026-12-01T08:00:00Z" in result.stdout


def test_not_yet_is_two_and_is_asked_again_while_waiting():
    first, _ = asked_of(answered(no("PENDING")))
    second, asked = asked_of(in_turn(answered(no("PENDING"), Retry_After="1"), answered(yes())), "--wait", "30s")

    assert (first.returncode, second.returncode) == (2, 0)
    assert len({headers["Idempotency-Key"] for _, headers in asked}) == 1


def test_an_installation_that_comes_back_is_believed():
    busy = answered({"detail": "Could not tell."}, 503, "application/problem+json", Retry_After="1")

    result, asked = asked_of(in_turn(busy, answered(yes())), "--retry-for", "30s")

    assert (result.returncode, len(asked)) == (0, 2)


def test_an_older_name_and_further_digests_are_taken():
    renamed = yes(envelope(service="pay-core", environment="prod"))
    arguments = (*ASK, "--digest", "sha256:" + DIGEST)

    assert asked_of(answered(renamed), arguments=arguments)[0].returncode == 0


def test_the_jobs_of_a_run_share_a_key():
    job = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "9",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_SERVER_URL": "https://x",
        "GITHUB_TRIGGERING_ACTOR": "octocat",
    }
    keys = [asked_of(answered(yes()), env=env)[1][0] for env in (job, job, job | {"GITHUB_RUN_ATTEMPT": "3"}, {}, {})]

    run = {"system": "github", "id": "o/r/9", "attempt": 2, "url": "https://x/o/r/actions/runs/9", "actor": "octocat"}
    assert keys[0][0]["run"] == run
    assert [len({headers["Idempotency-Key"] for _, headers in some}) for some in (keys[:2], keys[1:3], keys[3:])] == [1, 2, 2]


def drip(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    trickle(handler, b" ")


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    trickle(handler, b"x")


def trickle(handler, byte):
    ends = time.monotonic() + 20
    try:
        while time.monotonic() < ends:
            handler.wfile.write(byte)
            handler.wfile.flush()
            threading.Event().wait(0.2)
    except OSError:
        handler.close_connection = True  # the client had enough


def hang_up(handler):
    handler.close_connection = True
    handler.connection.close()


def half(handler):
    data = json.dumps(yes()).encode()
    answered(data[: len(data) // 2], Content_Length=str(len(data)))(handler)


def chunked_half(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ff\r\n{")
    handler.close_connection = True


def changed(ticket, **changes):
    """The ticket with another payload under the same signature."""
    payload = json.loads(b64decode(ticket["payload"]))
    payload["predicate"].update(changes)
    return ticket | {"payload": b64encode(json.dumps(payload, separators=(",", ":"), sort_keys=True).encode()).decode()}


def resigned(**changes):
    """A ticket that our key did sign, saying something else."""
    statement = json.loads(b64decode(envelope()["payload"]))
    statement["predicate"].update({key: value for key, value in changes.items() if key != "predicateType"})
    statement |= {key: value for key, value in changes.items() if key == "predicateType"}
    data = json.dumps(statement).encode()
    kind = ccgate.PAYLOAD_TYPE.encode()
    signature = KEY.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(data), data)).value
    signed = [{"keyid": "k1", "sig": b64encode(signature).decode()}]
    return {"payloadType": ccgate.PAYLOAD_TYPE, "payload": b64encode(data).decode(), "signatures": signed}


NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
OLD = (NOW - 2 * HOUR).isoformat().replace("+00:00", "Z")
BAD = {
    "page of a proxy": lambda: answered(b"<html>Sign in</html>", kind="text/html"),
    "page of a proxy that says JSON": lambda: answered(b"<html>Sign in</html>"),
    "empty 200": lambda: answered(b""),
    "204": lambda: answered(b"", 204),
    "202": lambda: answered(yes(), 202),
    "206": lambda: answered(yes(), 206),
    "half an answer": lambda: half,
    "half an answer in chunks": lambda: chunked_half,
    "truncated JSON": lambda: answered(json.dumps(yes()).encode()[:-9]),
    "a list": lambda: answered([yes()]),
    "a text": lambda: answered("ALLOW"),
    "null": lambda: answered(None),
    "not UTF-8": lambda: answered(b'{"verdict": "ALLOW\xff"}'),
    "a name twice": lambda: answered(json.dumps(yes())[:-1].encode() + b', "verdict": "ALLOW"}'),
    "deep nesting": lambda: answered(b"[" * 100_000),
    "two megabytes": lambda: answered(b" " * 2_000_000),
    "a redirect": lambda: answered(b"", 302, Location="https://elsewhere.example/"),
    "a permanent redirect": lambda: answered(yes(), 308, Location="/api/v1/gate/evaluations/"),
    "not modified": lambda: answered(b"", 304),
    "wrong content type": lambda: answered(yes(), kind="text/plain"),
    "octets": lambda: answered(yes(), kind="application/octet-stream"),
    "a slow body": lambda: drip,
    "slow headers": lambda: drip_headers,
    "a closed line": lambda: hang_up,
    "not HTTP": lambda: lambda handler: handler.wfile.write(b"220 mail ready\r\n"),
    "401": lambda: answered({"detail": "Nobody issued this token."}, 401, "application/problem+json"),
    "403": lambda: answered({"detail": "Not for you."}, 403, "application/problem+json"),
    "404": lambda: answered({"detail": "No such address."}, 404, "application/problem+json"),
    "409": lambda: answered({"detail": "Another question."}, 409, "application/problem+json"),
    "422": lambda: answered({"detail": "Bad.", "errors": [{"field": "service", "message": "None."}]}, 422, "application/problem+json"),
    "429": lambda: answered({"detail": "Too many."}, 429, "application/problem+json", Retry_After="9"),
    "500 with a yes": lambda: answered(yes(), 500),
    "503": lambda: answered({"detail": "Could not tell."}, 503, "application/problem+json"),
    "an unknown verdict": lambda: answered(yes(verdict="MAYBE")),
    "a verdict in small letters": lambda: answered(yes(verdict="allow")),
    "a verdict that is true": lambda: answered(yes(verdict=True)),
    "no verdict": lambda: answered({key: value for key, value in yes().items() if key != "verdict"}),
    "no ticket": lambda: answered(yes(None)),
    "a ticket that is text": lambda: answered(yes("ticket")),
    "an empty ticket": lambda: answered(yes({"payloadType": ccgate.PAYLOAD_TYPE, "payload": "", "signatures": []})),
    "two signatures": lambda: answered(yes(envelope() | {"signatures": envelope()["signatures"] * 2})),
    "another payload type": lambda: answered(yes(envelope() | {"payloadType": "text/plain"})),
    "not base64": lambda: answered(yes(envelope() | {"payload": "%%%"})),
    "another commit": lambda: answered(yes(envelope(identities=("git:" + OTHER,)))),
    "a further commit": lambda: answered(yes(envelope(identities=("git:" + COMMIT, "git:" + OTHER)))),
    "no commit": lambda: answered(yes(resigned(identities=[]))),
    "another service": lambda: answered(yes(envelope(service="ledger", asked=("ledger", "production")))),
    "another environment": lambda: answered(yes(envelope(environment="staging", asked=("payments", "staging")))),
    "another action": lambda: answered(yes(envelope(action=Action.ROLLBACK))),
    "another evaluation": lambda: answered(yes(envelope(evaluation=UUID(int=9)))),
    "expired": lambda: answered(yes(envelope(not_before=NOW - 2 * HOUR, expires_at=NOW - HOUR))),
    "not valid yet": lambda: answered(yes(envelope(not_before=NOW + HOUR, expires_at=NOW + 2 * HOUR))),
    "an old answer": lambda: answered(yes(at=OLD)),
    "an answer of no time": lambda: answered(yes(at=None)),
    "signed by another key": lambda: answered(yes(envelope(key=WRONG_KEY))),
    "a key nobody shows": lambda: answered(yes(envelope(key_id="k2"))),
    "changed after signing": lambda: answered(yes(changed(envelope(), service="payments2"))),
    "a later schema": lambda: answered(yes(resigned(schema=2))),
    "another predicate": lambda: answered(yes(resigned(predicateType="urn:changecontrol:ticket:v9"))),
    "a ticket without times": lambda: answered(yes(resigned(expiresAt=None))),
    "identities that are one text": lambda: answered(yes(resigned(identities="git:" + COMMIT))),
}  # fmt: skip
BAD_KEYS = {
    "no keys": lambda: answered({"keys": []}),
    "another key under the same name": lambda: answered(key_set([("k1", WRONG_KEY.public, None)])),
    "a key that no longer signs": lambda: answered(key_set([("k1", KEY.public, NOW - 9 * HOUR), ("k2", WRONG_KEY.public, NOW - 5 * HOUR)])),
    "a key that signs tomorrow": lambda: answered(key_set([("k1", KEY.public, NOW + 24 * HOUR)])),
    "a key that is cut": lambda: answered({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "AAAA"}]}),
    "keys of another kind": lambda: answered({"keys": [{"kty": "RSA", "kid": "k1", "n": "AAAA", "e": "AQAB"}]}),
    "keys that are no list": lambda: answered({"keys": 7}),
    "keys not found": lambda: answered({"detail": "No."}, 404),
    "keys elsewhere": lambda: answered(b"", 301, Location="https://elsewhere.example/"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
def test_a_bad_answer_is_never_nought(case):
    result, _ = asked_of(BAD[case]())

    assert result.returncode == 3, result.stdout + result.stderr
    assert "This is no yes." in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("case", list(BAD_KEYS))
def test_bad_keys_are_never_nought(case):
    result, _ = asked_of(answered(yes()), keys=BAD_KEYS[case]())

    assert result.returncode == 3, result.stdout + result.stderr
    assert "This is no yes." in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ((), {}, "arguments are required"),
        (("check",), {}, "are required"),
        ((*ASK[:-1], "a1a1a1a"), {}, "is no full commit id"),
        ((*ASK[:-1], "main"), {}, "a branch or tag moves"),
        (ASK[:-2], {}, "Nothing says which version."),
        ((*ASK, "--digest", "sha256:12"), {}, "is no SHA-256 digest"),
        ((*ASK, "--wait", "soon"), {}, "is no length of time"),
        ((*ASK, "--unknown"), {}, "unrecognized arguments"),
        (ASK, {"CHANGE_CONTROL_URL": ""}, "is no address of an installation"),
        (ASK, {"CHANGE_CONTROL_URL": "ftp://x"}, "is no address of an installation"),
        (ASK, {"CHANGE_CONTROL_URL": "http://cc.example"}, "is not encrypted"),
        (ASK, {"CHANGE_CONTROL_URL": "https://u:p@cc.example"}, "is no address of an installation"),
        (ASK, {"CHANGE_CONTROL_URL": "http://127.0.0.1:1"}, "does not answer"),
        (ASK, {"CHANGE_CONTROL_TOKEN": ""}, "There is no token."),
        (ASK, {"CHANGE_CONTROL_TOKEN": "ccg_\u00e9"}, "holds a character that no token has"),
        (ASK, {"CHANGE_CONTROL_TOKEN": "", "CHANGE_CONTROL_TOKEN_FILE": "/nowhere"}, "nowhere"),
        ((*ASK, "--ca-file", "/nowhere"), {"CHANGE_CONTROL_URL": "https://127.0.0.1:1"}, "This is no yes."),
    ],
)
def test_what_cannot_be_asked_is_three_and_says_why(arguments, env, said):
    more = FAST if arguments[:1] == ("check",) and len(arguments) > 1 else ()

    result = run(*arguments, *more, url="http://127.0.0.1:1", env=env)

    assert result.returncode == 3
    assert said in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_the_tickets_are_kept_for_this_user_alone_and_verify_offline(tmp_path):
    kept, keys = tmp_path / "ticket.json", tmp_path / "keys.json"
    keys.write_text(json.dumps(key_set([("k1", KEY.public, None)])))
    asked_of(answered(yes()), "--ticket-file", str(kept))
    about = ("--service", "payments", "--environment", "production", "--keys", str(keys), "--ticket-file", str(kept))

    right, wrong = run("verify", *about, "--commit", COMMIT), run("verify", *about, "--commit", OTHER)

    assert kept.stat().st_mode & 0o777 == 0o600
    assert (right.returncode, wrong.returncode) == (0, 3)


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"ticket": null}'])
def test_a_damaged_ticket_file_is_three(tmp_path, damage):
    kept, keys = tmp_path / "ticket.json", tmp_path / "keys.json"
    keys.write_text(json.dumps(key_set([("k1", KEY.public, None)])))
    kept.write_text(damage)

    result = run("verify", *ASK[1:], "--keys", str(keys), "--ticket-file", str(kept))

    assert result.returncode == 3
    assert "Traceback" not in result.stderr


def test_json_goes_to_stdout_and_words_beside_it():
    result, _ = asked_of(answered(no()), "--json")

    assert json.loads(result.stdout)["exit_code"] == 1
    assert "DENIED" in result.stderr


def test_no_ticket_gets_into_the_log_of_a_job():
    said, silent = asked_of(answered(yes()), "--json")[0], asked_of(answered(yes()))[0]
    signature = envelope()["signatures"][0]["sig"]

    assert "permit" in json.loads(said.stdout)
    assert not any(word in text for word in ("payloadType", signature) for text in (said.stdout, said.stderr, silent.stdout))


def test_only_what_was_verified_here_is_called_verified():
    result, _ = asked_of(answered(no(permit={"change": "CHG-7", "expiresAt": "2099-01-01T00:00:00Z"}, exit_code=0)), "--json")

    assert "Verified ticket" not in result.stderr
    assert json.loads(result.stdout)["exit_code"] == result.returncode == 1


def test_a_link_that_is_no_web_address_is_not_shown():
    result, _ = asked_of(answered(no(url="javascript:alert(1)")))

    assert "javascript" not in result.stdout


def test_the_summary_of_the_run_shows_the_answer(tmp_path):
    summary = tmp_path / "summary.md"

    asked_of(answered(no()), env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})
    unwritable, _ = asked_of(answered(yes()), env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)})

    assert "### DENIED: payments" in summary.read_text()
    assert "A freeze holds until Monday." in summary.read_text()
    assert unwritable.returncode == 0
    assert "summary could not be written" in unwritable.stderr


def test_what_others_wrote_gives_a_runner_no_command():
    hostile = "::set-output name=x::1\n::add-path::/tmp \x1b[2J \u202e ##vso[task.setvariable] "

    result, _ = asked_of(answered(no(findings=[finding("BLOCK", hostile)])))

    assert result.returncode == 1
    assert not any(part in result.stdout for part in ("::", "\x1b", "\u202e", "##vso"))


def test_signatures_are_judged_as_the_library_judges_them():
    signature = KEY.sign(b"said").value
    order = ccgate.ORDER.to_bytes(32, "little")
    high = (int.from_bytes(signature[32:], "little") + ccgate.ORDER).to_bytes(32, "little")

    assert ccgate.verifies(KEY.public, b"said", signature)
    for bit in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not ccgate.verifies(KEY.public, b"said", bytes(flipped))
    for bad in (signature[:32] + high, signature[:32] + order, b"", signature + b"\0", bytes(64), b"\xff" * 64):
        assert not ccgate.verifies(KEY.public, b"said", bad)
    for public in (bytes(31), b"\xff" * 32, b"\2" + bytes(31)):
        assert not ccgate.verifies(public, b"said", signature)


def test_it_is_written_for_python_three_eight_alone():
    tree = ast.parse(CLIENT.read_text(), feature_version=(3, 8))
    imported = {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert imported <= sys.stdlib_module_names | {"__future__"}
    assert not called & {"removeprefix", "removesuffix", "is_relative_to", "fromisoformat", "UTC", "batched", "pairwise"}
