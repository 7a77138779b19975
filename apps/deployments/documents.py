"""What CI is answered about deployments: plain data, from rows."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.deployments.models import Deployment, Report, Settled, Undeclared
from apps.deployments.observations import Observed
from apps.gate.rules import Detail
from apps.gate.tickets import Permit

PATH = "/api/v1/deployments"


def deployment_document(order: Deployment, *, detail: Detail) -> dict[str, Any]:
    """A deployment as it stands. Who is told codes only reads none of the words that people gave it."""
    pipeline, full = getattr(order, "pipeline", None), detail is Detail.FULL
    return {
        "id": str(order.public_id),
        "ref": order.ref,
        "executor": order.executor,
        "state": order.state,
        "is_confirmed": order.read_back_at is not None,
        "service": order.target.service.slug,
        "environment": order.target.environment.slug,
        "label": order.label if full else "",
        "identities": [*order.identities],
        "change": order.leg.change.ref if order.leg and full else None,
        "undoes": str(order.undoes.public_id) if order.undoes else None,
        "failure": order.failure if full else "",
        "begun_at": _moment(order.begun_at),
        "ended_at": _moment(order.ended_at),
        "silent_at": _moment(order.wake_at) if order.is_external and order.state == "RUNNING" else None,
        "sequence": pipeline.sequence if pipeline else None,
        "url": _page(order),
    }


def beginning_bytes(order: Deployment, permit: Permit, *, detail: Detail) -> str:
    """What a beginning is answered, as it is kept: the deployment at that moment, and the ticket that was spent."""
    body = deployment_document(order, detail=detail) | {"sequence": 0, "ticket": str(permit.id), "action": permit.action.value.lower()}
    return json.dumps(body, separators=(",", ":"), sort_keys=True)


def report_document(report: Report, *, detail: Detail) -> dict[str, Any]:
    """What became of a report, and where the deployment stands now."""
    said = {"sequence": report.sequence, "kind": report.kind.lower(), "effect": report.effect, "at": _moment(report.at)}
    return {"report": said, "deployment": deployment_document(report.deployment, detail=detail)}


def observation_document(observed: Observed) -> dict[str, Any]:
    """What an observation meant."""
    undeclared = observed.undeclared
    return {
        "meaning": observed.meaning,
        "deployment": str(observed.deployment.public_id) if observed.deployment else None,
        "undeclared": _undeclared(undeclared) if undeclared else None,
    }


def _undeclared(found: Undeclared) -> dict[str, Any]:
    seen = {"seen_at": _moment(found.seen_at), "seen_count": found.seen_count}
    return {"id": str(found.public_id), **seen, "is_explained": found.outcome == Settled.EXPLAINED}


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _page(order: Deployment) -> str:
    return f"{settings.PUBLIC_URL}{reverse('deployments:deployment', args=[order.pk])}"
