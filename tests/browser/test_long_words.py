"""A word without end, in a title, a reason and a name: no page scrolls sideways because of what somebody typed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from apps.approvals.actions import revise_change
from apps.changes.facts import content_of
from apps.changes.states import State
from tests.browser.world import World
from tests.factories.approvals import approve, make_change, newest

Look = Callable[..., Page]
WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
TOO_WIDE = """width => [...document.querySelectorAll("main *, header *")].filter(found => !found.children.length &&
    found.getBoundingClientRect().right > width + 1).slice(0, 4).map(found => {
    const chain = []; for (let at = found; at && at !== document.body && chain.length < 6; at = at.parentElement) chain.push(
    at.tagName.toLowerCase() + (at.className ? "." + String(at.className).replaceAll(" ", ".") : "")); return chain.join(" < "); })"""


@pytest.mark.parametrize("width", [1440, 390])
def test_a_word_without_end_breaks(world: World, look_as: Look, width: int) -> None:
    for person in (world.developer, world.manager):
        person.name = f"{person.name} {WORD}"[:120]
        person.save()
    change = make_change(State.IN_REVIEW, targets=tuple(world.targets.values()), requester=world.developer, now=timezone.now())
    told = content_of(newest(change))
    said = replace(told, scope=replace(told.scope, reason=WORD, impact=WORD), story=replace(told.story, title=WORD[:120]))
    revise_change(change_id=change.pk, content=said, by=world.developer.actor, revision_digest=newest(change).digest)
    approve(change, world.manager)
    window = look_as(world.owner, viewport={"width": width, "height": 900})
    ref = change.ref

    pages = (
        "/",
        "/changes/",
        "/inbox/",
        f"/changes/{ref}/",
        f"/changes/{ref}/sign-off/",
        f"/changes/{ref}/edit/",
        "/people/",
        "/calendar/",
    )

    wide = {}
    for path in pages:
        window.goto(path)
        if window.evaluate("document.documentElement.scrollWidth") > width:
            wide[path] = window.evaluate(TOO_WIDE, width)

    assert not wide, "\n".join(f"{path}: {told}" for path, found in wide.items() for told in found)
