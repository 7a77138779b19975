"""`ccgate report` without a ticket file: it reports of what this token has open there, and of nothing that an answer did not prove."""

import json
from uuid import UUID

import pytest

from tests.gate.test_ccgate import COMMIT, DIGEST, OTHER, answered, drip, half, hang_up, in_turn, run
from tests.gate.test_ccgate_deploying import ABOUT, FAST, ID, UNBEGUN, echo, problem, serving, taken

SAID = ("report", "succeeded", *ABOUT, *FAST)


def one(**changes):
    return {"id": ID, "ref": "DEP-7", "state": "RUNNING", "identities": ["git:" + COMMIT], "sequence": 4} | changes


def listed(*found):
    return answered({"deployments": [*found]})


def meaning(word):
    """The installation takes in what began nowhere."""
    return answered({"meaning": word, "deployment": None, "undeclared": None})


def test_what_is_open_there_is_reported_with_the_next_number():
    with serving(GET=listed(one()), reports=echo("SUCCEEDED")) as (server, url):
        result = run(*SAID, "--message", "Synced.", "--digest", DIGEST, url=url)

    assert result.returncode == 0, result.stderr
    assert "REPORTED: DEP-7 succeeded" in result.stdout
    ((path, said, _),) = server.asked
    assert path == f"/api/v1/deployments/{ID}/reports"
    assert (said["kind"], said["sequence"], said["message"]) == ("succeeded", 5, "Synced.")


def test_the_question_names_everything(monkeypatch):
    asked = []

    def keep(handler):
        asked.append(handler.path)
        listed()(handler)

    with serving(GET=keep, unbegun=meaning("KNOWN")) as (_, url):
        run(*SAID, "--digest", DIGEST, url=url)

    about = f"service=payments&environment=production&identity=git%3A{COMMIT}&identity=sha256%3A{DIGEST}"
    assert asked == [f"/api/v1/deployments?{about}"]


@pytest.mark.parametrize("known", ["KNOWN", "ON_ITS_WAY"])
def test_nothing_open_is_a_no_with_its_cure(known):
    with serving(GET=listed(), unbegun=meaning(known)) as (_, url):
        result = run(*SAID, "--json", url=url)

    assert result.returncode == 1
    assert "began nothing of this version there" in result.stderr
    assert "Use the token that began it" in result.stderr
    assert json.loads(result.stdout)["exit_code"] == 1


def test_what_began_nowhere_is_told_and_stays_a_no():
    with serving(GET=listed(), unbegun=meaning("UNDECLARED")) as (server, url):
        result = run(*SAID, "--digest", DIGEST, url=url)

    assert result.returncode == 1
    assert "it is listed as undeclared" in result.stdout
    version = {"git": [COMMIT], "sha256": [DIGEST]}
    place = {"service": "payments", "environment": "production", "identities": version}
    assert [(path, said) for path, said, _ in server.asked] == [(UNBEGUN, {**place, "source": "ccgate report"})]


@pytest.mark.parametrize("kind", ["started", "progress", "failed", "rolled-back"])
def test_only_a_success_says_that_something_runs_there(kind):
    with serving(GET=listed()) as (server, url):
        result = run("report", kind, *ABOUT, *FAST, url=url)

    assert (result.returncode, server.asked) == (1, [])
    assert "began nothing of this version there" in result.stdout


def test_too_many_undeclared_is_told_as_it_is_refused():
    with serving(GET=listed(), unbegun=problem(409, "too_many_undeclared")) as (_, url):
        result = run(*SAID, url=url)

    assert result.returncode == 1
    assert "A freeze holds." in result.stdout


@pytest.mark.parametrize("body", [{}, {"meaning": "NEW_RUNS"}, {"meaning": None}, {"meaning": ["KNOWN"]}, b"<html>", b""])
def test_an_answer_that_says_nothing_of_what_began_nowhere_is_three(body):
    with serving(GET=listed(), unbegun=answered(body)) as (_, url):
        assert run(*SAID, url=url).returncode == 3


BAD_ANSWERS = {
    "empty 200": lambda: answered(b"", 200),
    "204": lambda: answered(b"", 204),
    "201": lambda: answered({"deployments": [one()]}, 201),
    "page of a proxy": lambda: answered(b"<html>OK</html>", kind="text/html"),
    "half an answer": lambda: half,
    "a slow body": lambda: drip,
    "a closed line": lambda: hang_up,
    "a redirect": lambda: answered(b"", 307, Location="https://elsewhere.example/"),
    "no list": lambda: answered({}),
    "a text": lambda: answered({"deployments": "none"}),
    "two": lambda: listed(one(), one(id=str(UUID(int=78)))),
    "a number": lambda: listed(5),
    "another version": lambda: listed(one(identities=["git:" + OTHER])),
    "more of a version": lambda: listed(one(identities=["git:" + COMMIT, "git:" + OTHER])),
    "no version": lambda: listed(one(identities=[])),
    "a version that is a text": lambda: listed(one(identities="git:" + COMMIT)),
    "an id that leads elsewhere": lambda: listed(one(id="../../v1/gate/evaluations")),
    "no number": lambda: listed(one(sequence=None)),
    "a number that is a truth": lambda: listed(one(sequence=True)),
    "not found": lambda: problem(404, "not_found"),
    "unknown token": lambda: problem(401, "unknown_token"),
    "a version that cannot be read": lambda: problem(422, "not_acceptable"),
    "an error": lambda: problem(500, "could_not_tell"),
}


@pytest.mark.parametrize("case", sorted(BAD_ANSWERS))
def test_a_bad_answer_is_three_and_reports_nothing(case):
    with serving(GET=BAD_ANSWERS[case](), reports=echo("SUCCEEDED")) as (server, url):
        result = run(*SAID, url=url)

    assert result.returncode == 3, result.stdout + result.stderr
    assert server.asked == []


@pytest.mark.parametrize(
    "changes", [{"report": {"sequence": 9, "kind": "succeeded"}}, {"deployment": {"id": ID, "state": "RUNNING"}}, {"report": None}]
)
def test_a_report_that_is_not_confirmed_is_three(changes):
    with serving(GET=listed(one()), reports=answered(taken(5, **changes))) as (_, url):
        assert run(*SAID, url=url).returncode == 3


def test_a_number_that_somebody_took_is_read_anew_once():
    with serving(
        GET=in_turn(listed(one()), listed(one(sequence=8))), reports=in_turn(problem(409, "sequence_reused"), echo("SUCCEEDED"))
    ) as (
        server,
        url,
    ):
        result = run(*SAID, url=url)

    assert result.returncode == 0, result.stderr
    assert [said["sequence"] for _, said, _ in server.asked] == [5, 9]


@pytest.mark.parametrize("code", ["contradicts", "sequence_reused", "out_of_order"])
def test_a_refusal_is_one(code):
    with serving(GET=listed(one()), reports=problem(409, code)) as (_, url):
        result = run(*SAID, url=url)

    assert result.returncode == 1
    assert "REFUSED: A freeze holds." in result.stdout


def test_it_is_asked_again_while_the_installation_is_away():
    with serving(GET=in_turn(problem(503, "could_not_tell", Retry_After="1"), listed(one())), reports=echo("SUCCEEDED")) as (_, url):
        assert run("report", "succeeded", *ABOUT, "--retry-for", "30s", url=url).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "succeeded"), "Give --ticket-file, or --service, --environment and the version."),
        (("report", "succeeded", "--service", "a", "--commit", COMMIT), "Nothing says which deployment."),
        (("report", "succeeded", "--service", "a", "--environment", "b"), "Nothing says which version."),
        (("report", "succeeded", "--service", "a", "--environment", "b", "--commit", "main"), "no full commit id"),
    ],
)
def test_what_names_no_deployment_is_three(arguments, said):
    result = run(*arguments, url="https://changes.example")

    assert result.returncode == 3
    assert said in result.stderr
