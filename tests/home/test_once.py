"""Requests that may be sent again: one key, one act, one answer; by one call a pipeline opens a change."""

import json
import threading

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.actions import issue_personal_token
from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change
from apps.changes.models import Change, Comment, Dependency, GivenAnswer
from apps.changes.states import State
from apps.core.verbs import joined_by, verb
from tests.approvals.world import make_world
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.changes import make_content, make_model
from tests.home.test_api import COMMIT, body, change_url


@pytest.fixture
def world(db):
    return make_world()


def send(client, url, said, *, key="run-1", token=""):
    headers = {"Idempotency-Key": key} if key else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return client.post(url, data=json.dumps(said), content_type="application/json", headers=headers)


@pytest.fixture
def api(client, world):
    client.force_login(world.requester)
    return client


CHANGES = "/api/v1/changes"


def test_one_call_opens_a_change_that_is_in_review(api, world):
    response = send(api, CHANGES, body(world, submit=True))

    made = response.json()
    assert (response.status_code, made["state"]) == (201, "IN_REVIEW")
    assert made["risk"] == Change.objects.get().risk
    assert made["needs"] == []


def test_one_call_that_lacks_something_creates_nothing(api, world):
    response = send(api, CHANGES, body(world, submit=True, rollback={"trigger": "none"}))

    assert response.status_code == 422
    assert "rollback.strategy" in [error["field"] for error in response.json()["errors"]]
    assert not Change.objects.exists()
    assert not GivenAnswer.objects.exists()
    assert send(api, CHANGES, body(world, submit=True)).status_code == 201  # nothing was done under the key


def test_the_same_request_again_gets_the_same_answer(api, world):
    first, again = (send(api, CHANGES, body(world, submit=True)) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert Change.objects.count() == 1


def test_another_request_under_the_same_key_is_refused(api, world):
    send(api, CHANGES, body(world))

    response = send(api, CHANGES, body(world, story={"title": "Something else"}))

    assert (response.status_code, response.json()["code"]) == (409, "key_reused")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert Change.objects.count() == 1


def test_a_key_belongs_to_one_credential(client, world):
    tokens = [issue_personal_token(name=name, days=1, by=world.requester.actor).secret for name in ("one", "two")]

    refs = {send(client, CHANGES, body(world), token=token).json()["ref"] for token in (*tokens, tokens[0])}

    assert len(refs) == 2


def test_without_a_key_every_request_is_one(api, world):
    for _ in range(2):
        assert send(api, CHANGES, body(world), key="").status_code == 201

    assert Change.objects.count() == 2


@pytest.mark.parametrize("key", ["two words", "k" * 201, "schlüssel"])
def test_a_key_that_is_none_is_refused(api, world, key):
    response = send(api, CHANGES, body(world), key=key)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]


def test_an_answer_is_kept_for_a_day(api, world):
    send(api, CHANGES, body(world))
    GivenAnswer.objects.update(given_at="2001-01-01T00:00Z")

    assert send(api, CHANGES, body(world)).status_code == 201
    assert Change.objects.count() == 2
    assert GivenAnswer.objects.count() == 1


def test_every_act_on_a_change_takes_a_key(api, world):
    ref = send(api, CHANGES, body(world), key="create").json()["ref"]
    acts = {
        "revisions": {"story": {"title": "Another title"}},
        "submission": {},
        "comments": {"text": "Looked at it."},
        "withdrawal": {"reason": "The bank moved its date."},
    }
    for name, said in acts.items():
        first, again = (send(api, change_url(name, ref), said, key=name) for _ in range(2))

        assert first.status_code in {200, 201}, first.content
        assert (again.status_code, again.json()) == (first.status_code, first.json()), name
    change = Change.objects.get()
    assert (change.state, change.revisions.count(), Comment.objects.count()) == (State.WITHDRAWN, 2, 1)


def test_a_comment_is_answered_and_an_empty_one_refused(api, world):
    change = make_change(State.IN_REVIEW, targets=(world.target,), requester=world.requester)

    said = send(api, change_url("comments", change.ref), {"text": "Seen."})
    empty = send(api, change_url("comments", change.ref), {"text": " "}, key="other")

    assert said.json()["author"]["name"] == world.requester.name
    assert empty.status_code == 422


def test_a_withdrawal_of_somebody_elses_change_is_refused(api, world):
    change = make_change(State.IN_REVIEW, targets=(world.target,), requester=make_person(Role.REQUESTER))

    response = send(api, change_url("withdrawal", change.ref), {})

    assert (response.status_code, response.json()["code"]) == (403, "not_yours")


def test_a_model_fills_what_is_not_given_and_order_is_taken(api, world):
    model, first = make_model(), make_change(State.IN_REVIEW, targets=(world.target,), requester=world.requester)
    said = body(world, model=model.slug, needs=[first.ref])
    del said["plan"]

    made = send(api, CHANGES, said).json()

    assert made["content"]["plan"]["steps"][0]["what"] == "Roll out"
    assert made["needs"] == [first.ref]
    assert Change.objects.latest("pk").made_from == model.version
    assert Dependency.objects.count() == 1


@pytest.mark.parametrize(
    ("more", "field"), [({"model": "none"}, "model"), ({"needs": ["CHG-99"]}, "needs"), ({"needs": ["x\x00"]}, "needs")]
)
def test_what_is_not_there_is_named(api, world, more, field):
    response = send(api, CHANGES, body(world, **more))

    assert response.status_code == 422
    assert [error["field"].partition(".")[0] for error in response.json()["errors"]] == [field]


def test_a_step_that_joins_falls_with_the_verb_and_the_verb_with_it(db):
    requester = make_person(Role.REQUESTER)

    def broken(done):
        raise RuntimeError(done.ref)

    with pytest.raises(RuntimeError), joined_by(broken):
        ask_for_change(content=make_content(targets=(make_world().target,)), by=requester.actor)
    assert not Change.objects.exists()


def test_a_verb_outside_is_joined_by_nothing(db):
    seen = []

    @verb
    def act():
        return len(seen)

    with joined_by(seen.append):
        act()
    act()

    assert seen == [0]


def test_a_change_asked_for_in_one_go_is_whole_or_not_there(db, monkeypatch):
    requester = make_person(Role.REQUESTER)

    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr("apps.approvals.actions.asking.settle", broken)
    with pytest.raises(RuntimeError):
        ask_for_change(content=make_content(targets=(make_world().target,)), by=requester.actor, is_submitted=True)

    assert not Change.objects.exists()


def test_two_at_once_under_one_key_make_one_change(own_database):
    world = make_world()
    token = issue_personal_token(name="pipeline", days=1, by=world.requester.actor).secret
    said, answers, ready = body(world, submit=True), [], threading.Barrier(2)

    def ask():
        ready.wait(timeout=30)
        answers.append(send(Client(), reverse("api:changes"), said, token=token))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Change.objects.count() == 1
    assert COMMIT in answers[0].json()["content"]["scope"]["items"][0]["identities"]
