"""Pages over a million changes against the same pages over a thousand: the median answer, in the same rounds, and statements per page."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from statistics import median

import psycopg
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.changes.models import Change
from apps.changes.states import State
from benchmarks.changes_bulk import fill
from benchmarks.figures import Goal, interleave, ratio
from changecontrol.addresses import database
from changecontrol.embedded.cluster import APP, OWNER
from changecontrol.embedded.postgres import PrivatePostgres
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory

FEW, ASKED, WARM = 1_000, 15, 4
SERVICES, PEOPLE = 100, 200


def rows(server: PrivatePostgres, *, database_name: str, rounds: int) -> Iterator[str]:
    """One line per page; PAGES_AT_MOST=100000 in the environment tries with less."""
    many = int(os.environ.get("PAGES_AT_MOST", "1000000"))
    towns = {size: f"{database_name}_{size}" for size in (FEW, many)}
    connection.close()
    for name in towns.values():
        server.clone(name, template=database_name)
    seen = {size: settled(server, name, count=size) for size, name in towns.items()}
    for page, told in (
        ("list", "list of changes"),
        ("search", "search by service and word"),
        ("change", "change page"),
        ("sign_off", "sign-off page"),
    ):

        def asked(size: int, page: str = page) -> float:
            person, addresses = seen[size]
            look_at(server, towns[size])
            return answered(person, addresses[page])

        for size in towns:
            asked(size)
        found = interleave({str(size): lambda size=size: asked(size) for size in towns}, rounds=rounds)  # type: ignore[misc]
        yield Goal(f"{told}: median over {many} changes / over {FEW}", 1.6, 1.25, more_is_better=False).row(
            ratio(found[str(many)], found[str(FEW)])
        )
        yield f"{f'{told}: statements':<62} {statements(*seen[many], page)} (frame, session and person included)"
    connection.close()
    look_at(server, database_name)


def settled(server: PrivatePostgres, name: str, *, count: int) -> tuple[Person, Mapping[str, str]]:
    """A house with this many changes; who looks, and at which addresses."""
    look_at(server, name)
    place = EnvironmentFactory(slug="production", name="Production")
    owner = make_person(Role.REQUESTER)
    for _ in range(PEOPLE):
        make_person()
    targets = [make_place(environment=place, business=owner) for _ in range(SERVICES)]
    change = make_change(State.IN_REVIEW, targets=(targets[0],))
    with closing(psycopg.connect(server.url(role=OWNER, database=name), autocommit=True)) as there:
        fill(there, count=count, revision=Change.objects.get(pk=change.pk).revision_id or 0)
    return owner, {
        "list": reverse("home:changes"),
        "search": f"{reverse('home:changes')}?q=state:open+service:{targets[1].service.slug}+harbour",
        "change": reverse("home:change", args=[change.ref]),
        "sign_off": reverse("home:sign_off", args=[change.ref]),
    }


def look_at(server: PrivatePostgres, name: str) -> None:
    """Let Django's connection go to this database."""
    if connection.settings_dict["NAME"] != name:
        connection.close()
        connection.settings_dict.update(database(server.url(role=APP, database=name)))


def answered(person: Person, address: str) -> float:
    """The median of some answers, in seconds, after a few that fill the caches."""
    client = signed_in(person)
    took = []
    for _ in range(WARM + ASKED):
        began = time.perf_counter()
        if client.get(address).status_code != 200:
            raise RuntimeError(f"{address} was not answered")
        took.append(time.perf_counter() - began)
    return median(took[WARM:])


def statements(person: Person, addresses: Mapping[str, str], page: str) -> int:
    """How many statements a page asks the database."""
    client = signed_in(person)
    client.get(addresses[page])
    with CaptureQueriesContext(connection) as seen:
        client.get(addresses[page])
    return len(seen)


def signed_in(person: Person) -> Client:
    """A client of the person, without a password's slow hash."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client
