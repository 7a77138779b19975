"""Whatever stands in an address, a header or a cookie: an answer, never an error of ours.

Addresses are collected from the pages; each of their parts and every question they carry is replaced in turn."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.doors.crawl import read
from tests.doors.desk import Desk
from tests.doors.routes import ROUTES, Route
from tests.doors.town import Town, undone
from tests.doors.values import UNKNOWN

PAGES = sorted(name for name, route in ROUTES.items() if not route.is_api)
# As they stand in an address, after the percent signs are read.
ANY = ("a%00b", "%1b%5b31m", "%e2%80%aegpj.exe", "%ed%a0%80%ff", "9" * 40, "-1", "x" * 5000, "..%2f..", "CHG-0", f"CHG-{'9' * 30}")
# What a path of this kind lets through at all; everything else ends in the URL configuration.
PARTS = {"": ANY, "str": ANY, "int": ("9" * 40, "9" * 18, "0"), "uuid": (UNKNOWN,), "slug": ("x" * 5000, UNKNOWN, "9" * 40, "-")}
QUESTIONS = ("", "a\x00b", "\x1b[31m\u202egpj.exe", "9" * 40, str(2**63), "x" * 5000, UNKNOWN)
ASKED = ("q", "view", "before", "compare", "seen", "show", "group", "about", "service", "next")  # on any page, besides what it offers
HEADERS = {
    "HX-Request": ("true", "\xff\x00"),
    "If-None-Match": ('"', "\xff", "x" * 5000),
    "Accept": ("application/json", "\xff/\xff"),
    "Accept-Language": ("xx-\xff", "x" * 5000),
    "Cookie": ("sessionid=\xff; csrftoken=\x01", "sessionid=" + "x" * 5000, "messages=\xff:\x01", "timezone=../../etc/passwd"),
    "Authorization": ("Bearer ccp_\xff", "Bearer", "Basic !!!"),
}


def wrong(answer: HttpResponse, asked: str) -> list[str]:
    """A complaint where the answer is an error of ours. /readyz answers 503 because nothing seals here."""
    body = read(answer)
    good = answer.status_code < 500 or asked.startswith("/readyz")
    return [] if good else [f"{asked[:200]}: {answer.status_code} {getattr(answer, 'exc_info', '') or body[:200]!r}"]


def questions(desk: Desk, route: str) -> Iterator[str]:
    """A page of this route with each thing it may be asked replaced: by links, by a form, or by whoever guesses."""
    addresses = desk.pages.get(route, [])
    if not addresses:
        return
    path = addresses[0].partition("?")[0]
    offered = {name for address in addresses for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True)}
    offered |= {name for group in desk.forms.get(route, []) for name in group[0].form.controls if group[0].form.method == "get"}
    yield from (f"{path}?{urlencode(dict.fromkeys((*offered, *ASKED), value))}" for value in QUESTIONS)
    yield f"{path}?{'&'.join(f'{name}=%ff%ed%a0%80' for name in (*offered, *ASKED))}"
    for name in offered:
        yield from (f"{path}?{name}={quote(value)}" for value in QUESTIONS[1:4])


@pytest.mark.parametrize("route", PAGES)
def test_page_answers_whatever_it_is_asked(desk: Desk, route: str) -> None:
    complaints = []
    for address in questions(desk, route):
        with undone():
            complaints += wrong(desk.client("chief").get(address), address)

    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("route", [name for name in ROUTES if ROUTES[name].arguments])
def test_address_with_hostile_parts_is_not_found(desk: Desk, route: str) -> None:
    complaints = []
    client = desk.client("chief")
    for address in hostile_addresses(ROUTES[route]):
        for send in (client.get, client.post):
            with undone():
                answer = send(address)
                complaints += wrong(answer, address)
                if answer.status_code < 300 and not route.startswith("account_"):
                    complaints.append(f"{address}: {answer.status_code}, and there is no such thing")

    assert not complaints, "\n".join(complaints)


def hostile_addresses(route: Route) -> Iterator[str]:
    """The address with one part replaced; the others name nothing in particular."""
    start, *pieces = route.path.split("<")
    kinds = [piece.partition(">")[0].rpartition(":")[0] for piece in pieces]
    ends = [piece.partition(">")[2] for piece in pieces]
    for at, kind in enumerate(kinds):
        for part in PARTS[kind]:
            plain = [{"int": "1", "uuid": UNKNOWN, "slug": "hall"}.get(other, "CHG-1") for other in kinds]
            plain[at] = part
            yield "/" + start + "".join(value + end for value, end in zip(plain, ends, strict=True))


def test_address_of_no_kind_is_not_found(desk: Desk) -> None:
    for part in ANY:
        assert desk.client("chief").get(f"/deployments/{part}/").status_code == 404
        assert desk.client("stranger").get(f"/{part}").status_code == 404


@pytest.mark.parametrize("header", HEADERS)
def test_page_answers_whatever_header_comes(desk: Desk, town: Town, header: str) -> None:
    for address in (reverse("home:home"), reverse("home:changes"), town.changes[0], reverse("account_login"), reverse("api:changes")):
        for value in HEADERS[header]:
            with undone():
                client = desk.client("chief") if header != "Cookie" else Client(raise_request_exception=False)
                assert not wrong(client.get(address, headers={header: value}), f"{address} with {header}: {value[:40]!r}")


def test_form_without_its_token_is_refused(town: Town) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    with undone():
        client.force_login(town.people["chief"])
        for token in ("", "x", "x" * 64, "\x00", "\u202e"):
            answer = client.post(reverse("accounts:teams"), {"name": "Ferries", "slug": "ferries", "csrfmiddlewaretoken": token})
            assert answer.status_code == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n'),
        ("multipart/form-data", b"nothing"),
        ("multipart/form-data; boundary=\xff", b"--x"),
        ("application/x-www-form-urlencoded; charset=no-such", b"name=a"),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % number for number in range(1500))),
        ("application/json", b"{"),
        ("", b"\x00"),
    ],
)
def test_body_that_is_no_form_is_refused(desk: Desk, kind: str, body: bytes) -> None:
    for address in (reverse("accounts:teams"), reverse("home:new_change"), reverse("accounts:join")):
        with undone():
            answer = desk.client("chief").generic("POST", address, body, content_type=kind)

            assert 400 <= answer.status_code < 500
