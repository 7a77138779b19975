"""How the estate is visited: by whom, at which address, with the form that stands on a page; and what was written meanwhile."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.client import ClientHandler
from django.urls import reverse

from apps.accounts.models import Passkey
from apps.changes.models import Change
from tests.doors.crawl import client_of, read
from tests.doors.desk import body_of
from tests.doors.estate import EVERYONE, Estate, Parts, make_estate
from tests.doors.pages import Control, Page, PageForm
from tests.doors.routes import ROUTES
from tests.doors.town import undone
from tests.doors.values import polite
from tests.doors.whose import Rule, Whose
from tests.factories.approvals import approve

FORM = "application/x-www-form-urlencoded"
# Counted as it happens, below savepoints too; sessions and counted attempts are nobody's work.
WRITTEN = """select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_xact_user_tables
  where schemaname = 'public' and n_tup_ins + n_tup_upd + n_tup_del > 0 and relname not in ('django_session', 'accounts_counted')"""


@dataclass
class Visit:
    """The estate, a browser for each of its people, and the forms that its keeper finds."""

    estate: Estate
    cookies: dict[str, str]
    forms: dict[str, PageForm | None] = field(default_factory=dict)
    _handler: ClientHandler = field(default_factory=lambda: ClientHandler(enforce_csrf_checks=False))

    def ask(self, who: str, address: str, body: str | None = None) -> HttpResponse:
        """Read a page, or send a form; without the bookkeeping of Django's test client, which costs more than the page."""
        factory = RequestFactory()
        factory.cookies.load(self.cookies[who])
        request = factory.get(address) if body is None else factory.post(address, body, content_type=FORM)
        return self._handler(request.environ)

    def call(self, secret: str, address: str, body: object = None, *, method: str = "POST") -> HttpResponse:
        """Ask the API with a token."""
        given = {"Authorization": f"Bearer {secret}"}
        request = RequestFactory(headers=given).generic(method, address, json.dumps(body), content_type="application/json")
        return self._handler(request.environ)

    def parts(self, thing: str, who: str, whose: Whose) -> Parts:
        """What names a thing of this kind that belongs to this one."""
        estate = self.estate
        if thing in estate.common:
            return estate.common[thing]
        if thing in estate.own["nobody"]:
            return estate.own[{Whose.MINE: who, Whose.OURS: "colleague"}.get(whose, "neighbour")][thing]
        if whose is Whose.DRAFT:
            thing = thing.partition(" ")[0] + " DRAFT"
        return estate.holdings[{Whose.THEIRS: "theirs", Whose.HIDDEN: "hidden"}.get(whose, "ours")].things[thing]

    def change(self, parts: Parts) -> Change:
        """The change that is named."""
        return Change.objects.get(pk=parts["ref"].removeprefix("CHG-"))

    @contextmanager
    def cell(self, rule: Rule, who: str, whose: Whose) -> Iterator[Parts]:
        """What names the thing; for a while it is their own, where it can be."""
        parts = self.parts(rule.thing, who, whose)
        with undone():
            if whose is Whose.MINE and "ref" in parts:
                change = self.change(parts)
                if rule.thing != "agreement":
                    Change.objects.filter(pk=change.pk).update(requester=self.estate.people[who])
                elif who in rule.mine:
                    Passkey.objects.filter(person=self.estate.people[who]).update(
                        removed_at=Now(), authenticator=None
                    )  # nobody holds it here
                    approve(change, self.estate.people[who])
            yield parts

    def form(self, who: str, rule: Rule, address: str, parts: Parts) -> PageForm | None:
        """The form for an address, on the page where it stands."""
        page = address_of(rule.on, parts) if rule.on else address
        forms = Page(read(self.ask(who, page)).decode(), page).forms
        return next((form for form in forms if form.method == "post" and form.action == address and is_about(form, parts)), None)

    def kept_form(self, rule: Rule, address: str, parts: Parts) -> PageForm | None:
        """The form as its keeper sees it, who may send any that is not one's own."""
        key = address + parts.get("name", "")
        if key not in self.forms:
            self.forms[key] = None if rule.is_blind or rule.is_private else self.form("keeper", rule, address, parts)
        return self.forms[key]


def cells(rule: Rule) -> Iterator[tuple[str, Whose]]:
    """Everything for those who may more than everybody; else one of what they may and of what not, another kind for the next person."""
    for index, who in enumerate(EVERYONE):
        may = [whose for whose in rule.cases if rule.lets(who, whose)]
        may_not = [whose for whose in rule.cases if not rule.lets(who, whose)]
        for kinds in (may, may_not):
            yield from ((who, whose) for whose in (kinds if rule.favours(who) else turn(kinds, index)))


def read_cells(rule: Rule) -> Iterator[tuple[str, Whose]]:
    """Everything that is not there for somebody or restricted; and one of what is there, another kind for the next person."""
    for index, who in enumerate(EVERYONE):
        there = [whose for whose in rule.cases if rule.is_there(who, whose) and whose is not Whose.HIDDEN]
        yield from ((who, whose) for whose in [*(one for one in rule.cases if one not in there), *turn(there, index)])


def turn(kinds: list[Whose], index: int) -> list[Whose]:
    """The one whose turn it is."""
    return [kinds[index % len(kinds)]] if kinds else []


def is_about(form: PageForm, parts: Parts) -> bool:
    """Whether it is about this one, where the form and not its address says so."""
    return "name" not in parts or form.controls["name"].value == parts["name"]


def address_of(route: str, parts: Parts) -> str:
    return reverse(route, kwargs={name: parts[name] for name in ROUTES[route].arguments})


def body(form: PageForm | None, parts: Parts) -> str:
    """The form as people would fill it; where nobody is shown one, what it is about."""
    if form is None:
        return body_of(parts)
    return body_of({name: polite(one) or first(one) for name, one in form.controls.items()} | dict(form.buttons[:1]))


def first(control: Control) -> str:
    """What is offered first, where one has to be chosen."""
    return next(iter(control.options), "") if control.kind == "radio" else ""


def written() -> dict[str, int]:
    """How many rows of which table were ever written in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        return dict(cursor.fetchall())


def new_in(before: dict[str, int]) -> set[str]:
    """The tables that were written since."""
    return {name for name, count in written().items() if count != before.get(name, 0)}


def make_visit() -> Visit:
    """A browser for everybody of a new estate."""
    estate = make_estate()
    people = estate.people | {"keeper": estate.keeper}
    return Visit(estate, {name: client_of(person).cookies.output(header="") for name, person in people.items()} | {"stranger": ""})
