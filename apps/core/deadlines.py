"""Asking another machine within one deadline for all of it: the look-up of its name, the connection, the handshake, headers and body.

What a client calls a timeout counts for each read; a machine that sends a byte now and then is never late by it."""

import queue
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import httpcore2
import httpx2

Looked = list[tuple[Any, ...]]
_NAMES = (
    "ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout", "ConnectError", "ReadError", "WriteError",
    "LocalProtocolError", "RemoteProtocolError", "UnsupportedProtocol",
)  # fmt: skip
_SAME: dict[type[Exception], type[httpx2.RequestError]] = {getattr(httpcore2, name): getattr(httpx2, name) for name in _NAMES}


class Deadline:
    """The moment by which everything is over."""

    def __init__(self, seconds: float) -> None:
        self._at = monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left; none of them is negative."""
        return max(self._at - monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0

    def within(self, timeout: float | None) -> float | None:
        """A timeout that ends no later; None where nothing is left, since a socket would take 0 for something else."""
        return (self.left if timeout is None else min(timeout, self.left)) or None


def look_up(host: str, port: int, deadline: Deadline) -> Looked:
    """The addresses of a name. Raises OSError, TimeoutError among them, and ValueError for what cannot be a name.

    The resolver knows no timeout of ours: a thread waits for it, and ends when the resolver gives up."""
    answers: queue.SimpleQueue[Looked | OSError | ValueError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left)
    except queue.Empty as error:
        raise TimeoutError("The name was not looked up in time.") from error
    if isinstance(found, Exception):
        raise found
    return found


class Bounded(httpx2.BaseTransport):
    """How a client asks: over one connection, and everything within the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        context = httpx2.create_ssl_context(trust_env=False)
        self._pool = httpcore2.ConnectionPool(ssl_context=context, network_backend=_Network(deadline))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it, and take up the beginning of the answer."""
        url, content = request.url, request.stream
        place = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        if not isinstance(content, httpx2.SyncByteStream):
            raise TypeError("Only what is there already is sent.")
        asked = httpcore2.Request(request.method, place, headers=request.headers.raw, content=content, extensions=request.extensions)
        with _as_client_says():
            answer = self._pool.handle_request(asked)
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        """Hang up."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_client_says():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Network(httpcore2.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline, self._plain = deadline, httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = dict.fromkeys(str(one[4][0]) for one in look_up(host, port, self._deadline))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(error) from error
        except (OSError, ValueError) as error:
            raise httpcore2.ConnectError(error) from error
        failure: Exception = httpcore2.ConnectError(f"{host} has no address.")
        for address in addresses:
            try:
                wait = _left(self._deadline, timeout, httpcore2.ConnectTimeout)
                return _Stream(self._plain.connect_tcp(address, port, wait, local_address, socket_options), self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore2.NetworkStream):
    def __init__(self, plain: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._plain, self._deadline = plain, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _left(self._deadline, timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, _left(self._deadline, timeout, httpcore2.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        # Python counts one timeout over the whole handshake, however many reads it takes.
        wait = _left(self._deadline, timeout, httpcore2.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, wait), self._deadline)

    def close(self) -> None:
        self._plain.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as the library says
        return self._plain.get_extra_info(info)


def _left(deadline: Deadline, timeout: float | None, late: type[httpcore2.TimeoutException]) -> float:
    wait = deadline.within(timeout)
    if wait is None:
        raise late("The deadline has passed.")
    return wait


@contextmanager
def _as_client_says() -> Iterator[None]:
    """What went wrong below, in the words of the client."""
    try:
        yield
    except tuple(_SAME) as error:
        raise _SAME[type(error)](str(error)) from error
