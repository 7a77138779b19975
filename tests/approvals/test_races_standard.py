"""A model that approves beforehand is retired while a change of it is submitted: one waits for the other, and both tell the truth."""

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change
from apps.approvals.facts import review_facts
from apps.approvals.rules import all_met
from apps.changes.actions import retire_change_model
from apps.changes.models import Change
from apps.changes.states import State
from tests.approvals.test_races import Pause
from tests.approvals.world import make_world
from tests.factories.accounts import make_person
from tests.factories.changes import as_modelled, make_standard_model


@pytest.fixture
def world(own_database):
    return make_world()


@pytest.fixture
def verbs(world):
    """Submitting a change of a model, and retiring that model."""
    administrator = make_person(Role.ADMINISTRATOR)
    model = make_standard_model(world.target, author=administrator)
    content, by = as_modelled(model, world.target), world.requester.actor
    return (
        lambda: ask_for_change(content=content, by=by, is_submitted=True, made_from=model.version_id),
        lambda: retire_change_model(model_id=model.pk, by=administrator.actor),
    )


def stands():
    """The state of the only change, and whether its quorum is met now."""
    change = Change.objects.get()
    return change.state, all_met(review_facts(change).legs)


def test_submitted_while_the_model_is_retired_it_asks_people(verbs, racer, wait_until_blocked, monkeypatch):
    submit, retire = verbs
    pause = Pause(monkeypatch, "apps.changes.actions.modelling", "end_model")
    first = racer(retire)
    holder = pause.wait()

    second = racer(submit)
    wait_until_blocked(holder)
    pause.go_on()
    first.result()
    second.result()

    assert stands() == (State.IN_REVIEW, False)


def test_retired_while_a_change_is_submitted_it_speaks_for_it_no_more(verbs, racer, wait_until_blocked, monkeypatch):
    submit, retire = verbs
    pause = Pause(monkeypatch, "apps.approvals.actions.asking", "submit")
    first = racer(submit)
    holder = pause.wait()

    second = racer(retire)
    wait_until_blocked(holder)
    pause.go_on()
    first.result()
    second.result()

    assert stands() == (State.APPROVED, False)
