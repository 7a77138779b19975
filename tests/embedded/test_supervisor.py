"""The process table of the product: who learns which address, what is refused before anything starts, readiness."""

import io
import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.children import Program
from changecontrol.embedded.supervisor import BROKER_NAME, DATABASE_NAMES, Supervisor, given_addresses, read_bind
from tests.embedded.conftest import rows, running, until


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*DATABASE_NAMES, BROKER_NAME, "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*DATABASE_NAMES, BROKER_NAME):
        monkeypatch.setenv(name, f"address of {name}")


@pytest.mark.parametrize(
    ("bind", "host", "port"), [("127.0.0.1:8000", "127.0.0.1", 8000), ("[::1]:80", "::1", 80), ("localhost:65535", "localhost", 65535)]
)
def test_bind_is_read(bind: str, host: str, port: int) -> None:
    assert read_bind(bind) == (host, port)


@pytest.mark.parametrize(
    "bind", ["", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "::1:8000", "[]:1"]
)
def test_bind_that_cannot_be_read_is_refused_with_an_example(bind: str) -> None:
    with pytest.raises(EmbeddedError, match="Write HOST:PORT, such as 127"):
        read_bind(bind)


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "[::]:8000", "192.0.2.1:8000", "example.org:8000"])
def test_site_is_opened_to_others_only_with_its_public_address(bind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddedError, match="Set PUBLIC_URL"):
        Supervisor(tmp_path, bind=bind)

    monkeypatch.setenv("PUBLIC_URL", "https://changes.example.org")
    assert Supervisor(tmp_path, bind=bind).environment()["PUBLIC_URL"] == "https://changes.example.org"


@pytest.mark.parametrize(("bind", "url"), [("127.0.0.1:9001", "http://localhost:9001"), ("[::1]:9001", "http://localhost:9001")])
def test_address_of_the_site_follows_the_bind(bind: str, url: str, tmp_path: Path) -> None:
    assert Supervisor(tmp_path, bind=bind).environment()["PUBLIC_URL"] == url


def test_some_database_addresses_without_the_others_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")

    with pytest.raises(EmbeddedError, match="DATABASE_OWNER_URL and DATABASE_SEALER_URL not set"):
        given_addresses()


def test_each_process_learns_only_the_addresses_it_needs(given: None, tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    table = {program.name: program for program in supervisor.table()}

    assert list(table) == ["web", "worker", "beat"]
    for name, program in table.items():
        known = {word for word in (*DATABASE_NAMES, BROKER_NAME) if program.environment.get(word)}
        assert known == {"DATABASE_URL", BROKER_NAME} | ({"DATABASE_SEALER_URL"} if name == "worker" else set())
        assert program.environment["VAR_DIR"] == str(tmp_path)


def test_addresses_from_files_reach_the_children_once(given: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("address from a file\n")
    monkeypatch.delenv("DATABASE_OWNER_URL")
    monkeypatch.setenv("DATABASE_OWNER_URL_FILE", str(tmp_path / "secret"))

    supervisor = Supervisor(tmp_path)

    assert supervisor.addresses.owner == "address from a file"
    assert not [name for name in supervisor.environment() if name.startswith("DATABASE_OWNER_URL")]


class Fake(Supervisor):
    """The real engines and the real order, with small children in place of the project."""

    migrated = 'echo migrating; test -n "$DATABASE_OWNER_URL"'

    def _manage(self, name: str, *words: str, **more: str) -> Program:
        code = self.migrated if words[0] == "migrate" else 'echo the set-up code is 1234; test -z "$DATABASE_OWNER_URL"'
        return self._program(name, ("/bin/sh", "-c", code), **more)

    def table(self) -> list[Program]:
        return [self._program("web", ("/bin/sh", "-c", "echo serving; exec sleep 600"))]


def test_start_brings_engines_database_and_processes_up_and_stop_takes_them_down(short: Path, free_port: int) -> None:
    stream = io.StringIO()
    with Fake(short / "var", bind=f"127.0.0.1:{free_port}", stream=stream) as supervisor:
        until(lambda: "serving" in stream.getvalue(), what="web")
        said = stream.getvalue()
        kept = (supervisor.run / "DATABASE_URL").read_text().strip()
        assert rows(kept, "SELECT current_user::text, current_database()::text") == [("changecontrol_app", "changecontrol")]
        assert (supervisor.run / "REDIS_URL").read_text().strip() == supervisor.addresses.broker
        assert (supervisor.run / "DATABASE_URL").stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in supervisor.run.iterdir()) == ["DATABASE_URL", "REDIS_URL", "web.pid"]

    order = [said.index(text) for text in ("PostgreSQL runs; its data lies in", "migrating", "serving")]
    assert order == sorted(order)
    assert running(str(short)) == []


def test_failed_migration_stops_everything(short: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "migrated", "echo a table is locked; exit 1")
    stream = io.StringIO()

    with (
        pytest.raises(EmbeddedError, match="could not be brought up to date"),
        Fake(short / "var", bind=f"127.0.0.1:{free_port}", stream=stream),
    ):
        pass

    assert "migrate  | a table is locked" in stream.getvalue()
    assert "serving" not in stream.getvalue()
    assert running(str(short)) == []


def test_given_addresses_replace_the_engines(given: None, tmp_path: Path, free_port: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "DATABASE_URL").write_text("of an earlier embedded run")
    stream = io.StringIO()
    with Fake(tmp_path, bind=f"127.0.0.1:{free_port}", stream=stream) as supervisor:
        assert [child.program.name for child in supervisor.children] == ["web"]
        assert not (tmp_path / "run" / "DATABASE_URL").exists()
        assert supervisor.environment()["DATABASE_URL"] == "address of DATABASE_URL"
    assert not (tmp_path / "postgres").exists()


def test_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(EmbeddedError, match=f"127.0.0.1 port {port} cannot be used: Address already in use"),
            Fake(tmp_path, bind=f"127.0.0.1:{port}"),
        ):
            pass
    assert not (tmp_path / "postgres").exists()


class Readiness(BaseHTTPRequestHandler):
    answers: list[int] = []
    hosts: list[str] = []

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.send_response(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        self.end_headers()
        self.wfile.write(f"asked for {self.path}".encode())

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[int]:
    Readiness.answers, Readiness.hosts = [503, 503, 200], []
    with HTTPServer(("127.0.0.1", 0), Readiness) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_ready_is_what_the_site_says(site: int, tmp_path: Path) -> None:
    stream = io.StringIO()
    supervisor = Fake(tmp_path, bind=f"127.0.0.1:{site}", stream=stream)

    supervisor.announce(seconds=10)

    assert Readiness.answers == [200]
    assert Readiness.hosts == [f"localhost:{site}"] * 3
    said = stream.getvalue()
    assert said.index("set-up code is 1234") < said.index(f"ready at http://localhost:{site} ")


def test_site_that_is_not_ready_in_time_is_said_with_its_last_answer(site: int, tmp_path: Path) -> None:
    Readiness.answers = [503]
    stream = io.StringIO()
    supervisor = Fake(tmp_path, bind=f"127.0.0.1:{site}", stream=stream)

    with pytest.raises(EmbeddedError, match="/readyz last said: 503 asked for /readyz"):
        supervisor.wait_ready(seconds=0.1)
    supervisor.announce(seconds=0.1)
    assert "It goes on starting" in stream.getvalue()


def test_site_that_does_not_answer_is_said(tmp_path: Path, free_port: int) -> None:
    with pytest.raises(EmbeddedError, match=r"no answer \(.*refused"):
        Supervisor(tmp_path, bind=f"127.0.0.1:{free_port}", stream=io.StringIO()).wait_ready(seconds=0.1)


def test_children_run_from_the_project_with_our_python(given: None, tmp_path: Path) -> None:
    for program in Supervisor(tmp_path).table():
        assert program.argv[0] == sys.executable
        assert (program.directory / "manage.py").exists()


def test_extra_settings_reach_every_child_but_never_the_addresses(given: None, tmp_path: Path) -> None:
    extra = {"ORGANISATION": "Harbour", "DATABASE_URL": "another"}

    environment = Supervisor(tmp_path, extra=extra).environment()

    assert environment["ORGANISATION"] == "Harbour"
    assert environment["DATABASE_URL"] == "address of DATABASE_URL"


def test_database_of_the_embedded_mode_is_provisioned_once_and_kept(short: Path, free_port: int) -> None:
    for _ in ("first", "second"):
        with (
            Fake(short / "var", bind=f"127.0.0.1:{free_port}", stream=io.StringIO()) as supervisor,
            psycopg.connect(supervisor.addresses.owner) as owner,
        ):
            owner.execute("CREATE TABLE IF NOT EXISTS kept (run int)")
            owner.execute("INSERT INTO kept VALUES (1)")
            counted = owner.execute("SELECT count(*) FROM kept").fetchone()
    assert counted == (2,)
