"""Two at once with one code, one passkey, one name: one wins. Parallel guesses are all counted."""

from django.db import connection, transaction

from apps.accounts.actions import enrol_authenticator_app, make_recovery_codes
from apps.accounts.codes import new_secret
from apps.accounts.factors import MOST_ATTEMPTS, Spent, prove_by_code, spend_code, use_passkey
from apps.accounts.models import Passkey, Person
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import PASSWORD, code_for, make_authenticator_app, make_passkey, make_person


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(cursor.fetchone()[0])


def in_transaction(act):
    with transaction.atomic():
        return act()


def test_of_two_who_spend_one_code_one_is_taken(own_database, racer, wait_until_blocked):
    person = make_person()
    now, secret = database_now(), make_authenticator_app(person)
    code = code_for(secret, now)

    with transaction.atomic():
        assert spend_code(person, code, at=now) is Spent.TAKEN
        other = racer(lambda: in_transaction(lambda: spend_code(person, code, at=now)))
        wait_until_blocked(backend())

    assert other.result() is Spent.USED


def test_of_two_uses_of_a_passkey_with_one_count_one_is_taken(own_database, racer, wait_until_blocked):
    person = make_person()
    key, _ = make_passkey(person)
    given = {"credential_id": bytes(key.credential_id), "sign_count": 5, "user_verified": True, "by": person.actor}

    def again() -> str:
        try:
            in_transaction(lambda: use_passkey(**given, at=database_now()))
        except Refused as error:
            return error.refusal.code
        return "taken"

    with transaction.atomic():
        use_passkey(**given, at=database_now())
        other = racer(again)
        wait_until_blocked(backend())

    assert other.result() == "passkey_counter_back"
    assert Passkey.objects.get().sign_count == 5


def test_parallel_guesses_at_a_code_are_all_counted(own_database, racer):
    person = make_person()
    secret = make_authenticator_app(person)

    def guess(code: str) -> str:
        try:
            prove_by_code(person, password=PASSWORD, code=code, by=person.actor)
        except BadContent:
            return "looked at"
        except Refused as error:
            return error.refusal.code
        return "proved"

    answers = [one.result(seconds=60) for one in [racer(lambda at=at: guess(f"x{at}")) for at in range(20)]]

    assert answers.count("looked at") == MOST_ATTEMPTS
    assert answers.count("too_many_attempts") == 20 - MOST_ATTEMPTS
    assert guess(code_for(secret, database_now())) == "too_many_attempts"
    told = [entry.data["what"] for entry in entries_about(person.reference, limit=50)]
    assert told.count("too many attempts") == 1


def test_of_two_who_enrol_an_app_at_once_one_wins(own_database, racer, wait_until_blocked):
    person = make_person(Role.REQUESTER)
    secret = new_secret()

    def enrol() -> str:
        try:
            enrol_authenticator_app(secret=secret, code=code_for(secret, database_now()), by=person.actor)
        except Refused as error:
            return error.refusal.code
        return "enrolled"

    with transaction.atomic():
        Person.objects.lock(person.pk)
        both = [racer(enrol), racer(enrol)]
        wait_until_blocked(backend(), 1)

    assert sorted(one.result() for one in both) == ["enrolled", "has_authenticator_app"]
    assert len(make_recovery_codes(by=person.actor)) == 10
