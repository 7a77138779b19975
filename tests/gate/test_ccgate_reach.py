"""How `ccgate` reaches the installation and its own file: straight where nothing is encrypted, in bounded time, and past what others laid there."""

import json

import pytest

from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from tests.gate.test_ccgate import ASK, FAST, KEY, answered, asked_of, run, serving, yes
from tests.gate.test_ccgate_deploying import ABOUT, envelope

SLOW = """
import socket, time

def {name}(*_, **__):
    time.sleep(8)  # one address after the other, each for as long as one request may take
    raise TimeoutError("timed out")

socket.{name} = {name}
"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_what_is_not_encrypted_goes_through_no_proxy(host, variable):
    with serving(answered(yes())) as proxy:
        result = run(*ASK, *FAST, url=f"http://{host}:1", env={variable: proxy.url})

    assert (result.returncode, proxy.asked) == (3, []), result.stdout


@pytest.mark.parametrize("name", ["create_connection", "getaddrinfo"])
def test_an_installation_whose_addresses_are_all_dead_is_away(tmp_path, name):
    (tmp_path / "sitecustomize.py").write_text(SLOW.format(name=name))
    kept = tmp_path / "ticket.json"
    kept.write_text(json.dumps({"ticket": envelope(offline=600), "keys": key_set([("k1", KEY.public, None)])}))
    words = ("begin", "--offline", "--ticket-file", str(kept), *ABOUT, "--retry-for", "0", "--timeout", "1s")

    result = run(*words, url="https://changes.example", env={"PYTHONPATH": str(tmp_path)})

    assert result.returncode == 0, result.stderr
    assert "https://changes.example does not answer: nothing came in time." in result.stdout


def test_an_installation_whose_addresses_are_all_dead_is_asked_again(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLOW.format(name="create_connection"))

    result = run(*ASK, "--retry-for", "8s", "--timeout", "1s", url="https://changes.example", env={"PYTHONPATH": str(tmp_path)})

    assert result.returncode == 3
    assert result.stdout.count("Asking again in") == 1
    assert "This is no yes." in result.stdout


@pytest.mark.parametrize("laid", ["a file", "a link", "a link to nothing"])
def test_what_somebody_laid_beside_the_file_receives_no_ticket(tmp_path, laid):
    kept, beside, theirs = tmp_path / "ticket.json", tmp_path / "ticket.json.new", tmp_path / "theirs"
    if laid != "a link to nothing":
        theirs.write_text("")
    beside.symlink_to(theirs) if "link" in laid else beside.hardlink_to(theirs)

    result, _ = asked_of(answered(yes()), "--ticket-file", str(kept))

    assert result.returncode == 0, result.stderr
    assert not theirs.exists() or theirs.read_text() == ""
    assert (kept.is_symlink(), kept.stat().st_mode & 0o777, kept.stat().st_nlink) == (False, 0o600, 1)
    assert json.loads(kept.read_text())["ticket"]


def test_a_name_that_is_taken_at_the_last_moment_receives_no_ticket(tmp_path, monkeypatch):
    theirs, beside = tmp_path / "theirs", tmp_path / "ticket.json.new"
    theirs.write_text("")
    monkeypatch.setattr(ccgate.Path, "unlink", lambda *_, **__: beside.symlink_to(theirs))

    with pytest.raises(FileExistsError):
        ccgate.write_private(str(tmp_path / "ticket.json"), {"ticket": 1})

    assert theirs.read_text() == ""
