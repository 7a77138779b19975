"""A change as the API answers it: its content, its legs, and what their agreement still needs."""

from collections.abc import Iterable

from django.conf import settings
from django.urls import reverse

from apps.accounts.models import Person
from apps.approvals.facts import newest, review_facts
from apps.approvals.rules import PersonFacts, QuorumFacts, RuleAnswer, forecast, quorum
from apps.changes.content import Content, ItemContent, Step, warnings_about
from apps.changes.facts import content_of, current_legs, needs_of
from apps.changes.models import Change, Leg, Revision
from apps.changes.rules import PreApproval

Document = dict[str, object]


def change_document(change: Change) -> Document:
    """Everything about a change, in a number of statements that grows with its services alone."""
    revision = newest(change)
    content = content_of(revision)
    legs = {leg.public_id: leg for leg in current_legs(change)}
    items = {item.service.public_id: item.service.slug for item in change.items.filter(is_current=True).select_related("service")}
    return {
        "ref": change.ref,
        "id": change.public_id,
        "kind": change.kind,
        "state": change.state,
        "outcome": change.outcome or None,
        "url": page_url(change),
        "requester": _person(change.requester),
        "created_at": change.created_at,
        "submitted_at": change.submitted_at,
        "risk": change.risk,
        "needs": [row.needs.ref for row in needs_of(change)],
        "revision": _revision(revision),
        "content": _content(content, slugs={str(of): slug for of, slug in items.items()}, legs=legs.values()),
        "legs": [_leg(facts, legs[facts.leg_id]) for facts in review_facts(change).legs],
        "warnings": warnings_about(content),
    }


def page_url(change: Change) -> str:
    """Where people read it."""
    return f"{settings.PUBLIC_URL}{reverse('home:change', args=[change.ref])}"


def _person(person: Person) -> Document:
    return {"id": person.public_id, "name": person.name}


def _revision(revision: Revision) -> Document:
    return {
        "number": revision.number,
        "digest": revision.digest,
        "part_digests": revision.part_digests,
        "author": _person(revision.author),
        "made_at": revision.made_at,
    }


def _content(content: Content, *, slugs: dict[str, str], legs: Iterable[Leg]) -> Document:
    places = {str(leg.environment.public_id): leg.environment.slug for leg in legs}
    scope, plan, rollback, period, story = content.scope, content.plan, content.rollback, content.period, content.story
    return {
        "scope": {
            "items": [_item(item, slugs, places) for item in scope.items],
            "aspects": sorted(scope.aspects),
            "reason": scope.reason,
            "impact": scope.impact,
        },
        "plan": {
            "steps": [_step(step) for step in plan.steps],
            "evidence": [{"name": one.name, "sha256": one.sha256, "kind": one.kind} for one in plan.evidence],
        },
        "rollback": {
            "strategy": rollback.strategy,
            "steps": [_step(step) for step in rollback.steps],
            "trigger": rollback.trigger,
            "seconds_to_restore": rollback.seconds_to_restore,
            "irreversible": rollback.irreversible,
            "data_strategy": rollback.data_strategy,
            "reason": rollback.reason,
            "point_of_no_return": rollback.point_of_no_return,
        },
        "period": {"not_before": period.not_before, "not_after": period.not_after, "zone": period.zone},
        "story": {"title": story.title, "labels": story.labels, "told": story.told, "description": story.description},
    }


def _item(item: ItemContent, slugs: dict[str, str], places: dict[str, str]) -> Document:
    return {
        "service": slugs[str(item.service_id)],
        "service_id": item.service_id,
        "service_name": item.service_name,
        "label": item.label,
        "identities": item.identities,
        "repository": item.repository,
        "environments": [places[str(each.id)] for each in item.environments],
    }


def _step(step: Step) -> Document:
    return {"what": step.what, "by": step.by, "expected_seconds": step.expected_seconds, "verify": step.verify}


def _leg(facts: QuorumFacts, leg: Leg) -> Document:
    answer, said = quorum(facts), forecast(facts)
    return {
        "id": facts.leg_id,
        "service": leg.service.slug,
        "environment": leg.environment.slug,
        "state": facts.leg_state,
        "is_agreed": answer.met,
        "can_be_agreed": said.can_be_met,
        "cures": said.cures,
        "rules": [_rule(one) for one in answer.rules],
        "pre_approval": _beforehand(facts.pre_approval) if facts.pre_approval else None,
    }


def _beforehand(given: PreApproval) -> Document:
    return {
        "model": f"{given.slug}:{given.number}",
        "holds": given.holds,
        "agreed_by": given.agreed_by or None,
        "doubts": given.doubts,
    }


def _rule(answer: RuleAnswer) -> Document:
    return {
        "key": answer.rule.key,
        "label": answer.rule.label,
        "stage": answer.rule.stage,
        "state": answer.state,
        "missing": answer.missing,
        "by": [_named(person) for person in answer.by],
        "lapsed": [_named(person) for person in answer.lapsed],
    }


def _named(person: PersonFacts) -> Document:
    return {"id": person.id, "name": person.name}
