"""What several tests of pages stand on."""

from tests.gate.issuing import provider  # noqa: F401 - a fixture
