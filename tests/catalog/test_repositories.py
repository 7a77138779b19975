"""Names, commits and files read from real repositories: what they mean, how much is read, and what a hostile one cannot do."""

import shutil
import subprocess
import sys
import time

import pytest

from apps.catalog.repositories import passage as passages
from apps.catalog.repositories.git import NoCommit, ask_git, run_git
from apps.catalog.repositories.names import NameKind, resolve
from apps.catalog.repositories.passage import Hand, as_body, from_body, read_passage
from tests.catalog.repository import ADA, BEN, Repository, make_repository


@pytest.fixture
def repository(tmp_path) -> Repository:
    return make_repository(tmp_path / "shop")


def read(repository: Repository, base: str, commit: str):
    return read_passage(str(repository.root), base=base, commit=commit)


def found(repository: Repository, name: str):
    return resolve(str(repository.root), name)


def test_a_branch_a_tag_a_short_and_a_full_id_mean_one_commit(repository):
    commit = repository.commit("one")
    repository.git("tag", "v1")
    repository.git("tag", "--annotate", "--message=two", "v1-told")
    repository.git("branch", "feature/très-long")

    assert (found(repository, "main").kind, found(repository, "main").commit) == (NameKind.BRANCH, commit)
    assert found(repository, "feature/très-long").commit == commit
    assert (found(repository, "v1").kind, found(repository, "v1").commit) == (NameKind.TAG, commit)
    assert found(repository, "v1-told").commit == commit
    assert (found(repository, commit[:7]).kind, found(repository, commit[:7]).commit) == (NameKind.SHORT, commit)
    assert (found(repository, f" {commit.upper()} ").kind, found(repository, commit.upper()).commit) == (NameKind.FULL, commit)
    assert found(repository, "refs/tags/v1").kind is NameKind.TAG


def test_a_name_is_resolved_to_what_it_means_now(repository):
    repository.commit("one")
    later = repository.commit("two")

    assert found(repository, "main").commit == later


def test_a_branch_and_a_tag_of_one_name_are_ambiguous_only_where_they_differ(repository):
    repository.commit("one")
    repository.git("tag", "main")
    assert found(repository, "main").kind is NameKind.BRANCH

    repository.commit("two")
    with pytest.raises(NoCommit, match=r"Write refs/heads/main or refs/tags/main"):
        found(repository, "main")


def test_a_branch_seen_elsewhere_is_found_and_an_own_one_stands_before_it(repository):
    first = repository.commit("one")
    second = repository.commit("two")
    repository.git("update-ref", "refs/remotes/origin/main", first)
    repository.git("update-ref", "refs/remotes/origin/theirs", first)

    assert found(repository, "main").commit == second
    assert found(repository, "theirs").commit == first


def test_a_short_id_of_several_commits_is_ambiguous(repository):
    many = "".join(f"commit refs/heads/b{n}\ncommitter A <a@x> {n + 1} +0000\ndata 1\n{n % 10}\n\n" for n in range(1500))
    repository.git("fast-import", "--quiet", given=many)
    ids = repository.git("for-each-ref", "--format=%(objectname)", "refs/heads").split()
    prefixes = [one[:4] for one in ids]
    twice = next(prefix for prefix in prefixes if prefixes.count(prefix) > 1)

    with pytest.raises(NoCommit, match="commits begin with"):
        found(repository, twice)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "-",
        "--all",
        "--upload-pack=x",
        "-c core.fsmonitor=x",
        "main..other",
        "main~1",
        "main^{/one}",
        ":/one",
        "HEAD@{1}",
        "@",
        "@{-1}",
        "main:note.txt",
        "refs/",
        "refs/heads/*",
        "a b",
        "a\x00b",
        "a\nb",
        "../../etc",
        "x.lock",
        "/main",
        "main/",
        "a//b",
        "x" * 201,
    ],
)
def test_what_is_no_name_is_refused_before_git_is_asked(repository, name, monkeypatch):
    monkeypatch.setattr("apps.catalog.repositories.names.ask_git", lambda *args, **kwargs: pytest.fail("git was asked"))

    with pytest.raises(NoCommit, match="no name of a commit"):
        found(repository, name)


def test_unknown_names_and_objects_that_are_no_commit_say_so(repository):
    repository.commit("one")
    blob, tree = repository.git("rev-parse", "HEAD:note.txt"), repository.git("rev-parse", "HEAD^{tree}")
    repository.git("tag", "of-a-tree", tree)

    with pytest.raises(NoCommit, match="knows no branch, tag or commit called nothing"):
        found(repository, "nothing")
    with pytest.raises(NoCommit, match="is not in the repository"):
        found(repository, "ab" * 20)
    with pytest.raises(NoCommit, match="is a blob, no commit"):
        found(repository, blob)
    with pytest.raises(NoCommit, match="knows no branch"):
        found(repository, blob[:10])
    with pytest.raises(NoCommit, match="leads to no commit"):
        found(repository, "of-a-tree")
    with pytest.raises(NoCommit, match="is not in the repository"):
        found(repository, "ab" * 32)


def test_passage_lists_commits_files_and_hands(repository):
    base = repository.commit("one", {"app.py": "1", "old.py": "1"})
    (repository.root / "old.py").unlink()
    repository.commit("two\n\nwhy\n\nCo-authored-by: Cleo <cleo@example.org>\n", {"app.py": "2", "new.py": "1"}, author=BEN)
    last = repository.commit("three", {"more.py": "1"}, committer=BEN)

    way = read(repository, base, last)

    assert [one.subject for one in way.commits] == ["three", "two"]
    assert way.commits[1].authors == (Hand(*BEN), Hand("Cleo", "cleo@example.org"))
    assert way.commits[0].committer == Hand(*BEN)
    assert way.commits[0].authors == (Hand(*ADA),)
    assert {(one.path, one.how) for one in way.files} == {("app.py", "M"), ("new.py", "A"), ("old.py", "D"), ("more.py", "A")}
    assert (way.behind, way.is_whole, way.has_more_files) == (0, True, False)
    assert from_body(as_body(way), base=base, commit=last) == way


def test_passage_tells_what_would_be_lost(repository):
    base = repository.commit("one")
    ahead = repository.commit("two")

    way = read(repository, ahead, base)
    assert (way.commits, way.behind) == ((), 1)


def test_passage_of_a_first_deployment_is_everything(repository):
    repository.commit("one", {"a.py": "1"})
    last = repository.commit("two", {"b.py": "1"})

    way = read(repository, "", last)
    assert len(way.commits) == 2
    assert {one.path for one in way.files} == {"a.py", "b.py"}


def test_passage_from_a_commit_that_is_not_there_is_not_known(repository):
    way = read(repository, "cd" * 20, repository.commit("one"))

    assert not way.is_known
    assert not way.is_whole


def test_more_commits_and_files_than_are_read_are_said(repository, monkeypatch):
    base = repository.commit("one")
    for number in range(4):
        last = repository.commit(str(number), {f"{number}.py": "1"})
    monkeypatch.setattr(passages, "MOST_COMMITS", 3)
    monkeypatch.setattr(passages, "MOST_FILES", 2)

    way = read(repository, base, last)
    assert (len(way.commits), way.has_more_commits, len(way.files), way.has_more_files) == (3, True, 2, True)
    assert not way.is_whole


def test_a_base_image_that_differs_is_told_from_another_line(repository):
    base = repository.commit("one", {"a/Dockerfile": "FROM python:3.11\nRUN x\n", "b/Dockerfile": "FROM a\n", "c/Dockerfile": "FROM a\n"})
    (repository.root / "c/Dockerfile").unlink()
    files = {"a/Dockerfile": "FROM --platform=amd64 python:3.12 AS x\n", "b/Dockerfile": "FROM a\nRUN y\n", "d.Dockerfile": "FROM b\n"}
    last = repository.commit("two", files)

    touched = {one.path: one.new_image for one in read(repository, base, last).files}
    assert touched == {"a/Dockerfile": True, "b/Dockerfile": False, "c/Dockerfile": True, "d.Dockerfile": True}


def test_hostile_words_of_a_commit_are_kept_short_and_whole(repository):
    base = repository.commit("one")
    subject = "pay\u202etxt.exe \x1b[31m<script>alert(1)</script> " + "x" * 100_000
    last = repository.commit(subject, {"ev\u202eil.py": "1", "x" * 200 + ".py": "2"}, author=("A" * 5000, "a" * 5000 + "@x"))

    way = read(repository, base, last)
    commit = way.commits[0]
    assert commit.subject.startswith("pay\u202etxt.exe")
    assert len(commit.subject) <= 201
    assert len(commit.authors[0].name) <= 200
    assert "\x00" not in str(as_body(way))
    assert any("\u202e" in one.path for one in way.files)


def test_bytes_that_are_no_text_are_replaced(repository):
    base = repository.commit("one")
    blob = repository.git("rev-parse", "HEAD:note.txt")
    entry = subprocess.run(
        ["git", "-C", str(repository.root), "mktree"],
        input=b"100644 blob " + blob.encode() + b"\tf\xff\xfe\n",
        capture_output=True,
        check=True,
    )
    last = repository.git("commit-tree", entry.stdout.decode().strip(), "-p", base, "-m", "two")

    assert {one.path for one in read(repository, base, last).files} >= {"f\ufffd\ufffd"}


def test_what_a_repository_configures_is_not_run(repository, tmp_path):
    base = repository.commit("one", {"a.txt": "1", ".gitattributes": "*.txt diff=evil filter=evil"})
    ran = tmp_path / "ran"
    script = tmp_path / "evil"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {ran}; ps -o args= -p $PPID >> {ran}\n')
    script.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.smudge",
        "filter.evil.clean",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "alias.rev-list",
    ):
        repository.git("config", key, str(script))
    repository.git("config", "log.showSignature", "true")
    repository.git("config", "extensions.partialClone", "origin")
    repository.git("config", "remote.origin.url", f"ext::{script}")
    repository.git("config", "remote.origin.promisor", "true")
    hooks = repository.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"):
        shutil.copy(script, hooks / hook)
    ran.unlink(missing_ok=True)
    (repository.root / "a.txt").write_text("2")
    last = subprocess.run(
        ["git", "-C", str(repository.root), "commit-tree", "HEAD^{tree}", "-p", base, "-m", "two"],
        env={
            "PATH": "/usr/bin:/bin",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a",
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    ran.unlink(missing_ok=True)

    assert found(repository, "main").commit == base
    assert len(read(repository, base, last).commits) == 1
    with pytest.raises(NoCommit):
        found(repository, "ab" * 20)
    assert not ran.exists(), ran.read_text()


def test_nothing_of_this_process_reaches_git(repository, monkeypatch, tmp_path):
    commit = repository.commit("one")
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")

    assert found(repository, "main").commit == commit


def test_an_answer_is_cut_where_it_is_long_enough(repository):
    repository.commit("x" * 10_000)

    answer = ask_git(str(repository.root), "cat-file", "commit", "HEAD", most=100)
    assert (len(answer.said), answer.is_cut) == (100, True)


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
    ],
    ids=["says nothing", "closes its output", "leaves a child with it"],
)
def test_a_program_that_does_not_end_is_ended_with_its_children(program):
    began = time.monotonic()

    with pytest.raises(NoCommit, match=r"did not answer within 0.5 s"):
        run_git([sys.executable, "-c", program], environment={"PATH": "/usr/bin:/bin"}, seconds=0.5)

    assert time.monotonic() - began < 20


def test_a_directory_that_is_no_repository_says_so(tmp_path):
    with pytest.raises(NoCommit):
        resolve(str(tmp_path), "main")
    with pytest.raises(NoCommit):
        resolve(str(tmp_path), "ab" * 20)
