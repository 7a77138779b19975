"""Issuers and trusts as they stand: kept in each process for seconds, so that a CI token costs the gate no statement of its own.

What is kept only finds the trust; whether it still holds, and what it may ask, is read with every question."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404

from apps.gate.ci_tokens import Unproved, open_token, proved_claims
from apps.gate.models import Issuer, Trust
from apps.gate.rules.taking import TrustFacts, trust_for
from apps.gate.rules.workloads import IssuerFacts, IssuerKind, NotTaken, Workload, read_workload

KEPT_SECONDS, AGAIN_SECONDS = 5.0, 1.0
WITH = ("grant", "issuer", "proposed_by__merged_into", "confirmed_by")


@dataclass(frozen=True, slots=True)
class _Known:
    issuers: Mapping[str, IssuerFacts]
    trusts: Mapping[UUID, tuple[TrustFacts, ...]]
    read_at: float


_NOTHING = _Known({}, {}, float("-inf"))
_known = _NOTHING


def grant_hash(public_id: UUID) -> bytes:
    """What a trust's grant is found by; no token of ours has this hash, for ours begin otherwise."""
    return hashlib.sha256(f"trust:{public_id}".encode()).digest()


def take_job(token: str) -> tuple[Workload, TrustFacts]:
    """Who a CI token proves, and the trust that takes them. Raises NotTaken, and KeysUnavailable."""
    unproved = open_token(token)
    issuer = issuer_of(unproved)
    workload = read_workload(proved_claims(unproved, issuer=issuer), issuer=issuer)
    now = datetime.now(UTC)  # this process's clock, as for the moments in the token; the question is judged by the database's
    try:
        trust = trust_for(workload, _read(KEPT_SECONDS).trusts.get(issuer.id, ()), now=now)
    except NotTaken:
        trust = trust_for(workload, _read(AGAIN_SECONDS).trusts.get(issuer.id, ()), now=now)
    return replace(workload, asks_for_own=trust.own_commit), trust


def issuer_of(unproved: Unproved) -> IssuerFacts:
    """The issuer that a token names, when an administrator entered it; nothing is asked of anybody before that."""
    found = _read(KEPT_SECONDS).issuers.get(unproved.issuer) or _read(AGAIN_SECONDS).issuers.get(unproved.issuer)
    if found is None:
        raise NotTaken("issuer", "The token's issuer is not one that is trusted here.", "An administrator enters issuers.")
    return found


def forget_trusts() -> None:
    """Know nothing again; the next token reads."""
    global _known  # noqa: PLW0603 - one snapshot per process, replaced whole
    _known = _NOTHING


def _read(seconds: float) -> _Known:
    """What stands, at most so old: a change is seen within seconds by every process."""
    global _known  # noqa: PLW0603 - one snapshot per process, replaced whole
    if monotonic() - _known.read_at > seconds:
        read_at = monotonic()
        issuers = {one.url: issuer_facts(one) for one in Issuer.objects.filter(ended_at__isnull=True)}
        trusts: dict[UUID, list[TrustFacts]] = {}
        for one in in_force():
            trusts.setdefault(one.issuer.public_id, []).append(trust_facts(one))
        _known = _Known(issuers, {issuer: tuple(found) for issuer, found in trusts.items()}, read_at)
    return _known


def in_force() -> QuerySet[Trust]:
    """The trusts that jobs are held against; one that has expired is told as that."""
    found = Trust.objects.filter(in_force_at__isnull=False, grant__revoked_at__isnull=True, issuer__ended_at__isnull=True)
    return found.select_related("grant", "issuer")


def issuer_facts(issuer: Issuer) -> IssuerFacts:
    """An issuer as rules see it."""
    return IssuerFacts(issuer.public_id, issuer.url, IssuerKind(issuer.kind), issuer.project_claim)


def trust_facts(trust: Trust) -> TrustFacts:
    """A trust as rules see it."""
    return TrustFacts(
        id=trust.grant.public_id,
        name=trust.grant.name,
        kind=IssuerKind(trust.issuer.kind),
        audience=trust.audience,
        project=trust.project,
        owner=trust.owner,
        environment=trust.environment,
        refs=tuple(trust.refs),
        workflow=trust.workflow,
        takes_merge_requests=trust.takes_merge_requests,
        own_commit=trust.own_commit,
        expires_at=trust.grant.expires_at,
        hash=bytes(trust.grant.hash),
    )


def trusts_shown() -> QuerySet[Trust]:
    """Every trust, with what pages show of it."""
    return Trust.objects.select_related(*WITH)


def get_trust(public_id: UUID | str) -> Trust:
    """One trust; 404 when there is none."""
    try:
        return Trust.objects.select_related(*WITH).get(grant__public_id=public_id)
    except (Trust.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def get_issuer(public_id: UUID | str) -> Issuer:
    """One issuer; 404 when there is none."""
    try:
        return Issuer.objects.get(public_id=public_id)
    except (Issuer.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def standing(trust: Trust, now: datetime) -> str:
    """How a trust stands: it waits for another administrator, holds, has expired, or was ended."""
    if trust.grant.revoked_at is not None:
        return "ENDED"
    if now >= trust.grant.expires_at:
        return "EXPIRED"
    return "HOLDS" if trust.in_force_at is not None else "WAITS"
