"""Two load generators in one thread: connections that each ask again as soon as they are answered, and streams that ask by the clock."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HEAD_END = b"\r\n\r\n"
ANSWERED, REFUSED = frozenset({b"200", b"201"}), b"429"
TICKS = 100  # of /proc per second, on every Linux


@dataclass(frozen=True)
class Measured:
    """How many answers per second, and the seconds of processor the watched processes took for one."""

    rate: float
    cpu: float


class Line:
    """One kept connection."""

    def __init__(self, port: int, requests: Sequence[bytes], first: int, *, taken: frozenset[bytes] = ANSWERED) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests, self._next, self._read, self._taken = requests, first, b"", taken
        self.status = b""

    def ask(self) -> None:
        """Send the next request."""
        self.socket.sendall(self._requests[self._next % len(self._requests)])
        self._next += 1

    def answered(self) -> bool:
        """Read what is there; whether an answer is whole."""
        if not (came := self.socket.recv(65536)):
            raise RuntimeError("the server closed a connection before its answer was whole")
        self._read += came
        head, found, body = self._read.partition(HEAD_END)
        if not found:
            return False
        self.status = head.split(b" ", 2)[1]
        if self.status not in self._taken:
            raise RuntimeError(f"the server answered {self.status.decode()}: {body[:300]!r}")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return False
        self._read = b""
        return True


def load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, watched: Sequence[int]) -> Measured:
    """Ask for this long, then wait for what was asked: what comes next on the machine begins with nothing left to do."""
    lines = [Line(port, requests, first) for first in range(connections)]
    selector = selectors.DefaultSelector()
    for line in lines:
        selector.register(line.socket, selectors.EVENT_READ, line)
        line.ask()
    before, count, began, asking = cpu_seconds(watched), 0, time.perf_counter(), len(lines)
    while asking:
        for key, _ in selector.select(timeout=1):
            if not key.data.answered():
                continue
            count += 1
            if time.perf_counter() - began < seconds:
                key.data.ask()
            else:
                asking -= 1
    passed, spent = time.perf_counter() - began, cpu_seconds(watched) - before
    for line in lines:
        line.socket.close()
    return Measured(count / passed, spent / count)


def joined(parts: Sequence[Measured]) -> Measured:
    """Measurements of the same length as one."""
    rates = [part.rate for part in parts]
    return Measured(sum(rates) / len(rates), sum(part.rate * part.cpu for part in parts) / sum(rates))


@dataclass(frozen=True)
class Stream:
    """Requests that come so many times a second, whether the earlier ones are answered or not."""

    requests: Sequence[bytes]
    rate: float
    connections: int = 16
    is_refused_too: bool = False


@dataclass
class Came:
    """What came of a stream: seconds from when each request was due to its whole answer, and how many were refused."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def quantile(self, share: float) -> float:
        """So much of it was answered within these seconds."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


class _Running:
    """A stream under way. A request waits for a free connection, and its waiting counts: nothing is left out by being slow."""

    def __init__(self, port: int, stream: Stream, selector: selectors.BaseSelector, began: float) -> None:
        self.stream, self.came, self._began, self._sent = stream, Came(), began, 0
        taken = ANSWERED | {REFUSED} if stream.is_refused_too else ANSWERED
        self.lines = [Line(port, stream.requests, first, taken=taken) for first in range(stream.connections)]
        self._idle, self._due = list(self.lines), dict[Line, float]()
        for line in self.lines:
            selector.register(line.socket, selectors.EVENT_READ, (self, line))

    @property
    def next_due(self) -> float:
        """When the next request is due."""
        return self._began + self._sent / self.stream.rate

    @property
    def is_waited_for(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._due)

    def send(self, now: float) -> None:
        """Send what is due, as far as there are connections."""
        while self._idle and self.next_due <= now:
            line = self._idle.pop()
            self._due[line] = self.next_due
            self._sent += 1
            line.ask()

    def read(self, line: Line) -> None:
        """Take in what came on one connection."""
        if not line.answered():
            return
        due = self._due.pop(line)
        self._idle.append(line)
        if line.status == REFUSED:
            self.came.refused += 1
        else:
            self.came.seconds.append(time.perf_counter() - due)


def paced(port: int, streams: Sequence[Stream], *, seconds: float) -> list[Came]:
    """Run streams side by side for this long, then wait for what was sent."""
    selector, began = selectors.DefaultSelector(), time.perf_counter()
    running = [_Running(port, stream, selector, began) for stream in streams]
    until = began + seconds
    while (now := time.perf_counter()) < until or any(one.is_waited_for for one in running):
        if now < until:
            for one in running:
                one.send(now)
        pause = min((one.next_due for one in running), default=until) - time.perf_counter()
        for key, _ in selector.select(timeout=min(max(pause, 0.0), 0.05)):
            one, line = key.data
            one.read(line)
    for one in running:
        for line in one.lines:
            line.socket.close()
    return [one.came for one in running]


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
