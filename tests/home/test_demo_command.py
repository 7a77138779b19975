"""`manage.py demo`: where it plays. The story itself is played by the checks of the repository."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.home.management.commands import demo
from changecontrol.embedded.account import EmbeddedError


@pytest.fixture
def places(monkeypatch) -> list[tuple[str, Path]]:
    """What the command does, and where."""
    done: list[tuple[str, Path]] = []
    monkeypatch.setattr(demo, "clear", lambda home: done.append(("clear", home)))
    monkeypatch.setattr(demo, "stop_sites", lambda home: done.append(("stop", home)))
    monkeypatch.setattr(demo.Command, "run", lambda _, home, *, once: done.append(("once" if once else "run", home)) or 3)
    return done


@pytest.mark.parametrize(("options", "verb"), [([], "run"), (["--once"], "once")])
def test_demo_plays_in_a_folder_of_its_own_under_var_dir(settings, tmp_path, places, options, verb):
    settings.VAR_DIR = tmp_path / "elsewhere"

    with pytest.raises(SystemExit) as ended:
        call_command("demo", *options)

    assert places == [(word, tmp_path / "elsewhere" / "demo") for word in ("clear", verb, "stop")]
    assert ended.value.code == 3


def test_demo_clears_nothing_of_an_installation_beside_it(settings, tmp_path, monkeypatch):
    class Server:
        def __init__(self, home: Path) -> None:
            self.home = home

        def __enter__(self) -> "Server":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing was started."""

        def drop(self, _: str) -> None:
            assert self.home == tmp_path / "demo" / "postgres"

    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(demo, "PrivatePostgres", Server)
    monkeypatch.setattr(demo.Command, "run", lambda *_, **__: 0)
    for folder in (tmp_path, tmp_path / "demo"):
        (folder / "keys").mkdir(parents=True)
        (folder / "keys" / "signing.pem").write_text("secret")

    with pytest.raises(SystemExit):
        call_command("demo", "--once")

    assert [folder.is_dir() for folder in (tmp_path / "keys", tmp_path / "demo" / "keys")] == [True, False]


def test_demo_says_what_stands_in_its_way(settings, tmp_path, places, monkeypatch):
    settings.VAR_DIR = tmp_path

    def refuse(home: Path) -> None:
        raise EmbeddedError(f"{home} is locked.")

    monkeypatch.setattr(demo, "clear", refuse)
    with pytest.raises(CommandError, match="demo is locked"):
        call_command("demo")

    assert places == [("stop", tmp_path / "demo")]
