"""One town for all tests of the package, and one walk through it: what is sent to it is undone each time."""

from collections.abc import Iterator

import psycopg
import pytest
from django.test import override_settings
from django.urls import reverse

from apps.accounts.actions import issue_personal_token
from changecontrol.embedded.cluster import OWNER
from changecontrol.embedded.postgres import PrivatePostgres
from tests.conftest import SHARED
from tests.doors.crawl import client_of, plain_addresses
from tests.doors.desk import Desk
from tests.doors.town import OUTSIDER, PEOPLE, Town, fingerprint, make_town, open_ground, undone
from tests.doors.visiting import Visit, make_visit


@pytest.fixture(scope="package")
def ground(server: PrivatePostgres, django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """A transaction that is rolled back after the last test of the package."""
    # What thousands of rolled-back tests left in the tables makes a page of eight joins run into its time limit.
    with psycopg.connect(server.url(role=OWNER, database=SHARED), autocommit=True) as owner:
        owner.execute("vacuum analyze")
    with django_db_blocker.unblock(), override_settings(PUBLIC_URL="http://localhost:8000"), open_ground():
        yield


@pytest.fixture(scope="package")
def town(ground: None) -> Town:
    """Everything there is."""
    return make_town()


@pytest.fixture(scope="package")
def desk(town: Town) -> Desk:
    cookies = {name: client_of(town.people.get(name)).cookies.output(header="") for name in (*PEOPLE, OUTSIDER, "stranger")}
    made = Desk(cookies, fingerprint())
    made.take("author", [*town.changes, *(f"{address}edit/" for address in town.changes)], most=0)
    made.take("author", [reverse("accounts:app")], most=0)
    made.take("chief", [*plain_addresses(), *town.seen], most=2)
    made.take("stranger", plain_addresses(), most=0)
    assert not made.changed(), "reading pages changes something"
    return made


@pytest.fixture(autouse=True)
def everything_undone(desk: Desk) -> Iterator[None]:
    """Whatever a test sends, the next one finds the town as it was."""
    yield
    assert not desk.changed()


@pytest.fixture(scope="module")
def visit(ground: None) -> Iterator[Visit]:
    with undone():
        yield make_visit()


@pytest.fixture(scope="module")
def secrets(visit: Visit) -> dict[str, str]:
    """A token of everybody."""
    return {name: issue_personal_token(name="script", days=3, by=person.actor).secret for name, person in visit.estate.people.items()}
