"""Risk: every factor has its points and its words, and the sum is stored when a change is submitted or edited."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change, submit_change
from apps.catalog.models import Outcome
from apps.changes.content import Aspect, Rollback, Strategy
from apps.changes.facts import content_of, risk_now, risk_places, risk_rows
from apps.changes.rules import RiskPlace, risk_of
from apps.core.locks import database_now
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place, newest
from tests.factories.catalog import ArrivalFactory
from tests.factories.changes import make_change, make_content

SERVICE, OTHER = UUID(int=1), UUID(int=2)
QUIET = RiskPlace(SERVICE, "Checkout", 4, "Development", 10, "NO")


def points(content, *places):
    return {factor.code: factor.points for factor in risk_of(content, places=places).factors}


def test_nothing_speaks_against_a_quiet_change():
    risk = risk_of(make_content(), places=[QUIET])

    assert (risk.points, risk.factors, risk.level) == (0, (), "low")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"tier": 1}, {"tier": 8}),
        ({"tier": 2}, {"tier": 5}),
        ({"tier": 3}, {"tier": 2}),
        ({"change_required": "RECORDED"}, {"environment": 1}),
        ({"change_required": "APPROVED"}, {"environment": 4}),
        ({"runs_something": False}, {"first_deployment": 4}),
        ({"failures_count": 1}, {"failures": 3}),
        ({"failures_count": 2}, {"failures": 6}),
        ({"failures_count": 9}, {"failures": 9}),
    ],
)
def test_each_fact_of_a_place_has_its_points(place, expected):
    assert points(make_content(), replace(QUIET, **place)) == expected


@pytest.mark.parametrize(
    ("aspects", "expected"),
    [
        ({Aspect.CODE}, {}),
        ({Aspect.DATA}, {"aspect_data": 6}),
        ({Aspect.RUNTIME, Aspect.INFRASTRUCTURE}, {"aspect_infrastructure": 4, "aspect_runtime": 2}),
    ],
)
def test_each_aspect_has_its_points(aspects, expected):
    content = make_content()

    assert points(replace(content, scope=replace(content.scope, aspects=frozenset(aspects))), QUIET) == expected


@pytest.mark.parametrize(
    ("rollback", "expected"),
    [
        (Rollback(strategy=Strategy.PREVIOUS_RELEASE), {}),
        (Rollback(strategy=Strategy.TRAFFIC_SWITCH, irreversible=("Mails are sent",)), {"irreversible": 6}),
        (Rollback(strategy=Strategy.TRAFFIC_SWITCH, point_of_no_return=1), {"irreversible": 6}),
        (Rollback(strategy=Strategy.RESTORE_BACKUP), {"back_by_people": 4}),
        (Rollback(strategy=Strategy.FIX_FORWARD), {"no_way_back": 6}),
        (Rollback(), {"no_way_back": 6}),
    ],
)
def test_each_way_back_has_its_points(rollback, expected):
    assert points(make_content(rollback=rollback), QUIET) == expected


def test_services_that_change_together_add_up_to_a_limit():
    places = [replace(QUIET, service_id=UUID(int=number)) for number in range(1, 8)]

    assert points(make_content(), *places[:2]) == {"services": 2}
    assert points(make_content(), *places) == {"services": 6}


def test_the_heaviest_factor_comes_first_and_the_sum_has_a_name():
    content = make_content(rollback=Rollback(strategy=Strategy.FIX_FORWARD))
    risk = risk_of(content, places=[replace(QUIET, tier=1, change_required="APPROVED", failures_count=3)])

    assert [factor.points for factor in risk.factors] == [9, 8, 6, 4]
    assert (risk.points, risk.level) == (27, "high")
    assert "Checkout is a tier 1 service" in [factor.words for factor in risk.factors]


@pytest.mark.django_db
def test_places_are_read_with_what_went_wrong_there_lately(django_assert_num_queries):
    place, now = make_place(), database_now()
    went = (
        (Outcome.FAILED, 1),
        (Outcome.ROLLED_BACK, 1),
        (Outcome.FAILED, 29),
        (Outcome.LEFT, 28),
        (Outcome.SUCCEEDED, 2),
        (Outcome.FAILED, 31),
    )
    for outcome, age in went:
        ArrivalFactory(target=place, outcome=outcome, at=now - timedelta(days=age))

    with django_assert_num_queries(1):
        content = make_content(targets=(place,))
        (found,) = risk_places(content, risk_rows(content, now=now))

    assert (found.failures_count, found.runs_something, found.tier) == (2, True, place.service.tier)


@pytest.mark.django_db
def test_risk_is_stored_at_submission_and_with_every_edit_after_it():
    requester, place = make_person(Role.REQUESTER), make_place()
    change = make_change(requester=requester, targets=(place,))
    assert change.risk is None

    submit_change(change_id=change.pk, by=requester.actor)
    change.refresh_from_db()
    before = change.risk
    content = content_of(newest(change))
    touched = replace(content, scope=replace(content.scope, aspects=frozenset({Aspect.DATA})))
    touched = replace(touched, rollback=replace(touched.rollback, data_strategy="The old column stays."))
    revise_change(change_id=change.pk, content=touched, by=requester.actor)
    change.refresh_from_db()

    assert before == risk_now(content, now=database_now()).points
    assert change.risk == before + 6
