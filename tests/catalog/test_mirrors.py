"""Repositories that are elsewhere: fetched once by whoever asks first, within the time a page has, as the settings allow."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.catalog.repositories import mirrors
from apps.catalog.repositories.git import NoCommit
from apps.catalog.repositories.mirrors import Fetching, NotYet, mirror_of
from apps.catalog.repositories.names import resolve
from apps.catalog.repositories.opening import open_repository
from tests.catalog.repository import Repository, make_repository


class Served(SimpleHTTPRequestHandler):
    """A repository as plain files; `gate` holds an answer back, `asked` lists what was wanted."""

    gate = threading.Event()
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.gate.wait(20)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Be silent."""


@pytest.fixture
def repository(tmp_path) -> Repository:
    return make_repository(tmp_path / "shop")


@pytest.fixture
def address(repository, tmp_path) -> Iterator[str]:
    """Where the repository is served from this machine."""
    repository.commit("one")
    repository.git("update-server-info")
    Served.gate.set()
    Served.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Served, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/shop/.git"
    Served.gate.set()
    for thread in [*mirrors._running.values()]:
        thread.join(20)
    assert mirrors._running == {}, "a fetch that ended is still kept"
    mirrors._failed.clear()
    server.shutdown()
    server.server_close()


@pytest.fixture
def how(tmp_path) -> Fetching:
    return Fetching(tmp_path / "mirrors", ("http",))


def test_a_mirror_is_fetched_once_and_found_by_everybody(repository, address, how):
    mirror = mirror_of(address, how=how, wait=20)
    asked = len(Served.asked)

    assert resolve(str(mirror), "main").commit == repository.git("rev-parse", "HEAD")
    assert mirror_of(address, how=how, wait=20) == mirror
    assert len(Served.asked) == asked
    assert not (mirror / "hooks").exists()
    assert oct(how.root.stat().st_mode)[-3:] == "700"


def test_a_mirror_that_is_old_is_fetched_again(repository, address, how):
    mirror = mirror_of(address, how=how, wait=20)
    later = repository.commit("two")
    repository.git("branch", "gone-soon")
    repository.git("update-server-info")
    os.utime(mirror.with_suffix(".fetched"), (1, 1))

    assert resolve(str(mirror_of(address, how=how, wait=20)), "main").commit == later
    repository.git("branch", "-D", "gone-soon")
    repository.git("update-server-info")
    os.utime(mirror.with_suffix(".fetched"), (1, 1))
    with pytest.raises(NoCommit, match="knows no branch"):
        resolve(str(mirror_of(address, how=how, wait=20)), "gone-soon")


def test_a_page_does_not_wait_for_a_slow_fetch_and_two_askers_share_it(address, how):
    Served.gate.clear()

    for _ in range(3):
        with pytest.raises(NotYet, match="is being fetched"):
            mirror_of(address, how=how, wait=0.05)
    assert len(mirrors._running) == 1
    Served.gate.set()

    assert mirror_of(address, how=how, wait=20).is_dir()


def test_what_cannot_be_fetched_says_why_and_is_not_asked_at_once_again(address, how):
    with pytest.raises(NoCommit, match="cannot be fetched"):
        mirror_of(f"{address}-gone", how=how, wait=20)
    asked = len(Served.asked)

    with pytest.raises(NoCommit, match="cannot be fetched"):
        mirror_of(f"{address}-gone", how=how, wait=20)
    assert len(Served.asked) == asked


def test_a_fetch_goes_only_by_the_protocols_allowed(address, tmp_path):
    with pytest.raises(NoCommit, match=r"not allowed"):
        mirror_of(address, how=Fetching(tmp_path / "mirrors", ("https",)), wait=20)


def test_the_operators_configuration_is_used_for_fetching(address, tmp_path):
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{address}"]\n\tinsteadOf = http://shop.example.org/\n')

    assert mirror_of("http://shop.example.org/", how=Fetching(tmp_path / "mirrors", ("http",), str(config)), wait=20).is_dir()


@pytest.mark.parametrize(
    ("repository_text", "said"),
    [
        ("", "names no repository"),
        ("https://git.example.org/shop.git", "not fetched by https here"),
        ("git@git.example.org:shop.git", "not fetched by ssh here"),
        ("-oProxyCommand=touch@x:y", "not fetched by ssh here"),
        ("ext::sh", "not fetched by ssh here"),
        ("/etc/nothing/here", "are not read here"),
        ("file:///etc", "are not read here"),
    ],
)
def test_what_the_settings_do_not_allow_is_not_opened(repository_text, said, settings, tmp_path):
    settings.REPOSITORY_PROTOCOLS, settings.REPOSITORY_PATHS = ["http"], [str(tmp_path)]

    with pytest.raises(NoCommit, match=said):
        open_repository(repository_text)


def test_a_link_does_not_lead_out_of_the_allowed_directories(settings, tmp_path, repository):
    inside = tmp_path / "allowed"
    inside.mkdir()
    (inside / "link").symlink_to(repository.root)
    settings.REPOSITORY_PATHS = [str(inside)]

    with pytest.raises(NoCommit, match="are not read here"):
        open_repository(str(inside / "link"))
    with pytest.raises(NoCommit, match="are not read here"):
        open_repository(f"{inside}/../shop")


def test_a_directory_of_this_machine_is_read_where_it_is(settings, repository, address):
    settings.REPOSITORY_PROTOCOLS = ["http"]

    assert open_repository(str(repository.root)) == str(repository.root)
    assert open_repository(f"file://{repository.root}") == str(repository.root)


def test_an_address_is_opened_as_its_mirror(settings, tmp_path, address):
    settings.REPOSITORY_PROTOCOLS, settings.VAR_DIR, settings.GIT_CONFIG_FILE = ["http"], tmp_path, ""

    assert open_repository(address, wait=20).startswith(f"{tmp_path}/mirrors/")
