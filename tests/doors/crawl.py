"""Walking through the installation as a browser does: every page a person can reach, and every form on the way."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import time
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, reverse

from apps.accounts.models import Person
from tests.doors.pages import Page, PageForm
from tests.doors.routes import ROUTES, route_of


@dataclass(frozen=True)
class Found:
    """A form, the page it stands on and who sees it."""

    who: str
    address: str
    form: PageForm

    @property
    def route(self) -> str:
        """Where it is sent."""
        return route_of(urlsplit(self.form.action).path)


def client_of(person: Person | None) -> Client:
    """A browser; signed in unless the person is nobody."""
    client = Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
        session = client.session  # confirmed once more who it is, for as long as the tests take
        session["account_authentication_methods"] = [{"method": "mfa", "at": time() + 86_400}]
        session["account_authentication_methods_user"] = str(person.pk)
        session.save()
    return client


def read(answer: HttpResponse) -> bytes:
    """The whole body, of a download too; reading that to its end closes it."""
    return b"".join(answer) if answer.streaming else answer.content


def plain_addresses() -> list[str]:
    """The address of every page without arguments."""
    return [reverse(name) for name, route in ROUTES.items() if not route.arguments and not route.is_api]


def walk(client: Client, first: Iterable[str], *, most: int) -> Iterator[tuple[str, HttpResponse, Page]]:
    """These pages, and those that can be reached from them by links."""
    waiting = deque(dict.fromkeys(first))
    seen, often = set(waiting), Counter()
    while waiting:
        address = waiting.popleft()
        answer = client.get(address)
        body = read(answer)
        page = Page(body.decode() if answer.get("Content-Type", "").startswith("text/html") else "", address)
        yield address, answer, page
        links = [*page.links, answer["Location"]] if answer.has_header("Location") else page.links
        for link in links:
            if link not in seen and _is_worth_it(link, often, most):
                seen.add(link)
                waiting.append(link)


def _is_worth_it(address: str, often: Counter[str], most: int) -> bool:
    path, _, question = address.partition("?")
    try:
        kind = route_of(path) + ("?" if question else "")
    except Resolver404:
        return True  # a dead link: the walk shows it
    often[kind] += 1
    return not ROUTES[kind.rstrip("?")].is_api and often[kind] <= most
