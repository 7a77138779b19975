"""The queries that build what the rules about deployments are asked with."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.approvals.facts import PolicyShelf
from apps.approvals.models import Decision, SignOff
from apps.approvals.rules import keeps_start_apart
from apps.catalog.models import Arrival, Outcome, Target
from apps.catalog.rules import PersonFacts
from apps.catalog.settings_body import NO_SETTINGS, Check, SettingsBody, read_settings
from apps.changes.models import Change, Leg
from apps.deployments.models import Deployment, LogChunk, Measurement, Pipeline
from apps.deployments.rules.orders import Caller, DeploymentFacts, WayBackFacts
from apps.deployments.rules.reporting import Kind, ReportFacts
from apps.deployments.rules.stepping import StepFacts
from apps.deployments.rules.verdicts import Answer, Sample, check_verdict
from apps.deployments.states import State


def settings_of(deployment: Deployment) -> SettingsBody:
    """The settings it is carried out with; CI may do without any."""
    return read_settings(bytes(deployment.settings.body)) if deployment.settings else NO_SETTINGS


def caller(person: PersonFacts, change: Change | None) -> Caller:
    """Who asks, as the rules about deployments see them."""
    if change is None:
        return Caller(roles=person.roles)
    signed = SignOff.objects.filter(change=change, withdrawn_at__isnull=True)
    return caller_among(signed.select_related("person__merged_into"), change, roles=person.roles, canonical_id=person.canonical_id)


def caller_among(sign_offs: Iterable[SignOff], change: Change, *, roles: frozenset[str], canonical_id: UUID) -> Caller:
    """Who asks, by what was read already: the change's standing sign-offs, and the roles that the person has there."""
    requester = change.requester.merged_into or change.requester
    signers = {(one.person.merged_into or one.person).public_id for one in sign_offs if one.decision == Decision.APPROVE}
    return Caller(roles=roles, is_requester=requester.public_id == canonical_id, has_signed=canonical_id in signers)


def deployment_facts(deployment: Deployment, asker: Caller) -> DeploymentFacts:
    """What stopping, settling and undoing it depend on."""
    return DeploymentFacts(
        asker,
        deployment.ref,
        State(deployment.state),
        has_switched=deployment.switched_at is not None,
        is_way_back=deployment.is_way_back,
        is_external=deployment.is_external,
    )


def report_facts(deployment: Deployment, kind: Kind, sequence: int, *, has_switched: bool) -> ReportFacts:
    """What taking a report depends on."""
    pipeline = Pipeline.objects.filter(deployment=deployment).first()
    return ReportFacts(
        ref=deployment.ref,
        state=State(deployment.state),
        kind=kind,
        sequence=sequence,
        newest=pipeline.sequence if pipeline else 0,
        taken=deployment.reports.count(),
        is_external=deployment.is_external,
        is_way_back=goes_back(deployment),
        has_switched=has_switched,
        is_overtaken=bool(pipeline and pipeline.used_at and _came_after(deployment, pipeline.used_at)),
    )


def _came_after(deployment: Deployment, moment: datetime) -> bool:
    """Whether something else came to the target since then; what it undoes was there before."""
    own = [str(one.reference) for one in (deployment, deployment.undoes) if one is not None]
    return Arrival.objects.filter(target=deployment.target_id, at__gt=moment).exclude(caused_by__in=own).exists()


def goes_back(deployment: Deployment) -> bool:
    """Whether it leads to what ran before: it undoes a deployment, or its ticket was for going back from what nobody deployed here."""
    return deployment.is_way_back or Pipeline.objects.filter(deployment=deployment, goes_back=True).exists()


def forbids_signers(order: Leg, shelf: PolicyShelf) -> bool:
    """Whether the settings of the target, or the policy of the leg, keep signing and starting apart."""
    settings = order.target.settings
    if settings is not None and read_settings(bytes(settings.body)).forbid_approver_start:
        return True
    policy = shelf.find(environment_id=order.environment_id, service_id=order.service_id, kind=order.change.kind, risk=order.change.risk)
    return policy is not None and keeps_start_apart(policy)


def way_back_facts(deployment: Deployment) -> WayBackFacts:
    """What undoing it depends on."""
    undone_by = Deployment.objects.filter(undoes=deployment).first()
    return WayBackFacts(
        ref=deployment.ref,
        is_way_back=deployment.is_way_back,
        undone_by=undone_by.ref if undone_by else "",
        previous_label=deployment.previous_label if deployment.previous_identities else "",
        is_previous_bad=is_bad(deployment.target, deployment.previous_identities),
        runs_by_itself=deployment.runs_by_itself,
        is_irreversible=deployment.is_irreversible,
        is_external=deployment.is_external,
    )


def is_bad(target: Target, identities: list[str]) -> bool:
    """Whether the last thing known of this version on this target is that it failed there."""
    newest = Arrival.objects.filter(target=target, identities=identities).order_by("-at", "-pk").first()
    return newest is not None and newest.outcome in {Outcome.FAILED, Outcome.LEFT}


def step_facts(deployment: Deployment) -> StepFacts:
    """Where it stands, for the choice of the next step."""
    return StepFacts(State(deployment.state), is_started=bool(deployment.cursor.get("started")))


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """A check, what was measured, what that amounts to, and when the next measurement is due (None: no more)."""

    check: Check
    samples: tuple[Sample, ...]
    answer: Answer
    next_at: datetime | None


def check_standings(deployment: Deployment) -> list[CheckStanding]:
    """Every check of the settings and what is known of it."""
    taken: defaultdict[str, list[Sample]] = defaultdict(list)
    rows = Measurement.objects.filter(deployment=deployment).order_by("check_name", "number")
    for name, verdict in rows.values_list("check_name", "verdict"):
        taken[name].append(Sample(verdict))
    return [_standing(check, tuple(taken[check.name]), deployment) for check in settings_of(deployment).checks]


def _standing(check: Check, samples: tuple[Sample, ...], deployment: Deployment) -> CheckStanding:
    answer = check_verdict(samples, check, stopped=deployment.is_final)
    if answer is not Answer.WAITING or deployment.read_back_at is None:
        return CheckStanding(check, samples, answer, None)
    due = deployment.read_back_at + timedelta(seconds=check.warm_up_seconds + check.interval_seconds * len(samples))
    return CheckStanding(check, samples, answer, due)


def log_text(deployment: Deployment, *, last: int | None = None) -> str:
    """The stored output, or its last characters."""
    pieces = LogChunk.objects.filter(deployment=deployment).order_by("offset", "attempt").values_list("text", flat=True)
    text = "".join(pieces)
    return text if last is None else text[-last:]


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long users saw a version that was undone, and how long the way back took."""

    seen: timedelta
    way_back: timedelta


def exposure(deployment: Deployment) -> Exposure | None:
    """From its switch until the old version was read back; None where it was not undone, or not yet."""
    undone_by = Deployment.objects.filter(undoes=deployment).first()
    if undone_by is None or undone_by.read_back_at is None or deployment.switched_at is None:
        return None
    return Exposure(undone_by.read_back_at - deployment.switched_at, undone_by.read_back_at - undone_by.ordered_at)
