"""Every field of every form is sent what nobody should send: it is refused on that field, nothing changes, and nothing breaks.

The forms are read from the pages, so a new form or field is covered by being shown."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.urls import reverse

from apps.accounts.links import one_time_link
from apps.accounts.models import Person, RoleGrant
from apps.accounts.roles import Role
from apps.accounts.steps import make_set_up_code
from tests.doors.crawl import Found
from tests.doors.desk import Desk
from tests.doors.pages import Control, Page
from tests.doors.routes import ROUTES
from tests.doors.town import fingerprint, undone
from tests.doors.values import KINDS, MEGABYTES, WORDS, Hostile, worth_trying

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
# Refused, and yet not on the field.
SAID_ELSEWHERE = {
    ("account_login", "login"): "which of the two is wrong is told to nobody",
    ("account_login", "password"): "which of the two is wrong is told to nobody",
    ("account_change_password", "password1"): "the field below says that the two differ",
}
# No field of theirs is wrong: what they get is shown or tried, and that is all.
NEVER_WRONG = {"home:preview": "any text is shown", "mfa_login_webauthn": "what is no passkey's answer leads back to signing in"}
NEEDS_A_DEVICE = {
    "accounts:app",
    "accounts:new_passkey",
    "mfa_reauthenticate",
}  # what a phone shows or an authenticator answers; tests/browser has them
COUNTS = "_FORMS"  # how many rows a table says it has: counted anew
AT_ONCE = 2  # megabytes that fit into one request


def complaints(desk: Desk, found: Found, kind: Hostile) -> Iterator[str]:
    """Send one kind of value in every field at once; fields that were refused are then sent politely until none is left."""
    controls = [control for control in worth_trying(found.form.controls) if kind.fits(control)]
    big = [control for control in controls if control.kind in WORDS] if kind is MEGABYTES else []
    small = [control for control in controls if control not in big]
    yield from _complaints(desk, found, kind, [*small, *big[:AT_ONCE]])
    for at in range(AT_ONCE, len(big), AT_ONCE):
        yield from _complaints(desk, found, kind, big[at : at + AT_ONCE])


def _complaints(desk: Desk, found: Found, kind: Hostile, controls: list[Control]) -> Iterator[str]:
    while controls:
        sent = desk.send(found, {control.name: kind.value(control) for control in controls})
        where = f"{kind.name} in {', '.join(control.name for control in controls)} ({found.who} at {found.address})"
        if sent.answer.status_code >= 500:
            yield f"{where}: {sent.answer.status_code} {getattr(sent.answer, 'exc_info', '')}"
        if sent.left_traces:
            yield f"{where}: refused with {sent.answer.status_code}, and yet changed {sorted(sent.left_traces)}"
        named = [control for control in controls if sent.names(control)]
        if not named:
            wrong = [one.name for one in controls if kind.is_never_taken(one) and not one.name.endswith(COUNTS)]
            never = [name for name in wrong if (found.route, name) not in SAID_ELSEWHERE]
            if never or (wrong and not sent.is_refused):
                yield f"{where}: {sent.answer.status_code} says nothing about {never}; it says {str(sent.errors)[:300]}"
            return
        controls = [control for control in controls if control not in named]


@pytest.mark.parametrize("route", [name for name in PAGES if name not in NEVER_WRONG])
def test_form_takes_what_people_write_and_refuses_hostile_values_on_their_fields(desk: Desk, route: str) -> None:
    wrong = []
    for found in desk.taken(route):
        sent = desk.send(found)
        if sent.is_refused and route not in NEEDS_A_DEVICE:
            wrong.append(f"{found.address} refuses what people write: {sent.answer.status_code} {sent.errors}")
        wrong += [said for kind in KINDS for said in complaints(desk, found, kind)]

    assert not wrong, "\n".join(wrong)


def test_first_run_takes_what_people_write_and_refuses_hostile_values_on_their_fields(desk: Desk) -> None:
    """Its form is there only while nobody administers the installation."""
    with undone():
        now = datetime.now(UTC)
        RoleGrant.objects.filter(role=Role.ADMINISTRATOR).update(revoked_at=now, revoked_by="SYSTEM:test")
        code = make_set_up_code(at=now)
        assert code
        wrong = said_about_one_form(desk, reverse("home:first_run"), code=code)

    assert not wrong, "\n".join(wrong)


def test_one_time_link_takes_what_people_write_and_refuses_hostile_values_on_their_fields(desk: Desk) -> None:
    """Its form stands behind a link that was sent to one person."""
    with undone():
        link = one_time_link(Person.objects.get(name="Newcomer"))
        wrong = said_about_one_form(desk, link.removeprefix(settings.PUBLIC_URL))

    assert not wrong, "\n".join(wrong)


def said_about_one_form(desk: Desk, address: str, **known: str) -> list[str]:
    """What is wrong with the form on a page that no walk reaches."""
    guest = desk.client("stranger")
    answer = guest.get(address, follow=True)
    at = answer.redirect_chain[-1][0] if answer.redirect_chain else address
    form = next(form for form in Page(answer.content.decode(), at).forms if form.method == "post")
    for name, value in known.items():
        form.controls[name].value = value
    visit = replace(desk, before=fingerprint(), cookies={"guest": guest.cookies.output(header="")})
    found = Found("guest", at, form)
    taken = visit.send(found)
    assert not taken.is_refused, (taken.answer.status_code, taken.errors)
    return [said for kind in KINDS for said in complaints(visit, found, kind)]
