"""The driver against a real repository, real directories and a real process."""

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.catalog.versions import Version
from apps.deployments.drivers.base import BadOptions, Fence, Fenced, Order, Phase, Progress
from apps.deployments.drivers.release_dir import processes
from apps.deployments.drivers.release_dir.driver import ReleaseDir
from apps.deployments.drivers.release_dir.options import read_options
from apps.deployments.drivers.release_dir.place import Place
from apps.deployments.probes import fetch
from tests.deployments.town import Town, git

DRIVER = ReleaseDir()


def order_of(town: Town, commit: str, *, turn: int = 1, attempt: int = 1, previous: str = "", back: bool = False, **options) -> Order:
    return Order(
        id=f"order-{turn}",
        ref=f"DEP-{turn}",
        version=Version(f"v{turn}", (f"git:{commit}",)),
        previous=Version("before", (f"git:{previous}",)) if previous else None,
        fence=Fence(turn, attempt),
        options=town.options(**options),
        repository=str(town.repository),
        begun_at=datetime(2026, 11, 20, 14, 0, turn, tzinfo=UTC),
        is_way_back=back,
    )


def carry_out(order: Order, *, seconds: float = 20) -> Progress:
    """Poll as the runner does until it is over; the waits are the driver's own."""
    until, offset, text = time.monotonic() + seconds, 0, ""
    while time.monotonic() < until:
        progress = DRIVER.poll(order, offset)
        offset, text = progress.offset, text + progress.text
        if progress.phase is not Phase.WORKING:
            return Progress(progress.phase, text, offset, progress.has_switched, progress.failure)
        time.sleep(min(progress.wait_seconds, 0.1))
    raise AssertionError(f"not over in time: {text}")


def test_deploying_exports_the_commit_switches_starts_and_reads_back(town):
    commit = town.commit("good", readme="hello")

    done = carry_out(order_of(town, commit))

    assert done.phase is Phase.DONE
    assert done.has_switched
    current = town.root / "current"
    assert current.is_symlink()
    assert current.resolve().name == f"20261120T140001Z-{commit[:12]}"
    assert (current / "REVISION").read_text() == f"{commit}\n"
    assert (current / "readme").read_text() == "hello"
    assert (current / "shared").resolve() == (town.root / "shared").resolve()
    assert fetch(town.version_url).body == commit
    assert f"read back: {commit}" in done.text


def test_an_update_replaces_the_process_and_the_way_back_uses_the_kept_release(town):
    first, second = town.commit("good"), town.commit("good", more="x")
    carry_out(order_of(town, first, turn=1))
    old = town.process()
    carry_out(order_of(town, second, turn=2, previous=first))
    assert fetch(town.version_url).body == second
    assert town.process() != old

    back = carry_out(order_of(town, first, turn=3, previous=second, back=True))

    assert back.phase is Phase.DONE
    assert "export" not in back.text
    assert (town.root / "current").resolve().name.startswith("20261120T140001Z")
    assert fetch(town.version_url).body == first


def test_the_way_back_exports_again_what_was_pruned(town):
    commits = [town.commit("good", n=str(n)) for n in range(4)]
    for turn, commit in enumerate(commits, 1):
        carry_out(order_of(town, commit, turn=turn, previous=commits[turn - 2] if turn > 1 else "", keep=2))
    assert len(list((town.root / "releases").iterdir())) == 2

    back = carry_out(order_of(town, commits[0], turn=5, previous=commits[3], back=True, keep=2))

    assert back.phase is Phase.DONE
    assert "export" in back.text
    assert fetch(town.version_url).body == commits[0]


def test_pruning_spares_what_runs_and_what_ran_before(town):
    place = Place(town.root)
    place.prepare()
    for name in "abcde":
        (place.releases / name).mkdir()

    gone = place.prune(keep=2, spared={"a", "d", None})

    assert gone == ["b", "c"]


def test_a_commit_that_is_not_there_fails_with_a_clear_text(town):
    town.commit("good")
    missing = "ab" * 20

    done = carry_out(order_of(town, missing))

    assert done.phase is Phase.FAILED
    assert f"The commit {missing} is not in {town.repository}" in done.failure
    assert not done.has_switched


def test_a_repository_that_is_no_directory_here_fails_with_a_clear_text(town):
    order = order_of(town, town.commit("good"))

    assert "is no directory on this machine" in DRIVER.why_not(order.options, "https://example.org/x.git", order.version)


def test_a_version_without_a_commit_is_refused(town):
    assert "this version has none" in DRIVER.why_not(town.options(), str(town.repository), Version("1", ("sha256:" + "a" * 64,)))


def test_a_process_that_dies_fails_with_its_last_words(town):
    done = carry_out(order_of(town, town.commit("dies")))

    assert done.phase is Phase.FAILED
    assert done.has_switched
    assert "no configuration for the turnstiles" in done.failure


def test_a_program_that_cannot_be_started_fails_with_its_name(town):
    done = carry_out(order_of(town, town.commit("good"), start_command=["/nonexistent/program"]))

    assert done.phase is Phase.FAILED
    assert "/nonexistent/program" in done.failure


def test_a_stubborn_process_is_killed_after_the_given_time(town):
    first, second = town.commit("stubborn"), town.commit("good")
    carry_out(order_of(town, first, turn=1))

    done = carry_out(order_of(town, second, turn=2, previous=first))

    assert done.phase is Phase.DONE
    assert "did not stop within 1 s: kill" in done.text
    assert fetch(town.version_url).body == second


def test_another_version_that_goes_on_answering_is_no_success(town):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=1))

    done = carry_out(order_of(town, second, turn=2, restart_command=["true"], ready_seconds=1))

    assert done.phase is Phase.FAILED
    assert f"reports {first}" in done.failure
    assert f"Expected {second}" in done.failure


def test_a_lower_fence_is_refused_and_changes_nothing(town):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=2, attempt=3))

    for ghost in (order_of(town, second, turn=1, attempt=9), order_of(town, second, turn=2, attempt=2)):
        with pytest.raises(Fenced):
            DRIVER.poll(ghost, 0)

    assert fetch(town.version_url).body == first


def test_a_ghost_that_wakes_between_export_and_switch_does_not_switch(town, monkeypatch):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=1))
    finish = Place.finish_incoming

    def overtaken(place, name, **more):
        finish(place, name, **more)
        with place.fenced(Fence(2, 2)):
            return

    monkeypatch.setattr(Place, "finish_incoming", overtaken)

    with pytest.raises(Fenced):
        DRIVER.poll(order_of(town, second, turn=2, attempt=1), 0)

    assert (town.root / "current" / "REVISION").read_text().strip() == first


def test_the_switch_is_one_rename(town, monkeypatch):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=1))
    current, seen = town.root / "current", []
    replace = Path.replace

    def watched(path, target):
        if Path(target) == current:
            seen.append(current.readlink())
            replace(path, target)
            seen.append(current.readlink())
            return
        replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    carry_out(order_of(town, second, turn=2, previous=first))

    assert [str(text).endswith(commit[:12]) for text, commit in zip(seen, (first, second), strict=True)] == [True, True]


def test_an_export_cut_off_in_the_middle_is_finished_by_the_next_attempt(town):
    commit = town.commit("good", large="x" * 50_000)
    order = order_of(town, commit)
    half = town.root / "incoming" / f"20261120T140001Z-{commit[:12]}"
    half.mkdir(parents=True)
    (half / "large").write_text("x" * 20_000)
    (half / "app.py").write_text("never finished")

    done = carry_out(order)

    assert done.phase is Phase.DONE
    assert (town.root / "current" / "large").read_text() == "x" * 50_000


def test_the_export_is_the_commit_byte_for_byte(town):
    attributes = "*.txt export-ignore\nsecret.cfg filter=evil\n*.txt text eol=crlf\n"
    commit = town.commit("good", **{".gitattributes": attributes, "kept.txt": "one\ntwo\n", "secret.cfg": "plain"})
    git(town.repository, "config", "filter.evil.smudge", f"touch {town.root}.smudged; cat")
    other = git(town.repository, "hash-object", "-w", "mode")
    blob = git(town.repository, "rev-parse", f"{commit}:kept.txt")
    git(town.repository, "replace", blob, other)

    carry_out(order_of(town, commit))

    assert (town.root / "current" / "kept.txt").read_bytes() == b"one\ntwo\n"
    assert not Path(f"{town.root}.smudged").exists()


def test_links_and_programs_keep_their_kind(town):
    (town.repository / "run.sh").write_text("#!/bin/sh\n")
    (town.repository / "run.sh").chmod(0o755)
    (town.repository / "link").symlink_to("run.sh")
    commit = town.commit("good")

    carry_out(order_of(town, commit))

    assert os.access(town.root / "current" / "run.sh", os.X_OK)
    assert (town.root / "current" / "link").readlink() == Path("run.sh")


def test_hooks_run_once_before_the_switch_with_a_bare_environment_and_masked_output(town, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("WORKER_ONLY", "not for hooks")
    commit = town.commit("good")
    hook = {"name": "build", "argv": ["sh", "-c", "env; pwd; echo ran >> ran"], "seconds": 10}

    done = carry_out(order_of(town, commit, hooks=[hook], secret_names=["SHOP_*"], environment={"COLOUR": "green"}))

    assert done.phase is Phase.DONE
    assert (town.root / "current" / "ran").read_text() == "ran\n"
    assert "SHOP_TOKEN=••••••••" in done.text
    assert "hunter2" not in done.text
    assert "COLOUR=green" in done.text
    assert "WORKER_ONLY" not in done.text
    assert done.text.index("build:") < done.text.index("switch current")


def test_a_failing_hook_stops_before_the_switch(town):
    hook = {"name": "build", "argv": ["sh", "-c", "echo broken pipe; exit 3"], "seconds": 10}

    done = carry_out(order_of(town, town.commit("good"), hooks=[hook]))

    assert done.phase is Phase.FAILED
    assert "The command build ended with 3" in done.failure
    assert "broken pipe" in done.text
    assert not done.has_switched


def test_a_hook_that_takes_too_long_is_killed(town):
    hook = {"name": "build", "argv": ["sleep", "60"], "seconds": 1}

    done = carry_out(order_of(town, town.commit("good"), hooks=[hook]))

    assert "took longer than 1 s" in done.failure


def test_cancelling_before_the_switch_leaves_nothing_behind(town):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=1))
    order = order_of(town, second, turn=2, previous=first, hooks=[{"name": "slow", "argv": ["sleep", "60"]}])
    DRIVER.start(order)

    progress = DRIVER.cancel(order, 0)

    assert progress.phase is Phase.DONE
    assert not progress.has_switched
    assert fetch(town.version_url).body == first
    running = processes.read_process(town.root / ".deploy" / "runs" / f"20261120T140002Z-{second[:12]}" / "slow.json")
    assert running is not None
    assert not _lives_on(running)


def _lives_on(running: processes.Process) -> bool:
    until = time.monotonic() + 5
    while running.is_alive and time.monotonic() < until:
        time.sleep(0.01)
    return running.is_alive


def test_cancelling_after_the_switch_says_so_and_changes_nothing(town):
    order = order_of(town, town.commit("good"))
    carry_out(order)

    assert DRIVER.cancel(order, 0).has_switched
    assert fetch(town.version_url).body == order.version.git


def test_observing_tells_what_runs_and_what_is_set(town):
    first, second = town.commit("good"), town.commit("good", x="y")
    order = order_of(town, second, turn=2, previous=first)
    nothing = DRIVER.observe(order)
    carry_out(order_of(town, first, turn=1))

    seen = DRIVER.observe(order)

    assert (nothing.is_known, nothing.runs, nothing.points_to) == (True, None, None)
    assert (seen.is_known, seen.runs, seen.points_to) == (True, f"git:{first}", f"git:{first}")


def test_a_process_id_that_was_given_to_another_process_is_left_alone(town):
    commit = town.commit("good")
    place = Place(town.root)
    place.prepare()
    note = {"pid": os.getpid(), "mark": "1@another-boot", "release": "old", "order": "old", "started_at": 0}
    place.pidfile.write_text(json.dumps(note))

    done = carry_out(order_of(town, commit))

    assert done.phase is Phase.DONE
    assert "stop process" not in done.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"root": "relative"}, "absolute path"),
        ({"root": "/"}, "absolute path"),
        ({"root": "/srv/../etc"}, "absolute path"),
        ({"version_url": "ftp://x"}, "version_url"),
        ({"start_command": "run me"}, "There is no shell"),
        ({"start_command": [""]}, "There is no shell"),
        ({"start_command": []}, "either start_command or restart_command"),
        ({"restart_command": ["x"]}, "either start_command or restart_command"),
        ({"port": "80"}, "whole number"),
        ({"port": True}, "whole number"),
        ({"keep": 1}, "from 2 to 100"),
        ({"shared": ["../up"]}, "plain names"),
        ({"shared": [".."]}, "plain names"),
        ({"hooks": {}}, "list of objects"),
        ({"hooks": [{"name": "x"}]}, "has no argv"),
        ({"hooks": [{"name": "x", "argv": ["a"]}, {"name": "x", "argv": ["b"]}]}, "same name"),
        ({"hooks": [{"name": "x", "argv": ["a"], "shell": "b"}]}, "A hook has no option shell"),
        ({"environment": {"A B": "x"}}, "variable names"),
        ({"secret_names": ["a b"]}, "plain names"),
        ({"colour": "x"}, "has no option colour"),
    ],
)
def test_options_that_cannot_be_carried_out_are_named(town, change, said):
    with pytest.raises(BadOptions, match=said):
        read_options(town.options() | change)


def test_commands_are_filled_with_paths_ports_and_commits_only(town):
    options = read_options(town.options(start_command=["run", "{release}", "{port}", "{commit}", "{label}", "{{x}}"]))

    words = options.filled(options.start_command, release=Path("/r"), commit="c0ffee")

    assert words == ["run", "/r", str(town.port), "c0ffee", "{label}", "{{x}}"]


def test_a_killed_process_is_seen_as_gone(town):
    carry_out(order_of(town, town.commit("good")))
    running = processes.read_process(town.root / ".deploy" / "process.json")
    assert running is not None
    assert running.is_alive

    processes.signal_group(running, signal.SIGKILL)

    assert not _lives_on(running)
    processes.signal_group(running, signal.SIGKILL)
