"""What people paste into pipelines: no snippet can fail open, the lint knows the ways in which one could, and each shell really runs."""

import hashlib
import json
import os
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
import yaml

from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from apps.gate.snippets import SNIPPETS, Place
from tests.gate.snippet_lint import REPORTED, faults, groovy_faults, scripts_in, shell_faults, yaml_faults
from tests.gate.test_ccgate import COMMIT, DIGEST, KEY, OTHER, WRONG_KEY, answered, envelope, in_turn, no, serving, yes

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
    read = yaml.safe_load(SNIPPETS[system].write(Place("https://x.example", PIN, "on", "no")))

    assert isinstance(read, dict)
    assert "'environment': False" not in str(read)


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
    "a failure that is reported and forgotten": GOOD.replace("./deploy.sh", REPORTED.replace("  exit 1\n", "")),
    "a failure that is reported as a success": GOOD.replace("./deploy.sh", REPORTED.replace("exit 1", "exit 0")),
    "a condition of its own": GOOD.replace("./deploy.sh", REPORTED.replace("if ./deploy.sh", "if ./deploy.sh || true")),
    "the question as the condition": GOOD.replace(ASKS, "").replace("./deploy.sh", REPORTED.replace("./deploy.sh", ASKS.strip())),
    "the other command": GOOD.replace("ccgate check", "ccgate verify"),
}


def test_the_lint_lets_the_plain_way_pass():
    assert list(shell_faults(GOOD)) == []
    assert list(shell_faults(GOOD.replace("./deploy.sh", REPORTED))) == []


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

    assert list(groovy_faults(planted) if system == "jenkins" else yaml_faults(planted))
    assert faults(system, planted)


# Each really runs.


def served(client):
    """The installation's other addresses: the client as it is given, and its keys."""
    keys = answered(key_set([("k1", KEY.public, None)]), kind="application/jwk-set+json")

    def answer(handler):
        (client if handler.path == "/client/ccgate" else keys)(handler)

    return answer


def begun(handler):
    """The deployment began, as the client wants to hear it."""
    permit = json.loads(b64decode(handler.server.asked[-1][0]["ticket"]["payload"]))["predicate"]
    named = {name: permit[name] for name in ("ticket", "service", "environment", "identities")}
    answered({"id": DEPLOYMENT, "ref": "DEP-1", "action": "deploy", "state": "RUNNING", **named}, 201)(handler)


def reported(handler):
    """The report was taken."""
    said = handler.server.asked[-1][0]
    state = "SUCCEEDED" if said["kind"] == "succeeded" else "FAILED"
    answered({"report": {"sequence": said["sequence"], "kind": said["kind"]}, "deployment": {"id": DEPLOYMENT, "state": state}})(handler)


def told(evaluations, begin=begun, report=reported):
    """What is posted: a question, a beginning, a report."""

    def answer(handler):
        (report if handler.path.endswith("/reports") else begin if handler.path.endswith("/deployments") else evaluations)(handler)

    return answer


def run_in(system, tmp_path, evaluations, client=None, deploys="touch deployed"):
    """Run the snippet's shell as its system does; what it left with, and whether it deployed."""
    (tmp_path / "deploy.sh").write_text(f"#!/bin/sh\n{deploys}\n")
    (tmp_path / "git").write_text(f"#!/bin/sh\necho {COMMIT}\n")
    for name in ("deploy.sh", "git"):
        (tmp_path / name).chmod(0o755)
    with serving(evaluations, served(client or answered(CLIENT, kind="text/x-python"))) as server:
        (script,) = scripts_in(system, written(system, server.url))
        commits = dict.fromkeys(("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BUILDKITE_COMMIT"), COMMIT)
        given = {"CHANGE_CONTROL_URL": server.url, "CHANGE_CONTROL_TOKEN": "ccg_" + "x" * 30, "IMAGE_DIGEST": f"sha256:{DIGEST}"}
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), **commits, **given}
        shell = SHELLS.get(system, ["sh", "-c"])
        done = subprocess.run([*shell, script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False)
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
