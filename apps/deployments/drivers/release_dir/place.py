"""The directory of one target: releases, what is current, the lock, the fence and the journal. Knows files, no processes."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from apps.deployments.drivers.base import CannotTell, Fence, Fenced, Order
from apps.deployments.drivers.release_dir import launch

LOCK_SECONDS = 2.0
LOCK_EVERY = 0.02
JOURNAL_READ = 65_536
KEPT_JOURNALS = 50


class Place:
    """`root/releases/<time>-<sha12>`, `root/shared`, `root/current`; our own notes lie in `root/.deploy`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.releases = root / "releases"
        self.incoming = root / "incoming"
        self.shared = root / "shared"
        self.current = root / "current"
        self.notes = root / ".deploy"
        self.pidfile = self.notes / "process.json"
        self.stopping = self.notes / "stopping.json"
        self.app_log = self.notes / "process.log"
        self._fence = self.notes / "fence.json"

    def prepare(self) -> None:
        """Make the directories that are missing."""
        for path in (self.releases, self.incoming, self.shared, self.notes, self.notes / "logs", self.notes / "runs"):
            path.mkdir(parents=True, exist_ok=True)
        self.notes.chmod(0o700)

    @contextmanager
    def fenced(self, fence: Fence) -> Iterator[None]:
        """Hold the target's own lock, after checking that no later attempt was here; raises Fenced or CannotTell."""
        handle = os.open(self.notes / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(handle)
            seen = self.seen_fence()
            if seen > fence:
                raise Fenced(f"Turn {seen.turn}, attempt {seen.attempt} was here; {fence.turn}, {fence.attempt} is over.")
            if seen < fence:
                launch.write_beside(self._fence, json.dumps({"turn": fence.turn, "attempt": fence.attempt}))
            yield
        finally:
            os.close(handle)  # lets the lock go

    def seen_fence(self) -> Fence:
        """The highest fence that was here."""
        try:
            note = json.loads(self._fence.read_text())
        except FileNotFoundError:
            return Fence(0, 0)
        except ValueError as error:
            raise CannotTell(f"{self._fence} cannot be read: {error}") from error
        match note:
            case {"turn": int(turn), "attempt": int(attempt)}:
                return Fence(turn, attempt)
        raise CannotTell(f"{self._fence} does not hold a turn and an attempt.")

    def own_name(self, order: Order) -> str:
        """The release directory this order makes: the same in every attempt."""
        return f"{order.begun_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{str(order.version.git)[:12]}"

    def kept_release(self, commit: str) -> str:
        """The newest complete release of a commit, or an empty name."""
        return next((name for name in reversed(self.release_names()) if self.revision_of(name) == commit), "")

    def release_names(self) -> list[str]:
        """All complete releases, oldest first: their names begin with the time."""
        return sorted(path.name for path in self.releases.iterdir() if path.is_dir()) if self.releases.is_dir() else []

    def revision_of(self, name: str) -> str | None:
        """The commit a release holds."""
        try:
            return (self.releases / name / "REVISION").read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def current_name(self) -> str | None:
        """The release that `current` points to; None before the first switch."""
        try:
            return self.current.readlink().name
        except (FileNotFoundError, OSError):
            return None

    def exported(self, name: str, *, commit: str) -> int:
        """How many files of a half-made release are known to be whole since the machine was started; a crash may have lost the rest."""
        try:
            boot, known, count = self._export_mark(name).read_text().split(" ")
            return int(count) if (boot, known) == (launch.boot_id(), commit) and (self.incoming / name).is_dir() else 0
        except (FileNotFoundError, ValueError):
            return 0

    def note_exported(self, name: str, *, commit: str, count: int) -> None:
        """Remember how far an export came, so that the next step need not hash everything again."""
        mark = self._export_mark(name)
        mark.parent.mkdir(parents=True, exist_ok=True)
        launch.write_beside(mark, f"{launch.boot_id()} {commit} {count}")

    def _export_mark(self, name: str) -> Path:
        return self.notes / "runs" / name / "exported"

    def finish_incoming(self, name: str, *, commit: str, shared: tuple[str, ...]) -> None:
        """Link what is shared, write REVISION last, and move the whole directory into place by one rename."""
        coming = self.incoming / name
        for entry in shared or ("shared",):
            kept = self.shared / entry if shared else self.shared
            kept.mkdir(parents=True, exist_ok=True)
            _link_in_place_of(coming / entry, os.path.relpath(kept, self.releases / name))
        (coming / "REVISION").write_text(f"{commit}\n")
        coming.rename(self.releases / name)

    def switch(self, name: str, *, tag: str) -> None:
        """Let `current` point to a release by one rename: a reader sees the old one or the new one."""
        beside = self.root / f".current.{tag}"
        beside.unlink(missing_ok=True)
        beside.symlink_to(os.path.join("releases", name))  # noqa: PTH118 - a relative link, so that the root may be moved
        beside.replace(self.current)

    def prune(self, *, keep: int, spared: set[str | None], until: float, tag: str) -> list[str]:
        """Remove the oldest releases beyond `keep`, never a spared one, and everything half-made; the caller holds the fence.

        So whatever is half-made is of an order that is over. What takes longer than the time there is, is left to the next order."""
        names = self.release_names()
        gone = [name for name in names[: max(len(names) - keep, 0)] if name not in spared]
        for name in gone:
            (self.releases / name).rename(self.incoming / f"{name}.{tag}.gone")  # what is under its own name is complete
            shutil.rmtree(self.notes / "runs" / name, ignore_errors=True)
        for path in list(self.incoming.iterdir()):
            _remove(path, until=until)
        for path in sorted((self.notes / "logs").iterdir(), key=lambda log: log.stat().st_mtime)[:-KEPT_JOURNALS]:
            path.unlink(missing_ok=True)
        return gone

    def say(self, order: Order, text: str) -> None:
        """Write one line to the order's journal on the target; it outlives the worker."""
        with self.journal(order).open("a") as journal:
            journal.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")

    def journal(self, order: Order) -> Path:
        """Where the order's output goes."""
        return self.notes / "logs" / f"{order.id}.log"

    def read_journal(self, order: Order, offset: int) -> tuple[str, int]:
        """Whole lines from an offset on, and the next offset: a secret is never cut in two."""
        try:
            with self.journal(order).open("rb") as journal:
                journal.seek(offset)
                read = journal.read(JOURNAL_READ)
        except FileNotFoundError:
            return "", offset
        whole = read if len(read) == JOURNAL_READ and b"\n" not in read else read[: read.rfind(b"\n") + 1]
        return whole.decode(errors="replace"), offset + len(whole)


def _lock(handle: int) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise CannotTell("Another process holds the target's lock.") from error
            time.sleep(LOCK_EVERY)
        else:
            return


def _remove(path: Path, *, until: float) -> None:
    for folder, folders, files in os.walk(path, topdown=False):
        for child in (Path(folder, name) for name in (*files, *folders)):
            if time.monotonic() > until:
                return
            if child.is_dir() and not child.is_symlink():
                child.rmdir()
            else:
                child.unlink()
    path.rmdir()


def _link_in_place_of(path: Path, to: str) -> None:
    """Put a link where the commit may have brought a directory or file of that name."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.symlink_to(to)
