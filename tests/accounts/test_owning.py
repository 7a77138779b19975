"""The services a person owns, named on their page, on one's own and in the list of people; as far as the reader may see them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts import owning
from apps.accounts.owning import IN_A_LIST, Owned, owned_by
from apps.accounts.roles import Role
from apps.catalog.models import OwnerKind
from tests.factories.accounts import PersonFactory, make_person
from tests.factories.catalog import NOW, OwnershipFactory, ServiceFactory, make_service
from tests.home.pages import get, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_person(Role.REQUESTER, name="Olga Owner")


def named(person, *, reader=None, most=IN_A_LIST) -> tuple[list[str], int]:
    found = owned_by(person, reader=reader or person, most=most).get(person.pk)
    return ([one.name for one in found.named], found.more) if found else ([], 0)


def test_services_are_named_by_name_and_the_others_counted(owner):
    for name in ("Epsilon", "Alpha", "Delta", "Beta", "Gamma"):
        make_service(business=owner, name=name)

    assert named(owner) == (["Alpha", "Beta", "Delta"], 2)
    assert named(owner, most=20) == (["Alpha", "Beta", "Delta", "Epsilon", "Gamma"], 0)


def test_owning_in_both_ways_is_owning_one_service(owner):
    service = make_service(business=owner, technical=owner, name="Alpha")

    assert owned_by(owner, reader=owner, most=3)[owner.pk].named == [Owned("Alpha", reverse("catalog:service", args=[service.slug]))]
    assert named(owner) == (["Alpha"], 0)


def test_what_is_over_or_retired_or_hidden_is_not_named(owner):
    make_service(business=owner, name="Retired", retired_at=NOW)
    make_service(business=owner, name="Secret", is_restricted=True)
    OwnershipFactory(person=owner, service=ServiceFactory(name="Over"), kind=OwnerKind.BUSINESS, ended_at=NOW, ended_by="SYSTEM:test")

    assert named(owner) == (["Secret"], 0)
    assert named(owner, reader=make_person()) == ([], 0)


def test_what_a_merged_account_owns_the_person_owns(owner):
    make_service(technical=PersonFactory(merged_into=owner, is_active=False, deactivated_at=NOW), name="Alpha")
    make_service(business=owner, name="Beta")

    assert named(owner) == (["Alpha", "Beta"], 0)


def test_pages_about_people_name_them(client, owner):
    for name in ("Alpha", "Beta", "Delta", "Gamma"):
        make_service(business=owner, name=name)

    listed = text_of(get(client, owner, "accounts:people"))
    page = text_of(get(client, make_person(), "accounts:person", owner.public_id))
    own = text_of(get(client, owner, "accounts:profile"))

    assert "Alpha , Beta , Delta and 1 more" in listed or "Alpha, Beta, Delta and 1 more" in listed
    assert "Services Alpha Beta Delta Gamma" in page
    assert "Services I own Alpha Beta Delta Gamma" in own


def test_pages_say_nothing_of_who_owns_nothing(client, owner):
    assert "Services I own" not in text_of(get(client, owner, "accounts:profile"))
    assert "nothing" in text_of(get(client, owner, "accounts:people"))


def test_list_asks_one_statement_more_however_many_people_own_however_much(client, owner):
    client.force_login(owner)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse("accounts:people"))
        counts.append(len(seen))
        for number in range(6):
            make_service(business=make_person(), technical=owner, name=f"Service {number}")

    assert counts[0] == counts[1]


def test_two_apps_cannot_both_say_what_persons_own(monkeypatch):
    monkeypatch.setattr(owning, "_known", [*owning._known])

    owning.register(owning._known[0])
    with pytest.raises(ValueError, match="Two apps"):
        owning.register(lambda people, reader, most: {})
