"""A load generator in one thread: many connections, each asking again as soon as it is answered."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD_END = b"\r\n\r\n"
TICKS = 100  # of /proc per second, on every Linux


@dataclass(frozen=True)
class Measured:
    """How many answers per second, and the seconds of processor the watched processes took for one."""

    rate: float
    cpu: float


class Line:
    """One kept connection."""

    def __init__(self, port: int, requests: Sequence[bytes], first: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests, self._next, self._read = requests, first, b""

    def ask(self) -> None:
        """Send the next request."""
        self.socket.sendall(self._requests[self._next % len(self._requests)])
        self._next += 1

    def answered(self) -> bool:
        """Read what is there; whether an answer is whole."""
        self._read += self.socket.recv(65536)
        head, found, body = self._read.partition(HEAD_END)
        if not found:
            return False
        status = head.split(b" ", 2)[1]
        if status not in {b"200", b"201"}:
            raise RuntimeError(f"the server answered {status.decode()}: {body[:300]!r}")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return False
        self._read = b""
        return True


def load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, watched: Sequence[int]) -> Measured:
    """Ask for this long; the answers of the last moment are not waited for."""
    lines = [Line(port, requests, first) for first in range(connections)]
    selector = selectors.DefaultSelector()
    for line in lines:
        selector.register(line.socket, selectors.EVENT_READ, line)
        line.ask()
    before, count, began = cpu_seconds(watched), 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for key, _ in selector.select(timeout=1):
            if key.data.answered():
                count += 1
                key.data.ask()
    spent = cpu_seconds(watched) - before
    for line in lines:
        line.socket.close()
    return Measured(count / passed, spent / max(count, 1))


def cpu_seconds(roots: Sequence[int]) -> float:
    """Processor seconds of these processes and of everything they started."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(") ")
        except OSError:  # it ended while we looked
            continue
        fields = rest.split()
        stats[int(name.split(" ", 1)[0])] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    family = set(roots)
    while more := {pid for pid, (parent, _) in stats.items() if parent in family} - family:
        family |= more
    return sum(ticks for pid, (_, ticks) in stats.items() if pid in family) / TICKS
