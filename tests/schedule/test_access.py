"""What a person sees of the calendar, and how scopes are named."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.http import Http404

from apps.accounts.roles import Role
from apps.changes.facts import current_legs
from apps.core.refusals import BadContent
from apps.schedule.access import calendar_view, find_scope, get_hold, get_rule, scope_choices, target_choices
from apps.schedule.facts import conflicts_of, everything, scope_numbers_of, scope_of, scopes_named, slots_of, tier_scope
from apps.schedule.models import RuleKind
from tests.changes.flags import put_in
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import EnvironmentFactory, ServiceFactory, make_target
from tests.factories.changes import make_change
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, ReservationFactory, SlotFactory, make_freeze

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_walls_are_told_as_standing_coming_and_past(now):
    standing = CalendarRuleFactory()
    soon = CalendarRuleFactory(kind=RuleKind.WINDOW, starts_at=now + 2 * HOUR, ends_at=now + 3 * HOUR)
    sooner = CalendarRuleFactory(starts_at=now + HOUR, ends_at=now + 9 * HOUR)
    over = CalendarRuleFactory(starts_at=now - 3 * HOUR, ends_at=now - 2 * HOUR)
    lifted = CalendarRuleFactory(starts_at=now + HOUR, ends_at=now + 2 * HOUR, lifted_at=now - HOUR, lifted_by="SYSTEM:test")
    hold, gone = HoldFactory(), HoldFactory(lifted_at=now, lifted_by="SYSTEM:test", lift_reason="Fine.")

    view = calendar_view(make_person(), now=now)

    assert {wall.id for wall in view.standing} == {standing.public_id, hold.public_id}
    assert [wall.id for wall in view.coming] == [sooner.public_id, soon.public_id]
    assert [wall.id for wall in view.past] == [gone.public_id, lifted.public_id, over.public_id]
    assert {wall.kind for wall in view.standing} == {"FREEZE", "HOLD"}


def test_a_rule_of_several_stretches_shows_the_one_that_matters(now):
    rule = make_freeze(starts_at=now - 5 * HOUR, ends_at=now - 4 * HOUR)
    later = make_freeze(starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    rule.covers, rule.live_until = [*rule.covers, *later.covers], later.live_until
    rule.save()

    assert {wall.stretch for wall in calendar_view(make_person(), now=now).coming} == set(later.covers)


def test_the_calendar_is_read_in_a_fixed_number_of_statements(now, django_assert_max_num_queries):
    for _ in range(4):
        make_freeze(make_target())
        HoldFactory(scope=scope_of(make_target()).number)
    person = make_person()

    with django_assert_max_num_queries(14):
        assert len(calendar_view(person, now=now).standing) == 8


def test_walls_of_a_restricted_service_are_its_teams(now):
    team = TeamFactory()
    target = make_target(ServiceFactory(is_restricted=True, team=team))
    rule, hold = make_freeze(target), HoldFactory(scope=scope_of(target).number)
    member, other = make_person(team=team), make_person(Role.RELEASE_MANAGER)

    assert {wall.id for wall in calendar_view(member, now=now).standing} == {rule.public_id, hold.public_id}
    assert calendar_view(other, now=now).standing == ()
    assert get_rule(member, rule.public_id, kind="FREEZE") == rule
    assert get_hold(member, hold.public_id) == hold
    for get in (lambda: get_rule(other, rule.public_id, kind="FREEZE"), lambda: get_hold(other, hold.public_id)):
        with pytest.raises(Http404):
            get()


def test_unknown_walls_are_not_found():
    person, rule = make_person(), make_freeze()

    for get in (
        lambda: get_rule(person, uuid4(), kind="FREEZE"),
        lambda: get_rule(person, rule.public_id, kind="WINDOW"),
        lambda: get_hold(person, uuid4()),
    ):
        with pytest.raises(Http404):
            get()


def test_every_scope_of_a_target_is_named():
    target = make_target(ServiceFactory(tier=1))
    numbers = scope_numbers_of(target)

    names = [scopes_named(numbers)[number] for number in numbers]

    assert [scope.kind for scope in names] == ["EVERYTHING", "ENVIRONMENT", "TIER", "TEAM", "SERVICE", "TARGET"]
    assert [scope.name for scope in names] == [
        "Everything",
        target.environment.name,
        "Tier 1",
        f"Team {target.service.team.name}",
        target.service.name,
        f"{target.service.name} in {target.environment.name}",
    ]


def test_a_scope_is_found_by_kind_and_public_id():
    person, target = make_person(), make_target()
    rows = {
        "ENVIRONMENT": target.environment,
        "TEAM": target.service.team,
        "SERVICE": target.service,
        "TARGET": target,
    }

    for kind, row in rows.items():
        assert find_scope(person, kind, str(row.public_id)) == scope_of(row)
    assert find_scope(person, "TIER", "2") == tier_scope(2)
    assert find_scope(person, "EVERYTHING", None) == everything()


@pytest.mark.parametrize("kind", ["ENVIRONMENT", "SERVICE", "TARGET", "TEAM"])
def test_what_is_retired_is_no_scope(kind, now):
    target = make_target()
    row = {"ENVIRONMENT": target.environment, "SERVICE": target.service, "TARGET": target, "TEAM": target.service.team}[kind]
    row.retired_at = now
    row.save()

    with pytest.raises(BadContent):
        find_scope(make_person(), kind, row.public_id)


def test_choices_name_what_the_person_may_see():
    hidden, shown = make_target(ServiceFactory(is_restricted=True)), make_target(environment=EnvironmentFactory(name="Lab"))
    person = make_person()

    groups = dict(scope_choices(person))
    _, targets = target_choices(person)

    assert (f"SERVICE:{shown.service.public_id}", shown.service.name) in groups["Services"]
    assert f"SERVICE:{hidden.service.public_id}" not in dict(groups["Services"])
    assert (f"ENVIRONMENT:{shown.environment.public_id}", "Lab") in groups["Environments"]
    assert f"TARGET:{shown.public_id}" in dict(targets)
    assert f"TARGET:{hidden.public_id}" not in dict(targets)


def test_conflicts_are_what_else_has_the_service_then(now):
    change = put_in(make_change(), "APPROVED")
    leg = current_legs(change).get()
    slot = SlotFactory(leg=leg, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    reach = ReservationFactory(target=leg.target, starts_at=now, reserved_until=now + HOUR)
    ReservationFactory(target=leg.target, starts_at=now, reserved_until=now + HOUR, released_at=now)
    ReservationFactory(starts_at=now, reserved_until=now + HOUR)

    def found(start, end, **more):
        return [(each.kind, each.ref) for each in conflicts_of(leg.service, starts_at=now + start, until=now + end, **more)]

    assert found(0 * HOUR, 3 * HOUR) == [("RESERVATION", ""), ("SLOT", change.ref)]
    assert found(0 * HOUR, 3 * HOUR, besides=change) == [("RESERVATION", "")]
    assert found(HOUR, 3 * HOUR) == [("SLOT", change.ref)]
    assert found(2 * HOUR, 3 * HOUR) == []
    assert conflicts_of(leg.service, starts_at=now, until=now + HOUR)[0].held_for == reach.held_for
    assert slots_of(change) == {leg.public_id: slot}


def test_the_slot_of_a_change_that_is_over_is_no_conflict(now):
    change = make_change()
    leg = current_legs(change).get()
    SlotFactory(leg=leg)

    assert conflicts_of(leg.service, starts_at=now, until=now + 5 * HOUR) == []
