"""The driver against a real repository, real directories and a real process."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from apps.catalog.versions import Version
from apps.deployments.drivers.base import CannotTell, Fence, Fenced, Phase
from apps.deployments.drivers.release_dir import processes
from apps.deployments.drivers.release_dir.place import Place
from apps.deployments.probes import fetch
from tests.deployments.town import DRIVER, carry_out, lives_on, order_of


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
    assert not lives_on(running)


def test_cancelling_after_the_switch_says_so_and_changes_nothing(town):
    order = order_of(town, town.commit("good"))
    carry_out(order)

    assert DRIVER.cancel(order, 0).has_switched
    assert fetch(town.version_url).body == order.version.git


def test_observing_tells_what_runs_and_what_is_set(town):
    first, second = town.commit("good"), town.commit("good", x="y")
    nothing = DRIVER.observe(order_of(town, first, turn=1))
    carry_out(order_of(town, first, turn=1))

    seen = DRIVER.observe(order_of(town, second, turn=2, previous=first))

    assert (nothing.is_known, nothing.runs, nothing.points_to) == (True, None, None)
    assert (seen.is_known, seen.runs, seen.points_to) == (True, f"git:{first}", f"git:{first}")


def test_observing_closes_the_fence_behind_earlier_attempts(town):
    commit = town.commit("good")
    DRIVER.observe(order_of(town, commit, attempt=2))

    with pytest.raises(Fenced):
        DRIVER.poll(order_of(town, commit, attempt=1), 0)


def test_a_version_address_without_a_commit_is_not_known(town):
    order = order_of(town, town.commit("good"))
    carry_out(order)
    other = replace(order, options=town.options(version_url=town.health_url))

    assert DRIVER.observe(other).runs is None
    assert "names no full commit id" in DRIVER.observe(other).said


def test_a_directory_that_does_not_answer_is_no_failure(town):
    town.root.write_text("a file in its place")

    with pytest.raises(CannotTell, match="does not answer"):
        DRIVER.poll(order_of(town, town.commit("good")), 0)
    with pytest.raises(CannotTell):
        DRIVER.observe(order_of(town, town.commit("good")))


def test_a_directory_that_breaks_in_the_middle_is_no_failure(town, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("input/output error")

    monkeypatch.setattr(Place, "switch", broken)

    with pytest.raises(CannotTell, match="input/output error"):
        carry_out(order_of(town, town.commit("good")))


def test_a_link_that_cannot_be_read_is_not_known(town, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("stale handle")

    monkeypatch.setattr(Place, "current_name", broken)

    assert not DRIVER.observe(order_of(town, town.commit("good"))).is_known


def test_a_target_whose_lock_is_held_cannot_be_told(town, monkeypatch):
    monkeypatch.setattr("apps.deployments.drivers.release_dir.place.LOCK_SECONDS", 0.05)
    place, order = Place(town.root), order_of(town, town.commit("good"))
    place.prepare()

    with place.fenced(Fence(1, 1)), pytest.raises(CannotTell, match="holds the target's lock"):
        DRIVER.poll(order, 0)


def test_options_that_went_bad_fail_the_deployment_with_their_sentence(town):
    progress = DRIVER.poll(order_of(town, town.commit("good"), keep=0), 0)

    assert (progress.phase, progress.failure) == (Phase.FAILED, "The option keep is a whole number from 2 to 100.")


def test_a_damaged_pidfile_is_not_taken_for_no_process(town):
    place = Place(town.root)
    place.prepare()
    place.pidfile.write_text("{")

    with pytest.raises(CannotTell, match="cannot be read"):
        carry_out(order_of(town, town.commit("good")))
    place.pidfile.unlink()


def test_a_command_that_was_killed_is_said_to_be(town):
    hook = {"name": "slow", "argv": ["sleep", "60"], "seconds": 60}
    order = order_of(town, town.commit("good"), hooks=[hook])
    DRIVER.poll(order, 0)
    running = processes.read_process(next((town.root / ".deploy" / "runs").glob("*/slow.json")))
    assert running is not None
    processes.signal_group(running, signal.SIGKILL)
    assert not lives_on(running)

    assert "The command slow was killed before it ended." in carry_out(order).failure


def test_a_process_id_that_was_given_to_another_process_is_left_alone(town):
    commit = town.commit("good")
    place = Place(town.root)
    place.prepare()
    note = {"pid": os.getpid(), "mark": "1@another-boot", "release": "old", "order": "old", "started_at": 0}
    place.pidfile.write_text(json.dumps(note))

    done = carry_out(order_of(town, commit))

    assert done.phase is Phase.DONE
    assert "stop process" not in done.text


def test_a_killed_process_is_seen_as_gone(town):
    carry_out(order_of(town, town.commit("good")))
    running = processes.read_process(town.root / ".deploy" / "process.json")
    assert running is not None
    assert running.is_alive

    processes.signal_group(running, signal.SIGKILL)

    assert not lives_on(running)
    processes.signal_group(running, signal.SIGKILL)
