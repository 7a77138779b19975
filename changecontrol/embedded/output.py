"""One terminal for many children: each line carries the name of who wrote it."""

import os
import threading
from collections.abc import Mapping
from typing import IO, TextIO

NAME_WIDTH = 8
LONGEST_LINE = 64 * 1024
COLOURS = (36, 32, 35, 33, 34, 31)
# A log line may repeat what a stranger sent: control characters must not reach the terminal as commands.
VISIBLE = {number: f"\\x{number:02x}" for number in (*range(9), *range(10, 32), 127)}


class Output:
    """Writes whole lines, one at a time, whichever thread they come from."""

    def __init__(self, stream: TextIO, *, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and not environment.get("NO_COLOR")
        self._seen: list[str] = []
        self._turn = threading.Lock()

    def say(self, name: str, text: str) -> None:
        """Write the lines of a text under a name. A reader that went away does not stop the system."""
        with self._turn:
            if name not in self._seen:
                self._seen.append(name)
            lines = [f"{self._prefix(name)} {line.translate(VISIBLE)}\n" for line in text.splitlines() or [""]]
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                return  # the terminal or the pipe is closed; the children go on

    def follow(self, name: str, source: IO[bytes]) -> threading.Thread:
        """Copy every line of a child's output, in a thread that ends with it."""
        thread = threading.Thread(target=self._copy, args=(name, source), name=f"output of {name}", daemon=True)
        thread.start()
        return thread

    def _copy(self, name: str, source: IO[bytes]) -> None:
        with source:
            while line := source.readline(LONGEST_LINE):
                self.say(name, line.decode(errors="replace").rstrip("\r\n"))

    def _prefix(self, name: str) -> str:
        padded = f"{name:<{NAME_WIDTH}} |"
        return f"\x1b[{COLOURS[self._seen.index(name) % len(COLOURS)]}m{padded}\x1b[0m" if self._coloured else padded
