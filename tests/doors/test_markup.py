"""Every page for those who do not see it: one heading, names for everything that can be used, references that lead somewhere."""

import pytest

from tests.doors.crawl import read
from tests.doors.desk import Desk
from tests.doors.markup import Markup
from tests.doors.routes import ROUTES

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
MOST = 12


def readers(addresses: list[str]) -> dict[str, list[str]]:
    """Who reads what: one of every kind is enough for those who only see less."""
    return {"chief": addresses[:MOST], "author": addresses[:MOST], "outsider": addresses[:1], "stranger": addresses[:1]}


@pytest.mark.parametrize("route", PAGES)
def test_page_can_be_used_without_being_seen(desk: Desk, route: str) -> None:
    complaints = []
    for who, addresses in readers(desk.pages.get(route, [])).items():
        for address in addresses:
            answer = desk.client(who).get(address)
            body = read(answer)
            if body and answer.get("Content-Type", "").startswith("text/html"):
                complaints += [f"{address} ({who}): {one}" for one in Markup(body.decode()).complaints()]

    assert not complaints, "\n".join(dict.fromkeys(complaints))


def test_checks_see_what_is_wrong() -> None:
    bad = """<html><title> </title><h1>A</h1><h1>B</h1><h3 id="x">C</h3><p id="x"></p><input name="q"><button></button><a href="#no">d</a>
        <svg></svg><i tabindex="3" aria-describedby="gone"></i></html>"""

    assert len(list(Markup(bad).complaints())) == 12
