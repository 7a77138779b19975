"""`ccgate begin`, `report` and `rollback`: 0 only where the installation confirmed it, or where a verified ticket permits to do without."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from apps.gate.client import ccgate
from apps.gate.rules import Action
from apps.gate.tickets import issue
from tests.factories.pipelines import Job
from tests.gate.conftest import own_gate  # noqa: F401 - a fixture
from tests.gate.test_ccgate import COMMIT, KEY, OTHER, answered, drip, half, hang_up, in_turn, permit, run

PROBLEM = "application/problem+json"
ID = str(UUID(int=77))
UNBEGUN = "/api/v1/deployments/reports"  # of what began nowhere
FAST = ("--retry-for", "0", "--timeout", "2s")
ABOUT = ("--service", "payments", "--environment", "production", "--commit", COMMIT)


class Deployments(ThreadingHTTPServer):
    """An installation that answers each address as the test wants."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = answers, []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.answers["GET"](self)

    def do_POST(self):
        self.sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.sent, self.headers.get("Idempotency-Key")))
        named = "unbegun" if self.path == UNBEGUN else "reports" if self.path.endswith("/reports") else "begin"
        self.server.answers[named](self)

    def log_message(self, *_):
        """Nothing: the test looks at the client."""


@contextmanager
def serving(**answers):
    server = Deployments(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def envelope(action=Action.DEPLOY, offline=0, key=KEY, **changes):
    made = permit(action=action, offline_seconds=offline, **changes)
    found = issue(made, key=key).envelope
    found["signatures"][0]["keyid"] = "k1"
    return found


def begun(action="deploy", **changes):
    """The answer of an installation where it has begun."""
    whole = {"id": ID, "ref": "DEP-7", "state": "RUNNING", "service": "payments", "environment": "production", "action": action}
    return whole | {"identities": ["git:" + COMMIT], "ticket": str(UUID(int=5)), "url": "https://cc.example/deployments/7/"} | changes


def taken(sequence=1, kind="succeeded", state="SUCCEEDED", **changes):
    return {"report": {"sequence": sequence, "kind": kind, "effect": "SUCCEEDED"}, "deployment": {"id": ID, "state": state}} | changes


def echo(state="RUNNING"):
    """Take each report as it comes."""

    def answer(handler):
        answered(taken(handler.sent["sequence"], handler.sent["kind"], state))(handler)

    return answer


def problem(status, code="frozen", **headers):
    return answered({"detail": "A freeze holds.", "cure": "Wait.", "code": code}, status, PROBLEM, **headers)


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps({"ticket": envelope(), "rollback_ticket": envelope(Action.ROLLBACK)}))
    return path


@pytest.fixture
def running(kept):
    """A file of a deployment that has begun."""
    with serving(begin=answered(begun(), 201)) as (_, url):
        assert run("begin", "--ticket-file", str(kept), *FAST, url=url).returncode == 0
    return kept


def said(kept):
    return json.loads(kept.read_text())


def test_begin_is_confirmed_and_kept(kept):
    with serving(begin=answered(begun(), 201)) as (server, url):
        first = run("begin", "--ticket-file", str(kept), *FAST, url=url)
        again = run("begin", "--ticket-file", str(kept), "--json", *FAST, url=url)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "BEGUN: DEP-7: payments in production" in first.stdout
    assert json.loads(again.stdout)["id"] == ID
    assert said(kept)["begun"]["id"] == ID
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len({key for _, _, key in server.asked}) == 1
    assert server.asked[0][1]["ticket"] == said(kept)["ticket"]


BAD_BEGINNINGS = {
    "empty 200": lambda: answered(b"", 200),
    "200": lambda: answered(begun(), 200),
    "204": lambda: answered(b"", 204),
    "page of a proxy": lambda: answered(b"<html>OK</html>", 201, kind="text/html"),
    "half an answer": lambda: half,
    "a slow body": lambda: drip,
    "a closed line": lambda: hang_up,
    "a redirect": lambda: answered(b"", 307, Location="https://elsewhere.example/"),
    "a list": lambda: answered([begun()], 201),
    "another ticket": lambda: answered(begun(ticket=str(UUID(int=6))), 201),
    "another action": lambda: answered(begun("rollback"), 201),
    "another version": lambda: answered(begun(identities=["git:" + OTHER]), 201),
    "no version": lambda: answered(begun(identities=None), 201),
    "an identity that is a text": lambda: answered(begun(identities="git:" + COMMIT), 201),
    "another state": lambda: answered(begun(state="QUEUED"), 201),
    "no id": lambda: answered(begun(id=None), 201),
    "an id that leads elsewhere": lambda: answered(begun(id="../../x"), 201),
    "a name twice": lambda: answered(json.dumps(begun())[:-1].encode() + b', "state": "RUNNING"}', 201),
    "401": lambda: answered({"detail": "Nobody issued this token.", "code": "unknown_token"}, 401, PROBLEM),
    "404": lambda: problem(404),
    "409 without a code": lambda: answered({"detail": "Conflict."}, 409, PROBLEM),
    "409 of somebody else": lambda: answered(b"conflict", 409, kind="text/plain"),
    "busy": lambda: problem(409, "busy"),
    "429": lambda: problem(429, Retry_After="9"),
    "500 with a yes": lambda: answered(begun(), 500),
    "503": lambda: problem(503),
}


@pytest.mark.parametrize("case", list(BAD_BEGINNINGS))
def test_a_bad_answer_never_begins(kept, case):
    with serving(begin=BAD_BEGINNINGS[case]()) as (_, url):
        result = run("begin", "--ticket-file", str(kept), *FAST, url=url)

    assert result.returncode == 3, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "begun" not in said(kept)


OTHER_PLACE = ("--service", "ledger", "--environment", "production", "--commit", COMMIT)
NAMED_OTHERWISE = [(*ABOUT[:-1], OTHER), OTHER_PLACE, ABOUT[:4], ABOUT[2:], (*ABOUT[:-1], "main"), ("--commit", COMMIT)]


@pytest.mark.parametrize("about", NAMED_OTHERWISE)
@pytest.mark.parametrize("offline", [(), ("--offline",)])
def test_a_ticket_for_something_else_than_is_named_begins_nothing(kept, about, offline):
    with serving(begin=answered(begun(), 201)) as (server, url):
        result = run("begin", "--ticket-file", str(kept), *about, *offline, *FAST, url=url)

    assert (result.returncode, server.asked) == (3, []), result.stdout
    assert "begun" not in said(kept)


def test_a_stale_ticket_says_to_run_check_again(kept):
    result = run("begin", "--ticket-file", str(kept), *ABOUT[:-1], OTHER, *FAST, url="http://127.0.0.1:1")

    assert f"The ticket is for DEPLOY of git:{COMMIT} of payments to production. Run check again for this version" in result.stderr


@pytest.mark.parametrize(("command", "action"), [("begin", "deploy"), ("rollback", "rollback")])
def test_a_ticket_for_what_is_named_begins(kept, command, action):
    with serving(begin=answered(begun(action), 201)) as (_, url):
        result = run(command, "--ticket-file", str(kept), *ABOUT, "--digest", "c3" * 32, *FAST, url=url)

    assert result.returncode == 0, result.stderr


def test_a_rollback_ticket_that_is_for_a_deployment_begins_nothing(kept):
    kept.write_text(json.dumps({**said(kept), "rollback_ticket": envelope()}))
    with serving(begin=answered(begun(), 201)) as (server, url):
        result = run("rollback", "--ticket-file", str(kept), *ABOUT, *FAST, url=url)

    assert (result.returncode, server.asked) == (3, [])


@pytest.mark.parametrize(("about", "code"), [(ABOUT, 0), ((*ABOUT[:-1], OTHER), 3), (ABOUT[:4], 3)])
def test_a_report_that_names_something_else_than_has_begun_is_not_sent(running, about, code):
    with serving(reports=echo("SUCCEEDED")) as (server, url):
        result = run("report", "succeeded", "--ticket-file", str(running), *about, *FAST, url=url)

    assert (result.returncode, len(server.asked)) == (code, 0 if code else 1), result.stderr
    assert said(running)["begun"]["pending"] == []


@pytest.mark.parametrize(("status", "code"), [(403, "ticket_signature"), (409, "frozen"), (409, "ticket_spent"), (422, "not_acceptable")])
def test_a_refusal_is_one_and_says_the_cure(kept, status, code):
    with serving(begin=problem(status, code)) as (_, url):
        result = run("begin", "--ticket-file", str(kept), *FAST, url=url)

    assert result.returncode == 1
    assert "REFUSED: A freeze holds." in result.stdout
    assert "Wait." in result.stdout


def test_a_file_without_the_ticket_says_where_one_comes_from(kept):
    kept.write_text(json.dumps({**said(kept), "rollback_ticket": None}))

    result = run("rollback", "--ticket-file", str(kept), *FAST, url="http://127.0.0.1:1")

    assert result.returncode == 3
    assert "holds no rollback ticket. There is one where people had to agree" in result.stderr


CHECKED = {"external_link": {"label": "ALLOWED: payments", "url": "https://cc.example/gate/1/"}}


def test_what_was_refused_stands_in_the_summary_below_the_yes(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    summary, shown = tmp_path / "summary.md", tmp_path / ccgate.ANNOTATIONS
    summary.write_text("### ALLOWED\n")
    shown.write_text(json.dumps({"Change Control": [CHECKED]}))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITLAB_CI": "true"}

    with serving(begin=problem(409, "frozen")) as (_, url):
        run("begin", "--ticket-file", str(kept), *FAST, url=url, env=env)

    assert summary.read_text() == "### ALLOWED\n### REFUSED: A freeze holds.\n\n- Wait.\n\n\n\n"
    refused = {"external_link": {"label": "REFUSED: A freeze holds.", "url": "https://cc.example/gate/1/"}}
    assert json.loads(shown.read_text())["Change Control"] == [CHECKED, refused]


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"Change Control": 5}', '{"Change Control": [{"external_link": null}]}'])
def test_what_was_begun_and_reported_leads_to_the_deployment_whatever_stood_there(kept, tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ccgate.ANNOTATIONS).write_text(damage)
    url_of = {"url": "https://cc.example/deployments/7/"}
    report = taken(deployment={"id": ID, "state": "SUCCEEDED", **url_of})
    with serving(begin=answered(begun(), 201), reports=answered(report)) as (_, url):
        for words in (("begin",), ("report", "succeeded")):
            result = run(*words, "--ticket-file", str(kept), *FAST, url=url, env={"GITLAB_CI": "true"})
            assert result.returncode == 0, result.stderr

    links = [one["external_link"] for one in json.loads((tmp_path / ccgate.ANNOTATIONS).read_text())["Change Control"]]
    assert links == [{"label": "BEGUN: DEP-7: payments in production", **url_of}, {"label": "REPORTED: DEP-7 succeeded", **url_of}]


def test_what_could_not_be_told_stands_in_the_summary(kept, tmp_path):
    summary = tmp_path / "summary.md"

    result = run("begin", "--ticket-file", str(kept), *FAST, url="https://", env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert result.returncode == 3
    assert summary.read_text().startswith("### COULD NOT TELL: begin\n\n- https:// is no address")


def test_begin_is_sent_again_while_the_installation_is_busy(kept):
    answers = [problem(503, Retry_After="1"), problem(409, "busy"), answered(begun(), 201)]
    with serving(begin=in_turn(*answers)) as (server, url):
        result = run("begin", "--ticket-file", str(kept), "--retry-for", "30s", url=url)

    assert result.returncode == 0, result.stderr
    assert len({key for _, _, key in server.asked}) == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", "{}", '{"ticket": null}', '{"ticket": {"payload": 5}}'])
@pytest.mark.parametrize("command", ["begin", "report", "rollback"])
def test_a_damaged_file_is_three(kept, damage, command):
    kept.write_text(damage)
    with serving(begin=answered(begun(), 201), reports=echo()) as (server, url):
        result = run(command, *(["succeeded"] if command == "report" else []), "--ticket-file", str(kept), *FAST, url=url)

    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert not server.asked


def test_reports_are_numbered_and_confirmed(running):
    with serving(reports=echo("SUCCEEDED")) as (server, url):
        first = run("report", "progress", "--message", "half of the pods", "--ticket-file", str(running), *FAST, url=url)
        last = run("report", "succeeded", "--json", "--ticket-file", str(running), *FAST, url=url)

    assert (first.returncode, last.returncode) == (0, 0), first.stderr + last.stderr
    assert "REPORTED: DEP-7 progress" in first.stdout
    assert json.loads(last.stdout)["exit_code"] == 0
    assert [(path, body["sequence"], body["kind"]) for path, body, _ in server.asked] == [
        (f"/api/v1/deployments/{ID}/reports", 1, "progress"),
        (f"/api/v1/deployments/{ID}/reports", 2, "succeeded"),
    ]
    assert server.asked[0][1]["message"] == "half of the pods"
    assert said(running)["begun"]["pending"] == []


BAD_REPORTS = {
    "empty 200": lambda: answered(b"", 200),
    "201": lambda: answered(taken(), 201),
    "204": lambda: answered(b"", 204),
    "page of a proxy": lambda: answered(b"<html>OK</html>", kind="text/html"),
    "an empty object": lambda: answered({}),
    "another number": lambda: answered(taken(2)),
    "another kind": lambda: answered(taken(kind="progress")),
    "another deployment": lambda: answered(taken(deployment={"id": str(UUID(int=8)), "state": "SUCCEEDED"})),
    "a state that does not follow": lambda: answered(taken(state="RUNNING")),
    "a report that is text": lambda: answered(taken(report="succeeded")),
    "a redirect": lambda: answered(b"", 302, Location="https://elsewhere.example/"),
    "a closed line": lambda: hang_up,
    "half an answer": lambda: half,
    "401": lambda: answered({"detail": "Nobody issued this token."}, 401, PROBLEM),
    "404": lambda: problem(404, "not_found"),
    "503": lambda: problem(503),
}


@pytest.mark.parametrize("case", list(BAD_REPORTS))
def test_a_bad_answer_never_confirms_a_report_and_it_is_sent_again(running, case):
    with serving(reports=BAD_REPORTS[case]()) as (_, url):
        result = run("report", "succeeded", "--ticket-file", str(running), *FAST, url=url)

    assert result.returncode == 3, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    with serving(reports=echo("SUCCEEDED")) as (server, url):
        assert run("report", "progress", "--ticket-file", str(running), *FAST, url=url).returncode == 0
    assert [body["kind"] for _, body, _ in server.asked][-1] == "progress"
    assert [body["sequence"] for _, body, _ in server.asked] == sorted({body["sequence"] for _, body, _ in server.asked})


def test_a_contradiction_is_one_and_not_sent_again(running):
    with serving(reports=problem(409, "contradicts")) as (_, url):
        result = run("report", "failed", "--switched", "--ticket-file", str(running), *FAST, url=url)

    assert result.returncode == 1
    assert said(running)["begun"]["pending"] == []


def test_a_number_that_is_taken_is_chosen_anew(running):
    answers = [problem(409, "sequence_reused"), echo("SUCCEEDED")]
    with serving(reports=in_turn(*answers), GET=answered({"sequence": 6})) as (server, url):
        result = run("report", "succeeded", "--ticket-file", str(running), *FAST, url=url)

    assert result.returncode == 0, result.stderr
    assert [body["sequence"] for _, body, _ in server.asked] == [1, 7]


def test_a_number_that_is_always_taken_ends(running):
    with serving(reports=problem(409, "sequence_reused"), GET=answered({"sequence": 6})) as (_, url):
        assert run("report", "succeeded", "--ticket-file", str(running), *FAST, url=url).returncode == 1


def test_report_before_anything_has_begun_is_three(kept):
    result = run("report", "succeeded", "--ticket-file", str(kept), *FAST, url="http://127.0.0.1:1")

    assert result.returncode == 3
    assert "Run ccgate begin first." in result.stderr


def test_rollback_spends_the_rollback_ticket(running):
    with serving(begin=answered(begun("rollback", id=str(UUID(int=78))), 201)) as (server, url):
        result = run("rollback", "--ticket-file", str(running), *FAST, url=url)

    assert result.returncode == 0, result.stderr
    assert server.asked[0][1]["ticket"] == said(running)["rollback_ticket"]
    assert said(running)["begun"]["id"] == str(UUID(int=78))


@pytest.mark.parametrize(
    "arguments", [("begin",), ("report", "--ticket-file", "x"), ("report", "won", "--ticket-file", "x"), ("rollback",)]
)
def test_wrong_arguments_are_three(arguments):
    assert run(*arguments, url="http://127.0.0.1:1").returncode == 3


# Against the real thing


class Bridge(BaseHTTPRequestHandler):
    """Hands each request to the product."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def _answer(self, method):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: self.headers[name] for name in ("Authorization", "Idempotency-Key") if name in self.headers}
        try:
            answer = Client().generic(method, self.path, data, content_type="application/json", headers=sent)
        finally:
            connections["default"].close()
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.content)
        self.close_connection = True

    def log_message(self, *_):
        """Nothing: the test looks at the client."""


@contextmanager
def bridged():
    """The product behind an address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_whole_way_against_the_product(own_gate, tmp_path):  # noqa: F811 - the fixture
    job, kept = Job(), str(tmp_path / "ticket.json")
    about = ("--service", job.target.service.slug, "--environment", job.target.environment.slug, "--commit", "4a92c6e8" * 5)

    with bridged() as url:

        def ccgate(*arguments):
            told = run(*arguments, "--ticket-file", kept, url=url, env={"CHANGE_CONTROL_TOKEN": job.secret})
            return told.returncode, told.stdout + told.stderr

        steps = [
            ccgate("check", *about),
            ccgate("begin"),
            ccgate("begin"),  # the same again is answered the same
            ccgate("report", "started"),
            ccgate("report", "succeeded", "--message", "All pods are ready."),
            ccgate("report", "failed"),
            ccgate("rollback"),
            ccgate("report", "succeeded"),
            ccgate("begin"),  # pressed again when all is over: what was rolled back is not started anew
        ]

    assert [code for code, _ in steps] == [0, 0, 0, 0, 0, 1, 0, 0, 1], steps
    assert "not on its way any more" in steps[-1][1]
    job.target.refresh_from_db()
    assert (job.target.running_label, job.target.occupied_by) == ("3.17.0", None)
