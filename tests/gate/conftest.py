"""What several gate tests stand on."""

import pytest

from apps.gate import wire


@pytest.fixture
def own_gate(own_database):
    """A database of its own where the gate speaks on its own connection, as it does for a pipeline."""
    yield own_database
    wire.close()
