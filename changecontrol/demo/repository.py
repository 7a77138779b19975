"""Builds the small web application that the story deploys: a real git repository with a good and a bad release."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVER = '''"""Departures: a board that says when the next ferry leaves."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
REVISION = (HERE / "REVISION").read_text().strip()
BOARD = HERE / "{board}"


class Departures(BaseHTTPRequestHandler):
    def do_GET(self):
        pages = {{"/": self.board, "/version": self.version, "/healthz": self.health}}
        page = pages.get(self.path)
        if page is None:
            return self.answer(404, "no such page")
        try:
            self.answer(200, page())
        except OSError as error:
            self.answer(500, f"cannot read the board: {{error.strerror}}")

    def board(self):
        return BOARD.read_text()

    def version(self):
        return json.dumps({{"label": "{label}", "commit": REVISION}})

    def health(self):
        return "ok" if self.board() else "empty"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *words):
        print(form % words, flush=True)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Departures).serve_forever()
'''

# The third release reads a file that somebody laid into the shared folder of staging by hand, and there only:
# it passes in staging, starts in production, and answers 500.
RELEASES = (
    ("1.0", "board.txt", "06:30 Saltmarsh\n07:15 Northholm\n", "Show the departures board"),
    ("2.0", "board.txt", "06:30 Saltmarsh, quay 2\n07:15 Northholm, quay 1\n", "Show the quay beside each departure"),
    ("3.0", "data/departures.txt", "06:30 Saltmarsh, quay 2\n07:15 Northholm, quay 1\n", "Read the board from the shared folder"),
    (
        "4.0",
        "board.txt",
        "06:30 Saltmarsh, quay 2\n07:15 Northholm, quay 3\n",
        "Read the board from the release again, and move Northholm to quay 3",
    ),
)


@dataclass(frozen=True, slots=True)
class Release:
    """One commit of the application."""

    label: str
    commit: str


def build(path: Path) -> tuple[Release, ...]:
    """Make the repository anew and return its releases, oldest first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    made = []
    for label, board, text, message in RELEASES:
        (path / "server.py").write_text(SERVER.format(label=label, board=board))
        (path / "board.txt").write_text(text)
        git(path, "add", "--all")
        git(path, "commit", "--quiet", "--message", message)
        made.append(Release(label, git(path, "rev-parse", "HEAD")))
    return tuple(made)


def git(path: Path, *words: str) -> str:
    """Run git there, independent of the settings of whoever runs the story."""
    who = {"NAME": "Departures team", "EMAIL": "departures@example.org"}
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **names}
    done = subprocess.run(["git", "-C", str(path), *words], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()
