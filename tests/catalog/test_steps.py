"""What apps above call: occupying, freeing, arriving."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Arrival, Outcome
from apps.catalog.steps import free_target, note_arrival, occupy_target, previous_version, running_version, set_rollback_ready
from apps.catalog.versions import Version
from apps.core.actors import system
from apps.core.ids import new_id
from apps.core.references import Reference
from apps.core.refusals import Refused
from tests.conftest import NOW
from tests.factories.catalog import make_target

pytestmark = pytest.mark.django_db
BY = system("runner")
V1, V2, V3 = (Version(f"v{n}", (f"git:{n}" + "0" * 39,)) for n in (1, 2, 3))


def arrive(target, version, outcome, now, cause=None):
    return note_arrival(target, version, outcome, by=BY, at=now, caused_by=cause or Reference("deployment", str(new_id())))


def runs(target) -> tuple[Version | None, Version | None]:
    target.refresh_from_db()
    return running_version(target), previous_version(target)


def test_a_target_is_occupied_by_one_deployment_at_a_time(now):
    target, first, second = make_target(), new_id(), new_id()

    occupy_target(target, first, by=BY, at=now)
    occupy_target(target, first, by=BY, at=now)

    with pytest.raises(Refused) as caught:
        occupy_target(target, second, by=BY, at=now)
    assert caught.value.refusal.code == "occupied"
    target.refresh_from_db()
    assert target.occupied_by == first
    assert [entry.event for entry in entries_about(target.reference, limit=5)] == [Event.TARGET_OCCUPIED]


def test_a_stale_row_does_not_let_a_second_deployment_in(now):
    target = make_target()
    stale = type(target).objects.get(pk=target.pk)
    occupy_target(target, new_id(), by=BY, at=now)

    with pytest.raises(Refused):
        occupy_target(stale, new_id(), by=BY, at=now)


def test_a_freed_target_can_be_occupied_again(now):
    target, first = make_target(), new_id()
    occupy_target(target, first, by=BY, at=now, refs=[Reference("change", "x")])

    free_target(target, by=BY, at=now)
    free_target(target, by=BY, at=now)
    occupy_target(target, new_id(), by=BY, at=now)

    freed = [entry for entry in entries_about(Reference("deployment", str(first)), limit=5) if entry.event is Event.TARGET_FREED]
    assert len(freed) == 1
    assert {ref.kind for ref in freed[0].refs} == {"target", "service", "environment", "deployment"}


def test_arrivals_shift_what_runs_to_what_ran(now):
    target = make_target()

    arrive(target, V1, Outcome.SUCCEEDED, now)
    assert runs(target) == (V1, None)
    arrive(target, V2, Outcome.SUCCEEDED, now)
    assert runs(target) == (V2, V1)


def test_the_same_version_again_keeps_what_ran_before(now):
    target = make_target()
    arrive(target, V1, Outcome.SUCCEEDED, now)
    arrive(target, V2, Outcome.SUCCEEDED, now)

    arrive(target, V2, Outcome.SUCCEEDED, now.replace(year=2027))

    assert runs(target) == (V2, V1)
    assert target.running_since == now


def test_a_failed_arrival_is_kept_and_changes_nothing_else(now):
    target = make_target()
    arrive(target, V1, Outcome.SUCCEEDED, now)

    arrive(target, V2, Outcome.FAILED, now)

    assert runs(target) == (V1, None)
    assert Arrival.objects.filter(target=target).count() == 2


def test_a_rollback_of_a_version_that_never_passed_leaves_everything_as_it_was(now):
    target = make_target()
    arrive(target, V1, Outcome.SUCCEEDED, now)
    arrive(target, V2, Outcome.SUCCEEDED, now)
    arrive(target, V3, Outcome.FAILED, now)

    arrive(target, V2, Outcome.ROLLED_BACK, now)

    assert runs(target) == (V2, V1)


def test_a_rollback_of_a_version_that_had_passed_never_offers_it_as_the_way_back(now):
    target = make_target()
    for version in (V1, V2, V3):
        arrive(target, version, Outcome.SUCCEEDED, now)

    arrive(target, V2, Outcome.ROLLED_BACK, now)

    assert runs(target) == (V2, V1)


def test_a_rollback_to_the_first_version_knows_no_way_further_back(now):
    target = make_target()
    arrive(target, V1, Outcome.SUCCEEDED, now)
    arrive(target, V2, Outcome.SUCCEEDED, now)

    arrive(target, V1, Outcome.ROLLED_BACK, now)

    assert runs(target) == (V1, None)


@given(st.lists(st.tuples(st.sampled_from([V1, V2, V3]), st.sampled_from([*Outcome])), max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_runs_is_the_last_version_that_came_to_stay_and_is_never_its_own_way_back(walk):
    target = make_target()

    for version, outcome in walk:
        arrive(target, version, outcome, NOW)

    came = [version for version, outcome in walk if outcome is not Outcome.FAILED]
    running, previous = runs(target)
    assert running == (came[-1] if came else None)
    assert previous is None or previous != running
    assert Arrival.objects.filter(target=target).count() == len(walk)


def test_an_arrival_names_target_service_environment_deployment_and_what_is_given(now):
    target, deployment, change = make_target(), Reference("deployment", str(new_id())), Reference("change", str(new_id()))

    arrival = note_arrival(target, V1, Outcome.SUCCEEDED, by=BY, at=now, caused_by=deployment, refs=[change])

    for about in (target.reference, target.service.reference, target.environment.reference, deployment, change):
        (entry,) = entries_about(about, limit=2)
        assert entry.event is Event.VERSION_ARRIVED
    assert entry.data["identities"] == [*V1.identities]
    assert arrival.caused_by == str(deployment)


@pytest.mark.parametrize("table", ["arrival", "settings_version"])
def test_arrivals_and_settings_are_written_once(now, table):
    target = make_target()
    rows = {
        "arrival": Arrival.objects.filter(pk=arrive(target, V1, Outcome.SUCCEEDED, now).pk),
        "settings_version": target.settings_versions.all(),
    }[table]
    change = {"arrival": {"label": "x"}, "settings_version": {"digest": "x"}}[table]

    with pytest.raises(Exception, match="is refused"):
        rows.update(**change)


def test_the_way_back_is_kept_on_the_target(now):
    target = make_target()

    set_rollback_ready(target, now)

    target.refresh_from_db()
    assert target.rollback_ready_at == now


def test_a_version_that_was_left_runs_and_is_never_the_way_back(now):
    target = make_target()
    arrive(target, V1, Outcome.SUCCEEDED, now)

    arrive(target, V2, Outcome.LEFT, now)
    assert runs(target) == (V2, V1)
    arrive(target, V1, Outcome.SUCCEEDED, now)

    assert runs(target) == (V1, None)
