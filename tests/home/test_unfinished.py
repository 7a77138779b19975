"""Forms that were begun and not sent: listed to their owner alone, who discards each of them in the list."""

import re
from uuid import UUID

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.changes.actions import keep_draft_input
from apps.changes.models import DraftInput
from tests.factories.accounts import make_person
from tests.home.pages import get, marks_of, text_of

pytestmark = pytest.mark.django_db
NEW = "home:new_change"
FIRST, SECOND = (UUID(int=number) for number in (1, 2))


@pytest.fixture
def requester():
    person = make_person(Role.REQUESTER)
    for draft_id, title in ((FIRST, "Half a title"), (SECOND, "Another half")):
        keep_draft_input(draft_id=draft_id, body=f'{{"title": ["{title}"]}}', by=person.actor)
    return person


def listed(client, person) -> list[str]:
    page = marks_of(get(client, person, NEW, blank="1"))
    return re.findall(r'form="drop" name="draft" value="([^"]+)"', page)


def discard(client, person, draft_id, *, by_script):
    client.force_login(person)
    headers = {"HX-Request": "true"} if by_script else {}
    return client.post(reverse(NEW), {"do": "discard", "draft": str(draft_id)}, headers=headers, follow=not by_script)


def test_each_is_listed_with_a_button_behind_what_discarding_means(client, requester):
    page = get(client, requester, NEW, blank="1")

    assert listed(client, requester) == [str(SECOND), str(FIRST)]
    assert text_of(page).count("What is typed there is gone for good.") == 2
    assert '<form id="drop"' in marks_of(page)


@pytest.mark.parametrize("by_script", [True, False], ids=["by script", "without a script"])
def test_owner_discards_one_and_keeps_the_other(client, requester, by_script):
    response = discard(client, requester, FIRST, by_script=by_script)

    assert response.status_code == 200
    assert ("Discarded." if by_script else "What you had typed is gone.") in text_of(response)
    assert marks_of(response).lstrip().startswith("<li") is by_script
    assert listed(client, requester) == [str(SECOND)]
    assert DraftInput.objects.get(public_id=FIRST).body == ""


def test_nobody_discards_what_somebody_else_typed(client, requester):
    other = make_person(Role.REQUESTER)

    discard(client, other, FIRST, by_script=True)

    assert listed(client, requester) == [str(SECOND), str(FIRST)]
    assert listed(client, other) == []


def test_without_any_there_is_neither_list_nor_form(client):
    assert 'id="drop"' not in marks_of(get(client, make_person(Role.REQUESTER), NEW))
