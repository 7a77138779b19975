"""What to paste into a pipeline so that it asks before it deploys: one text per system, filled in for a place. Pure.

Whatever fails in them fails the job: no pipes, no lists, no condition but the one block around what deploys, and the client is checked
against its digest before it runs. That block reports what became of it: done, failed, or stopped from outside, which is no success.
A test reads them for ways to fail open, and runs their shell."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import indent


@dataclass(frozen=True, slots=True)
class Place:
    """What a text is filled in with: the installation, its client's digest, and where the pipeline deploys to."""

    url: str
    sha256: str
    service: str
    environment: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """How one system asks."""

    key: str
    name: str
    file: str
    secret: str  # where its token is kept
    write: Callable[[Place], str]
    note: str = ""


# A job that is cancelled gets a signal and a few seconds. A shell hears it at once only while it waits for what runs beside it, and
# what runs on in spite of it would be told as stopped: so it is ended, and may have reached users by then.
DEPLOYING = """stopped() {
  trap '' INT TERM
  kill ${!:-} || echo "Nothing was running."
  python3 ccgate report failed --switched --message "The job was stopped." --retry-for 5s --ticket-file ticket.json
  exit 1
}
trap stopped INT TERM
python3 ccgate begin --ticket-file ticket.json
./deploy.sh &
if wait $!; then
  trap '' INT TERM
  python3 ccgate report succeeded --ticket-file ticket.json
else
  trap '' INT TERM
  # With --switched where users may have seen the new version: a person then looks at it.
  python3 ccgate report failed --ticket-file ticket.json
  exit 1
fi
"""
BEGINNING = "python3 ccgate begin --ticket-file ticket.json\n"
# What the hooks of Argo CD report: they share no file with the one that began, so they name what it began. Where a sync fails, nobody
# knows how much of it was applied: that is told as such, and a person, the way back or an observation settles it.
AFTER = {"PostSync": "succeeded --retry-for 30m", "SyncFail": 'failed --switched --message "The sync failed." --retry-for 30m'}


def _fetching(place: Place) -> str:
    """Fetch the client, and prove that it is the one that was pinned."""
    return (
        'curl --fail --silent --show-error --max-time 60 --output ccgate "$CHANGE_CONTROL_URL/client/ccgate"\n'
        f'echo "{place.sha256}  ccgate" > ccgate.sha256\n'
        "sha256sum -c ccgate.sha256\n"
    )


def _about(place: Place, version: str) -> str:
    return f"--service {place.service} --environment {place.environment} {version}"


def _asking(place: Place, *, version: str, deploying: str = DEPLOYING) -> str:
    """The commands: fetch the client, ask, and only then begin, deploy and report."""
    asked = f"python3 ccgate check {_about(place, version)} --wait 30m --ticket-file ticket.json\n"
    return f"{_fetching(place)}{asked}{deploying}"


def _script(place: Place, *, version: str, options: str = "-eu") -> str:
    return f"set {options}\n{_asking(place, version=version)}"


def _shell(place: Place) -> str:
    begin = f'#!/bin/sh\nset -eu\nexport CHANGE_CONTROL_URL="{place.url}"\nCOMMIT=$(git rev-parse HEAD)\n'
    return begin + _asking(place, version='--commit "$COMMIT"')


def _github(place: Place) -> str:
    script = indent(_script(place, version='--commit "$GITHUB_SHA"', options="-euo pipefail"), " " * 10)
    return f"""name: Deploy
on:
  push:
    branches: [main]
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: "{place.environment}"
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
      - name: Ask Change Control, then deploy
        shell: bash
        env:
          CHANGE_CONTROL_URL: "{place.url}"
          CHANGE_CONTROL_TOKEN: ${{{{ secrets.CHANGE_CONTROL_TOKEN }}}}
        run: |
{script}"""


def _gitlab(place: Place) -> str:
    script = indent(_script(place, version='--commit "$CI_COMMIT_SHA"'), " " * 6)
    return f"""deploy:
  stage: deploy
  image: python:3.13
  environment: "{place.environment}"
  timeout: 1h
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    CHANGE_CONTROL_URL: "{place.url}"
  script:
    - |
{script}  artifacts:
    when: always
    reports:
      annotations: ccgate-annotations.json
"""


def _jenkins(place: Place) -> str:
    script = indent(_script(place, version='--commit "$GIT_COMMIT"'), " " * 12)
    return f"""pipeline {{
  agent any
  options {{ timeout(time: 1, unit: 'HOURS') }}
  environment {{
    CHANGE_CONTROL_URL = '{place.url}'
    CHANGE_CONTROL_TOKEN = credentials('change-control-token')
  }}
  stages {{
    stage('Deploy') {{
      steps {{
        sh '''#!/bin/bash
{script}        '''
      }}
    }}
  }}
}}
"""


def _circleci(place: Place) -> str:
    script = indent(_script(place, version='--commit "$CIRCLE_SHA1"', options="-euo pipefail"), " " * 12)
    return f"""version: 2.1
jobs:
  deploy:
    docker:
      - image: cimg/python:3.13
    environment:
      CHANGE_CONTROL_URL: "{place.url}"
    steps:
      - checkout
      - run:
          name: Ask Change Control, then deploy
          no_output_timeout: 40m
          command: |
{script}workflows:
  deploy:
    jobs:
      - deploy:
          context: change-control
          filters:
            branches:
              only: main
"""


def _buildkite(place: Place) -> str:
    # The agent fills in $NAME when the pipeline is uploaded; $$NAME is left for the job.
    script = indent(_script(place, version='--commit "$BUILDKITE_COMMIT"').replace("$", "$$"), " " * 6)
    return f"""steps:
  - label: "Ask Change Control, then deploy"
    branches: main
    timeout_in_minutes: 60
    env:
      CHANGE_CONTROL_URL: "{place.url}"
    command: |
{script}"""


IMAGE = '--digest "$IMAGE_DIGEST"'


def _argo(place: Place) -> str:
    """Three hooks: what asks and begins comes before everything else, what reports comes after everything else."""
    asks = _hook(place, "ask-change-control", "PreSync", -100, f"set -eu\n{_asking(place, version=IMAGE, deploying=BEGINNING)}")
    tells = (
        _hook(place, name, phase, 100, f"set -eu\n{_fetching(place)}python3 ccgate report {AFTER[phase]} {_about(place, IMAGE)}\n")
        for name, phase in (("tell-change-control", "PostSync"), ("tell-change-control-failed", "SyncFail"))
    )
    return "---\n".join((asks, *tells))


def _hook(place: Place, name: str, phase: str, wave: int, script: str) -> str:
    return f"""apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations:
    argocd.argoproj.io/hook: {phase}
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
    argocd.argoproj.io/sync-wave: "{wave}"
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 3600
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: ccgate
          image: python:3.13
          workingDir: /tmp
          env:
            - name: CHANGE_CONTROL_URL
              value: "{place.url}"
            - name: CHANGE_CONTROL_TOKEN
              valueFrom:
                secretKeyRef:
                  name: change-control
                  key: token
            - name: IMAGE_DIGEST
              value: "{{{{ .Values.image.digest }}}}"
          command: ["/bin/sh", "-c"]
          args:
            - |
{indent(script, " " * 14)}"""


SNIPPETS = {
    one.key: one
    for one in (
        Snippet("github", "GitHub Actions", ".github/workflows/deploy.yml", "the repository's or the environment's secrets", _github),
        Snippet("gitlab", "GitLab CI", ".gitlab-ci.yml", "a masked, protected variable CHANGE_CONTROL_TOKEN of the project", _gitlab),
        Snippet("jenkins", "Jenkins", "Jenkinsfile", "a secret text with the id change-control-token", _jenkins),
        Snippet("circleci", "CircleCI", ".circleci/config.yml", "the context change-control, as CHANGE_CONTROL_TOKEN", _circleci),
        Snippet("buildkite", "Buildkite", ".buildkite/pipeline.yml", "the agent's secrets, as CHANGE_CONTROL_TOKEN", _buildkite),
        Snippet(
            "argocd",
            "Argo CD",
            "templates/change-control.yaml",
            "the Kubernetes secret change-control, key token",
            _argo,
            "The sync stops where the first hook fails. Hooks do not run when single resources are synced: switch that off for the "
            "application. The chart names the image by its digest, and the change names the same one. Give this application a token of its "
            "own: the last two hooks report what that token began and is not over, and nothing else. A sync that is terminated reports "
            "nothing; after an hour of silence its deployment is unknown, and an observation or a person settles it.",
        ),
        Snippet("shell", "Shell", "deploy", "the environment, as CHANGE_CONTROL_TOKEN", _shell),
    )
}
