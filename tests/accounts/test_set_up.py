"""The set-up code, and the commands on the host."""

import subprocess
import sys
import threading
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.accounts.access import roles_of
from apps.accounts.models import Person, SetUpCode
from apps.accounts.roles import Role
from apps.accounts.steps import add_person, give_role, make_set_up_code, use_set_up_code
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import PASSWORD, make_person


def printed(command: str, *given: str, **options: object) -> str:
    out = StringIO()
    call_command(command, *given, stdout=out, **options)
    return out.getvalue().strip()


@pytest.mark.django_db
def test_setup_code_is_usable_once_however_it_is_typed(now):
    code = printed("setup_code")

    use_set_up_code(f" {code.lower().replace('-', ' ')} ", at=now)

    assert SetUpCode.objects.get().used_at == now
    with pytest.raises(BadContent, match="code"):
        use_set_up_code(code, at=now)


@pytest.mark.django_db
def test_setup_code_is_kept_as_a_hash_alone():
    code = printed("setup_code")

    assert code.encode() not in bytes(SetUpCode.objects.get().hash)


@pytest.mark.django_db
def test_a_new_setup_code_replaces_the_old(now):
    old, new = printed("setup_code"), printed("setup_code")

    with pytest.raises(BadContent):
        use_set_up_code(old, at=now)
    use_set_up_code(new, at=now)


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["", "x", "\x00", "\ud800", "é" * 1000])
def test_a_wrong_setup_code_names_the_field(code, now):
    printed("setup_code")

    with pytest.raises(BadContent) as caught:
        use_set_up_code(code, at=now)

    assert [*caught.value.errors] == ["code"]


@pytest.mark.django_db
def test_no_setup_code_exists_once_somebody_is_an_administrator(now):
    code = printed("setup_code")
    make_person(Role.ADMINISTRATOR)

    assert printed("setup_code") == ""
    with pytest.raises(Refused) as caught:
        use_set_up_code(code, at=now)
    assert caught.value.refusal.code == "already_set_up"


def test_of_two_who_use_one_setup_code_at_once_one_wins(own_database, racer, wait_until_blocked, now):
    with transaction.atomic():
        code = make_set_up_code(at=now)
    hold, blocked, pids = threading.Event(), threading.Event(), []

    def set_up(email: str, *, wait: bool) -> None:
        with transaction.atomic():
            use_set_up_code(code, at=now)
            person = add_person(email=email, name="First", by=system("set_up"), at=now)
            give_role(person, Role.ADMINISTRATOR, by=system("set_up"), at=now)
            if wait:
                with transaction.get_connection().cursor() as cursor:
                    cursor.execute("select pg_backend_pid()")
                    pids.append(cursor.fetchone()[0])
                blocked.set()
                assert hold.wait(20)

    first = racer(lambda: set_up("first@example.org", wait=True))
    assert blocked.wait(20)
    second = racer(lambda: set_up("second@example.org", wait=False))
    wait_until_blocked(pids[0])
    hold.set()
    first.result()

    with pytest.raises(Refused) as caught:
        second.result()
    assert caught.value.refusal.code == "already_set_up"
    assert [person.email for person in Person.objects.all()] == ["first@example.org"]


@pytest.mark.django_db
def test_create_administrator_prints_a_link_that_sets_a_password(client):
    out = printed("create_administrator", "Root@Example.org", name="Root")

    person = Person.objects.get(email="root@example.org")
    link = out.splitlines()[-1].removeprefix("http://localhost:8000")
    answer = client.post(client.get(link).url, {"password1": PASSWORD, "password2": PASSWORD})

    person.refresh_from_db()
    assert answer.status_code == 302
    assert person.check_password(PASSWORD)
    assert roles_of(person) == {Role.ADMINISTRATOR}
    assert client.get(link).status_code == 200
    assert b"password1" not in client.get(link).content


@pytest.mark.django_db
def test_create_administrator_reads_a_password_from_a_file_or_asks(tmp_path, monkeypatch):
    (tmp_path / "password").write_text(PASSWORD + "\nsecond line\n")
    printed("create_administrator", "a@example.org", name="A", password_file=str(tmp_path / "password"))
    monkeypatch.setattr("apps.accounts.management.commands.create_administrator.getpass", lambda _: PASSWORD + "!")
    printed("create_administrator", "b@example.org", name="B", ask_password=True)

    assert Person.objects.get(email="a@example.org").check_password(PASSWORD)
    assert Person.objects.get(email="b@example.org").check_password(PASSWORD + "!")


@pytest.mark.django_db
def test_create_administrator_says_what_it_does_not_accept(tmp_path):
    (tmp_path / "empty").write_text("")

    for given, options in (
        ("no address", {"name": "A"}),
        ("a@example.org", {"name": ""}),
        ("a@example.org", {"name": "A", "password_file": str(tmp_path / "empty")}),
        ("a@example.org", {"name": "A", "password_file": str(tmp_path / "missing")}),
    ):
        with pytest.raises(CommandError):
            printed("create_administrator", given, **options)
    assert not Person.objects.exists()


@pytest.mark.parametrize("words", [["changepassword", "bo@example.org"], ["createsuperuser", "--noinput", "--email", "x@example.org"]])
def test_commands_that_would_write_persons_past_the_stream_refuse_whatever_they_are_given(words):
    ended = subprocess.run([sys.executable, "manage.py", *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "create_administrator" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["changepassword", "createsuperuser"])
def test_refusing_commands_say_what_to_run_instead(name):
    with pytest.raises(CommandError, match="create_administrator"):
        call_command(name)
