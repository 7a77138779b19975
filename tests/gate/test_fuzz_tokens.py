"""A token with one character changed is nobody's, and a person's token begins nothing."""

import hashlib
import string

import pytest

from apps.accounts.models import PersonalToken
from apps.audit.models import Entry
from apps.gate.models import Evaluation, GateToken, Ticket
from tests.factories.accounts import PersonalTokenFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, look, make_gate_token

SECRET_OF_A_PERSON = "ccp_" + "person-" * 6
CHARACTERS = string.ascii_letters + string.digits + "-_"
LONGER = [
    lambda secret: secret[:-1], lambda secret: secret[1:], lambda secret: secret + "A", lambda secret: secret + "\t",
    lambda secret: secret + "=", lambda secret: secret.upper(), lambda secret: secret.swapcase(), lambda secret: secret[::-1],
    lambda secret: secret.removeprefix("ccg_"), lambda secret: secret + "." + secret, lambda secret: secret * 2, lambda secret: f'"{secret}"',
    lambda secret: secret.replace("ccg_", "ccp_"), lambda secret: secret[:12], lambda secret: "", lambda secret: secret + ",",
    lambda secret: hashlib.sha256(secret.encode()).hexdigest(), lambda secret: "ccg_" + hashlib.sha256(secret.encode()).hexdigest(),
]  # fmt: skip


@pytest.fixture
def target(db):
    place = make_place()
    make_change(targets=(place,))
    return place


def is_turned_away(answer) -> bool:
    return (
        answer.status_code == 401
        and answer["Content-Type"].startswith("application/problem+json")
        and "Bearer" in answer["WWW-Authenticate"]
    )


def test_every_character_of_a_token_matters(target):
    _, secret = make_gate_token()
    body = body_for(target, COMMIT)
    evaluation = ask(secret, body).json()["id"]
    before = (Evaluation.objects.count(), Ticket.objects.count(), Entry.objects.count())

    for place, character in enumerate(secret):
        for other in {chr(ord(character) ^ 1), CHARACTERS[(CHARACTERS.find(character) + 1) % len(CHARACTERS)]} - {character}:
            changed = secret[:place] + other + secret[place + 1 :]
            assert is_turned_away(ask(changed, body)), changed
        assert is_turned_away(look(secret[:place] + secret[place + 1 :], evaluation))

    assert (Evaluation.objects.count(), Ticket.objects.count(), Entry.objects.count()) == before
    assert ask(secret, body).json()["verdict"] == "ALLOW"


@pytest.mark.parametrize("change", range(len(LONGER)))
def test_token_written_another_way_is_nobodys(change, target):
    token, secret = make_gate_token()
    changed = LONGER[change](secret)

    answer = ask(changed, body_for(target, COMMIT))

    # Blanks around it are no part of a token: every HTTP server takes them away.
    assert is_turned_away(answer) if changed.strip() != secret else answer.json()["verdict"] == "ALLOW"
    assert GateToken.objects.get(pk=token.pk).refused_at is None


def test_hash_that_lies_in_the_database_opens_nothing(target):
    token, _ = make_gate_token()

    for form in (token.hash.hex(), "ccg_" + bytes(token.hash).hex(), token.prefix, str(token.public_id), "ccg_" + str(token.public_id)):
        assert is_turned_away(ask(form, body_for(target, COMMIT)))


def test_token_of_a_person_is_told_and_handed_nothing_it_could_deploy_by(target):
    PersonalTokenFactory(person=make_person(), hash=hashlib.sha256(SECRET_OF_A_PERSON.encode()).digest())
    body = body_for(target, COMMIT)

    asked, dry = ask(SECRET_OF_A_PERSON, body), ask(SECRET_OF_A_PERSON, {**body, "dry_run": True})

    assert (asked.status_code, asked.json()["code"]) == (403, "dry_run_only")
    assert (dry.json()["verdict"], dry.json()["ticket"], dry.json()["rollback_ticket"]) == ("ALLOW", None, None)
    assert (Evaluation.objects.count(), Ticket.objects.count()) == (0, 0)


def test_secret_of_one_kind_is_not_looked_for_among_the_other(target):
    """Both kinds are found by the hash of all their characters, so a prefix written over the other's finds nothing."""
    _, secret = make_gate_token()
    PersonalTokenFactory(person=make_person(), hash=hashlib.sha256(SECRET_OF_A_PERSON.encode()).digest())

    assert is_turned_away(ask(secret.replace("ccg_", "ccp_"), {**body_for(target, COMMIT), "dry_run": True}))
    assert is_turned_away(ask(SECRET_OF_A_PERSON.replace("ccp_", "ccg_"), body_for(target, COMMIT)))
    assert PersonalToken.objects.get().revoked_at is None
