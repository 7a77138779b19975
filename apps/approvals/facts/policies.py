"""Which policy applies where: the most specific one that is not retired."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.approvals.models import Policy
from apps.approvals.policy_body import read_policy
from apps.approvals.rules import PolicyFacts
from apps.catalog.models import Environment

REMEMBERED = 1024


class PolicyShelf:
    """The standing policies of some environments, read once; service and kind > service > kind > environment.

    Of those for the same service and kind, the one for the highest risk that the change reaches."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._by_selector: defaultdict[tuple[int, int | None, str], list[Policy]] = defaultdict(list)
        for policy in sorted(policies, key=lambda one: one.least_risk, reverse=True):
            self._by_selector[policy.environment_id, policy.service_id, policy.kind].append(policy)

    def find(self, *, environment_id: int, service_id: int, kind: str, risk: int | None = None) -> PolicyFacts | None:
        """The policy for one leg of a change of this kind and risk; None where nothing says who agrees."""
        for selector in ((service_id, kind), (service_id, ""), (None, kind), (None, "")):
            for policy in self._by_selector.get((environment_id, *selector), ()):
                if policy.least_risk <= (risk or 0):
                    return policy_facts(policy)
        return None


def policies_for(environments: Iterable[Environment]) -> PolicyShelf:
    """The shelf for these environments, in one statement."""
    return PolicyShelf(policy_rows([one.pk for one in environments]))


def policy_rows(environments: Collection[int] | QuerySet[Any, Any]) -> QuerySet[Policy]:
    """The standing policies of environments, by their rows: for a page that reads them together with others."""
    return Policy.objects.open_now().filter(environment__in=environments, version__isnull=False).select_related("version")


def policy_facts(policy: Policy) -> PolicyFacts | None:
    """The wording in force, as rules read it."""
    version = policy.version
    if version is None:
        return None
    return _read(bytes(version.body), policy.public_id, policy.name, version.number, version.digest)


@lru_cache(maxsize=REMEMBERED)
def _read(body: bytes, policy_id: UUID, name: str, number: int, digest: str) -> PolicyFacts:
    """A wording never changes, so it is read once."""
    return read_policy(body, policy_id=policy_id, name=name, number=number, digest=digest)
