"""How long a yes permits a start while the installation is away: who says so, what a ticket then says, and the command of the host."""

import json
from base64 import b64decode
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import HOST
from apps.gate.grace import set_offline_grace
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import ask, body_for, make_gate_token

pytestmark = pytest.mark.django_db


def give(environment: Environment, minutes: int, by, reason: str = "The site is far away.") -> Environment:
    return set_offline_grace(environment_id=environment.pk, minutes=minutes, by=by, reason=reason)


def claims(ticket) -> dict:
    return json.loads(b64decode(ticket["payload"]))["predicate"]


def test_one_administrator_gives_grace_and_it_is_marked():
    environment, chief = EnvironmentFactory(), make_person(Role.ADMINISTRATOR)

    assert give(environment, 30, chief.actor).offline_grace_minutes == 30

    told = entries_about(environment.reference, limit=1)[0]
    assert (told.event, told.data["minutes"], told.data["single_handed"]) == (Event.OFFLINE_GRACE_CHANGED, 30, True)


def test_with_two_administrators_nobody_gives_more_alone_but_takes_it_away():
    environment, chief = EnvironmentFactory(offline_grace_minutes=10), make_person(Role.ADMINISTRATOR)
    make_person(Role.ADMINISTRATOR)

    with pytest.raises(Refused) as told:
        give(environment, 11, chief.actor)

    assert told.value.refusal.code == "takes_two"
    assert give(environment, 0, chief.actor).offline_grace_minutes == 0
    assert give(environment, 60, system(HOST)).offline_grace_minutes == 60


def test_others_give_nothing():
    with pytest.raises(Refused) as told:
        give(EnvironmentFactory(), 0, make_person(Role.RELEASE_MANAGER).actor)

    assert told.value.refusal.code == "not_administrator"


@pytest.mark.parametrize(("minutes", "reason"), [(-1, "x"), (61, "x"), (5, ""), (5, "a\nb")])
def test_what_cannot_be_given_is_refused(minutes, reason):
    with pytest.raises(BadContent):
        give(EnvironmentFactory(), minutes, system(HOST), reason)


def test_command_sets_it_and_says_so():
    environment, out = EnvironmentFactory(), StringIO()

    call_command("set_offline_grace", environment.slug, "15", reason="Far away.", stdout=out)

    environment.refresh_from_db()
    assert (environment.offline_grace_minutes, "15 min" in out.getvalue()) == (15, True)
    for arguments in (("nowhere", "5"), (environment.slug, "99")):
        with pytest.raises(CommandError):
            call_command("set_offline_grace", *arguments, reason="Far away.", stdout=out)


def test_tickets_say_what_the_environment_gives():
    target = make_place()
    make_change(targets=(target,))
    _, secret = make_gate_token()

    before = ask(secret, body_for(target)).json()
    give(target.environment, 20, system(HOST))
    after = ask(secret, body_for(target)).json()

    assert [claims(answer["ticket"])["offlineSeconds"] for answer in (before, after)] == [0, 1200]
    assert claims(before["rollback_ticket"])["offlineSeconds"] == 86_400


def test_same_key_gets_a_ticket_that_says_it_anew():
    target = make_place()
    make_change(targets=(target,))
    _, secret = make_gate_token()
    first = ask(secret, body_for(target), key="run-1").json()["ticket"]
    give(target.environment, 20, system(HOST))

    assert claims(ask(secret, body_for(target), key="run-1").json()["ticket"])["offlineSeconds"] == 1200
    assert claims(first)["offlineSeconds"] == 0
