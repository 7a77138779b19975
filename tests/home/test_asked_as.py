"""The branch or tag a commit was written as: shown after saving as what was said, never as what is agreed to."""

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.changes.content import Story
from apps.changes.facts import content_of
from apps.changes.models import Change, Item
from apps.changes.states import State
from tests.catalog.repository import Repository, make_repository
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place, newest
from tests.home.pages import get, marks_of, post, text_of
from tests.home.test_editing import sheet

pytestmark = pytest.mark.django_db
NEW, EDIT = "home:new_change", "home:edit_change"
SAID = "Written as main when it was asked for."


@pytest.fixture
def repository(tmp_path) -> Repository:
    return make_repository(tmp_path / "shop")


@pytest.fixture
def place(repository):
    found = make_place()
    found.service.repository = str(repository.root)
    found.service.save()
    return found


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


@pytest.fixture
def change(client, requester, place, repository) -> Change:
    """Asked for by a branch, which has moved on since."""
    repository.commit("two")
    post(client, requester, NEW, **sheet(place, **{"items-0-commit": " main "}))
    repository.commit("three")
    return Change.objects.get()


def asked_as(change) -> list[str]:
    return [item.asked_as for item in Item.objects.filter(change=change, is_current=True)]


def edited(client, change, place, **more):
    """The form of an edit as it is opened, with something else in it."""
    row = change.items.get(is_current=True)
    commit = next(one.removeprefix("git:") for one in row.identities)
    revision = newest(change).digest
    return post(client, change.requester, EDIT, change.ref, **sheet(place, revision_digest=revision) | {"items-0-commit": commit} | more)


@pytest.mark.parametrize("page", ["home:change", "home:sign_off"])
def test_a_branch_is_shown_beside_its_commit_and_is_not_what_is_agreed_to(client, change, page):
    text = text_of(get(client, make_person(Role.REQUESTER), page, change.ref))

    assert SAID in text
    assert "The name is no part of what is agreed to" in text
    assert b"main" not in bytes(newest(change).scope)


def test_the_form_of_an_edit_says_the_name_and_holds_the_commit(client, change, place):
    page = get(client, change.requester, EDIT, change.ref)

    assert SAID in text_of(page)
    (identity,) = change.items.get().identities
    assert f'value="{identity.removeprefix("git:")}"' in marks_of(page)


def test_the_name_stays_with_its_commit_through_edits_and_goes_with_it(client, change, place, repository):
    edited(client, change, place, reason="Because of the rain.")
    assert (newest(change).number, asked_as(change)) == (2, ["main"])

    other = repository.commit("four")
    edited(client, change, place, **{"items-0-commit": other})

    assert (newest(change).number, asked_as(change)) == (3, [""])
    assert SAID not in text_of(get(client, change.requester, "home:change", change.ref))


def test_a_tag_that_is_written_over_it_is_what_was_said(client, change, place, repository):
    repository.git("tag", "v5")

    edited(client, change, place, **{"items-0-commit": "v5"})

    assert asked_as(change) == ["v5"]
    assert "Written as v5" in text_of(get(client, change.requester, "home:change", change.ref))


def test_an_edit_through_the_interface_keeps_the_name(change):
    story = Story("Another title")
    content = content_of(newest(change))

    revise_change(
        change_id=change.pk,
        content=type(content)(content.scope, content.plan, content.rollback, content.period, story),
        by=change.requester.actor,
    )

    assert asked_as(change) == ["main"]


def test_a_whole_commit_was_written_as_nothing_else(client, requester, place, repository):
    commit = repository.commit("two")

    post(client, requester, NEW, **sheet(place, **{"items-0-commit": commit.upper()}))

    assert asked_as(Change.objects.get()) == [""]


def test_form_that_comes_back_with_another_commit_says_no_name(client, change, place):
    response = edited(client, change, place, **{"items-0-commit": "gone", "do": "look"})

    assert SAID not in text_of(response)


def test_change_without_a_name_says_none(client):
    change = make_change(State.IN_REVIEW)

    assert "when it was asked for" not in text_of(get(client, change.requester, "home:change", change.ref))
