"""A word without end, in a title, a reason and a name: no page scrolls sideways because of what somebody typed."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.gate.actions import propose_relaxation
from tests.browser.world import World
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, make_change, newest
from tests.factories.deployments import DeploymentFactory
from tests.factories.gate import make_gate_token
from tests.factories.pipelines import PipelineFactory, ReportFactory, UndeclaredFactory
from tests.gate.ci import make_issuer, make_trust

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

    assert not too_wide(window, pages, width)


@pytest.mark.parametrize("width", [1440, 390])
def test_what_ci_says_breaks_too(world: World, look_as: Look, width: int) -> None:
    target = world.targets["production"]
    order = DeploymentFactory(
        target=target, settings=target.settings, executor="EXTERNAL", label=WORD[:120], state="FAILED", failure=WORD[:300],
        begun_at=timezone.now(), ended_at=timezone.now(),
    )  # fmt: skip
    PipelineFactory(deployment=order, run_system="ci", run_id=WORD, run_url=f"https://ci.example.org/{WORD}")
    ReportFactory(deployment=order, message=WORD)
    found = UndeclaredFactory(target=target, label=WORD[:120], source=WORD[:120])
    token, _ = make_gate_token(name=WORD[:120])
    chief = make_person(Role.ADMINISTRATOR)
    make_trust(make_issuer(f"https://ci.example.org/{WORD}", by=chief), by=chief, name=WORD[:120])
    propose_relaxation(environment_id=world.production.pk, rule="hold", after="OFF", by=chief.actor, reason=WORD)
    window = look_as(chief, viewport={"width": width, "height": 900})

    pages = (
        "/deployments/",
        f"/deployments/{order.pk}/",
        "/deployments/undeclared/",
        f"/deployments/undeclared/{found.pk}/",
        "/gate/identity/",
        f"/gate/identity/tokens/{token.public_id}/",
        "/gate/identity/trusts/",
        "/environments/production/strictness/",
    )

    assert not too_wide(window, pages, width)


def too_wide(window: Page, pages: Iterable[str], width: int) -> str:
    """Which pages scroll sideways, and by what."""
    wide = {}
    for path in pages:
        window.goto(path)
        if window.evaluate("document.documentElement.scrollWidth") > width:
            wide[path] = window.evaluate(TOO_WIDE, width)
    return "\n".join(f"{path}: {told}" for path, found in wide.items() for told in found)
