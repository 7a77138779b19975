"""What people say about incidents: opening, notes, corrections, recovery, resolution."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.incidents.actions import correct_timeline, note_on_timeline, open_incident, recover_incident, resolve_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.refusals import recover_refusal, resolve_refusal
from apps.incidents.states import MOVES, OWNERS, State
from apps.incidents.transitions import IllegalMove, move
from apps.schedule.models import Hold
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import make_target
from tests.factories.incidents import IncidentFactory, make_incident

pytestmark = pytest.mark.django_db


def leader():
    return make_person(Role.OPERATOR).actor


@pytest.mark.parametrize("role", [None, *Role])
def test_anybody_may_say_that_something_is_wrong_and_operators_stop_the_target_with_it(role):
    target, by = make_target(), make_person(*([role] if role else [])).actor

    if role not in {Role.OPERATOR, Role.RELEASE_MANAGER}:
        with pytest.raises(Refused) as caught:
            open_incident(target.pk, title="Slow maps", by=by)
        assert caught.value.refusal.code == "not_yours_to_stop"
        assert not Incident.objects.exists()
    open_incident(target.pk, title="Slow maps", by=by, hold=role in {Role.OPERATOR, Role.RELEASE_MANAGER})

    assert Incident.objects.get().state == State.OPEN
    assert Hold.objects.exists() == (role in {Role.OPERATOR, Role.RELEASE_MANAGER})


def test_opening_one_holds_the_target_and_tells():
    target, by = make_target(), leader()

    incident = open_incident(target.pk, title="Scanners reject valid tickets", by=by, started_at=datetime.now(UTC) - timedelta(minutes=4))

    assert incident.state == State.OPEN
    assert incident.opened_by == f"PERSON:{by.id}"
    assert Hold.objects.get().source_ref == str(incident.reference)
    (entry,) = [entry for entry in entries_about(incident.reference, limit=9) if entry.event is Event.INCIDENT_OPENED]
    assert {name.kind for name in entry.refs} >= {"incident", "target", "service", "environment"}


def test_an_incident_without_a_hold_stops_nothing():
    open_incident(make_target().pk, title="Slow maps", by=leader(), hold=False)

    assert not Hold.objects.exists()


def test_a_second_one_for_the_same_target_is_refused():
    incident = make_incident()

    with pytest.raises(Refused) as caught:
        open_incident(incident.target_id, title="Again", by=leader())

    assert caught.value.refusal.code == "already_open"
    assert incident.ref in str(caught.value)


def test_a_recovered_one_opens_again():
    incident = make_incident(State.RECOVERED)

    again = open_incident(incident.target_id, title="They reject them again", by=leader())

    assert again == incident
    assert (again.state, again.recovered_at) == (State.OPEN, None)


def test_a_resolved_one_makes_room_for_the_next():
    incident = make_incident(State.RESOLVED)

    assert open_incident(incident.target_id, title="Another", by=leader()) != incident


def test_machinery_is_no_person():
    with pytest.raises(Refused):
        open_incident(make_target().pk, title="Beep", by=system("runner"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "turned \u202e"}, "title"),
        ({"started_at": datetime.now(UTC) + timedelta(hours=1)}, "started_at"),
        ({"started_at": datetime.now(UTC) - timedelta(days=31)}, "started_at"),
    ],
)
def test_bad_words_are_told_on_their_field(given, field):
    with pytest.raises(BadContent) as caught:
        open_incident(make_target().pk, by=leader(), **({"title": "Slow maps"} | given))

    assert list(caught.value.errors) == [field]


def test_a_late_note_keeps_both_times():
    incident, happened = make_incident(), datetime.now(UTC) - timedelta(minutes=20)

    note = note_on_timeline(incident.pk, text="Both terminals\nare affected.", by=make_person().actor, occurred_at=happened)

    assert note.occurred_at == happened
    assert note.recorded_at - happened >= timedelta(minutes=20)
    assert entries_about(incident.reference, limit=1)[0].details["text"] == "Both terminals\nare affected."


def test_a_correction_supersedes_and_changes_nothing():
    incident, author = make_incident(), make_person().actor
    old = note_on_timeline(incident.pk, text="Partner tickets only.", by=author)

    new = correct_timeline(old.pk, text="All tickets signed after 13:02.", by=author)

    old.refresh_from_db()
    assert (old.text, new.supersedes, new.occurred_at) == ("Partner tickets only.", old, old.occurred_at)
    with pytest.raises(Refused) as caught:
        correct_timeline(old.pk, text="No.", by=author)
    assert caught.value.refusal.code == "already_corrected"


def test_another_persons_note_is_corrected_by_those_who_lead():
    incident = make_incident()
    old = note_on_timeline(incident.pk, text="Partner tickets only.", by=make_person().actor)

    with pytest.raises(Refused) as caught:
        correct_timeline(old.pk, text="No.", by=make_person().actor)

    assert caught.value.refusal.code == "not_yours"
    assert correct_timeline(old.pk, text="All of them.", by=leader()).supersedes == old


def test_the_timeline_cannot_be_rewritten():
    note = note_on_timeline(make_incident().pk, text="Partner tickets only.", by=leader())

    for change in (lambda: TimelineEntry.objects.update(text="Nothing."), note.delete):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            change()


@pytest.mark.parametrize(("state", "role"), [*product(State, Role)])
def test_who_may_end_it_when(state, role):
    incident, by = make_incident(state), make_person(role).actor
    leads = role in {Role.OPERATOR, Role.RELEASE_MANAGER}

    for goal, refusal_of, act in (
        (State.RECOVERED, recover_refusal, lambda: recover_incident(incident.pk, by=by)),
        (State.RESOLVED, resolve_refusal, lambda: resolve_incident(incident.pk, by=by, reason="Restarted.")),
    ):
        refusal = refusal_of(incident, by=by)
        assert (refusal is None) == (leads and goal in MOVES[state])
        if refusal:
            with pytest.raises(Refused) as caught:
                act()
            assert caught.value.refusal == refusal


def test_recovery_and_resolution_are_told():
    incident = make_incident()
    recover_incident(incident.pk, by=leader(), reason="Errors are gone.")
    resolve_incident(incident.pk, by=leader(), reason="Keys were rotated.")

    incident.refresh_from_db()
    events = [entry.event for entry in entries_about(incident.reference, limit=2)]
    assert incident.recovered_at is not None
    assert incident.resolved_at is not None
    assert events == [Event.INCIDENT_RESOLVED, Event.INCIDENT_RECOVERED]


@pytest.mark.parametrize(("start", "goal"), [*product(State, State)])
def test_every_state_against_every_state(start, goal):
    more = {"recovered_at": NOW} if start is State.RECOVERED else {"resolved_at": NOW} if start is State.RESOLVED else {}
    incident = IncidentFactory(state=start, **more)

    if goal in MOVES[start]:
        move(incident, goal, by=system("test"), at=NOW)
        assert Incident.objects.get(pk=incident.pk).state == goal
    else:
        with pytest.raises(IllegalMove):
            move(incident, goal, by=system("test"), at=NOW)


def test_every_state_has_an_owner():
    assert set(OWNERS) == set(State) == set(MOVES)
