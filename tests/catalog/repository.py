"""A small git repository to read from, made by git itself; nothing of whoever runs the tests is in it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ADA, BEN = ("Ada Lovelace", "ada@example.org"), ("Ben", "Ben@Example.org")
NOBODY = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.defpath, "LC_ALL": "C"}


@dataclass
class Repository:
    """A working clone with one branch, `main`."""

    root: Path
    clock: int = 1_790_000_000

    def git(self, *words: str, author: tuple[str, str] = ADA, committer: tuple[str, str] = ADA, given: str = "") -> str:
        """Run git; its output without the last line break."""
        self.clock += 60
        who = {"GIT_AUTHOR_NAME": author[0], "GIT_AUTHOR_EMAIL": author[1], "GIT_COMMITTER_NAME": committer[0]}
        who |= {"GIT_COMMITTER_EMAIL": committer[1], "GIT_AUTHOR_DATE": f"{self.clock} +0000", "GIT_COMMITTER_DATE": f"{self.clock} +0000"}
        argv = ["git", "-C", str(self.root), *words]
        return subprocess.run(argv, env=NOBODY | who, input=given, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str, files: dict[str, str] | None = None, **who: tuple[str, str]) -> str:
        """Write files and commit them; the full id."""
        for name, body in (files or {"note.txt": message}).items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--file=-", given=message, **who)
        return self.git("rev-parse", "HEAD")


def make_repository(root: Path) -> Repository:
    """An empty one."""
    root.mkdir(parents=True, exist_ok=True)
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch=main")
    return made
