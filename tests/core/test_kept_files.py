"""Secrets that are made once and kept in files: one wins, and no crash leaves half of one."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.core import signing
from changecontrol import env
from changecontrol.env import kept_secret


def test_secret_is_made_once_for_this_account_alone(tmp_path: Path):
    path = tmp_path / "keys" / "secret"

    first = kept_secret("NO_SUCH_SETTING", path)

    assert kept_secret("NO_SUCH_SETTING", path) == first == path.read_text()
    assert len(first) > 60
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_secret_from_the_environment_is_kept_nowhere(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("NO_SUCH_SETTING", "from outside")

    assert kept_secret("NO_SUCH_SETTING", tmp_path / "secret") == "from outside"
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_share_one_secret(tmp_path: Path):
    path = tmp_path / "secret"

    with ThreadPoolExecutor(16) as many:
        made = {one.result() for one in [many.submit(kept_secret, "NO_SUCH_SETTING", path) for _ in range(64)]}

    assert made == {path.read_text()}
    assert list(tmp_path.iterdir()) == [path]


def crash(*_: object) -> None:
    raise OSError("the disk is full")


@pytest.mark.parametrize("at", ["fsync", "link"])
def test_crash_while_writing_leaves_no_empty_file(tmp_path: Path, monkeypatch, at):
    path = tmp_path / "secret"
    with monkeypatch.context() as broken:
        broken.setattr(env.os, at, crash)
        with pytest.raises(OSError, match="disk is full"):
            kept_secret("NO_SUCH_SETTING", path)

    assert list(tmp_path.iterdir()) == []
    assert kept_secret("NO_SUCH_SETTING", path)


def test_signing_key_is_made_beside_and_a_draft_that_a_crash_left_is_in_nobodys_way(tmp_path: Path, settings):
    path = tmp_path / "signing.pem"
    (tmp_path / f"signing.{os.getpid()}").touch()
    settings.SIGNING_KEY_FILE = path

    key = signing.signing_key()

    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.id == signing.signing_key().id


def test_signing_key_made_by_another_process_meanwhile_is_the_one(tmp_path: Path, monkeypatch):
    path = tmp_path / "signing.pem"
    link = os.link

    def later(draft: str, goal: Path) -> None:
        monkeypatch.setattr(signing.os, "link", link)
        signing._make(path)
        link(draft, goal)

    monkeypatch.setattr(signing.os, "link", later)

    assert signing._make(path) == path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]
