"""What the driver is made of: options, the export of one commit, shared links, pruning, processes."""

import errno
import os
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from apps.deployments.drivers.base import BadOptions, CannotTell, Fence, Fenced, Phase
from apps.deployments.drivers.release_dir import launch
from apps.deployments.drivers.release_dir.options import read_options
from apps.deployments.drivers.release_dir.place import Place
from apps.deployments.drivers.release_dir.repository import NoCommit, export, is_whole, list_commit
from apps.deployments.drivers.release_dir.work import Work
from apps.deployments.probes import fetch
from tests.deployments.town import DRIVER, carry_out, git, order_of


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

    gone = place.prune(keep=2, spared={"a", "d", None}, until=time.monotonic() + 20, tag="1-1")

    assert gone == ["b", "c"]
    assert sorted(path.name for path in place.releases.iterdir()) == ["a", "d", "e"]
    assert not list(place.incoming.iterdir())


def test_pruning_takes_no_longer_than_there_is_and_leaves_nothing_half_under_its_name(town):
    place = Place(town.root)
    place.prepare()
    for name in "abc":
        (place.releases / name / "deep").mkdir(parents=True)
        (place.releases / name / "deep" / "file").touch()

    assert place.prune(keep=2, spared=set(), until=time.monotonic() - 1, tag="1-1") == ["a"]
    assert sorted(path.name for path in place.releases.iterdir()) == ["b", "c"]
    assert (place.incoming / "a.1-1.gone" / "deep" / "file").exists()

    place.prune(keep=2, spared=set(), until=time.monotonic() + 20, tag="2-1")
    assert not list(place.incoming.iterdir())


def test_what_cannot_be_pruned_fails_nothing(town, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("not ours")

    monkeypatch.setattr(Place, "prune", refuse)

    done = carry_out(order_of(town, town.commit("good")))

    assert done.phase is Phase.DONE
    assert "could not be removed: not ours" in done.text


def test_a_ghost_writes_no_files_beside_a_later_attempt(town, monkeypatch):
    order = order_of(town, town.commit("good"))

    def overtaken(*given):
        with Work(order).place.fenced(Fence(9, 9)):
            return list_commit(*given)

    monkeypatch.setattr("apps.deployments.drivers.release_dir.work.list_commit", overtaken)

    with pytest.raises(Fenced):
        DRIVER.poll(order, 0)
    assert not list(Work(order).place.incoming.iterdir())


def test_a_ghost_prunes_nothing_of_a_later_attempt(town, monkeypatch):
    order = order_of(town, town.commit("good"))
    half_made = town.root / "incoming" / "half-made"

    def overtaken(work):
        with work.place.fenced(Fence(9, 9)):
            half_made.mkdir()

    monkeypatch.setattr(Work, "_read_back", overtaken)

    with pytest.raises(Fenced):
        carry_out(order)
    assert half_made.is_dir()


def test_an_export_goes_on_where_the_last_step_stopped_and_trusts_no_other_start_of_the_machine(town, monkeypatch):
    commit = town.commit("good")
    place = Place(town.root)
    place.prepare()
    place.note_exported("a", commit=commit, count=3)

    assert place.exported("a", commit=commit) == 0  # the directory is gone
    (place.incoming / "a").mkdir()
    assert place.exported("a", commit=commit) == 3
    assert place.exported("a", commit="e" * 40) == 0
    monkeypatch.setattr(launch, "boot_id", lambda: "another")
    assert place.exported("a", commit=commit) == 0


def test_files_that_vanish_before_the_release_is_complete_are_exported_again(town, monkeypatch):
    order = order_of(town, town.commit("good"))
    answers = iter([False])
    monkeypatch.setattr("apps.deployments.drivers.release_dir.work.is_whole", lambda *given: next(answers, True))

    done = carry_out(order)

    assert done.phase is Phase.DONE
    assert "files are missing again" in done.text


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"turn": "2", "attempt": 1}', '{"turn": null, "attempt": 1}'])
@pytest.mark.parametrize("name", ["fence.json", "process.json"])
def test_a_note_that_cannot_be_read_is_no_answer(town, name, text):
    commit = town.commit("good")
    place = Place(town.root)
    place.prepare()
    (place.notes / name).write_text(text)

    with pytest.raises(CannotTell, match=name):
        DRIVER.poll(order_of(town, commit), 0)
    (place.notes / name).unlink()


def test_a_disk_that_is_full_is_no_answer_even_while_saying_so(town, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Place, "say", full)
    for call in (lambda order: DRIVER.poll(order, 0), lambda order: DRIVER.cancel(order, 0)):
        with pytest.raises(CannotTell, match="No space left"):
            call(order_of(town, "e" * 40))


def test_last_words_are_read_from_the_end_of_a_large_log(town):
    work = Work(order_of(town, town.commit("good")))
    work.place.prepare()
    with work.place.app_log.open("wb") as log:
        log.truncate(1 << 33)  # eight gigabytes of nothing
        log.seek(0, os.SEEK_END)
        log.write(b"\nno configuration\n")

    assert work._last_words().endswith("no configuration")


def test_a_ghost_that_wakes_between_export_and_switch_does_not_switch(town, monkeypatch):
    first, second = town.commit("good"), town.commit("good", x="y")
    carry_out(order_of(town, first, turn=1))
    switch = Work._switch

    def overtaken(work):
        with work.place.fenced(Fence(2, 2)):
            pass
        switch(work)

    monkeypatch.setattr(Work, "_switch", overtaken)

    with pytest.raises(Fenced):
        DRIVER.poll(order_of(town, second, turn=2, attempt=1), 0)

    assert (town.root / "current" / "REVISION").read_text().strip() == first


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


def test_shared_names_are_linked_over_what_the_commit_brought(town):
    (town.repository / "uploads").mkdir()
    (town.repository / "uploads" / "example.txt").write_text("from the commit")
    commit = town.commit("good", settings="from the commit")
    (town.root / "shared" / "uploads").mkdir(parents=True)
    (town.root / "shared" / "uploads" / "kept.txt").write_text("from users")

    carry_out(order_of(town, commit, shared=["uploads", "settings"]))

    current = town.root / "current"
    assert (current / "uploads" / "kept.txt").read_text() == "from users"
    assert (current / "settings").is_symlink()


def test_a_path_that_leaves_the_release_is_refused(town):
    blob = git(town.repository, "hash-object", "-w", "--stdin")
    town.commit("good")
    made = subprocess.run(
        ["git", "-C", str(town.repository), "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        input=b"100644 ..\x00" + bytes.fromhex(blob), capture_output=True, check=True,
    )  # fmt: skip
    commit = git(town.repository, "commit-tree", made.stdout.decode().strip(), "-m", "evil")

    with pytest.raises(NoCommit, match="outside the release"):
        list_commit(str(town.repository), commit)


def test_an_object_that_is_missing_or_damaged_is_named(town):
    commit = town.commit("good", secret="exactly this")
    blob = git(town.repository, "rev-parse", f"{commit}:secret")
    loose = town.repository / ".git" / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    whole = loose.read_bytes()
    loose.write_bytes(zlib.compress(b"blob 12\x00exactly that"))
    damaged = carry_out(order_of(town, commit))
    loose.unlink()
    missing = carry_out(order_of(town, commit, turn=2))
    loose.write_bytes(whole)

    assert damaged.phase is missing.phase is Phase.FAILED
    assert blob in damaged.failure
    assert f"The object {blob} is missing" in missing.failure
    assert carry_out(order_of(town, commit, turn=3)).phase is Phase.DONE


def test_an_object_that_is_no_commit_is_not_deployed(town):
    blob = git(town.repository, "rev-parse", f"{town.commit('good')}:mode")

    for wrong in (blob, "HEAD", "main", "4f4f4f4f", "--upload-pack=x" + "a" * 25):
        with pytest.raises(NoCommit):
            list_commit(str(town.repository), wrong)


def test_a_repository_that_hangs_is_not_waited_for(town, monkeypatch):
    def hangs(*args, **kwargs):
        raise subprocess.TimeoutExpired("git", 6)

    monkeypatch.setattr("apps.deployments.drivers.release_dir.repository.subprocess.run", hangs)

    with pytest.raises(NoCommit, match="did not answer within 6 s"):
        list_commit(str(town.repository), "ab" * 20)


def test_a_large_export_is_done_in_pieces(town):
    commit = town.commit("good", **{f"file-{n}": str(n) for n in range(5)})
    blobs = list_commit(str(town.repository), commit)

    late, soon = time.monotonic() - 1, time.monotonic() + 20
    assert export(str(town.repository), blobs, town.root, until=late, tag="1-1") == 1
    assert export(str(town.repository), blobs, town.root, until=late, tag="1-1", since=1) == 2
    assert export(str(town.repository), blobs, town.root, until=soon, tag="1-1", since=2) == len(blobs)
    assert export(str(town.repository), blobs, town.root, until=late, tag="1-1") == 1  # hashing what is there takes its time too
    assert is_whole(town.root, blobs)
    (town.root / ".app.py.1-0.part").touch()
    assert is_whole(town.root, blobs)
    assert not (town.root / ".app.py.1-0.part").exists()
    (town.root / "app.py").unlink()
    assert not is_whole(town.root, blobs)


def test_a_start_mark_tells_processes_apart_without_proc():
    mark = launch._mark_by_ps(os.getpid())

    assert mark
    assert launch._mark_by_ps(2**22 + 1) == ""
    assert launch.start_mark(2**22 + 1) == ""


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
