"""Every field of every form is sent what nobody should send: it is refused on that field, nothing changes, and nothing breaks.

The forms are read from the pages, so a new form or field is covered by being shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.forms import BaseForm, BaseFormSet
from django.test import Client
from django.utils.html import escape

from apps.audit.stream import latest
from tests.hostile.values import KINDS, MEGABYTES, Hostile, polite, worth_trying
from tests.world.crawl import Found, client_of, forms_of, plain_addresses
from tests.world.pages import Control
from tests.world.routes import ROUTES
from tests.world.town import Town, fingerprint, undone

READERS = ("chief", "author")
PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
# An attempt is recorded when it is refused: that alone may be written.
TRACES = {"audit_entry", "audit_detail"}
# Refused, and yet not on the field.
SAID_ELSEWHERE = {
    ("account_login", "login"): "which of the two is wrong is told to nobody",
    ("account_login", "password"): "which of the two is wrong is told to nobody",
}
AT_ONCE = 2  # megabytes that fit into one request


@dataclass
class Desk:
    """The forms of the installation by where they are sent, and a browser for each reader."""

    clients: dict[str, Client]
    forms: dict[str, list[Found]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def desk(town: Town) -> Desk:
    made = Desk({name: client_of(town.people[name]) for name in READERS} | {"stranger": client_of(None)})
    known: set[tuple[str, frozenset[str]]] = set()
    for who, client in made.clients.items():
        first = [*plain_addresses(), *town.seen] if who == "chief" else town.seen if who == "author" else plain_addresses()
        for found in forms_of(who, client, first, most=2 if who == "chief" else 0):
            key = found.route, frozenset(found.form.controls)
            if found.form.method == "post" and key not in known:
                known.add(key)
                made.forms.setdefault(found.route, []).append(found)
    return made


def body_of(values: dict[str, str | bytes | None]) -> str:
    """The values as a browser would send them, and as one would not."""
    pairs = ((name, value.encode(errors="surrogatepass") if isinstance(value, str) else value) for name, value in values.items())
    return "&".join(f"{quote_from_bytes(name.encode())}={quote_from_bytes(value)}" for name, value in pairs if value is not None)


class Sent:
    """What came of one submission."""

    def __init__(self, client: Client, found: Found, values: dict[str, str | bytes | None]) -> None:
        before = fingerprint()
        with undone():
            self.answer = client.post(found.form.action, body_of(values), content_type="application/x-www-form-urlencoded")
            self.errors = errors_in(self.answer.context)
            self.changed = {name for name, count in fingerprint().items() if before[name] != count} if self.is_refused else set()
            self.told = [entry.event.value for entry in latest(None, limit=3)] if self.changed else []
        self.page = self.answer.content.decode() if self.errors else ""

    @property
    def is_refused(self) -> bool:
        return self.answer.status_code >= 400 or bool(self.errors)

    @property
    def left_traces(self) -> set[str]:
        """What a refusal must not have changed."""
        allowed = TRACES if any(event.endswith((".refused", ".sign_in_failed")) for event in self.told) else set()
        return self.changed - allowed

    def names(self, control: Control) -> bool:
        """Whether the page says on this field what is wrong with it; nobody can correct a field that is not seen."""
        if control.kind == "hidden":
            return self.is_refused
        return any(escape(sentence)[-12:] in self.page for sentence in self.errors.get(control.name, []))


def errors_in(context: Any) -> dict[str, list[str]]:
    """The errors of every bound form that a page was drawn with, by the name a field has in the page."""
    layers = [layer for one in context or () for layer in (one.dicts if hasattr(one, "dicts") else [one])]
    parts = {id(part): part for layer in layers for part in layer.values()}
    return {name: said for part in parts.values() for name, said in _errors(part)}


def _errors(value: Any, depth: int = 0) -> Iterator[tuple[str, list[str]]]:
    if isinstance(value, BaseForm) and value.is_bound:
        for name, said in value.errors.items():
            yield ("" if name == "__all__" else value.add_prefix(name)), [str(sentence) for sentence in said]
    elif isinstance(value, BaseFormSet) and value.is_bound:
        for form in value.forms:
            yield from _errors(form)
        if value.non_form_errors():
            yield value.management_form.add_prefix("TOTAL_FORMS"), [str(sentence) for sentence in value.non_form_errors()]
    elif isinstance(value, (dict, list, tuple)) and depth < 3:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _errors(inner, depth + 1)


def polite_values(found: Found) -> dict[str, str | bytes | None]:
    """What people would send, with the first button pressed."""
    return {name: polite(control) for name, control in found.form.controls.items()} | dict(found.form.buttons[:1])


def complaints(client: Client, found: Found, kind: Hostile) -> Iterator[str]:
    """Send one kind of value in every field at once; fields that were refused are then sent politely until none is left."""
    controls = [control for control in worth_trying(found.form.controls) if kind.fits(control)]
    most = AT_ONCE if kind is MEGABYTES else len(controls) or 1
    for at in range(0, len(controls), most):
        yield from _complaints(client, found, kind, controls[at : at + most])


def _complaints(client: Client, found: Found, kind: Hostile, controls: list[Control]) -> Iterator[str]:
    while controls:
        sent = Sent(client, found, polite_values(found) | {control.name: kind.value(control) for control in controls})
        where = f"{kind.name} in {', '.join(control.name for control in controls)} ({found.who} at {found.address})"
        if sent.answer.status_code >= 500:
            yield f"{where}: {sent.answer.status_code} {getattr(sent.answer, 'exc_info', '')}"
        if sent.left_traces:
            yield f"{where}: refused with {sent.answer.status_code}, and yet changed {sorted(sent.left_traces)}"
        named = [control for control in controls if sent.names(control)]
        if not named:
            never = [one.name for one in controls if kind.is_never_taken(one) and (found.route, one.name) not in SAID_ELSEWHERE]
            if never or (not sent.is_refused and any(kind.is_never_taken(one) for one in controls)):
                yield f"{where}: {sent.answer.status_code} says nothing about {never}; it says {str(sent.errors)[:300]}"
            return
        controls = [control for control in controls if control not in named]


@pytest.mark.parametrize("route", PAGES)
def test_form_refuses_hostile_values_on_their_fields_and_changes_nothing(desk: Desk, route: str) -> None:
    wrong = [
        said
        for found in desk.forms.get(route, [])
        for kind in KINDS
        for said in complaints(desk.clients[found.who], found, kind)
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("route", PAGES)
def test_form_takes_what_people_write(desk: Desk, route: str) -> None:
    for found in desk.forms.get(route, []):
        sent = Sent(desk.clients[found.who], found, polite_values(found))

        assert not sent.is_refused, (found.address, sent.answer.status_code, sent.errors)
