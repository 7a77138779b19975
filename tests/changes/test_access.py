"""Who sees which change."""

import pytest
from django.http import Http404

from apps.accounts.roles import Role
from apps.changes.access import changes_for, get_change, get_leg
from apps.changes.facts import current_legs
from apps.changes.states import State
from tests.changes.flags import put_in
from tests.factories.accounts import MembershipFactory, TeamFactory, make_person
from tests.factories.catalog import ServiceFactory, make_target
from tests.factories.changes import make_change

pytestmark = pytest.mark.django_db


def sees(person, change):
    listed = change in changes_for(person)
    try:
        found = get_change(person, change.ref.lower())
    except Http404:
        found = None
    assert (found == change) is listed
    return listed


def test_a_draft_is_its_requesters_alone():
    change = make_change()

    assert sees(change.requester, change)
    assert not sees(make_person(*Role), change)


def test_a_draft_that_was_sent_back_stays_seen(now):
    change = make_change()
    change.submitted_at = now
    change.save()

    assert sees(make_person(), change)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DRAFT])
def test_a_submitted_change_is_everybodys(state):
    assert sees(make_person(), put_in(make_change(), state))


def test_a_restricted_service_is_its_teams_and_the_auditors():
    team = TeamFactory()
    member = make_person(Role.REQUESTER, team=team)
    change = put_in(make_change(requester=member, targets=(make_target(ServiceFactory(team=team, is_restricted=True)),)), State.APPROVED)

    assert sees(member, change)
    assert sees(make_person(Role.AUDITOR), change)
    assert not sees(make_person(*set(Role) - {Role.AUDITOR}), change)
    MembershipFactory(team=team, person=(newcomer := make_person()))
    assert sees(newcomer, change)


def test_the_one_a_requester_was_merged_into_has_their_drafts(now):
    change, kept = make_change(), make_person()
    gone = change.requester
    gone.is_active, gone.deactivated_at, gone.merged_into = False, now, kept
    gone.save()

    assert sees(kept, change)


@pytest.mark.parametrize("ref", ["CHG-0", "CHG-999999", "1", "chg", "CHG-1; drop", "CHG-" + "9" * 30, "\x00", ""])
def test_what_is_no_change_is_not_found(ref):
    with pytest.raises(Http404):
        get_change(make_person(), ref)


def test_legs_changes_and_walls_have_names_of_their_own():
    change = make_change()
    leg = current_legs(change).get()

    assert (str(change), str(change.reference), str(leg.reference)) == (
        f"CHG-{change.pk}",
        f"change:{change.public_id}",
        f"leg:{leg.public_id}",
    )
    assert (change.is_open, leg.can_start) == (False, True)


def test_a_leg_is_found_where_its_change_is_seen():
    change = make_change()
    leg = current_legs(change).get()

    assert get_leg(change.requester, str(leg.public_id)) == leg
    for person, public_id in [
        (make_person(), str(leg.public_id)),
        (change.requester, "no-uuid"),
        (change.requester, str(change.public_id)),
    ]:
        with pytest.raises(Http404):
            get_leg(person, public_id)
