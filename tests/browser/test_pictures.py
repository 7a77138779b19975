"""The pictures of the finished pages in docs/pictures: taken anew where PICTURES names a folder, else only looked at for being full."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.test_agreement import make_change
from tests.browser.test_gate import asked

SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
LEAST = 15_000  # bytes: an empty page compresses to less


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go."""
    made = Path(os.environ.get("PICTURES") or tmp_path)
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_pages_that_people_spend_their_day_in_are_pictured(world, look_as, folder, scheme, size):
    change = make_change(world)
    pages = {
        "request": (world.developer, "/changes/new/"),
        "change": (world.developer, f"/changes/{change.ref}/"),
        "changes": (world.developer, "/changes/"),
        "inbox": (world.owner, "/inbox/"),
        "sign-off": (world.owner, f"/changes/{change.ref}/sign-off/"),
    }

    for name, (person, address) in pages.items():
        pictured(look_as(person, viewport=SIZES[size], color_scheme=scheme), address, folder / f"{name}-{size}-{scheme}.png")
    address = f"/gate/{asked(world)}/"  # production is frozen and held from here on
    pictured(look_as(world.developer, viewport=SIZES[size], color_scheme=scheme), address, folder / f"gate-{size}-{scheme}.png")


def pictured(window: Page, address: str, picture: Path) -> None:
    """Take a picture of a whole page that has something to show."""
    window.goto(address)
    window.screenshot(path=picture, full_page=True)
    window.context.close()

    assert picture.stat().st_size > LEAST
