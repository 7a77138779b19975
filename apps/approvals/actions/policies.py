"""Writing and ending policies, alone or by two. Nothing begins meanwhile: the calendar guard is held alone."""

import json
from collections.abc import Mapping
from datetime import datetime

from apps.accounts.steps import person_by_actor
from apps.approvals.facts import proposal_facts, standing_policy, takes_two, waiting_proposal
from apps.approvals.models import Policy, PolicyProposal, ProposalOutcome
from apps.approvals.rules import (
    why_not_confirm_policy,
    why_not_end_proposal,
    why_not_propose_policy,
    why_not_retire_policy,
    why_not_write_policy,
)
from apps.approvals.steps import add_proposal, checked_policy, decide_proposal, end_policy, set_policy
from apps.audit.attempts import recorded_refusal
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts
from apps.catalog.models import Environment, Service
from apps.catalog.rules import PlaceFacts
from apps.catalog.steps import asker
from apps.changes.states import Kind
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refused
from apps.core.verbs import verb

HIGHEST_RISK = 100
DECIDED_ON = ("environment", "service", "replaces", "proposed_by__merged_into")


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def write_policy(
    *,
    name: str,
    environment_id: int,
    document: Mapping[str, object],
    by: Actor,
    service_id: int | None = None,
    kind: str = "",
    least_risk: int = 0,
    now: datetime | None = None,
) -> Policy:
    """Write who must agree, for an environment or more narrowly for a service, a kind of change or both.

    Sign-offs are counted against it from now on, those already given too. Raises BadContent naming each field, and Refused
    where it takes two administrators."""
    take_calendar_guard()
    environment, service = _places(environment_id, service_id)
    refusal = why_not_write_policy(asker(by), places=_living(environment, service), takes_two=takes_two(environment))
    if refusal:
        raise Refused(refusal, about=environment.reference)
    _check_selector(kind, least_risk)
    at = now or database_now()
    return set_policy(
        name=name, environment=environment, service=service, kind=kind, least_risk=least_risk, document=document, by=by, at=at
    )


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def propose_policy(
    *,
    name: str,
    environment_id: int,
    document: Mapping[str, object] | None,
    by: Actor,
    service_id: int | None = None,
    kind: str = "",
    least_risk: int = 0,
    now: datetime | None = None,
) -> PolicyProposal:
    """Propose a wording, or without a document the end of the policy; it holds when another administrator confirms it.

    Raises BadContent naming each field."""
    take_calendar_guard()
    environment, service = _places(environment_id, service_id)
    waiting = waiting_proposal(environment, service=service, kind=kind, least_risk=least_risk)
    waiting_by = waiting.proposed_by.name if waiting else ""
    if refusal := why_not_propose_policy(asker(by), places=_living(environment, service), waiting_by=waiting_by):
        raise Refused(refusal, about=environment.reference)
    _check_selector(kind, least_risk)
    standing = standing_policy(environment, service=service, kind=kind, least_risk=least_risk)
    if document is None and standing is None:
        raise BadContent({"environment": ["No policy stands for this place and kind, so none can end."]})
    printed, body = checked_policy(name, document) if document is not None else (standing.name if standing else name, None)
    proposal = PolicyProposal(
        environment=environment,
        service=service,
        kind=kind,
        least_risk=least_risk,
        name=printed,
        body=body,
        replaces=standing.version if standing else None,
        proposed_at=now or database_now(),
        proposed_by=person_by_actor(by),
    )
    return add_proposal(proposal, by=by)


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def confirm_policy(*, proposal_id: int, by: Actor, now: datetime | None = None) -> Policy:
    """Put in force what another administrator proposed; whom it names is looked at again. Raises BadContent, Refused."""
    take_calendar_guard()
    proposal, now = _proposal(proposal_id, now)
    if refusal := why_not_confirm_policy(asker(by), proposal=proposal_facts(proposal)):
        raise Refused(refusal, about=proposal.reference)
    decide_proposal(proposal, ProposalOutcome.CONFIRMED, person=person_by_actor(by), by=by, at=now)
    return _put_in_force(proposal, by=by, at=now)


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def end_policy_proposal(*, proposal_id: int, by: Actor, now: datetime | None = None) -> PolicyProposal:
    """Take one's own proposal back, or refuse another's. The policy stays as it is."""
    take_calendar_guard()
    proposal, now = _proposal(proposal_id, now)
    facts, person = proposal_facts(proposal), person_by_actor(by)
    if refusal := why_not_end_proposal(asker(by), proposal=facts):
        raise Refused(refusal, about=proposal.reference)
    own = person_facts(person).canonical_id == facts.proposed_by
    decide_proposal(proposal, ProposalOutcome.TAKEN_BACK if own else ProposalOutcome.REFUSED, person=person, by=by, at=now)
    return proposal


@recorded_refusal(Event.POLICY_REFUSED)
@verb
def retire_policy(*, policy_id: int, by: Actor, now: datetime | None = None) -> Policy:
    """End a policy. Where no wider one takes over, nothing can be agreed to and the gate says no."""
    take_calendar_guard()
    policy, now = Policy.objects.lock(policy_id, now)
    two = takes_two(policy.environment)
    if refusal := why_not_retire_policy(asker(by), is_retired=policy.retired_at is not None, takes_two=two):
        raise Refused(refusal, about=policy.reference)
    end_policy(policy, by=by, at=now)
    return policy


def _put_in_force(proposal: PolicyProposal, *, by: Actor, at: datetime) -> Policy:
    if proposal.body is None:
        standing = standing_policy(proposal.environment, service=proposal.service, kind=proposal.kind, least_risk=proposal.least_risk)
        assert standing is not None  # noqa: S101 - the proposal would be outdated
        end_policy(standing, by=by, at=at, proposed_by=proposal.proposed_by)
        return standing
    return set_policy(
        name=proposal.name,
        environment=proposal.environment,
        service=proposal.service,
        kind=proposal.kind,
        least_risk=proposal.least_risk,
        document=json.loads(bytes(proposal.body)),
        by=by,
        at=at,
        proposed_by=proposal.proposed_by,
    )


def _places(environment_id: int, service_id: int | None) -> tuple[Environment, Service | None]:
    environment = Environment.objects.get(pk=environment_id)
    return environment, Service.objects.get(pk=service_id) if service_id is not None else None


def _living(environment: Environment, service: Service | None) -> tuple[PlaceFacts, ...]:
    return tuple(PlaceFacts(place.name, is_retired=place.retired_at is not None) for place in (environment, service) if place)


def _check_selector(kind: str, least_risk: int) -> None:
    if kind not in {"", *Kind}:
        raise BadContent({"kind": [f"One of {', '.join(Kind)}, or nothing for every kind."]})
    if not 0 <= least_risk <= HIGHEST_RISK:
        raise BadContent({"least_risk": [f"Points of risk from 0 to {HIGHEST_RISK}."]})


def _proposal(pk: int, now: datetime | None) -> tuple[PolicyProposal, datetime]:
    _, at = PolicyProposal.objects.lock(pk, now)
    return PolicyProposal.objects.select_related(*DECIDED_ON).get(pk=pk), at
