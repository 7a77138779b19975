"""The pages of gate tokens and of trusts in CI jobs in Chromium: each look by axe, and what the forms say to a keyboard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import Person
from apps.accounts.roles import Role
from tests.browser.test_accessible import complaints
from tests.browser.world import World
from tests.factories.accounts import make_person
from tests.factories.gate import make_gate_token
from tests.gate.ci import github, make_issuer, make_trust, raw

Look = Callable[..., Page]
LOOKS = {f"{width} {scheme}": (width, scheme) for width in (1280, 390) for scheme in ("light", "dark")}
URL = "https://token.actions.githubusercontent.com"


@pytest.fixture
def chief(world: World) -> Person:
    """An administrator who keeps tokens and trusts."""
    person = make_person(Role.ADMINISTRATOR, name="Ada Admin")
    make_gate_token(world.targets["production"].service, name="Payments pipeline")
    make_trust(make_issuer(URL, by=person), world.targets["production"], by=person, name="Payments gateway, deploy job")
    return person


@pytest.mark.slow
def test_a_token_is_tried_and_the_page_says_which_check_refuses_it(chief: Person, look_as: Look) -> None:
    page = look_as(chief)

    page.goto("/gate/identity/trusts/")
    page.get_by_role("link", name="Try a token").click()
    page.get_by_label("Token, or claims as JSON").fill(raw({"alg": "none", "kid": "one"}, github(iss=URL)))
    page.get_by_role("button", name="Try it").click()

    expect(page.get_by_text("It is not taken.")).to_be_visible()
    expect(page.get_by_text("algorithm", exact=True)).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("look", sorted(LOOKS))
def test_the_pages_of_tokens_and_trusts_are_accessible_and_fit(chief: Person, look_as: Look, look: str) -> None:
    width, scheme = LOOKS[look]
    page = look_as(chief, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/gate/identity/")
    token = page.get_by_role("link", name="Payments pipeline").get_attribute("href") or ""
    page.goto("/gate/identity/trusts/")
    trust = page.get_by_role("link", name="Payments gateway, deploy job").get_attribute("href") or ""
    pages = (
        "/gate/identity/",
        "/gate/identity/tokens/new/",
        token,
        "/gate/identity/trusts/",
        "/gate/identity/trusts/new/",
        trust,
        "/gate/identity/issuers/new/",
        "/gate/identity/trusts/trial/",
    )

    found = [said for address in pages for said in complaints(page, address)]

    assert not found, "\n".join(found)
