"""Where the story's sites live: free ports, and stopping what a story before this one left running."""

import os
import signal
import socket
from pathlib import Path

SITES = "sites"


def free_port(wanted: int = 0) -> int:
    """A port nobody listens on: the wanted one if it is free, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


def stop_sites(home: Path) -> None:
    """Stop the deployed web applications of a story: processes whose working directory lies under its sites."""
    sites = str((home / SITES).resolve())
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            at = str((entry / "cwd").readlink())
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        if at.startswith(f"{sites}/") and int(entry.name) != os.getpid():
            os.kill(int(entry.name), signal.SIGTERM)
