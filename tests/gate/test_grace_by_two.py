"""With two administrators, one proposes that a yes is good for longer without us and another confirms it; less takes one. By page and verb."""

import json
from base64 import b64decode

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import RoleGrant
from apps.accounts.roles import Role
from apps.audit.sentences import sentence
from apps.audit.stream import entries_about, latest
from apps.audit.vocabulary import Event
from apps.catalog.actions import retire_environment
from apps.core.refusals import BadContent, Refused
from apps.gate import grace
from apps.gate.actions import confirm_relaxation, end_relaxation, propose_relaxation
from apps.gate.grace import set_offline_grace
from apps.gate.models import Relaxation
from apps.gate.rules.relaxing import GRACE, NO_GRACE
from tests.approvals.test_races import Pause
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import ask, body_for, make_gate_token
from tests.home.pages import get, post, text_of

MINUTES = (0, 1, 20, 60)
WHY = "The site is far away."
PAGE = "home:environment_grace"


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def ben(ada):
    return make_person(Role.ADMINISTRATOR, name="Ben")


def code(verb):
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.refusal.code


def propose(by, environment, minutes=30, reason=WHY):
    return propose_relaxation(environment_id=environment.pk, rule=GRACE, after=str(minutes), by=by.actor, reason=reason, now=NOW)


def confirm(relaxation, by):
    return confirm_relaxation(relaxation_id=relaxation.pk, by=by.actor, now=NOW)


def end(relaxation, by):
    return end_relaxation(relaxation_id=relaxation.pk, by=by.actor, now=NOW)


def give(environment, minutes, by):
    return set_offline_grace(environment_id=environment.pk, minutes=minutes, by=by.actor, reason=WHY, now=NOW)


def given_in(environment):
    environment.refresh_from_db()
    return environment.offline_grace_minutes


def told(event):
    entry = next(entry for entry in latest(limit=20) if entry.event is event)
    said = sentence(entry, lambda reference: reference.partition(":")[0])
    return f"{said.text} {said.sub}"


@pytest.mark.parametrize("are_two", [False, True])
@pytest.mark.parametrize("before", MINUTES)
@pytest.mark.parametrize("after", MINUTES)
def test_page_gives_less_at_once_and_more_by_two(client, ada, before, after, are_two):
    environment = EnvironmentFactory(offline_grace_minutes=before)
    if are_two:
        make_person(Role.ADMINISTRATOR)

    answer = post(client, ada, PAGE, environment.slug, minutes=str(after), reason=WHY)

    assert answer.status_code == 302
    takes_two = are_two and after > before
    assert given_in(environment) == (before if takes_two else after)
    assert [(one.rule, one.before, one.after) for one in Relaxation.objects.all()] == [(GRACE, str(before), str(after))] * takes_two
    changed = [entry for entry in entries_about(environment.reference, limit=5) if entry.event is Event.OFFLINE_GRACE_CHANGED]
    assert len(changed) == (before != after and not takes_two)
    assert all(bool(entry.data.get("single_handed")) == (after > before) for entry in changed)


def test_what_one_proposes_another_puts_in_force_and_both_are_told(client, ada, ben):
    environment = EnvironmentFactory(offline_grace_minutes=5)
    post(client, ada, PAGE, environment.slug, minutes="30", reason=WHY)
    relaxation = Relaxation.objects.get()
    before = given_in(environment)
    own = text_of(get(client, ada, "home:environment_strictness", environment.slug))
    other = text_of(get(client, ben, "home:environment_strictness", environment.slug))
    waiting = text_of(get(client, ben, PAGE, environment.slug))

    post(client, ben, "home:environment_relaxation_confirmation", relaxation.public_id)

    assert (before, given_in(environment)) == (5, 30)
    assert "Minutes a yes is good without this installation: 5 → 30" in other
    assert "You proposed this yourself." in own
    assert "Ada proposed 30 min" in waiting
    assert WHY in waiting
    assert "Minutes a yes is good without this installation, 30." in told(Event.RELAXATION_PROPOSED)
    changed = told(Event.OFFLINE_GRACE_CHANGED)
    assert all(part in changed for part in (": 30 min.", "Before: 5 min.", "Proposed by Ada.", WHY))
    assert "Single-handed" not in changed


def test_confirming_asks_for_a_fresh_proof(client, ada, ben):
    environment = EnvironmentFactory()
    relaxation = propose(ada, environment)
    client.force_login(ben)

    answer = client.post(f"/environments/relaxations/{relaxation.public_id}/confirmation/")

    assert (answer.status_code, "reauthenticate" in answer["Location"]) == (302, True)
    assert given_in(environment) == 0


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMINISTRATOR}))
def test_nobody_else_proposes_confirms_ends_or_gives(client, ada, ben, role):
    other, environment = make_person(role), EnvironmentFactory()
    relaxation = propose(ada, environment)
    elsewhere = EnvironmentFactory()

    for verb in (
        lambda: propose(other, elsewhere),
        lambda: confirm(relaxation, other),
        lambda: end(relaxation, other),
        lambda: give(elsewhere, 0, other),
    ):
        assert code(verb) == "not_administrator"
    assert post(client, other, PAGE, elsewhere.slug, minutes="5", reason=WHY).status_code == 403
    assert "Only an administrator" in text_of(get(client, other, PAGE, elsewhere.slug))
    assert (given_in(environment), given_in(elsewhere), Relaxation.objects.count()) == (0, 0, 1)


def test_whoever_was_deactivated_neither_proposes_nor_confirms(ada, ben):
    environment = EnvironmentFactory()
    relaxation = propose(ada, environment)
    RoleGrant.objects.filter(person=ben).update(revoked_at=NOW, revoked_by="SYSTEM:test")

    assert code(lambda: confirm(relaxation, ben)) == "not_administrator"
    assert given_in(environment) == 0


@pytest.mark.parametrize("after", ["61", "-1", "", "007", "+5", "1.5", "\u0663", "OFF", "1e1", " 5"])
def test_what_is_no_number_of_minutes_is_no_proposal(ada, ben, after):
    with pytest.raises(BadContent) as bad:
        propose(ada, EnvironmentFactory(), after)

    assert bad.value.errors == {"after": [NO_GRACE]}


@pytest.mark.parametrize("minutes", ["61", "-1", "", "1.5", "OFF", "9" * 5000])
def test_what_is_no_number_of_minutes_is_told_on_its_field(client, ada, ben, minutes):
    answer = post(client, ada, PAGE, EnvironmentFactory().slug, minutes=minutes, reason=WHY)

    assert answer.status_code == 422
    assert NO_GRACE in text_of(answer)


@pytest.mark.parametrize("reason", ["", "a\nb", "x" * 301, "bell\x07"])
def test_a_grace_has_its_reason(client, ada, ben, reason):
    environment = EnvironmentFactory()

    with pytest.raises(BadContent) as bad:
        propose(ada, environment, reason=reason)

    assert set(bad.value.errors) == {"reason"}
    assert post(client, ada, PAGE, environment.slug, minutes="5", reason=reason).status_code == 422
    assert not Relaxation.objects.exists()


@pytest.mark.parametrize("after", [0, 10, 20])
def test_what_gives_no_more_is_not_proposed(ada, ben, after):
    assert code(lambda: propose(ada, EnvironmentFactory(offline_grace_minutes=20), after)) == "no_relaxation"


def test_one_proposal_at_a_time_and_nobody_gives_more_beside_it(client, ada, ben):
    environment = EnvironmentFactory()
    propose(ada, environment)

    assert code(lambda: propose(ben, environment, 40)) == "already_proposed"
    assert code(lambda: give(environment, 40, ben)) == "takes_two"
    assert post(client, ben, PAGE, environment.slug, minutes="40", reason=WHY).status_code == 409
    with pytest.raises(IntegrityError, match="one_open_relaxation"), transaction.atomic():
        Relaxation.objects.create(environment=environment, rule=GRACE, before="0", after="9", reason=WHY, proposed_at=NOW, proposed_by=ben)


def test_nobody_confirms_their_own(ada, ben):
    environment = EnvironmentFactory()
    relaxation = propose(ada, environment)

    assert code(lambda: confirm(relaxation, ada)) == "own_proposal"
    with pytest.raises(IntegrityError, match="nobody_relaxes_alone"), transaction.atomic():
        Relaxation.objects.update(outcome="CONFIRMED", decided_by=ada, decided_at=NOW)


def test_what_was_changed_meanwhile_is_not_confirmed(ada, ben):
    environment = EnvironmentFactory(offline_grace_minutes=20)
    relaxation = propose(ada, environment)
    give(environment, 0, ben)

    assert code(lambda: confirm(relaxation, ben)) == "outdated"
    assert given_in(environment) == 0


def test_proposal_of_somebody_who_is_no_administrator_any_more_is_not_confirmed(ada, ben):
    relaxation = propose(ada, EnvironmentFactory())
    RoleGrant.objects.filter(person=ada).update(revoked_at=NOW, revoked_by="SYSTEM:test")

    assert code(lambda: confirm(relaxation, ben)) == "proposer_gone"


@pytest.mark.parametrize(("ends", "outcome"), [("ada", "TAKEN_BACK"), ("ben", "REFUSED")])
def test_either_ends_it_once_and_nothing_changes(ada, ben, ends, outcome):
    environment, by = EnvironmentFactory(), {"ada": ada, "ben": ben}[ends]
    relaxation = propose(ada, environment)

    assert end(relaxation, by).outcome == outcome
    assert code(lambda: end(relaxation, by)) == "already_decided"
    assert code(lambda: confirm(relaxation, ben)) == "already_decided"
    assert given_in(environment) == 0


def test_retired_environment_gives_what_it_did(client, ada, ben):
    environment = EnvironmentFactory()
    retire_environment(environment.pk, by=ada.actor)

    assert code(lambda: propose(ada, environment)) == "retired"
    assert code(lambda: give(environment, 0, ada)) == "retired"
    assert "Choose one that is not." in text_of(get(client, ada, PAGE, environment.slug))


def test_tickets_say_what_two_gave(ada, ben):
    target = make_place()
    make_change(targets=(target,))
    _, secret = make_gate_token()
    confirm(propose(ada, target.environment, 20), ben)

    ticket = ask(secret, body_for(target)).json()["ticket"]

    assert json.loads(b64decode(ticket["payload"]))["predicate"]["offlineSeconds"] == 1200


def test_broken_record_gives_nothing(ada, ben, monkeypatch):
    environment = EnvironmentFactory()
    relaxation = propose(ada, environment)
    monkeypatch.setattr(grace, "record", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        confirm(relaxation, ben)
    relaxation.refresh_from_db()
    assert (given_in(environment), relaxation.decided_at) == (0, None)


def test_two_confirm_at_once_and_it_is_given_once(own_database, racer, wait_until_blocked, monkeypatch):
    first, second, third = (make_person(Role.ADMINISTRATOR) for _ in range(3))
    environment = EnvironmentFactory()
    relaxation = propose(first, environment)
    pause = Pause(monkeypatch, "apps.gate.actions", "write_grace")

    winner = racer(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=second.actor))
    pid = pause.wait()
    loser = racer(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=third.actor))
    wait_until_blocked(pid)
    pause.go_on()
    winner.result()

    assert code(loser.result) == "already_decided"
    assert given_in(environment) == 30


def test_what_one_takes_away_is_not_given_by_a_proposal_that_did_not_see_it(own_database, racer, wait_until_blocked, monkeypatch):
    first, second = (make_person(Role.ADMINISTRATOR) for _ in range(2))
    environment = EnvironmentFactory(offline_grace_minutes=20)
    relaxation = propose(first, environment)
    pause = Pause(monkeypatch, "apps.gate.grace", "write_grace")

    lowered = racer(lambda: set_offline_grace(environment_id=environment.pk, minutes=0, by=first.actor, reason=WHY))
    pid = pause.wait()
    late = racer(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=second.actor))
    wait_until_blocked(pid)
    pause.go_on()
    lowered.result()

    assert code(late.result) == "outdated"
    assert given_in(environment) == 0


def test_two_propose_at_once_and_one_proposal_waits(own_database, racer, wait_until_blocked, monkeypatch):
    first, second = (make_person(Role.ADMINISTRATOR) for _ in range(2))
    environment = EnvironmentFactory()
    pause = Pause(monkeypatch, "apps.gate.actions", "why_not_propose_relaxation")

    def wish(by, minutes):
        return propose_relaxation(environment_id=environment.pk, rule=GRACE, after=minutes, by=by.actor, reason=WHY)

    winner = racer(lambda: wish(first, "10"))
    pid = pause.wait()
    loser = racer(lambda: wish(second, "60"))
    wait_until_blocked(pid)
    pause.go_on()
    winner.result()

    assert code(loser.result) == "already_proposed"
    assert Relaxation.objects.get().after == "10"
