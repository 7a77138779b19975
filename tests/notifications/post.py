"""A mail server of a few lines on the loopback: it answers as it is told and keeps what it took."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Post:
    """What the server says to which command, and what came in. An answer of None hangs up."""

    answers: dict[str, str | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # by address
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    on_taken: Callable[[], None] | None = None
    port: int = 0


class Conversation(socketserver.StreamRequestHandler):
    """One client, one command at a time."""

    def handle(self) -> None:
        post: Post = self.server.post  # type: ignore[attr-defined]
        sender, recipients = "", []
        if not self._say(post, "CONNECT", "220 post ready"):
            return
        while line := self.rfile.readline():
            words = line.decode().strip()
            command = words[:4].upper()
            post.heard.append(words)
            match command:
                case "MAIL":
                    sender, recipients = words[10:].partition(">")[0].strip("<"), []
                case "RCPT":
                    address = words[8:].strip("<>")
                    if address in post.refused:
                        self._write(post.refused[address])
                        continue
                    recipients.append(address)
                case "DATA":
                    if not self._say(post, "DATA", "354 go on"):
                        return
                    if post.answers.get("DATA", "354")[:3] != "354":
                        continue
                    body = self._body()
                    if not self._end(post, body, sender, recipients):
                        return
                    continue
                case "QUIT":
                    self._say(post, "QUIT", "221 bye")
                    return
            if not self._say(post, command, "250 fine"):
                return

    def _end(self, post: Post, body: bytes, sender: str, recipients: list[str]) -> bool:
        if post.answers.get("END", "250")[:3] == "250":
            post.taken.append(message_from_bytes(body, policy=policy.default))  # type: ignore[arg-type]
            post.envelopes.append((sender, recipients))
        if post.on_taken is not None:
            post.on_taken()
        return self._say(post, "END", "250 taken")

    def _body(self) -> bytes:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            assert line, "the client hung up inside a mail"
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, post: Post, command: str, usual: str) -> bool:
        answer = post.answers.get(command, usual)
        if answer is None:
            return False
        self._write(answer)
        return not answer.startswith("421")

    def _write(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


class Office(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    post: Post


@contextmanager
def post_office(**given: Any) -> Iterator[Post]:
    """Run the server for a while."""
    post = Post(**given)
    with Office(("127.0.0.1", 0), Conversation) as office:
        office.post = post
        post.port = office.server_address[1]
        thread = threading.Thread(target=office.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield post
        office.shutdown()
        thread.join(5)
