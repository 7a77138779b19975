"""What several gate tests stand on."""

from collections.abc import Iterator

import pytest

from apps.gate import rates, wire
from tests.gate.issuing import chief, provider  # noqa: F401 - fixtures


@pytest.fixture
def own_gate(own_database):
    """A database of its own where the gate speaks on its own connection, as it does for a pipeline."""
    yield own_database
    wire.close()


@pytest.fixture
def rated(settings) -> Iterator[None]:
    """The gate as it counts askers outside of tests."""
    settings.GATE_RATE, settings.GATE_UNKNOWN_RATE = 50, 20
    rates.askers.clear()
    rates.addresses.clear()
    yield
    rates.askers.clear()
    rates.addresses.clear()
