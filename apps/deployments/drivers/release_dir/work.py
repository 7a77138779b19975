"""One order on one target: looks at what is true there and does the next thing that is missing.

Nothing is remembered but what lies on the target, so any worker can go on where a lost one stopped."""

import os
import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from apps.deployments.drivers.base import Order, Phase, Progress
from apps.deployments.drivers.release_dir.launch import write_beside
from apps.deployments.drivers.release_dir.options import Options, read_options
from apps.deployments.drivers.release_dir.place import Place
from apps.deployments.drivers.release_dir.processes import Process, read_process, signal_group, start_process
from apps.deployments.drivers.release_dir.readback import read_back
from apps.deployments.drivers.release_dir.repository import Blob, export, is_whole, list_commit

LAST_BYTES = 2_000
SOON, LATER = 0.2, 0.5


class Waiting(Exception):
    """Something has to happen on the target first; look again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Failed(Exception):
    """The deployment cannot be carried out; the text is for a person."""


class Work:
    """The pieces in their order: export, hooks, switch, restart, read back, prune."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.options: Options = read_options(order.options)
        self.place = Place(self.options.root)
        self.commit = str(order.version.git)

    @property
    def release(self) -> str:
        """The release this order is about: on the way back the kept one, if it was not pruned."""
        return (self.place.kept_release(self.commit) if self.order.is_way_back else "") or self.place.own_name(self.order)

    @property
    def has_switched(self) -> bool:
        """Whether `current` is ours."""
        return self.place.current_name() == self.release

    def advance(self, until: float) -> None:
        """Do everything that can be done now; returns when it is read back, else raises Waiting or why it cannot be done."""
        self._export(until)
        for hook in self.options.hooks:
            self._command(hook.name, hook.argv, seconds=hook.seconds, under=self.release)
        self._switch()
        if self.options.restart_command:
            self._command("restart", self.options.restart_command, seconds=self.options.ready_seconds, under=self.order.id)
        else:
            self._restart()
        self._read_back()
        self._prune(until)

    def say(self, text: str) -> None:
        """Write a line to the journal on the target."""
        self.place.say(self.order, text)

    def _export(self, until: float) -> None:
        if self.place.revision_of(self.release) == self.commit:
            return
        blobs = list_commit(self.order.repository, self.commit)
        with self.place.fenced(self.order.fence):  # a ghost must not write beside us, nor put a half-made directory in place
            if self.place.revision_of(self.release) == self.commit:
                return
            self._write_files(blobs, until)
            self.place.finish_incoming(self.release, commit=self.commit, shared=self.options.shared)
            self.say(f"release {self.release} is complete")

    def _write_files(self, blobs: list[Blob], until: float) -> None:
        name, coming = self.release, self.place.incoming / self.release
        if not coming.is_dir():
            self.say(f"export {len(blobs)} files of {self.commit}")
            coming.mkdir(parents=True, exist_ok=True)
        since = self.place.exported(name, commit=self.commit)
        count = export(self.order.repository, blobs, coming, until=until, tag=str(self.order.fence), since=since)
        is_complete = count == len(blobs) and is_whole(coming, blobs)
        self.place.note_exported(name, commit=self.commit, count=count if is_complete or count < len(blobs) else 0)
        if not is_complete:
            self.say(f"{len(blobs) - count} files to go" if count < len(blobs) else "files are missing again: export from the first one")
            raise Waiting(0)

    def _switch(self) -> None:
        """The moment users begin to see it: one rename, in the same breath as the look at the fence."""
        with self.place.fenced(self.order.fence):
            if self.has_switched:
                return
            before = self.place.current_name() or "nothing"
            self.place.switch(self.release, tag=str(self.order.fence))
            self.say(f"switch current: {before} -> {self.release}")

    def _restart(self) -> None:
        with self.place.fenced(self.order.fence):
            running = read_process(self.place.pidfile)
            if running and running.is_alive:
                if running.release == self.release:
                    return
                self._stop(running)
            if running and running.order == self.order.id and running.release == self.release:
                raise Failed(f"The new process ended before it answered. Its last words: {self._last_words()}")
            self._start()

    def _stop(self, running: Process) -> NoReturn:
        """Ask, and after the time the settings give, insist; the group goes with it."""
        asked = self._asked_at(running)
        if asked is None:
            self.say(f"stop process {running.pid} of {running.release}")
            write_beside(self.place.stopping, f"{running.pid} {running.mark} {datetime.now(UTC).timestamp()}")
            signal_group(running, signal.SIGTERM)
        elif datetime.now(UTC).timestamp() - asked > self.options.stop_seconds:
            self.say(f"process {running.pid} did not stop within {self.options.stop_seconds} s: kill")
            signal_group(running, signal.SIGKILL)
        raise Waiting(SOON)

    def _asked_at(self, running: Process) -> float | None:
        try:
            pid, mark, at = self.place.stopping.read_text().split(" ")
            return float(at) if (int(pid), mark) == (running.pid, running.mark) else None
        except (FileNotFoundError, ValueError):
            return None

    def _start(self) -> None:
        release = self.place.releases / self.release
        argv = self.options.filled(self.options.start_command, release=release, commit=self.commit)
        self.say(self.options.mask(f"start {' '.join(argv)}"))
        start_process(
            argv,
            cwd=release,
            env=self.options.environment(),
            log=self.place.app_log,
            pidfile=self.place.pidfile,
            release=self.release,
            order=self.order.id,
        )

    def _command(self, name: str, argv: tuple[str, ...], *, seconds: int, under: str) -> None:
        """Run a command of the settings once per `under`, however many workers look at it."""
        runs = self.place.notes / "runs" / under
        runs.mkdir(parents=True, exist_ok=True)
        pidfile, rc = runs / f"{name}.json", runs / f"{name}.rc"
        running = read_process(pidfile)
        alive = bool(running and running.is_alive)
        if rc.is_file():
            return self._judge_command(name, rc)
        if running is None:
            with self.place.fenced(self.order.fence):
                self._launch_command(name, argv, pidfile=pidfile, rc=rc)
            raise Waiting(SOON)
        if not alive:
            raise Failed(f"The command {name} was killed before it ended.")
        if running.age_seconds > seconds:
            signal_group(running, signal.SIGKILL)
            raise Failed(f"The command {name} took longer than {seconds} s.")
        raise Waiting(LATER)

    def _judge_command(self, name: str, rc: Path) -> None:
        if (status := rc.read_text().strip()) != "0":
            raise Failed(f"The command {name} ended with {status}. Its output is in the log.")

    def _launch_command(self, name: str, argv: tuple[str, ...], *, pidfile: Path, rc: Path) -> None:
        release = self.place.releases / self.release
        words = self.options.filled(argv, release=release, commit=self.commit)
        self.say(self.options.mask(f"{name}: {' '.join(words)}"))
        log, env = self.place.journal(self.order), self.options.environment()
        start_process(words, cwd=release, env=env, log=log, pidfile=pidfile, release=self.release, order=self.order.id, rc=rc)

    def _read_back(self) -> None:
        """Success is what the program itself reports."""
        report = read_back(self.options.version_url, known=[self.commit])
        if report.commit == self.commit:
            self.say(f"read back: {self.commit}")
            return
        if self._waited_seconds() <= self.options.ready_seconds:
            if not self.options.restart_command:
                self._still_alive()
            raise Waiting(SOON)
        raise Failed(f"{report.said}, {self.options.ready_seconds} s after the start. Expected {self.commit}.")

    def _still_alive(self) -> None:
        running = read_process(self.place.pidfile)
        if running is None or not running.is_alive:
            raise Failed(f"The new process ended before it answered. Its last words: {self._last_words()}")

    def _waited_seconds(self) -> float:
        if not self.options.restart_command:
            running = read_process(self.place.pidfile)
            return running.age_seconds if running else 0.0
        return time.time() - (self.place.notes / "runs" / self.order.id / "restart.rc").stat().st_mtime

    def _last_words(self) -> str:
        try:
            with self.place.app_log.open("rb") as log:  # it may be larger than our memory
                log.seek(max(log.seek(0, os.SEEK_END) - LAST_BYTES, 0))
                said = log.read(LAST_BYTES).decode(errors="replace").strip()
        except FileNotFoundError:
            return "none"
        return self.options.mask(" / ".join(said.splitlines()[-3:])) or "none"

    def _prune(self, until: float) -> None:
        previous = self.order.previous.git if self.order.previous else None
        with self.place.fenced(self.order.fence):
            spared = {self.release, self.place.current_name(), self.place.kept_release(previous) if previous else None}
            try:
                gone = self.place.prune(keep=self.options.keep, spared=spared, until=until, tag=str(self.order.fence))
            except OSError as error:  # what was read back runs, whatever is left lying about
                gone = []
                self.say(f"old releases could not be removed: {error}")
            for name in gone:
                self.say(f"removed old release {name}")

    def drop(self) -> None:
        """Leave nothing behind of an order that is stopped before its switch."""
        for pidfile in (self.place.notes / "runs" / self.release).glob("*.json"):
            if running := read_process(pidfile):
                signal_group(running, signal.SIGKILL)
        shutil.rmtree(self.place.incoming / self.release, ignore_errors=True)
        self.say("stopped before the switch: nothing was changed for users")

    def progress(self, phase: Phase, offset: int, *, failure: str = "", wait_seconds: float = 0.0) -> Progress:
        """What a call brought, with the output since the offset, masked."""
        text, after = self.place.read_journal(self.order, offset)
        return Progress(phase, self.options.mask(text), after, self.has_switched, self.options.mask(failure), wait_seconds)
