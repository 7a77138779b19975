"""The fixtures of a real issuer of CI tokens and of who trusts it, for tests of the gate, its pages and deployments."""

import ipaddress
from collections.abc import Iterator

import pytest

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.gate.issuer_keys import forget_keys
from apps.gate.trusts import forget_trusts
from tests.accounts.provider import Provider, running_provider
from tests.factories.accounts import make_person


@pytest.fixture
def provider(settings) -> Iterator[Provider]:
    """A real issuer on loopback, and a process that knows nothing of issuers, keys and trusts yet."""
    settings.ISSUER_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    forget_keys()
    forget_trusts()
    with running_provider() as running:
        yield running
    forget_keys()
    forget_trusts()


@pytest.fixture
def chief(db) -> Person:
    """The one administrator."""
    return make_person(Role.ADMINISTRATOR)
