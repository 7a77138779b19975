"""How mail leaves is read strictly: one way, no half of one, and no password in what is said about it."""

from pathlib import Path

import pytest

from changecontrol.env import BadSetting
from changecontrol.mail import CONSOLE, FILES, SINGLE, SMTP, mail_way, sender

FOLDER = Path("var/mail")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*SINGLE, "EMAIL_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_without_a_word_mail_lies_in_files():
    way = mail_way(FOLDER)

    assert (way.backend, way.folder) == (FILES, FOLDER)


@pytest.mark.parametrize(
    ("url", "host", "port", "starttls", "tls"),
    [
        ("smtp://mail.example.org", "mail.example.org", 25, False, False),
        ("smtp+starttls://mail.example.org", "mail.example.org", 587, True, False),
        ("smtps://mail.example.org/", "mail.example.org", 465, False, True),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, False, False),
        ("smtp://[::1]:2525", "::1", 2525, False, False),
    ],
)
def test_address_names_server_port_and_encryption(monkeypatch, url, host, port, starttls, tls):
    monkeypatch.setenv("EMAIL_URL", url)

    way = mail_way(FOLDER)

    assert (way.backend, way.host, way.port, way.use_starttls, way.use_tls) == (SMTP, host, port, starttls, tls)


def test_account_of_an_address_is_decoded(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "smtps://change%40example.org:p%3Ass%2Fword@mail.example.org")

    way = mail_way(FOLDER)

    assert (way.user, way.password) == ("change@example.org", "p:ss/word")


def test_address_may_come_from_a_file(monkeypatch, tmp_path):
    kept = tmp_path / "mail_url"
    kept.write_text("smtps://mail.example.org\n")
    monkeypatch.setenv("EMAIL_URL_FILE", str(kept))

    assert mail_way(FOLDER).host == "mail.example.org"


def test_files_and_console_are_addresses_too(monkeypatch, tmp_path):
    monkeypatch.setenv("EMAIL_URL", f"file://{tmp_path}")
    assert (mail_way(FOLDER).backend, mail_way(FOLDER).folder) == (FILES, tmp_path)

    monkeypatch.setenv("EMAIL_URL", "console:")
    assert mail_way(FOLDER).backend == CONSOLE


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://user:geheim@mail.example.org",
        "smtp://",
        "smtp://user:geheim@mail.example.org:port",
        "smtp://user:geheim@mail.example.org:99999",
        "smtp://user:geheim@mail.example.org/folder",
        "smtp://user:geheim@mail.example.org?tls=yes",
        "file://",
        "smtp://user:geheim@[::1",
    ],
)
def test_address_that_names_no_way_stops_the_start_and_is_not_repeated(monkeypatch, url):
    monkeypatch.setenv("EMAIL_URL", url)

    with pytest.raises(BadSetting) as caught:
        mail_way(FOLDER)

    assert "Write smtp+starttls://" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", SINGLE)
def test_two_ways_at_once_stop_the_start(monkeypatch, name):
    monkeypatch.setenv("EMAIL_URL", "smtps://mail.example.org")
    monkeypatch.setenv(name, "25")

    with pytest.raises(BadSetting, match=name):
        mail_way(FOLDER)


def test_single_settings_still_count(monkeypatch):
    for name, value in {"EMAIL_HOST": "mail.example.org", "EMAIL_PORT": "2525", "EMAIL_HOST_USER": "u", "EMAIL_USE_TLS": "true"}.items():
        monkeypatch.setenv(name, value)

    way = mail_way(FOLDER)

    assert (way.backend, way.host, way.port, way.user, way.use_starttls) == (SMTP, "mail.example.org", 2525, "u", True)


def test_named_backend_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("EMAIL_BACKEND", CONSOLE)

    assert mail_way(FOLDER).backend == CONSOLE


@pytest.mark.parametrize(
    "given", [{"EMAIL_PORT": "0"}, {"EMAIL_PORT": "70000"}, {"EMAIL_PORT": "smtp"}, {"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"}]
)
def test_single_settings_that_cannot_be_stop_the_start(monkeypatch, given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(BadSetting):
        mail_way(FOLDER)


@pytest.mark.parametrize("text", ["", "nobody", "a@example.org\nBcc: b@example.org"])
def test_sender_is_an_address_on_one_line(text):
    with pytest.raises(BadSetting):
        sender(text)


def test_sender_may_have_a_name():
    assert sender(" Change Control <changes@example.org> ") == "Change Control <changes@example.org>"
