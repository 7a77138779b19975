"""Every form is sent hostile words: what it takes acts on no page that follows, and what it refuses is given back harmless.

That a refusal stands on its field, and that a megabyte, NUL and control characters are refused, is in test_forms."""

from collections.abc import Iterator

import pytest
from django.http import HttpResponse

from tests.doors.crawl import Found
from tests.doors.desk import Desk, body_of, errors_in
from tests.doors.hostile_answers import Shown
from tests.doors.hostile_words import Words
from tests.doors.routes import ROUTES
from tests.doors.town import undone
from tests.doors.values import polite, worth_trying

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
TYPED = {"text", "textarea", "search", "url", "email"}


def answers(desk: Desk, found: Found, words: Words) -> Iterator[HttpResponse]:
    """Send a form with hostile words, milder ones in the fields that refuse them, and look where it leads."""
    typed = {one.name: one for one in worth_trying(found.form.controls) if one.kind in TYPED}
    usual = {name: polite(control) for name, control in found.form.controls.items()} | dict(found.form.buttons[:1])
    worst = {name: words.text(name) if one.kind == "textarea" else words.hidden(name) for name, one in typed.items()}
    values, wanted = usual, [*typed]
    for said in (worst, {name: words.line(name) for name in typed}, usual):
        if not wanted:
            return
        values = values | {name: said[name] for name in wanted}
        with undone():
            client = desk.client(found.who)
            if found.form.method == "get":
                yield client.get(found.form.action, values)
                return
            answer = client.post(found.form.action, body_of(values), content_type="application/x-www-form-urlencoded")
            yield answer
            if 300 <= answer.status_code < 400:
                yield client.get(answer["Location"])
                yield client.get(found.address)
            wanted = [name for name in wanted if name in errors_in(answer.context)]


@pytest.mark.parametrize("route", PAGES)
def test_no_form_lets_hostile_words_act(desk: Desk, route: str):
    made = Shown(Words())
    for group in desk.forms.get(route, []):
        for answer in answers(desk, group[0], made.words):
            made.look(group[0].address, answer)

    assert not made.wrong, made.named("\n".join(made.wrong))
