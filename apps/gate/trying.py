"""Trying a CI token without putting a question: which check takes it and which does not. Nothing is kept of what was pasted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from apps.core.strict_json import read_json
from apps.gate.ci_tokens import Unproved, open_token, proved_claims
from apps.gate.issuer_keys import KeysUnavailable
from apps.gate.rules.taking import TrustFacts, tried
from apps.gate.rules.workloads import Claims, IssuerFacts, NotTaken, Workload, read_workload
from apps.gate.trusts import in_force, issuer_of, trust_facts

LONGEST = 20_000
NOT_PROVED = NotTaken("not_proved", "Claims alone prove nothing: what follows is what would be said of a token with them.")
NOT_CLAIMS = NotTaken("not_a_token", "This is neither a token nor a JSON object of claims.")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `problem` is None where it is well."""

    title: str
    problem: NotTaken | None


@dataclass(slots=True)
class Trial:
    """Everything that was looked at: the token, then each trust of its project."""

    checks: list[Check] = field(default_factory=list)
    workload: Workload | None = None
    trusts: list[tuple[TrustFacts, list[Check]]] = field(default_factory=list)

    @property
    def taken_by(self) -> TrustFacts | None:
        """The trust that would take it; None where the token itself is not well."""
        if any(one.problem for one in self.checks):
            return None
        return next((trust for trust, checks in self.trusts if not any(one.problem for one in checks)), None)


def try_token(text: str, *, now: datetime | None = None) -> Trial:
    """Look at a token, or at claims in JSON."""
    trial, now = Trial(), now or datetime.now(UTC)
    unproved = _opened(text.strip()[: LONGEST + 1], trial)
    issuer = _issuer(unproved, trial) if unproved else None
    if unproved is None or issuer is None:
        return trial
    _prove(unproved, issuer, trial)
    trial.workload = _workload(unproved.claims, issuer, trial)
    if trial.workload is None:
        return trial
    ours = [trust_facts(one) for one in in_force().filter(issuer__public_id=issuer.id, project=trial.workload.project)]
    ours.sort(key=lambda one: one.expires_at, reverse=True)
    trial.trusts = [(one, [Check(*said) for said in tried(trial.workload, one, now=now)]) for one in ours]
    if not ours:
        said = f"No trust of this issuer names the project {trial.workload.project}."
        trial.checks.append(Check("Trust", NotTaken("project", said, "Add a trust for it.")))
    return trial


def _opened(text: str, trial: Trial) -> Unproved | None:
    if not text.startswith("{"):
        try:
            found = open_token(text)
        except NotTaken as error:
            trial.checks.append(Check("Form", error))
            return None
        trial.checks.append(Check("Form", None))
        return found
    try:
        claims = read_json(text)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict) or len(text) > LONGEST:
        trial.checks.append(Check("Form", NOT_CLAIMS))
        return None
    return Unproved("", {}, claims)


def _issuer(unproved: Unproved, trial: Trial) -> IssuerFacts | None:
    try:
        found = issuer_of(unproved)
    except NotTaken as error:
        trial.checks.append(Check("Issuer", error))
        return None
    trial.checks.append(Check("Issuer", None))
    return found


def _prove(unproved: Unproved, issuer: IssuerFacts, trial: Trial) -> None:
    """The signature; the pins are looked at even where it does not hold, so that an old token from a log tells as much."""
    problem: NotTaken | None = NOT_PROVED
    if unproved.text:
        try:
            proved_claims(unproved, issuer=issuer)
            problem = None
        except NotTaken as error:
            problem = error
        except KeysUnavailable as error:
            problem = NotTaken("keys_unavailable", f"The issuer's keys cannot be read. {error}")
    trial.checks.append(Check("Signature and times", problem))


def _workload(claims: Claims, issuer: IssuerFacts, trial: Trial) -> Workload | None:
    try:
        found = read_workload(claims, issuer=issuer)
    except NotTaken as error:
        trial.checks.append(Check("Claims", error))
        return None
    trial.checks.append(Check("Claims", None))
    return found
