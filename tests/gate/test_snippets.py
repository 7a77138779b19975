"""What people paste into pipelines: no snippet can fail open, the lint knows the ways in which one could, and each shell really runs."""

import hashlib
import json
import os
import signal
import subprocess
from base64 import b64decode
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from apps.deployments.models import Deployment
from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from apps.gate.rules import Action
from apps.gate.snippets import SNIPPETS, Place
from tests.factories.approvals import make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import make_gate_token
from tests.gate.conftest import own_gate  # noqa: F401 - a fixture
from tests.gate.snippet_lint import REPORTED, around, faults, scripts_in, shell_faults
from tests.gate.test_ccgate import COMMIT, DIGEST, KEY, OTHER, WRONG_KEY, answered, envelope, in_turn, no, serving, yes
from tests.gate.test_ccgate_deploying import UNBEGUN, bridged

CLIENT = Path(ccgate.__file__).read_bytes()
PIN = hashlib.sha256(CLIENT).hexdigest()
SYSTEMS = sorted(SNIPPETS)
DEPLOYMENT = "01900000-0000-7000-8000-0000000000aa"
SHELLS = {
    "github": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"],
    "circleci": ["bash", "-eo", "pipefail", "-c"],
    "jenkins": ["bash", "-c"],
}
SUMS = 'curl --fail -o ccgate $URL/client/ccgate\necho "' + "0" * 64 + '  ccgate" > ccgate.sha256\nsha256sum -c ccgate.sha256\n'
ASKS = "python3 ccgate check --service a --environment b --commit c\n"


def written(system, url="https://changes.example.org"):
    return SNIPPETS[system].write(Place(url, PIN, "payments", "production"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_snippet_can_fail_open(system):
    assert faults(system, written(system)) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_snippet_is_filled_in_and_pins_the_client(system):
    text = written(system)

    assert "--service payments --environment production" in text
    assert "https://changes.example.org" in text
    assert PIN in text
    assert "ccg_" not in text


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - {"shell", "jenkins"}))
def test_the_file_is_yaml_and_its_names_stay_words(system):
    read = [*yaml.safe_load_all(SNIPPETS[system].write(Place("https://x.example", PIN, "on", "no")))]

    assert all(isinstance(one, dict) for one in read)
    assert "'environment': False" not in str(read)


@pytest.mark.parametrize("system", sorted(set(SYSTEMS) - {"argocd"}))
def test_every_snippet_begins_and_reports_what_became_of_it(system):
    (script,) = scripts_in(system, written(system))

    assert REPORTED in "\n".join(line for line in dedent(script).splitlines() if not line.startswith("  #"))


GOOD = "set -eu\n" + SUMS + ASKS + "./deploy.sh\n"
BAD_SHELL = {
    "|| true": GOOD.replace(ASKS, ASKS.strip() + " || true\n"),
    "|| echo": GOOD.replace(ASKS, ASKS.strip() + " || echo no\n"),
    "|| :": GOOD.replace(ASKS, ASKS.strip() + " || :\n"),
    "&& after it": GOOD.replace(ASKS, ASKS.strip() + " && echo yes\n"),
    "if it fails": GOOD.replace(ASKS, f"if {ASKS.strip()}; then echo yes; fi\n"),
    "until it is": GOOD.replace(ASKS, f"until {ASKS.strip()}; do sleep 1; done\n"),
    "not": GOOD.replace(ASKS, f"! {ASKS}"),
    "no set -e": GOOD.replace("set -eu\n", ""),
    "set -u alone": GOOD.replace("set -eu", "set -u"),
    "set -e too late": GOOD.replace("set -eu\n", "").replace("./deploy.sh", "set -e\n./deploy.sh"),
    "set +e": GOOD.replace(ASKS, f"set +e\n{ASKS}"),
    "set +o errexit": GOOD.replace(ASKS, f"set +o errexit\n{ASKS}"),
    "a pipe": GOOD.replace(ASKS, ASKS.strip() + " | tee log\n"),
    "a pipe with pipefail around the client": GOOD.replace("-eu", "-euo pipefail").replace(ASKS, ASKS.strip() + " | tee log\n"),
    "another pipe without pipefail": GOOD.replace("./deploy.sh", "cat x | ./deploy.sh"),
    "in the background": GOOD.replace(ASKS, ASKS.strip() + " &\n"),
    "its words alone": GOOD.replace(ASKS, f'echo "$({ASKS.strip()})"\n'),
    "backticks": GOOD.replace(ASKS, f"echo `{ASKS.strip()}`\n"),
    "an export hides the code": GOOD.replace("./deploy.sh", "export X=$(cat token)\n./deploy.sh"),
    "trap": GOOD.replace("set -eu", "set -eu\ntrap 'exit 0' EXIT"),
    "exit 0": GOOD.replace("./deploy.sh", "exit 0"),
    "eval": GOOD.replace(ASKS, f"eval '{ASKS.strip()}'\n"),
    "curl without fail": GOOD.replace("--fail ", ""),
    "curl that believes anybody": GOOD.replace("--fail", "--fail --insecure"),
    "wget": GOOD.replace("curl --fail -o ccgate", "wget -O ccgate"),
    "no digest": GOOD.replace("sha256sum -c ccgate.sha256\n", ""),
    "a digest that is not looked at": GOOD.replace("sha256sum -c", "cat"),
    "a digest after the client": GOOD.replace("sha256sum -c ccgate.sha256\n", "").replace(ASKS, ASKS + "sha256sum -c ccgate.sha256\n"),
    "a digest that may be missing": GOOD.replace("sha256sum -c", "sha256sum --ignore-missing -c"),
    "no question": GOOD.replace(ASKS, ""),
    "the question after": GOOD.replace(ASKS, "").replace("./deploy.sh\n", f"./deploy.sh\n{ASKS}"),
    "something else on the line": GOOD.replace(ASKS, f"time {ASKS}"),
    "a list on the line": GOOD.replace(ASKS, ASKS.strip() + "; ./deploy.sh\n"),
    "begun after it": GOOD.replace("./deploy.sh\n", "./deploy.sh\npython3 ccgate begin --ticket-file ticket.json\n"),
    "begun before it is asked": GOOD.replace(ASKS, "python3 ccgate begin --ticket-file ticket.json\n" + ASKS),
    "a failure that is reported and forgotten": GOOD.replace("./deploy.sh", REPORTED.replace("  exit 1\nfi", "fi")),
    "a failure that is reported as a success": GOOD.replace("./deploy.sh", REPORTED.replace("exit 1\nfi", "exit 0\nfi")),
    "a condition of its own": GOOD.replace("./deploy.sh", REPORTED.replace("if wait $!", "if wait $! || true")),
    "the question as the condition": GOOD.replace(ASKS, "").replace("./deploy.sh", REPORTED.replace("wait $!", ASKS.strip())),
    "a stop that goes on": GOOD.replace("./deploy.sh", REPORTED.replace("  exit 1\n}", "}")),
    "a stop that passes": GOOD.replace("./deploy.sh", REPORTED.replace("exit 1\n}", "exit 0\n}")),
    "a stop that is told as a success": GOOD.replace("./deploy.sh", REPORTED.replace("report failed --switched", "report succeeded")),
    "a trap for everything": GOOD.replace("./deploy.sh", REPORTED.replace("trap stopped INT TERM", "trap stopped INT TERM EXIT")),
    "a beginning that may fail": GOOD.replace(
        "./deploy.sh", REPORTED.replace("begin --ticket-file ticket.json", "begin --ticket-file t || :")
    ),
    "a beginning in the background": GOOD.replace(
        "./deploy.sh", REPORTED.replace("begin --ticket-file ticket.json", "begin --ticket-file t &")
    ),
    "deployed before it begins": GOOD.replace("./deploy.sh", "./deploy.sh\n" + REPORTED.replace("./deploy.sh &", "sleep 1 &")),
    "deployed by nobody who is waited for": GOOD.replace("./deploy.sh", REPORTED.replace("if wait $!", "if wait")),
    "a function of the client's name": GOOD.replace(ASKS, "python3() { echo yes; }\n" + ASKS),
    "an alias": GOOD.replace(ASKS, "alias python3=echo\n" + ASKS),
    "another path": GOOD.replace("set -eu", "set -eu\nPATH=.:/opt"),
    "the other command": GOOD.replace("ccgate check", "ccgate verify"),
}


def test_the_lint_lets_the_plain_way_pass():
    assert list(shell_faults(GOOD)) == []
    assert list(shell_faults(GOOD.replace("./deploy.sh", REPORTED))) == []
    assert list(shell_faults("set -eu\n" + SUMS + TELLS, asks=False)) == []


TELLS = "python3 ccgate report succeeded --service a --environment b --commit c\n"
BAD_REPORTS = {
    "|| true": TELLS.strip() + " || true\n",
    "in the background": TELLS.strip() + " &\n",
    "a list": TELLS.strip() + "; echo done\n",
    "a pipe": TELLS.strip() + " | cat\n",
    "its words alone": f'echo "$({TELLS.strip()})"\n',
    "nothing": "echo done\n",
}


@pytest.mark.parametrize("case", sorted(BAD_REPORTS))
def test_the_lint_catches_a_report_that_nobody_hears(case):
    assert list(shell_faults("set -eu\n" + SUMS + BAD_REPORTS[case], asks=False))
    assert list(shell_faults("set -eu\n" + TELLS + SUMS, asks=False))


@pytest.mark.parametrize("case", sorted(BAD_SHELL))
def test_the_lint_catches_a_script_that_goes_on(case):
    assert BAD_SHELL[case] != GOOD
    assert list(shell_faults(BAD_SHELL[case]))


BAD_FILES = {
    "github continue-on-error": ("github", "        shell: bash", "        continue-on-error: true\n        shell: bash"),
    "github continue-on-error of the job": ("github", "    timeout-minutes", "    continue-on-error: ${{ true }}\n    timeout-minutes"),
    "github always": ("github", "        shell: bash", "        if: always()\n        shell: bash"),
    "github failure": ("github", "        shell: bash", "        if: ${{ !cancelled() }}\n        shell: bash"),
    "github shell without -e": ("github", "shell: bash", "shell: bash {0}"),
    "gitlab allow_failure": ("gitlab", "  stage: deploy", "  stage: deploy\n  allow_failure: true"),
    "gitlab allow_failure with codes": ("gitlab", "  stage: deploy", "  stage: deploy\n  allow_failure:\n    exit_codes: [1]"),
    "gitlab when always": ("gitlab", "  stage: deploy", "  stage: deploy\n  when: always"),
    "gitlab after_script": ("gitlab", "  script:", "  after_script:\n    - ./deploy.sh\n  script:"),
    "circleci shell": ("circleci", "          no_output_timeout: 40m", "          shell: /bin/bash"),
    "circleci when": ("circleci", "          no_output_timeout: 40m", "          when: always"),
    "buildkite soft_fail": ("buildkite", "    branches: main", "    soft_fail: true"),
    "buildkite soft_fail with codes": ("buildkite", "    branches: main", "    soft_fail:\n      - exit_status: 1"),
    "argocd after the sync": ("argocd", "hook: PreSync", "hook: PostSync"),
    "argocd never": ("argocd", "hook: PreSync", "hook: Skip"),
    "argocd asks twice and reports nothing": ("argocd", "hook: PostSync", "hook: PreSync"),
    "argocd says nothing of what failed": ("argocd", "hook: SyncFail", "hook: PostDelete"),
    "argocd an earlier job stands for this one": ("argocd", "policy: BeforeHookCreation", "policy: HookSucceeded"),
    "argocd something comes before it": ("argocd", 'sync-wave: "-100"', 'sync-wave: "100"'),
    "argocd a report before the last hook": ("argocd", 'sync-wave: "100"', 'sync-wave: "-1"'),
    "argocd begins nothing": ("argocd", "python3 ccgate begin --ticket-file ticket.json", "python3 ccgate check --ticket-file ticket.json"),
    "argocd a failure told as a success": ("argocd", "report failed --switched", "report succeeded"),
    "argocd a failure that says nobody saw it": ("argocd", "report failed --switched", "report failed"),
    "argocd a success told as progress": ("argocd", "report succeeded", "report progress"),
    "argocd a report that nobody hears": ("argocd", '--digest "$IMAGE_DIGEST"\n---', '--digest "$IMAGE_DIGEST" || true\n---'),
    "argocd a report of something else": ("argocd", "--retry-for 30m --service payments", "--retry-for 30m --service ledger"),
    "argocd a report of another version": ("argocd", "report succeeded", "report succeeded --commit x"),
    "argocd deploys by itself": ("argocd", "python3 ccgate report succeeded", "./deploy.sh\n              python3 ccgate report succeeded"),
    "argocd again": ("argocd", "backoffLimit: 0", "backoffLimit: 6"),
    "argocd a failure that counts not": ("argocd", "  backoffLimit: 0", "  backoffLimit: 0\n  podFailurePolicy: {}"),
    "jenkins catchError": ("jenkins", "        sh '''", "        catchError { sh '''"),
    "jenkins returnStatus": ("jenkins", "        sh '''", "        sh returnStatus: true, script: '''"),
    "jenkins try": ("jenkins", "        sh '''", "        try { sh '''"),
    "jenkins post": ("jenkins", "  stages {", "  post { always { sh './deploy.sh' } }\n  stages {"),
}


@pytest.mark.parametrize("case", sorted(BAD_FILES))
def test_the_lint_catches_a_file_that_goes_on(case):
    system, good, bad = BAD_FILES[case]
    text = written(system)
    assert good in text

    planted = text.replace(good, bad, 1)

    assert planted != text
    assert around(system, planted) or "||" in bad or "deploy.sh" in bad
    assert faults(system, planted)


# Each really runs.


def served(client):
    """The installation's other addresses: the client as it is given, and its keys."""
    keys = answered(key_set([("k1", KEY.public, None)]), kind="application/jwk-set+json")

    def answer(handler):
        (client if handler.path == "/client/ccgate" else found if "/deployments?" in handler.path else keys)(handler)

    return answer


def found(handler):
    """What this token has begun and is not over."""
    answered({"deployments": getattr(handler.server, "open", [])})(handler)


def begun(handler):
    """The deployment began, as the client wants to hear it."""
    permit = json.loads(b64decode(handler.server.asked[-1][0]["ticket"]["payload"]))["predicate"]
    named = {name: permit[name] for name in ("ticket", "service", "environment", "identities")}
    handler.server.open = [{"id": DEPLOYMENT, "ref": "DEP-1", "sequence": 0, "identities": permit["identities"]}]
    answered({"id": DEPLOYMENT, "ref": "DEP-1", "action": "deploy", "state": "RUNNING", **named}, 201)(handler)


def reported(handler):
    """The report was taken."""
    said = handler.server.asked[-1][0]
    state = "SUCCEEDED" if said["kind"] == "succeeded" else "NEEDS_HUMAN" if said.get("has_switched") else "FAILED"
    handler.server.open = []
    answered({"report": {"sequence": said["sequence"], "kind": said["kind"]}, "deployment": {"id": DEPLOYMENT, "state": state}})(handler)


def unbegun(handler):
    """What is said to run there is what is known to."""
    answered({"meaning": "KNOWN", "deployment": None, "undeclared": None})(handler)


def told(evaluations, begin=begun, report=reported):
    """What is posted: a question, a beginning, a report."""

    def answer(handler):
        report_of = unbegun if handler.path == UNBEGUN else report
        (report_of if handler.path.endswith("/reports") else begin if handler.path.endswith("/deployments") else evaluations)(handler)

    return answer


@contextmanager
def standing(system, tmp_path, evaluations, client=None, deploys="touch deployed"):
    """A place where the snippet's shells can run as their system runs them."""
    (tmp_path / "deploy.sh").write_text(f"#!/bin/sh\n{deploys}\n")
    (tmp_path / "git").write_text(f"#!/bin/sh\necho {COMMIT}\n")
    for name in ("deploy.sh", "git"):
        (tmp_path / name).chmod(0o755)
    with serving(evaluations, served(client or answered(CLIENT, kind="text/x-python"))) as server:
        commits = dict.fromkeys(("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BUILDKITE_COMMIT"), COMMIT)
        given = {"CHANGE_CONTROL_URL": server.url, "CHANGE_CONTROL_TOKEN": "ccg_" + "x" * 30, "IMAGE_DIGEST": f"sha256:{DIGEST}"}
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), **commits, **given}
        shell = SHELLS.get(system, ["sh", "-c"])
        # What starts tests may ignore interrupts, and a shell cannot catch what was ignored before it began.
        heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        yield (
            server,
            lambda number=0, cwd=tmp_path: subprocess.Popen(
                [*shell, scripts_in(system, written(system, server.url))[number]], cwd=cwd, env=env, **piped, **heard
            ),
        )


def ended(job):
    """What a job left with."""
    out, errors = job.communicate(timeout=90)
    return subprocess.CompletedProcess(job.args, job.returncode, out, errors)


def run_in(system, tmp_path, evaluations, client=None, deploys="touch deployed"):
    """Run the snippet's first shell; what it left with, and whether it deployed."""
    with standing(system, tmp_path, evaluations, client, deploys) as (_, start):
        done = ended(start())
    return done, (tmp_path / "deployed").exists()


def ticket_for(system, **more):
    return envelope(**{"identities": (f"sha256:{DIGEST}",)} if system == "argocd" else {}, **more)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_yes_goes_on_to_deploy(system, tmp_path):
    done, deployed = run_in(system, tmp_path, told(answered(yes(ticket_for(system)))))

    assert done.returncode == 0, done.stdout + done.stderr
    assert deployed == (system != "argocd")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("case", ["no", "not yet, then no", "a yes for another version", "a yes with a wrong key", "a page", "a teapot"])
def test_whatever_is_no_verified_yes_stops_the_job(system, case, tmp_path):
    answers = {
        "no": answered(no()),
        "not yet, then no": in_turn(answered(no("PENDING"), Retry_After="1"), answered(no())),
        "a yes for another version": answered(yes(envelope(identities=(f"git:{OTHER}",)))),
        "a yes with a wrong key": answered(yes(envelope(key=WRONG_KEY))),
        "a page": answered(b"<html>Welcome</html>", 401, "text/html"),
        "a teapot": answered({"verdict": "ALLOW"}, 418),
    }

    done, deployed = run_in(system, tmp_path, answers[case])

    assert done.returncode != 0, done.stdout + done.stderr
    assert not deployed


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("case", ["another client", "a page", "nothing", "an error"])
def test_a_client_that_is_not_the_pinned_one_never_runs(system, case, tmp_path):
    clients = {
        "another client": answered(b"import pathlib\npathlib.Path('ran').touch()\n", kind="text/x-python"),
        "a page": answered(b"<html>Welcome</html>", kind="text/html"),
        "nothing": answered(b""),
        "an error": answered(CLIENT, 500, "text/x-python"),
    }

    done, deployed = run_in(system, tmp_path, answered(yes(ticket_for(system))), clients[case])

    assert done.returncode != 0
    assert not deployed
    assert not (tmp_path / "ran").exists()


DEPLOYING = sorted(set(SYSTEMS) - {"argocd"})


@pytest.mark.parametrize("system", DEPLOYING)
def test_a_deployment_that_fails_fails_the_job_and_is_reported(system, tmp_path):
    kinds = []

    def report(handler):
        kinds.append(handler.server.asked[-1][0]["kind"])
        reported(handler)

    done, _ = run_in(system, tmp_path, told(answered(yes()), report=report), deploys="exit 7")

    assert done.returncode == 1, done.stdout + done.stderr
    assert kinds == ["failed"]


@pytest.mark.parametrize("system", DEPLOYING)
def test_what_may_not_begin_is_not_deployed(system, tmp_path):
    refusal = {"code": "frozen", "detail": "A freeze has begun.", "cure": "Wait.", "status": 409}

    done, deployed = run_in(system, tmp_path, told(answered(yes()), begin=answered(refusal, 409, "application/problem+json")))

    assert done.returncode == 1, done.stdout + done.stderr
    assert not deployed


def heard(pipe):
    """What is said into a pipe, once somebody says it."""
    return subprocess.run(["cat", pipe], capture_output=True, text=True, timeout=90, check=True).stdout


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("system", DEPLOYING)
def test_a_job_that_is_cancelled_stops_what_deploys_and_says_that_users_may_have_seen_it(system, sent, tmp_path):
    for pipe in ("began", "ended"):
        os.mkfifo(tmp_path / pipe)
    slow = "trap 'echo stopped > ended; exit 1' TERM\necho begun > began\nfor i in $(seq 600); do sleep 0.1; done\necho not stopped > ended"

    with standing(system, tmp_path, told(answered(yes())), deploys=slow) as (server, start):
        job = start()
        began = heard(tmp_path / "began")
        job.send_signal(sent)
        stopped, done = heard(tmp_path / "ended"), ended(job)

    assert (began, stopped, done.returncode) == ("begun\n", "stopped\n", 1), done.stdout + done.stderr
    (report,) = [said for said, _ in server.asked if "kind" in said]
    assert (report["kind"], report["has_switched"]) == ("failed", True)


@pytest.mark.parametrize(("number", "kind", "switched"), [(1, "succeeded", None), (2, "failed", True)])
def test_the_later_hooks_of_argo_cd_report_what_the_first_one_began(number, kind, switched, tmp_path):
    elsewhere = tmp_path / "another-pod"
    elsewhere.mkdir()
    with standing("argocd", tmp_path, told(answered(yes(ticket_for("argocd"))))) as (server, start):
        first, later = ended(start()), ended(start(number, elsewhere))

    assert (first.returncode, later.returncode) == (0, 0), later.stdout + later.stderr
    (report,) = [said for said, _ in server.asked if "kind" in said]
    assert (report["kind"], report.get("has_switched"), report["sequence"]) == (kind, switched, 1)


@pytest.mark.parametrize("number", [1, 2])
def test_a_later_hook_reports_nothing_where_nothing_was_begun(number, tmp_path):
    with standing("argocd", tmp_path, told(answered(no()))) as (server, start):
        first, later = ended(start()), ended(start(number))

    assert (first.returncode, later.returncode) == (1, 1)
    assert "began nothing of this version" in later.stdout
    assert not [said for said, _ in server.asked if "kind" in said]


@pytest.mark.parametrize(("number", "state"), [(1, "SUCCEEDED"), (2, "NEEDS_HUMAN")])
def test_the_whole_round_of_argo_cd_against_the_product(own_gate, tmp_path, number, state):  # noqa: F811 - the fixture
    target = make_place(environment=EnvironmentFactory(change_required="NO"), policy=False)
    place = Place("https://changes.example.org", PIN, target.service.slug, target.environment.slug)
    scripts = scripts_in("argocd", SNIPPETS["argocd"].write(place))
    _, secret = make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK))
    codes = []
    with bridged() as url:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHANGE_CONTROL_URL": url, "CHANGE_CONTROL_TOKEN": secret}
        env["IMAGE_DIGEST"] = f"sha256:{DIGEST}"
        for pod in (0, number, number):  # the hook that reports runs twice: the second time there is nothing to tell
            (tmp_path / f"{len(codes)}").mkdir()
            told = {"cwd": tmp_path / f"{len(codes)}", "env": env, "capture_output": True, "text": True, "timeout": 90}
            done = subprocess.run(["sh", "-c", scripts[pod]], check=False, **told)
            codes.append(done.returncode)

    order = Deployment.objects.get()
    assert codes == [0, 0, 1 if number == 1 else 0], done.stdout + done.stderr
    assert (order.state, order.executor, order.identities) == (state, "EXTERNAL", [f"sha256:{DIGEST}"])
