"""The reports in the statement's answer: what was shown with a change, as frozen facts."""

from collections.abc import Mapping
from typing import Any

from apps.changes.evidence.kinds import Kind
from apps.gate.rules import EvidenceFacts

Body = Mapping[str, Any]


def evidence_in(leg: Body) -> tuple[EvidenceFacts, ...]:
    """Reports that were shown with the change of a leg, the newest first."""
    return tuple(_evidence(one) for one in leg["evidence"] or ())


def _evidence(body: Body) -> EvidenceFacts:
    identities = frozenset(body["identities"])
    if body["kind"] == Kind.SARIF:
        return EvidenceFacts(body["name"], body["kind"], identities, good_count=0, bad_count=int(body["error"]))
    bad = int(body["failures"]) + int(body["errors"])
    good = int(body["tests"]) - bad - int(body["skipped"])
    return EvidenceFacts(body["name"], body["kind"], identities, good_count=good, bad_count=bad)
