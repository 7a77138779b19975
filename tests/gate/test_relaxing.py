"""With two administrators, an environment asks for less when one proposes it and another confirms it; stricter it gets by one."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from apps.accounts.models import RoleGrant
from apps.accounts.roles import Role
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.catalog.actions import change_environment, retire_environment
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import HOST, confirm_relaxation, end_relaxation, propose_relaxation, set_rule_mode
from apps.gate.models import Relaxation, RuleMode
from apps.gate.rules import SWITCHABLE, Mode
from apps.gate.rules.relaxing import MODE_ORDER, REQUIRED, weakens
from tests.approvals.test_races import Pause
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import RelaxationFactory
from tests.home.pages import get, post, text_of

ORDER = ("NO", "RECORDED", "APPROVED")


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


def told(event):
    return next(entry for entry in latest(limit=20) if entry.event is event)


def words(entry):
    said = sentence(entry, lambda reference: reference.partition(":")[0])
    return f"{said.text} {said.sub}"


def propose(by, environment, rule=REQUIRED, after="RECORDED", **more):
    return propose_relaxation(environment_id=environment.pk, rule=rule, after=after, by=by.actor, now=NOW, **more)


def require(by, environment, required):
    return change_environment(environment.pk, change_required=required, by=by.actor, now=NOW)


def switch(by, environment, mode, rule="freeze"):
    return set_rule_mode(environment_id=environment.pk, rule=rule, mode=Mode(mode), by=by.actor, now=NOW)


@pytest.mark.parametrize("before", ORDER)
@pytest.mark.parametrize("after", ORDER)
def test_what_an_environment_asks_for_is_lowered_by_two_and_raised_by_one(ada, ben, before, after):
    environment = EnvironmentFactory(change_required=before)

    if ORDER.index(after) < ORDER.index(before):
        assert code(lambda: require(ada, environment, after)) == "takes_two"
    else:
        assert require(ada, environment, after).change_required == after
    assert weakens(REQUIRED, before, after) == (ORDER.index(after) < ORDER.index(before))


@pytest.mark.parametrize("before", MODE_ORDER)
@pytest.mark.parametrize("after", MODE_ORDER)
def test_a_rule_is_weakened_by_two_and_strengthened_by_one(ada, ben, before, after):
    environment = EnvironmentFactory()
    set_rule_mode(environment_id=environment.pk, rule="freeze", mode=Mode(before), by=system(HOST), now=NOW)

    if MODE_ORDER.index(after) < MODE_ORDER.index(before):
        assert code(lambda: switch(ada, environment, after)) == "takes_two"
        assert told(Event.RELAXATION_REFUSED).data["code"] == "takes_two"
    else:
        switch(ada, environment, after)
        assert RuleMode.objects.filter(mode=after).exists() or before == after == "ENFORCED"


def test_one_administrator_does_it_alone_and_the_stream_says_so(ada):
    environment = EnvironmentFactory()

    require(ada, environment, "RECORDED")
    switch(ada, environment, "OFF")
    alone = [words(told(event)) for event in (Event.ENVIRONMENT_CHANGED, Event.RULE_MODE_CHANGED)]
    require(ada, environment, "APPROVED")
    switch(ada, environment, "ENFORCED")
    stricter = [words(told(event)) for event in (Event.ENVIRONMENT_CHANGED, Event.RULE_MODE_CHANGED)]

    assert all("Single-handed" in one for one in alone)
    assert "A change there was approved, it is recorded from now on." in alone[0]
    assert not any("Single-handed" in one for one in stricter)


def test_what_one_proposes_another_puts_in_force(ada, ben):
    environment = EnvironmentFactory()

    required, rule = propose(ada, environment), propose(ada, environment, "promotion", "WARN_ONLY", reason="A pilot.")
    before = environment.change_required, RuleMode.objects.count()
    for one in (required, rule):
        confirm_relaxation(relaxation_id=one.pk, by=ben.actor, now=NOW)

    environment.refresh_from_db()
    assert before == ("APPROVED", 0)
    assert (environment.change_required, environment.required_since, RuleMode.objects.get().mode) == ("RECORDED", NOW, "WARN_ONLY")
    for event in (Event.ENVIRONMENT_CHANGED, Event.RULE_MODE_CHANGED):
        assert "Proposed by Ada." in words(told(event))
        assert "single_handed" not in told(event).data
    assert "“A pilot.”" in words(told(Event.RULE_MODE_CHANGED))


def test_proposing_and_deciding_are_told(ada, ben):
    relaxation = propose(ada, EnvironmentFactory(), "freeze", "OFF")
    end_relaxation(relaxation_id=relaxation.pk, by=ben.actor, now=NOW)

    assert "asks for less: Freeze, off." in words(told(Event.RELAXATION_PROPOSED))
    assert "Freeze, off: refused. Proposed by Ada." in words(told(Event.RELAXATION_DECIDED))


def test_nobody_confirms_what_they_proposed(ada, ben):
    relaxation = propose(ada, EnvironmentFactory())

    assert code(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=ada.actor, now=NOW)) == "own_proposal"
    with pytest.raises(IntegrityError, match="nobody_relaxes_alone"), transaction.atomic():
        Relaxation.objects.update(outcome="CONFIRMED", decided_by=ada, decided_at=NOW)


def test_what_changed_since_is_not_confirmed(ada, ben):
    environment = EnvironmentFactory(change_required="RECORDED")
    relaxation = propose(ada, environment, after="NO")
    require(ada, environment, "APPROVED")

    assert code(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=ben.actor, now=NOW)) == "outdated"


def test_proposal_of_somebody_who_is_no_administrator_any_more_is_not_confirmed(ada, ben):
    relaxation = propose(ada, EnvironmentFactory())
    RoleGrant.objects.filter(person=ada).update(revoked_at=NOW, revoked_by="SYSTEM:test")

    assert code(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=ben.actor, now=NOW)) == "proposer_gone"


@pytest.mark.parametrize(("ends", "outcome"), [("ada", "TAKEN_BACK"), ("ben", "REFUSED")])
def test_either_of_the_two_ends_it_once(ada, ben, ends, outcome):
    relaxation, by = propose(ada, EnvironmentFactory()), {"ada": ada, "ben": ben}[ends]

    ended = end_relaxation(relaxation_id=relaxation.pk, by=by.actor, now=NOW)

    assert ended.outcome == outcome
    assert code(lambda: end_relaxation(relaxation_id=relaxation.pk, by=by.actor, now=NOW)) == "already_decided"
    assert code(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=ben.actor, now=NOW)) == "already_decided"


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        ("freeze", "ENFORCED", "no_relaxation"),
        ("version", "OFF", "rule_is_kept"),
        ("poem", "OFF", "unknown_rule"),
        ("", "APPROVED", "no_relaxation"),
    ],
)
def test_what_cannot_be_proposed(ada, ben, rule, after, expected):
    assert code(lambda: propose(ada, EnvironmentFactory(), rule, after)) == expected


def test_one_proposal_at_a_time_about_one_thing(ada, ben):
    environment = EnvironmentFactory()
    propose(ada, environment)

    assert code(lambda: propose(ben, environment, after="NO")) == "already_proposed"
    assert propose(ben, environment, "freeze", "OFF").rule == "freeze"
    with pytest.raises(IntegrityError, match="one_open_relaxation"), transaction.atomic():
        RelaxationFactory(environment=environment)


def test_only_administrators_propose_confirm_and_end(ada, ben):
    other, relaxation = make_person(Role.RELEASE_MANAGER), propose(ada, EnvironmentFactory())

    for verb in (
        lambda: propose(other, EnvironmentFactory()),
        lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=other.actor, now=NOW),
        lambda: end_relaxation(relaxation_id=relaxation.pk, by=other.actor, now=NOW),
    ):
        assert code(verb) == "not_administrator"


def test_retired_environment_asks_for_what_it_did(client, ada, ben):
    environment = EnvironmentFactory()
    retire_environment(environment.pk, by=ada.actor)

    assert code(lambda: propose(ada, environment)) == "retired"
    assert "Choose one that is not." in text_of(get(client, ada, "home:environment_strictness", environment.slug))


def test_words_that_fit_nothing_are_told_on_their_field(ada, ben):
    with pytest.raises(BadContent) as told:
        propose(ada, EnvironmentFactory(), "freeze", "RECORDED")

    assert told.value.errors == {"after": ["A rule of the gate is enforced, warns only, or is off."]}


def test_page_proposes_confirms_and_shows(client, ada, ben):
    environment = EnvironmentFactory()
    address = ("home:environment_strictness", environment.slug)

    post(client, ada, *address, what="freeze", after="OFF", reason="A pilot.")
    relaxation = Relaxation.objects.get()
    own, other = text_of(get(client, ada, *address)), text_of(get(client, ben, *address))
    post(client, ben, "home:environment_relaxation_confirmation", relaxation.public_id)

    assert "You proposed this yourself." in own
    assert "Take it back" in own
    assert "Refuse" in other
    assert "“A pilot.”" in other
    assert RuleMode.objects.get().mode == "OFF"
    client.force_login(ada)
    assert client.post(reverse("home:environment_relaxation_end", args=[relaxation.public_id])).status_code == 409


@pytest.mark.parametrize("what", ["", "freeze"])
def test_page_sets_at_once_what_one_may_set(client, ada, what):
    environment = EnvironmentFactory()

    post(client, ada, "home:environment_strictness", environment.slug, what=what, after="OFF" if what else "NO")

    environment.refresh_from_db()
    assert Relaxation.objects.count() == 0
    assert (environment.change_required == "NO") == (not what)
    assert RuleMode.objects.filter(rule="freeze", mode="OFF").exists() == bool(what)


def test_page_says_what_does_not_fit(client, ada):
    answer = post(client, ada, "home:environment_strictness", EnvironmentFactory().slug, what="freeze", after="NO")

    assert answer.status_code == 422
    assert "A rule of the gate is enforced, warns only, or is off." in text_of(answer)


def test_every_switchable_rule_is_offered(client, ada):
    page = get(client, ada, "home:environment_strictness", EnvironmentFactory().slug).content.decode()

    assert all(f'value="{rule}"' in page for rule in SWITCHABLE)


def test_a_proposal_confirmed_by_two_at_once_is_put_in_force_once(own_database, racer, wait_until_blocked, monkeypatch):
    first, second, third = (make_person(Role.ADMINISTRATOR) for _ in range(3))
    relaxation = propose(first, EnvironmentFactory())
    pause = Pause(monkeypatch, "apps.gate.actions", "write_environment")

    winner = racer(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=second.actor))
    pid = pause.wait()
    loser = racer(lambda: confirm_relaxation(relaxation_id=relaxation.pk, by=third.actor))
    wait_until_blocked(pid)
    pause.go_on()
    winner.result()

    assert code(loser.result) == "already_decided"


@pytest.mark.parametrize("change", [{"after": "NO"}, {"rule": "freeze"}, {"reason": "Another."}])
def test_the_database_refuses_to_change_what_is_proposed(db, change):
    relaxation = RelaxationFactory()

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Relaxation.objects.filter(pk=relaxation.pk).update(**change)
