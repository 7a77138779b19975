"""A real Chromium against the real server on a database of its own: who is in the story, and how they look at it."""

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from apps.accounts.models import Person
from tests.browser.world import World, make_world
from tests.browsers import chromium_path
from tests.conftest import OwnDatabase

PROJECT = Path(__file__).resolve().parents[2]
SITE = "changecontrol.wsgi:application"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
DEADLINE = 60.0
# A refusal is told by a page with its status; Chromium calls every such page an error of its own.
# htmx calls it an error of its own when a newer request takes the place of one that is on its way.
TOLD = re.compile(r"Failed to load resource: the server responded with a status of (403|404|409|422)|htmx:(afterRequest|sendAbort),")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark everything here; where there is no browser, skip it and say so in one line."""
    ours = [item for item in items if Path(item.path).is_relative_to(Path(__file__).parent)]
    for item in ours:
        item.add_marker(pytest.mark.browser)
    if ours and chromium_path() is None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"{len(ours)} browser tests are skipped: no Chromium here, and none could be fetched.")
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="no Chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """How the browser is started: the one that is installed, and without talking to its maker."""
    path = chromium_path()
    return {"args": [*QUIET], **({"executable_path": path} if path else {})}


@pytest.fixture(scope="session", autouse=True)
def beside_a_loop() -> Iterator[None]:
    """Playwright's loop stays in this thread to the end of the session; the database is used between its turns, never inside one.

    Tests of other folders that come after these in the same process need it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def world(own_database: OwnDatabase) -> World:
    """The people, services and environments of the story, committed."""
    return make_world()


@dataclass
class Site:
    """The running server."""

    url: str
    environment: dict[str, str]

    def at(self, path: str) -> str:
        """A whole address."""
        return f"{self.url}{path}"


@pytest.fixture
def site(own_database: OwnDatabase, world: World, tmp_path: Path) -> Iterator[Site]:
    """granian, as in production, on the test's own database and with its keys."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": own_database.app_url,
        "VAR_DIR": str(tmp_path / "var"),
        "SECRET_KEY": settings.SECRET_KEY,
        "SIGNING_KEY_FILE": str(settings.SIGNING_KEY_FILE),
        "PUBLIC_URL": f"http://localhost:{port}",  # a name: passkeys are bound to one
        "REDIS_URL": "memory://",
        "LOG_LEVEL": "WARNING",
    }
    argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    argv += ["--workers", "1", "--blocking-threads", "2", "--log-level", "warning", SITE]
    with (tmp_path / "site.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_it_answers(port, process, tmp_path / "site.log")
            yield Site(f"http://localhost:{port}", environment)
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server answers; fail with its log where it does not."""
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/accounts/login/")
            connection.getresponse()
        except OSError:
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
    pytest.fail(f"the site does not answer:\n{log.read_text()}")


@dataclass
class Watched:
    """What went wrong in any page of a test."""

    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to the console, to scripts and to answers."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"script: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not TOLD.match(message.text):
            self.errors.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.errors.append(f"{response.status}: {response.url}")


@pytest.fixture
def watched() -> Iterator[Watched]:
    """No test ends well with an error in a console, a policy broken or a server error."""
    watched = Watched()
    yield watched
    assert watched.errors == []


@pytest.fixture
def look_as(browser: Browser, site: Site, watched: Watched) -> Iterator[Callable[..., Page]]:
    """Open a window in which a person is signed in."""
    contexts: list[BrowserContext] = []

    def look(person: Person, **options: object) -> Page:
        context = browser.new_context(base_url=site.url, **options)
        contexts.append(context)
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(person), "url": site.url}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        watched.watch(page)
        return page

    yield look
    for context in contexts:
        context.close()


def session_of(person: Person) -> str:
    """A session as signing in makes it."""
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    assert session.session_key is not None
    return session.session_key
