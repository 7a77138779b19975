"""What tests of deployments share: a town with a repository, a directory and a port; a driver in memory; checks that answer as told."""

from collections import deque
from collections.abc import Iterator

import pytest

from apps.deployments.probes import Reading
from apps.deployments.rules.verdicts import Sample
from apps.deployments.runner import verifying
from tests.deployments.town import Town, make_town
from tests.factories.deployments import FAKE, FakeDriver
from tests.gate.issuing import chief, provider  # noqa: F401 - fixtures


@pytest.fixture
def town(tmp_path) -> Iterator[Town]:
    made = make_town(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def fake() -> FakeDriver:
    """The driver of tests, with nothing done yet."""
    FAKE.reset()
    return FAKE


@pytest.fixture
def samples(monkeypatch) -> deque[Sample]:
    """What the checks answer, in order; PASS when nothing is left."""
    queue: deque[Sample] = deque()

    def measure(check, version) -> Reading:
        sample = queue.popleft() if queue else Sample.PASS
        return Reading(sample, "200 in 3 ms", f"Answered {sample.lower()}.")

    monkeypatch.setattr(verifying, "measure", measure)
    return queue
