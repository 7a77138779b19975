"""Accounts that are missing, and what an account can reach."""

import os
import pwd
from pathlib import Path

import pytest

from changecontrol.embedded import account as module
from changecontrol.embedded.account import Account, EmbeddedError, engine_account, own_name
from tests.embedded.conftest import as_root

NOBODY = Account(uid=65534, gid=65534)


def nobody_there(name: object) -> None:
    raise KeyError(name)


def test_ordinary_user_runs_the_engines_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert engine_account(tmp_path) == Account()
    assert Account().can_enter(Path("/no/matter"))
    assert Account().groups is None


def test_root_without_an_account_named_nobody_is_told_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module.pwd, "getpwnam", nobody_there)

    with pytest.raises(EmbeddedError, match="Run this as an ordinary user"):
        engine_account(tmp_path / "data")


def test_user_without_a_name_is_told_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.pwd, "getpwuid", nobody_there)

    with pytest.raises(EmbeddedError, match="has no name in the account list"):
        own_name()


def test_own_name_is_the_one_of_the_account_list() -> None:
    assert own_name() == pwd.getpwuid(os.geteuid()).pw_name


def test_link_in_place_of_a_private_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(EmbeddedError, match="is a symbolic link"):
        Account().own(tmp_path / "data")


@as_root
def test_reach_is_tried_as_the_account(tmp_path: Path, short: Path) -> None:
    tmp_path.chmod(0o700)

    assert NOBODY.can_enter(short)
    assert not NOBODY.can_enter(tmp_path)
    assert not NOBODY.can_run(tmp_path / "missing")
    assert NOBODY.groups == []
