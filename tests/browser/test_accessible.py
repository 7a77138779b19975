"""Every page in a real browser, wide and light, narrow and dark: nothing serious for axe-core, no sideways scroll, no policy broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.conftest import OwnDatabase
from tests.doors.crawl import client_of, plain_addresses, walk
from tests.doors.routes import route_of
from tests.doors.town import Town, kept_town

pytestmark = pytest.mark.slow

AXE = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()
RUN = """() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations']})
  .then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .flatMap(one => one.nodes.map(node => `${one.id}: ${node.target.join(' ')}`)))"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDE = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
NARROW = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
MOST = 3  # pages of one route, where it shows things in many states


@pytest.fixture
def world(own_database: OwnDatabase) -> Town:
    """In place of the story: everything there is, in every state."""
    return kept_town()


@pytest.fixture
def addresses(world: Town) -> dict[str, list[str]]:
    """The pages a person with every role reaches, by route."""
    found: dict[str, list[str]] = {}
    for address, answer, _ in walk(client_of(world.people["chief"]), [*plain_addresses(), *world.seen], most=2):
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            found.setdefault(route_of(address.partition("?")[0]), []).append(address)
    return {route: pages[:MOST] for route, pages in found.items()}


def complaints(page: Page, address: str) -> Iterator[str]:
    page.goto(address)
    yield from problems(page, address)


def problems(page: Page, address: str) -> Iterator[str]:
    """What is wrong with the page as it stands."""
    page.evaluate(AXE)
    yield from (f"{address}: {one}" for one in page.evaluate(RUN))
    if (too_wide := page.evaluate(SIDEWAYS)) > 0:
        yield f"{address}: {too_wide} px wider than the window"


@pytest.mark.parametrize("options", [WIDE, NARROW], ids=["wide and light", "narrow and dark"])
def test_every_page_is_accessible_and_fits(site: Site, world: Town, addresses, look_as, options):
    page = look_as(world.people["chief"], **options)

    found = [one for pages in addresses.values() for address in pages for one in complaints(page, address)]

    assert len(addresses) > 30
    assert not found, "\n".join(found)
