"""Who a CI job is, read from claims its issuer signed. Pure: no signature is looked at here. Which trust takes it is in `taking`.

Names may be given to somebody else and refs may look alike, so what counts is the id of the project and the full ref."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LONGEST_CLAIM = 500
# GitHub's newer form of `sub` names the ids beside the names: where it does, they are those of the other claims.
SUBJECT_WITH_IDS = re.compile(r"repo:[^@:/]+@(\d+)/[^@:/]+@(\d+)(?::.*)?", re.DOTALL)
# What runs code of this project alone: whatever else there is, and what comes later, is taken for a merge request.
OWN_EVENTS = frozenset({"push", "create", "release", "deployment", "schedule", "workflow_dispatch", "repository_dispatch"})
OWN_SOURCES = frozenset({"push", "web", "trigger", "schedule", "api", "pipeline", "parent_pipeline"})
REF_KINDS = {"branch": "refs/heads/", "tag": "refs/tags/"}

Claims = Mapping[str, object]


class IssuerKind(StrEnum):
    """Whose claims an issuer writes."""

    GITHUB = "GITHUB"
    GITLAB = "GITLAB"
    OTHER = "OTHER"


PROJECT_CLAIMS = {IssuerKind.GITHUB: "repository_id", IssuerKind.GITLAB: "project_id", IssuerKind.OTHER: "sub"}


class NotTaken(Exception):
    """Why a CI token is not taken; `code` is stable."""

    def __init__(self, code: str, said: str, cure: str = "") -> None:
        super().__init__(said)
        self.code, self.cure = code, cure


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """An issuer that an administrator entered."""

    id: UUID
    url: str
    kind: IssuerKind
    project_claim: str


@dataclass(frozen=True, slots=True)
class Workload:
    """A CI job as its issuer describes it. Whether it may ask is said by a trust."""

    issuer: str
    system: str  # github, gitlab, or the issuer's host
    audience: str
    project: str  # the id, which no other project ever gets
    project_name: str = ""
    owner: str = ""
    environment: str = ""
    ref: str = ""  # full: refs/heads/… or refs/tags/…
    workflow: str = ""  # the path of the pipeline's file in its own project
    workflow_ref: str = ""  # the ref that file was read at
    commit: str = ""  # the one the job runs on
    asks_for_own: bool = False  # its trust lets it ask about that commit alone
    called_workflow: str = ""  # owner/repository/path@ref of the reusable workflow the job is in
    is_merge_request: bool = False  # code that nobody of the project has taken in yet may be running
    is_protected: bool | None = None  # None: the issuer does not tell
    run_id: str = ""
    attempt: int = 1
    url: str = ""
    actor: str = ""

    @property
    def words(self) -> str:
        """The run in one line of ids, for the stream."""
        return f"{self.system}:{self.project}:{self.run_id}:{self.attempt}"


def read_workload(claims: Claims, *, issuer: IssuerFacts) -> Workload:
    """Who the job is. Raises NotTaken where a claim is missing or two do not agree."""
    match issuer.kind:
        case IssuerKind.GITHUB:
            return _github(claims, issuer)
        case IssuerKind.GITLAB:
            return _gitlab(claims, issuer)
    return Workload(
        issuer=issuer.url,
        system=issuer.url.partition("://")[2].partition("/")[0][:40],
        audience=audience_in(claims),
        project=_needed(claims, issuer.project_claim),
        environment=_text(claims, "environment"),
        ref=_text(claims, "ref"),
        workflow=_text(claims, "workflow"),
        workflow_ref=_text(claims, "ref"),
        commit=_text(claims, "sha"),
        run_id=_text(claims, "run_id") or _text(claims, "jti"),
    )


def audience_in(claims: Claims) -> str:
    """For whom the token was made: one, or it would open other doors as well."""
    said = claims.get("aud")
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    if isinstance(said, list):
        raise NotTaken("audience", "The token was made for several audiences.", "Ask for a token with one audience.")
    if not isinstance(said, str) or not said:
        raise NotTaken("claim_missing", "The token has no audience.", "Ask for a token with the audience of the trust.")
    return said


def _github(claims: Claims, issuer: IssuerFacts) -> Workload:
    project, owner, name = _needed(claims, "repository_id"), _needed(claims, "repository_owner_id"), _needed(claims, "repository")
    ids = SUBJECT_WITH_IDS.fullmatch(_text(claims, "sub"))
    if ids and ids.groups() != (owner, project):
        raise NotTaken("claims_disagree", "The subject names other ids than the claims beside it.")
    ref, event = _needed(claims, "ref"), _needed(claims, "event_name")
    _agree(ref, _text(claims, "ref_type"))
    path, _, at = _text(claims, "workflow_ref").partition("@")
    if path and not path.startswith(f"{name}/"):
        raise NotTaken("claims_disagree", "The workflow is of another repository than the job.")
    server = "https://github.com" if issuer.url == "https://token.actions.githubusercontent.com" else issuer.url.partition("/_services/")[0]
    run, attempt = _text(claims, "run_id"), _number(claims, "run_attempt")
    return Workload(
        issuer=issuer.url,
        system="github",
        audience=audience_in(claims),
        project=project,
        project_name=name,
        owner=owner,
        environment=_text(claims, "environment"),
        ref=ref,
        workflow=path.removeprefix(f"{name}/"),
        workflow_ref=at,
        called_workflow=_text(claims, "job_workflow_ref"),
        is_merge_request=event not in OWN_EVENTS or bool(_text(claims, "head_ref")) or not ref.startswith(("refs/heads/", "refs/tags/")),
        run_id=run,
        attempt=attempt,
        url=f"{server}/{name}/actions/runs/{run}/attempts/{attempt}" if run else "",
        actor=_text(claims, "actor"),
        commit=_text(claims, "sha"),
    )


def _gitlab(claims: Claims, issuer: IssuerFacts) -> Workload:
    name, kind, source = _needed(claims, "project_path"), _needed(claims, "ref_type"), _needed(claims, "pipeline_source")
    if kind not in REF_KINDS:
        raise NotTaken("claims_disagree", "The token names a kind of ref that is not known here.")
    path = _text(claims, "ref_path") or REF_KINDS[kind] + _needed(claims, "ref")
    is_request = path.startswith("refs/merge-requests/")
    if not is_request and path != REF_KINDS[kind] + _needed(claims, "ref"):
        raise NotTaken("claims_disagree", "The claims about the ref name different ones.")
    # A fork's request runs in either project, and a child pipeline of it has a source of its own: where the two differ it is one.
    project = _needed(claims, "project_id")
    is_request |= any(_text(claims, name) not in {"", project} for name in ("job_project_id", "source_project_id"))
    file, _, at = _text(claims, "ci_config_ref_uri").partition("@")
    place, _, definition = file.partition("//")
    pipeline = _text(claims, "pipeline_id")
    return Workload(
        issuer=issuer.url,
        system="gitlab",
        audience=audience_in(claims),
        project=project,
        project_name=name,
        owner=_text(claims, "namespace_id"),
        environment=_text(claims, "environment"),
        ref=path,
        # Behind the host the whole path counts: x/a/b is another project than a/b. A file of another one keeps its whole address.
        workflow=definition if place.partition("/")[2] == name else file,
        workflow_ref=at,
        is_merge_request=is_request or source not in OWN_SOURCES,
        is_protected=_flag(claims, "ref_protected"),
        run_id=pipeline,
        url=f"{issuer.url.rstrip('/')}/{name}/-/pipelines/{pipeline}" if pipeline else "",
        actor=_text(claims, "user_login"),
        commit=_text(claims, "sha"),
    )


def _agree(ref: str, kind: str) -> None:
    said = next((name for name, prefix in REF_KINDS.items() if ref.startswith(prefix)), "")
    if not ref.startswith("refs/") or (said and kind and kind != said):
        raise NotTaken("claims_disagree", "The claims about the ref name different ones.")


def _needed(claims: Claims, name: str) -> str:
    found = _text(claims, name)
    if not found:
        raise NotTaken("claim_missing", f"The token has no claim {name}.", "Check that the issuer is entered as the kind it is.")
    return found


def _text(claims: Claims, name: str) -> str:
    """A claim as text; a whole number is an id. Anything else is no value that a trust could be pinned to."""
    value = claims.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST_CLAIM or not value.isprintable():
        raise NotTaken("claim_not_readable", f"The claim {name} is no text that can be read.")
    return value


def _number(claims: Claims, name: str) -> int:
    text = _text(claims, name)
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else 1


def _flag(claims: Claims, name: str) -> bool:
    """GitLab writes its booleans as words, and the word false is true to a careless reader."""
    value = claims.get(name)
    if value in ("true", "false"):
        return value == "true"
    if value is None or isinstance(value, bool):
        return value is True
    raise NotTaken("claim_not_readable", f"The claim {name} says neither true nor false.")
