"""The page of absence and stand-ins."""

from datetime import timedelta

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.models import Absence, Delegation
from apps.core.locks import database_now
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import AbsenceFactory, DelegationFactory
from tests.factories.catalog import ServiceFactory
from tests.home.pages import get, text_of

TIMES = {"starts_at": "2031-03-01T09:00", "ends_at": "2031-03-05T17:00"}


def post(client, who, page, /, *args, **data):
    client.force_login(who)
    return client.post(reverse(page, args=args), data)


@pytest.fixture
def bea(db):
    return make_person(name="Bea", time_zone="Europe/Berlin")


@pytest.fixture
def sam(db):
    return make_person(name="Sam")


def test_absence_is_entered_in_ones_own_zone_and_cancelled(client, bea):
    post(client, bea, "approvals:absence_times", **TIMES)

    absence = Absence.objects.get()
    assert (absence.person, absence.starts_at.hour) == (bea, 8)
    assert "1 Mar 2031" in text_of(get(client, bea, "approvals:absence"))
    post(client, bea, "approvals:absence_end", absence.public_id)
    assert "Nothing is entered." in text_of(get(client, bea, "approvals:absence"))


def test_absence_of_others_is_entered_by_administrators(client, bea, sam):
    administrator = make_person(Role.ADMINISTRATOR)

    post(client, administrator, "approvals:absence_times", person=str(bea.public_id), **TIMES)
    post(client, sam, "approvals:absence_times", person=str(bea.public_id), **TIMES)

    assert [*Absence.objects.order_by("pk").values_list("person__name", flat=True)] == ["Bea", "Sam"]


def test_absence_of_somebody_else_is_not_cancelled_by_anybody(client, bea, sam):
    absence = AbsenceFactory(person=bea)

    assert post(client, sam, "approvals:absence_end", absence.public_id).status_code == 403
    assert post(client, sam, "approvals:absence_end", sam.public_id).status_code == 404


def test_whoever_is_asked_sees_it_and_may_end_it(client, bea, sam):
    service = ServiceFactory(name="payments")

    post(client, bea, "approvals:stand_ins", delegate=str(sam.public_id), services=[service.slug], kinds=["EMERGENCY"], **TIMES)

    delegation = Delegation.objects.get()
    assert (delegation.service_ids, delegation.kinds) == ([service.pk], ["EMERGENCY"])
    page = text_of(get(client, sam, "approvals:absence"))
    assert "You stand in for Bea" in page
    assert "payments; emergency changes" in page
    post(client, sam, "approvals:stand_in_end", delegation.public_id)
    assert "You stand in for Nobody." in text_of(get(client, sam, "approvals:absence"))


def test_administrator_sees_who_stands_in_for_others_and_ends_it(client, bea, sam):
    delegation, administrator = DelegationFactory(person=bea, delegate=sam), make_person(Role.ADMINISTRATOR)

    page = get(client, administrator, "approvals:absence")

    assert "Others stand in Sam for Bea until" in text_of(page)
    assert reverse("approvals:stand_in_end", args=[delegation.public_id]) in page.content.decode()
    assert "Others stand in" not in text_of(get(client, make_person(), "approvals:absence"))


def test_services_that_the_reader_does_not_see_are_counted_not_named(client, bea, sam):
    hidden = ServiceFactory(name="vault", is_restricted=True)
    DelegationFactory(person=bea, delegate=sam, service_ids=[hidden.pk], ends_at=database_now() + timedelta(days=9))

    page = text_of(get(client, sam, "approvals:absence"))

    assert "1 you do not see; every kind of change" in page
    assert "vault" not in page


def test_a_delegation_between_others_is_not_there(client, bea, sam):
    delegation, stranger = DelegationFactory(person=bea, delegate=sam), make_person()

    assert post(client, stranger, "approvals:stand_in_end", delegation.public_id).status_code == 404
    assert post(client, stranger, "approvals:stand_in_end", sam.public_id).status_code == 404
    assert post(client, make_person(Role.ADMINISTRATOR), "approvals:stand_in_end", delegation.public_id).status_code == 302


@pytest.mark.parametrize(
    ("page", "field", "more"),
    [
        ("approvals:absence_times", "ends_at", {"ends_at": "2031-02-01T09:00"}),
        ("approvals:absence_times", "starts_at", {"starts_at": "yesterday"}),
        ("approvals:stand_ins", "delegate", {"delegate": ""}),
        ("approvals:stand_ins", "ends_at", {"ends_at": "2033-03-01T09:00"}),
        ("approvals:stand_ins", "kinds", {"kinds": ["URGENT"]}),
    ],
)
def test_mistakes_stand_on_their_fields(client, bea, sam, page, field, more):
    answer = post(client, bea, page, **{"delegate": str(sam.public_id), **TIMES, **more})

    assert answer.status_code == 422
    assert any(field in form.errors for form in answer.context["forms"].values() if form.is_bound)
    assert not Absence.objects.exists()
    assert not Delegation.objects.exists()


def test_who_is_away_now_is_known_to_everybody(client, bea, sam):
    AbsenceFactory(person=bea, starts_at=NOW - timedelta(days=30), ends_at=database_now() + timedelta(days=1))

    assert "Away now Bea" in text_of(get(client, sam, "approvals:absence"))
