"""What to paste into a pipeline so that it asks before it deploys: one text per system, filled in for a place. Pure.

Whatever fails in them fails the job: no pipes, no lists, no condition but the one around what deploys, and the client is checked
against its digest before it runs.
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


DEPLOYING = """python3 ccgate begin --ticket-file ticket.json
if ./deploy.sh; then
  python3 ccgate report succeeded --ticket-file ticket.json
else
  python3 ccgate report failed --ticket-file ticket.json
  exit 1
fi
"""


def _asking(place: Place, *, version: str, deploying: str = DEPLOYING) -> str:
    """The commands: fetch the client, prove that it is the one that was pinned, ask, and only then begin, deploy and report."""
    kept = " --ticket-file ticket.json" if deploying else ""
    return (
        'curl --fail --silent --show-error --max-time 60 --output ccgate "$CHANGE_CONTROL_URL/client/ccgate"\n'
        f'echo "{place.sha256}  ccgate" > ccgate.sha256\n'
        "sha256sum -c ccgate.sha256\n"
        f"python3 ccgate check --service {place.service} --environment {place.environment} {version} --wait 30m{kept}\n{deploying}"
    )


def _script(place: Place, *, version: str, options: str = "-eu", deploying: str = DEPLOYING) -> str:
    return f"set {options}\n{_asking(place, version=version, deploying=deploying)}"


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


def _argo(place: Place) -> str:
    script = _script(place, version='--digest "$IMAGE_DIGEST"', deploying="")  # what deploys is Argo CD, in another pod
    return f"""apiVersion: batch/v1
kind: Job
metadata:
  generateName: ask-change-control-
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 3600
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: ask
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
            "templates/ask-change-control.yaml",
            "the Kubernetes secret change-control, key token",
            _argo,
            "The sync stops where the hook fails. Hooks do not run when single resources are synced: switch that off for the application. "
            "The chart names the image by its digest, and the change names the same one. What Argo CD then deploys is seen by observation.",
        ),
        Snippet("shell", "Shell", "deploy", "the environment, as CHANGE_CONTROL_TOKEN", _shell),
    )
}
