"""A program of its own, standard library only: starts a command in its own session and says which process it became.

Reads one JSON object from standard input. With `rc` it stays as the parent, and writes the exit status there by rename."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def start_mark(pid: int) -> str:
    """What tells this process from a later one with the same number: its start, and which boot it was; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = boot_id()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _mark_by_ps(pid)
    # The name in parentheses may hold blanks; what follows is: state, then the 22nd field overall is the start.
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else f"{rest[18]}@{boot}"


def boot_id() -> str:
    """Which start of the machine this is; empty where it does not say."""
    said = Path("/proc/sys/kernel/random/boot_id")
    return said.read_text().strip() if said.exists() else ""


def _mark_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return "" if not words or words[-1].startswith("Z") else "-".join(words[:-1])


def write_beside(path: Path, text: str) -> None:
    """Write a small file so that readers see the old one or the new one, never a part."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    beside.write_text(text)
    beside.replace(path)


def main() -> int:
    """Fork away, report over a pipe, and leave: the parent of the command is then not the worker."""
    given = json.load(sys.stdin)
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.setsid()  # leads its own session and group: the group goes when it is told to
        become(given, write)
    os.close(write)
    with os.fdopen(read, "rb") as report:
        said = report.read().decode()
    if said:
        print(said, file=sys.stderr)  # noqa: T201 - the one thing this program says
    return 1 if said else 0


def become(given: dict[str, Any], report: int) -> None:
    """In the new session: note who we are, then be the command; never returns."""
    try:
        log = os.open(given["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for here, there in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(here, there)
        os.chdir(given["cwd"])
        note = {"pid": os.getpid(), "mark": start_mark(os.getpid()), **given["note"]}
        write_beside(Path(given["pidfile"]), json.dumps(note))
        if given.get("rc"):
            # Nobody waits for the end here: the exit status is read from its file.
            os.close(report)
            status = subprocess.run(given["argv"], env=given["env"], check=False, stdin=subprocess.DEVNULL).returncode
            write_beside(Path(given["rc"]), str(status))
            os._exit(0)
        os.execvpe(given["argv"][0], given["argv"], given["env"])  # noqa: S606 - an argv list from the target's settings
    except OSError as error:
        if given.get("rc"):
            write_beside(Path(given["rc"]), f"127 {error}")
        with contextlib.suppress(OSError):
            os.write(report, f"{given['argv'][0]}: {error.strerror or error}".encode())
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main())
