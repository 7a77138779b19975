"""The ground every test stands on: a private PostgreSQL, migrated as the owner, used as the app role."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from changecontrol.addresses import database
from changecontrol.celery import app as celery_app
from changecontrol.embedded.cluster import APP, OWNER, SEALER
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres, throwaway_postgres

# The machine may be busy: how long an example takes is no property of the code.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")

TEMPLATE, SHARED = "cc_template", "cc_shared"
NOW = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)


def point_default_at(url: str) -> None:
    """Let Django's default connection of every thread go to another database."""
    connections["default"].close()
    connections["default"].settings_dict.update(database(url))


@pytest.fixture(scope="session")
def server() -> Iterator[PrivatePostgres]:
    """One PostgreSQL for the session, with a migrated template nobody is connected to."""
    with throwaway_postgres() as running:
        running.provision(database=TEMPLATE)
        yield running


@pytest.fixture(scope="session")
def django_db_setup(server: PrivatePostgres, django_db_blocker) -> Iterator[None]:
    """Migrate the template as the owner; rolled-back tests share one clone of it as the app role."""
    celery_app.conf.update(broker_url="memory://", broker_connection_retry_on_startup=False)
    with django_db_blocker.unblock():
        point_default_at(server.url(role=OWNER, database=TEMPLATE))
        call_command("migrate", verbosity=0, interactive=False)
        connections["default"].close()
        server.clone(SHARED, template=TEMPLATE)
        point_default_at(server.url(role=APP, database=SHARED))
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture(scope="session", autouse=True)
def own_ground(tmp_path_factory) -> Iterator[None]:
    """Tests have one signing key, in a temporary folder, and no git of theirs asks a server elsewhere.

    For the whole session: what a package's fixtures sign must be proved in its tests."""
    key = tmp_path_factory.getbasetemp() / "signing.pem"
    with override_settings(SIGNING_KEY_FILE=key, MEDIA_ROOT=Path("/nonexistent"), REPOSITORY_PROTOCOLS=[]):
        yield


@dataclass(frozen=True)
class OwnDatabase:
    """A clone of the template for tests that commit: races, kills, seals, dumps."""

    server: PrivatePostgres
    name: str

    @property
    def app_url(self) -> str:
        return self.server.url(role=APP, database=self.name)

    @property
    def owner_url(self) -> str:
        return self.server.url(role=OWNER, database=self.name)

    @property
    def sealer_url(self) -> str:
        return self.server.url(role=SEALER, database=self.name)

    @property
    def superuser_url(self) -> str:
        return self.server.url(role=SUPERUSER, database=self.name)

    def connect(self, url: str = "") -> psycopg.Connection:
        """A bare connection beside Django's."""
        return psycopg.connect(url or self.app_url, autocommit=True)


@pytest.fixture
def own_database(server: PrivatePostgres, django_db_setup, django_db_blocker) -> Iterator[OwnDatabase]:
    """A database of its own; Django's default connection goes there, as the app role, without a surrounding transaction."""
    name = f"cc_{uuid4().hex[:12]}"
    server.clone(name, template=TEMPLATE)
    own = OwnDatabase(server, name)
    with django_db_blocker.unblock():
        point_default_at(own.app_url)
        for alias, url in (("sealer", own.sealer_url), ("owner", own.owner_url)):
            connections.settings[alias] = {**connections.settings["default"], **database(url)}
        yield own
        for alias in ("sealer", "owner"):
            connections[alias].close()
            del connections.settings[alias], connections[alias]
        point_default_at(server.url(role=APP, database=SHARED))
    server.drop(name)


class Racer(threading.Thread):
    """A verb in another thread, with its own connection; `result()` joins and raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._value: object = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - handed to the test by result()
            self._error = error
        finally:
            connections["default"].close()

    def result(self, seconds: float = 20) -> object:
        self.join(seconds)
        assert not self.is_alive(), "the racing verb did not end in time"
        if self._error is not None:
            raise self._error
        return self._value


@pytest.fixture
def racer(own_database: OwnDatabase) -> type[Racer]:
    """Start verbs in threads against the test's own database."""
    return Racer


@pytest.fixture
def wait_until_blocked(own_database: OwnDatabase) -> Callable[[int], None]:
    """Return once `blocker` (a backend pid) keeps another session of this database waiting: proved by pg_blocking_pids."""

    def wait(blocker: int, count: int = 1) -> None:
        deadline = datetime.now(UTC).timestamp() + 15
        with own_database.connect(own_database.superuser_url) as watch:
            while datetime.now(UTC).timestamp() < deadline:
                row = watch.execute(
                    "select count(*) from pg_stat_activity where datname = %s and %s = any(pg_blocking_pids(pid))",
                    [own_database.name, blocker],
                ).fetchone()
                if row and row[0] >= count:
                    return
        pytest.fail(f"nobody waits for backend {blocker}")

    return wait


@pytest.fixture
def now() -> datetime:
    """A fixed moment for rules and dry runs."""
    return NOW
