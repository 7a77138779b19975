"""CI jobs of generated histories: what their issuer says of each, and what the gate takes from it."""

from dataclasses import replace
from time import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.gate.inputs import Credential
from apps.gate.rules import Question
from apps.gate.rules.workloads import NotTaken
from apps.gate.trusts import forget_trusts, take_job
from tests.accounts.provider import KEY
from tests.factories.changes import COMMIT
from tests.gate.ci import github, signed

STRANGER = rsa.generate_private_key(65537, 2048)
BRANCH = "refs/heads/patch-1"
FILE = "octo-org/octo-repo/.github/workflows"
# What differs from the job that is trusted from the beginning.
JOBS: dict[str, dict[str, Any]] = {
    "ours": {},
    "of that commit": {"sha": COMMIT.removeprefix("git:")},
    "of a fork": {"event_name": "pull_request", "head_ref": "patch-1", "ref": "refs/pull/7/merge"},
    "of a fork's code": {"event_name": "pull_request_target", "head_ref": "patch-1"},
    "of a branch": {"ref": BRANCH, "workflow_ref": f"{FILE}/deploy.yml@{BRANCH}"},
    "of another project": {"repository_id": "999"},
    "of another owner": {"repository_owner_id": "999"},
    "for elsewhere": {"environment": "staging"},
    "for nowhere": {"environment": None},
    "for another audience": {"aud": "https://elsewhere.example"},
    "by another file": {"workflow_ref": f"{FILE}/test.yml@refs/heads/main"},
    "by a file of a branch": {"workflow_ref": f"{FILE}/deploy.yml@{BRANCH}"},
    "of yesterday": {"iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_000_600},
    "of nobody": {},
}
FORM = {"of nobody": {"key": STRANGER}}
KEPT = 240  # seconds that a token is used again: making one takes longer than judging it
_made: dict[tuple[str, str, int], str] = {}


def job_token(issuer: str, kind: str) -> str:
    """The token of such a job, made now."""
    key = (issuer, kind, int(time()) // KEPT)
    if key not in _made:
        _made[key] = signed(github(iss=issuer, **JOBS[kind]), **FORM.get(kind, {}))
    return _made[key]


def put_by_job(question: Question, token: str, *, forgets: bool = True) -> Question | None:
    """The question as the gate's door lets it in; None where the job is not taken.

    A process remembers trusts for seconds. FORGETS false: it may remember what has ended meanwhile."""
    if forgets:
        forget_trusts()
    try:
        workload, trust = take_job(token)
    except NotTaken:
        return None
    return Credential(trust.hash, is_personal=False, workload=workload).asks(replace(question))


def issuer_key() -> bytes:
    """The public key of the issuer, as the second judge is told it."""
    return KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
