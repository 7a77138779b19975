"""What the walk through the installation brought: pages, forms, a browser for everybody, and what comes of sending a form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote_from_bytes

from django.forms import BaseForm, BaseFormSet
from django.test import Client
from django.test.client import ClientHandler
from django.utils.html import escape

from apps.audit.stream import latest
from tests.doors.crawl import Found, walk
from tests.doors.pages import Control
from tests.doors.routes import route_of
from tests.doors.town import Prints, fingerprint, undone
from tests.doors.values import polite

Values = Mapping[str, str | bytes | None]
ENOUGH = 6  # forms that are alike
# An attempt is recorded when it is refused: that alone may be written.
TRACES = {"audit_entry", "audit_detail"}
# A file is kept at once, so that it is not lost when the form comes back; a day later it is gone where nothing names it.
UPLOADS = {"changes_evidencechunk", "changes_evidencefile", "changes_evidenceupload"}


@dataclass
class Sent:
    """What came of one submission."""

    answer: Any
    errors: dict[str, list[str]]
    changed: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    takes_files: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether it was not taken, with a page that says so."""
        return self.answer.status_code >= 400 or bool(self.errors)

    @property
    def left_traces(self) -> set[str]:
        """What a refusal must not have changed."""
        allowed = TRACES if any(event.endswith((".refused", ".sign_in_failed")) for event in self.told) else set()
        return self.changed - allowed - (UPLOADS if self.takes_files else set())

    @cached_property
    def page(self) -> str:
        """What is shown."""
        return str(self.answer.content.decode())

    def names(self, control: Control) -> bool:
        """Whether the page says on this field what is wrong with it; nobody can correct a field that is not seen."""
        if control.kind == "hidden":
            return self.is_refused
        return any(escape(sentence)[-12:] in self.page for sentence in self.errors.get(control.name, []))


@dataclass
class Desk:
    """A browser for everybody; the pages and forms of the installation by route; how its tables look."""

    cookies: dict[str, str]
    before: Prints
    pages: dict[str, list[str]] = field(default_factory=dict)
    forms: dict[str, list[list[Found]]] = field(default_factory=dict)  # alike ones together

    _taken: dict[str, list[Found]] = field(default_factory=dict)
    _handler: ClientHandler = field(default_factory=lambda: ClientHandler(enforce_csrf_checks=False))

    def client(self, who: str) -> Client:
        """A browser of this person, as it was before anything was sent: signing out is undone too."""
        client = Client(raise_request_exception=False)
        client.handler = self._handler  # every new one would look through all static files again
        client.cookies.load(self.cookies[who])
        return client

    def take(self, who: str, first: list[str], *, most: int) -> None:
        """Walk through the installation; a form that is known with the same fields is not kept again."""
        for address, answer, page in walk(self.client(who), first, most=most):
            if answer.status_code < 300:
                self.pages.setdefault(route_of(address), []).append(address)
            for form in page.forms:
                found = Found(who, address, form)
                known = self.forms.setdefault(found.route, [])
                alike = next((group for group in known if group[0].form.is_like(form)), None)
                if alike is None:
                    known.append([found])
                elif len(alike) < ENOUGH:
                    alike.append(found)

    def taken(self, route: str) -> list[Found]:
        """Of each form that is sent here, one that is taken as people would fill it; in some states a form is refused."""
        if route not in self._taken:
            groups = [group for group in self.forms.get(route, []) if group[0].form.method == "post"]
            self._taken[route] = [next((one for one in group if not self.send(one).is_refused), group[0]) for group in groups]
        return self._taken[route]

    def send(self, found: Found, values: Values | None = None, *, who: str = "", is_weighed: bool = False) -> "Sent":
        """Send a form, as people would or with some values replaced, and undo it. What a taken one changed is told when it is weighed."""
        polite_values: Values = {name: polite(control) for name, control in found.form.controls.items()}
        body = body_of(polite_values | dict(found.form.buttons[:1]) | (values or {}))
        with undone():
            answer = self.client(who or found.who).post(found.form.action, body, content_type="application/x-www-form-urlencoded")
            sent = Sent(answer, errors_in(answer.context), takes_files=any(one.kind == "file" for one in found.form.controls.values()))
            if sent.is_refused or is_weighed:
                sent.changed = self.changed()
                sent.told = [entry.event.value for entry in latest(None, limit=3)] if sent.changed else []
        return sent

    def changed(self) -> set[str]:
        """The tables that do not look as they did."""
        now = fingerprint(self.before)
        return {name for name, print_ in self.before.items() if now[name] != print_}


def body_of(values: Values) -> str:
    """The values as a browser would send them, and as one would not."""
    pairs = ((name, value.encode(errors="surrogatepass") if isinstance(value, str) else value) for name, value in values.items())
    return "&".join(f"{quote_from_bytes(name.encode())}={quote_from_bytes(value)}" for name, value in pairs if value is not None)


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
