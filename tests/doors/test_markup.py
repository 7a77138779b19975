"""Every page for those who do not see it: one heading, names for everything that can be used, references that lead somewhere."""

import pytest

from tests.doors.crawl import read
from tests.doors.desk import Desk
from tests.doors.markup import Markup
from tests.doors.routes import ROUTES

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)


@pytest.mark.parametrize("route", PAGES)
def test_page_can_be_used_without_being_seen(desk: Desk, route: str) -> None:
    complaints = []
    for address in desk.pages.get(route, []):
        for who in ("chief", "author", "stranger"):
            answer = desk.client(who).get(address)
            if answer.get("Content-Type", "").startswith("text/html") and answer.status_code != 304 and answer.content:
                complaints += [f"{address} ({who}): {one}" for one in Markup(read(answer).decode()).complaints()]

    assert not complaints, "\n".join(dict.fromkeys(complaints))


def test_checks_see_what_is_wrong() -> None:
    bad = """<html><title> </title><h1>A</h1><h1>B</h1><h3 id="x">C</h3><p id="x"></p><input name="q"><button></button><a href="#no">d</a>
        <svg></svg><i tabindex="3" aria-describedby="gone"></i></html>"""

    assert len(list(Markup(bad).complaints())) == 12
