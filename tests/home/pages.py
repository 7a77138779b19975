"""How the tests of pages ask and read: as a person, by the name of the page, with its text as people see it."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Person
from apps.audit.models import Entry
from apps.changes.models import Change
from tests.factories.accounts import prove_lately

# What somebody may send instead of what is asked for: markup, a turned line, NUL and other controls, far too much.
HOSTILE = {
    "markup": "<script>alert(1)</script>\"'",
    "turning": "pay \u202etac\u202c me",
    "nul": "before\x00after",
    "control": "bell\x07 and escape\x1b[31m",
    "long": "x" * 1_000_000,
    "unseen": "pay\u200bments\ufeff",
    "lines": "\r\n\r\n\t",
}


def get(client: Client, person: Person, name: str, *args: object, **query: object) -> HttpResponse:
    """Open a page as a person."""
    client.force_login(person)
    return client.get(reverse(name, args=args), query)


def post(client: Client, person: Person, name: str, *args: object, **data: object) -> HttpResponse:
    """Send a form as a person, who proved lately who they are."""
    prove_lately(client, person, method="mfa")
    return client.post(reverse(name, args=args), data)


def text_of(response: HttpResponse) -> str:
    """What is read on the page: no tags, blanks as one."""
    words = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(words)).replace(" .", ".").replace(" ,", ",")


def marks_of(response: HttpResponse) -> str:
    """The page's source, with its entities read."""
    return html.unescape(response.content.decode())


@contextmanager
def nothing_written() -> Iterator[None]:
    """Looking leaves no entry behind, and moves no change."""
    before = written()
    yield
    assert written() == before


def written() -> tuple[int, list[tuple[int, str, int | None]]]:
    """The entries there are, and where every change stands."""
    return Entry.objects.count(), sorted(Change.objects.values_list("pk", "state", "revision_id"))
