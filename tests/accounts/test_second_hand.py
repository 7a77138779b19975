"""Two administrators make and end administrators: the first one asks by doing it, another who does the same makes it happen."""

from datetime import timedelta

import pytest

from apps.accounts.actions import deactivate_person, grant_role, merge_persons, reactivate_person, revoke_role
from apps.accounts.facts import has_grant
from apps.accounts.models import Person, SecondHand
from apps.accounts.roles import Role
from apps.accounts.rules import Act, takes_two
from apps.accounts.second_hand import GOOD_FOR
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.core.refusals import Refused
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.home.pages import get, post, text_of

DAY = timedelta(days=1)


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def ben(ada):
    return make_person(Role.ADMINISTRATOR, name="Ben")


@pytest.fixture
def cleo(ada):
    return make_person(Role.ADMINISTRATOR, name="Cleo")


def carry_out(act, person, by, now=NOW):
    match act:
        case Act.GRANT:
            grant_role(person.pk, role=Role.ADMINISTRATOR, by=by.actor, now=now)
        case Act.REVOKE:
            revoke_role(person.pk, role=Role.ADMINISTRATOR, by=by.actor, now=now)
        case Act.DEACTIVATE:
            deactivate_person(person.pk, by=by.actor, now=now)
        case Act.REACTIVATE:
            reactivate_person(person.pk, by=by.actor, now=now)


def is_done(act, person):
    person.refresh_from_db()
    match act:
        case Act.GRANT | Act.REVOKE:
            return has_grant(person, Role.ADMINISTRATOR, None) is (act is Act.GRANT)
    return person.is_active is (act is Act.REACTIVATE)


def subject(act):
    """Somebody with whom this can be done."""
    person = make_person(*([] if act is Act.GRANT else [Role.ADMINISTRATOR]), name="Dan")
    if act is Act.REACTIVATE:
        Person.objects.filter(pk=person.pk).update(is_active=False, deactivated_at=NOW)
    return person


def code(act, person, by, now=NOW):
    with pytest.raises(Refused) as refused:
        carry_out(act, person, by, now)
    return refused.value.refusal.code


def words(event):
    entry = next(one for one in latest(limit=20) if one.event is event)
    said = sentence(entry, lambda reference: reference.partition(":")[0])
    return f"{said.text} {said.sub}"


@pytest.mark.parametrize("act", list(Act))
def test_the_second_administrator_who_does_it_makes_it_happen(ada, ben, act):
    person = subject(act)

    carry_out(act, person, ada)
    first = is_done(act, person)
    again = code(act, person, ada)
    carry_out(act, person, ben)

    assert (first, again, is_done(act, person)) == (False, "already_asked", True)
    assert "Another administrator who does the same makes it happen." in words(Event.ADMINISTRATOR_ASKED)
    assert "Asked for by Ada." in words(Event.ADMINISTRATOR_AGREED)
    assert SecondHand.objects.get().done_at == NOW


@pytest.mark.parametrize("act", [Act.GRANT, Act.REACTIVATE])
def test_one_administrator_does_it_alone_while_no_other_is_there(ada, act):
    person = subject(act)

    carry_out(act, person, ada)

    assert is_done(act, person)


@pytest.mark.parametrize("act", [Act.REVOKE, Act.DEACTIVATE])
def test_an_administrator_resigns_alone(ada, ben, act):
    carry_out(act, ben, ben)

    assert is_done(act, ben)


@pytest.mark.parametrize("act", [Act.REVOKE, Act.DEACTIVATE])
def test_of_two_neither_ends_the_other(ada, ben, act):
    carry_out(act, ben, ada)
    carry_out(act, ada, ben)

    assert not is_done(act, ada)
    assert not is_done(act, ben)


@pytest.mark.parametrize("act", [Act.DEACTIVATE, Act.REACTIVATE])
def test_whoever_is_no_administrator_is_ended_by_one(ada, ben, act):
    person = make_person()
    if act is Act.REACTIVATE:
        Person.objects.filter(pk=person.pk).update(is_active=False, deactivated_at=NOW)

    carry_out(act, person, ada)

    assert is_done(act, person)


def test_other_roles_are_given_by_one(ada, ben):
    person = make_person()

    grant_role(person.pk, role=Role.AUDITOR, by=ada.actor, now=NOW)

    assert has_grant(person, Role.AUDITOR, None)


def test_what_was_asked_long_ago_or_by_somebody_gone_counts_for_nothing(ada, ben, cleo):
    person = subject(Act.GRANT)
    carry_out(Act.GRANT, person, ada, now=NOW - GOOD_FOR - DAY)
    carry_out(Act.GRANT, person, ben, now=NOW - DAY)
    Person.objects.filter(pk=ben.pk).update(is_active=False, deactivated_at=NOW)

    carry_out(Act.GRANT, person, cleo)
    before = is_done(Act.GRANT, person)
    carry_out(Act.GRANT, person, ada)

    assert (before, is_done(Act.GRANT, person)) == (False, True)


def test_two_accounts_of_one_human_being_are_one_hand(ada, ben, cleo):
    person = subject(Act.GRANT)
    carry_out(Act.GRANT, person, cleo)
    Person.objects.filter(pk=cleo.pk).update(is_active=False, deactivated_at=NOW, merged_into=ada)

    assert code(Act.GRANT, person, ada) == "already_asked"
    carry_out(Act.GRANT, person, ben)
    assert is_done(Act.GRANT, person)


def test_an_administrator_is_not_merged_away(ada, ben, cleo):
    person = make_person()

    with pytest.raises(Refused, check=lambda error: error.refusal.code == "is_administrator"):
        merge_persons(person.pk, ben.pk, by=ada.actor, now=NOW)
    merge_persons(ben.pk, person.pk, by=ada.actor, now=NOW)

    person.refresh_from_db()
    assert person.merged_into == ben


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("are_two", [True, False])
@pytest.mark.parametrize("is_administrator", [True, False])
@pytest.mark.parametrize("is_oneself", [True, False])
def test_what_takes_two(act, are_two, is_administrator, is_oneself):
    expected = are_two and (is_administrator or act is Act.GRANT) and not (is_oneself and act in {Act.REVOKE, Act.DEACTIVATE})

    assert takes_two(act, are_two=are_two, is_administrator=is_administrator, is_oneself=is_oneself) is expected


def test_page_of_the_person_says_what_waits_for_another(client, ada, ben, cleo):
    post(client, ada, "accounts:deactivation", cleo.public_id, reason="Left.")
    waiting = text_of(get(client, ben, "accounts:person", cleo.public_id))
    post(client, ben, "accounts:deactivation", cleo.public_id, reason="Left.")
    done = text_of(get(client, ben, "accounts:person", cleo.public_id))

    assert "Ada asked to deactivate Cleo" in waiting
    assert "Another administrator who does the same makes it happen." in waiting
    assert "asked to deactivate" not in done
    assert "Not active since" in done
