"""One town for all tests of a module: everything sent to it is undone."""

from collections.abc import Iterator

import pytest

from tests.world.town import Town, standing_town


@pytest.fixture(scope="module")
def town(django_db_setup: None, django_db_blocker) -> Iterator[Town]:
    """Everything there is, in a transaction that is rolled back after the last test of the module."""
    with django_db_blocker.unblock(), standing_town() as made:
        yield made
