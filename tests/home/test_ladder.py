"""The change page asks its ladder anew while it stands open: may each leg go now, and what came since."""

import re

import pytest
from django.urls import reverse

from apps.changes.states import State
from tests.factories.approvals import make_change
from tests.home.pages import get, post

pytestmark = pytest.mark.django_db


def test_ladder_is_answered_alone_and_as_unchanged_where_it_is(client):
    change = make_change(State.IN_REVIEW)
    client.force_login(change.requester)
    where, asked = reverse("home:change", args=[change.ref]), {"HX-Request": "true"}

    first = client.get(where, headers=asked)
    again = client.get(where, headers={**asked, "If-None-Match": first["ETag"]})

    assert first.content.strip().endswith(b"</section>")
    assert b"<html" not in first.content
    assert b'data-poll="5"' in first.content
    assert again.status_code == 304


def test_ladder_says_what_happened_since_the_page_was_read(client):
    change = make_change(State.IN_REVIEW)
    page = get(client, change.requester, "home:change", change.ref).content.decode()
    again = re.search(r'hx-get="([^"]+seen=[^"]+)"', page)
    assert again
    headers = {"HX-Request": "true"}

    before = client.get(again[1], headers=headers).content.decode()
    post(client, change.requester, "home:comments", change.ref, text="Seen.")
    after = client.get(again[1], headers=headers).content.decode()
    unknown = client.get(reverse("home:change", args=[change.ref]), {"seen": str(change.public_id)}, headers=headers).content.decode()

    assert "since you opened" not in before
    assert "1 new entry since you opened this page." in after
    assert "since you opened" not in unknown


def test_ladder_of_a_change_that_is_over_asks_no_more(client):
    change = make_change(State.WITHDRAWN)
    client.force_login(change.requester)

    assert b"data-poll" not in client.get(reverse("home:change", args=[change.ref]), headers={"HX-Request": "true"}).content
