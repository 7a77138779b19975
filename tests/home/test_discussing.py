"""Talk about a change: Markdown made safe, whom a comment names, who watches, and any two revisions side by side."""

from dataclasses import replace

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.audit.stream import StreamFilter, latest
from apps.audit.vocabulary import Event
from apps.catalog.models import Service
from apps.changes.actions import comment_on_change, unwatch_change, watch_change
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.mentions import mentions_in, people_mentioned
from apps.changes.models import Watch
from apps.changes.states import State
from apps.home.facts.discussing import COMMENTS
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, newest
from tests.factories.changes import CommentFactory
from tests.home.pages import get, marks_of, post, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@bo look", ["bo"]),
        ("ask @Bo.Owner@Example.org.", ["bo.owner@example.org"]),
        ("mail bo@example.org", []),
        ("(@bo), @bo and @ana!", ["bo", "ana"]),
        ("@ bo @@bo x@bo", []),
        ("@bo.", ["bo"]),
        ("@" + "x" * 10_000, ["x" * 64]),
        ("@\u202ebo", []),
    ],
)
def test_names_are_read_from_a_text(text, names):
    assert mentions_in(text) == names


def test_comment_names_persons_who_may_see_the_change_and_nobody_by_guess():
    change = make_change(State.IN_REVIEW)
    bo, other = make_person(email="bo@example.org"), make_person(email="bo@other.example")
    ana = make_person(email="ana@example.org")
    gone = make_person(email="gone@example.org", is_active=False)

    named = people_mentioned("@bo @ana @bo@other.example @gone @nobody", change=change)

    assert named == [ana, other]
    assert gone not in named
    assert bo not in named


def test_comment_never_names_who_may_not_see_the_change():
    change = make_change(State.IN_REVIEW)
    service = change.legs.get().service
    insider, outsider = make_person(email="in@example.org", team=service.team), make_person(email="out@example.org")
    Service.objects.filter(pk=service.pk).update(is_restricted=True)

    comment_on_change(change_id=change.pk, text="@in @out", by=insider.actor)

    (entry,) = latest(StreamFilter(events=[Event.CHANGE_COMMENTED]), limit=5)
    assert entry.data["mentions"] == [str(insider.public_id)]
    assert str(outsider.public_id) not in str(entry.data)


def test_comment_is_markdown_made_safe(client):
    change = make_change(State.IN_REVIEW)
    post(client, change.requester, "home:comments", change.ref, text="**Now** [x](javascript:alert(1)) <script>alert(1)</script> \u202e")

    source = get(client, change.requester, "home:change", change.ref).content.decode()

    assert "<strong>Now</strong>" in source
    assert 'href="javascript' not in source
    assert "<script>alert" not in source
    assert "\u202e" not in source


def test_discussion_goes_on_a_page_at_a_time(client):
    change = make_change(State.IN_REVIEW)
    said = [CommentFactory(change=change, text=f"Comment number {number}.") for number in range(COMMENTS + 2)]

    newest_page = get(client, change.requester, "home:change", change.ref)
    earlier = get(client, change.requester, "home:change", change.ref, said=said[2].pk)

    assert "Comment number 1." not in text_of(newest_page)
    assert f"?said={said[2].pk}#said" in marks_of(newest_page)
    assert "Comment number 1." in text_of(earlier)
    assert "Comment number 2." not in text_of(earlier)


def test_watching_begins_once_and_ends_with_both_moments_in_the_stream(client):
    change, reader = make_change(State.IN_REVIEW), make_person(name="Bo Watcher")

    for _ in range(2):
        assert post(client, reader, "home:watch", change.ref).status_code == 302
    shown = text_of(get(client, make_person(), "home:change", change.ref))
    own = text_of(get(client, reader, "home:change", change.ref))
    for _ in range(2):
        assert post(client, reader, "home:watch_end", change.ref).status_code == 302

    assert "Watched by Bo Watcher" in shown
    assert "Watched by you" in own
    assert not Watch.objects.exists()
    told = [entry.event for entry in latest(StreamFilter(events=[Event.CHANGE_WATCHED, Event.CHANGE_UNWATCHED]), limit=9)]
    assert told == [Event.CHANGE_UNWATCHED, Event.CHANGE_WATCHED]


def test_nobody_watches_what_they_may_not_see(client):
    draft = make_change(State.DRAFT)

    assert post(client, make_person(), "home:watch", draft.ref).status_code == 404
    assert not Watch.objects.exists()


def test_watching_of_one_is_not_ended_by_another(client):
    change, one, other = make_change(State.IN_REVIEW), make_person(), make_person()
    watch_change(change_id=change.pk, by=one.actor)

    unwatch_change(change_id=change.pk, by=other.actor)
    post(client, other, "home:watch_end", change.ref)

    assert Watch.objects.get().person == one


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"from": 1, "to": 2}, "Comparing 1 with 2"),
        ({"from": 3, "to": 1}, "Comparing 1 with 3"),
        ({"from": 2, "to": 2}, "Comparing 1 with 2"),
        ({"from": 1, "to": 1}, "Comparing 1 with 2"),
        ({"to": 2}, "Comparing 1 with 2"),
        ({"from": 99, "to": 0}, "Comparing 2 with 3"),
        ({"from": "²", "to": "-1"}, "Comparing 2 with 3"),
        ({}, "Comparing 2 with 3"),
    ],
)
def test_any_two_revisions_stand_side_by_side(client, asked, said):
    change = make_change(State.IN_REVIEW, requester=make_person(Role.REQUESTER))
    for what in ("First wording", "Second wording"):
        content = replace(content_of(newest(change)), plan=Plan(steps=(Step(what),)))
        revise_change(change_id=change.pk, content=content, by=change.requester.actor)

    text = text_of(get(client, change.requester, "home:change", change.ref, **asked))

    assert said in text
    assert ("Lapsed by this edit" in text or "Untouched" in text) is False


def test_changes_and_addresses_in_a_comment_are_links_and_nothing_else_is(client):
    change = make_change(State.IN_REVIEW)
    text = "After CHG-3, see https://ci.example/run/7?a=1&b=2. Not `CHG-4`, javascript:alert(1), or [CHG-5](https://x.example/)."
    post(client, change.requester, "home:comments", change.ref, text=text)

    shown = get(client, change.requester, "home:change", change.ref).content.decode()

    assert 'href="/changes/CHG-3/"' in shown
    assert 'href="https://ci.example/run/7?a=1&amp;b=2"' in shown
    assert "/changes/CHG-4/" not in shown
    assert "/changes/CHG-5/" not in shown
    assert 'href="javascript' not in shown


def test_a_name_that_tells_nobody_is_said_to_whoever_wrote_it(client):
    change = make_change(State.IN_REVIEW)
    make_person(email="bea@example.org")
    client.force_login(change.requester)
    address = reverse("home:comments", args=[change.ref])

    told = text_of(client.post(address, {"text": "@bea and @nobody-here, look."}, follow=True))
    assert "@nobody-here told nobody" in told
    assert "@bea" in told
    assert "@bea told" not in told
    assert "told nobody" not in text_of(client.post(address, {"text": "@bea look."}, follow=True))
