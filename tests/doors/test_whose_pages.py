"""Who reads which page, and what programs may do, by whose it is."""

from types import SimpleNamespace

import pytest
from django.urls import reverse

from apps.catalog.models import Target
from tests.doors.access_table import EVERYBODY, TABLE
from tests.doors.desk import TRACES
from tests.doors.estate import EVERYONE, Parts
from tests.doors.routes import ROUTES
from tests.doors.test_api import PROBLEM, polite_body
from tests.doors.town import undone
from tests.doors.visiting import Visit, address_of, cells, new_in, read_cells, written
from tests.doors.whose import API, RULES, Whose
from tests.factories.gate import ask, body_for, make_gate_token


@pytest.fixture(autouse=True)
def everything_undone() -> None:
    """The estate stands until the end of the module; each test looks for itself."""


@pytest.mark.parametrize("route", [name for name in RULES if TABLE[name].reads])
def test_page_is_there_for_those_who_see_it_and_reading_writes_nothing(visit: Visit, route: str):
    rule, wrong = RULES[route], []
    for who, whose in read_cells(rule):
        with visit.cell(rule, who, whose) as parts:
            before = written()
            status = visit.ask(who, address_of(route, parts)).status_code
            tables = new_in(before)
        reads = TABLE[route].reads
        expected = 404 if not rule.is_there(who, whose) else 200 if reads == EVERYBODY or who in reads else 403
        if status != expected or tables:
            wrong.append(f"{who}, {whose.name}: {status}, not {expected}; it writes {sorted(tables)}")

    assert not wrong, "\n".join(wrong)


# programs: the same people by their tokens


# What pipelines ask and say with tokens that belong to no person: tests/gate and tests/deployments have who may.
BY_OTHER_TOKENS = {"gate:evaluations", "gate:evaluation"} | {
    f"deployments_api:{name}" for name in ("deployments", "deployment", "reports", "observations", "unbegun")
}


def test_every_address_of_the_api_is_classified():
    assert {name for name in ROUTES if ROUTES[name].is_api} == API.keys() | BY_OTHER_TOKENS | {"api:changes"}


@pytest.mark.parametrize("route", API)
def test_api_takes_from_a_token_what_its_person_may_do(visit: Visit, secrets: dict[str, str], route: str):
    rule, wrong = API[route], []
    for who, whose in cells(rule) if rule.operation else read_cells(rule):
        with visit.cell(rule, who, whose) as parts:
            before = written()
            method, sent = ("POST", api_body(route, visit, parts)) if rule.operation else ("GET", None)
            answer = visit.call(secrets[who], address_of(route, parts), sent, method=method)
            tables = new_in(before) - TRACES - {"accounts_personaltoken"}  # when a token was used last
        lets = rule.lets(who, whose) if rule.operation else rule.is_there(who, whose)
        expected = {200, 201} if lets else {403} if rule.is_there(who, whose) else {404}
        if answer.status_code not in expected or (tables and not (lets and rule.operation)):
            wrong.append(f"{who}, {whose.name}: {answer.status_code}, not {expected}, {answer.content[:200]!r}, writes {sorted(tables)}")
        if not lets and answer["Content-Type"] != PROBLEM:
            wrong.append(f"{who}, {whose.name}: {answer['Content-Type']}")

    assert not wrong, "\n".join(wrong)


def api_body(route: str, visit: Visit, parts: Parts) -> object:
    """What a program would send about this change."""
    change = visit.change(parts)
    target: Target = change.legs.filter(is_current=True).earliest("pk").target
    about = SimpleNamespace(place=target, drafts={"chief": change})
    return None if API[route].operation == "submit_change" else polite_body(API[route].operation, about)


@pytest.mark.parametrize("whose", [Whose.OURS, Whose.THEIRS, Whose.HIDDEN])
def test_change_is_asked_for_where_one_is_requester_of_the_service(visit: Visit, secrets: dict[str, str], whose: Whose):
    wrong = []
    for who in EVERYONE:
        parts = visit.parts("change APPROVED", who, whose)
        with undone():
            change, before = visit.change(parts), written()
            about = SimpleNamespace(place=change.legs.get(is_current=True).target, drafts={"chief": change})
            sent = polite_body("create_change", about) | {"needs": []}
            answer = visit.call(secrets[who], reverse("api:changes"), sent)
            tables = new_in(before) - TRACES - {"accounts_personaltoken"}
        seen = whose is not Whose.HIDDEN or who == "auditor"
        expected = 201 if who == "requester" and whose is Whose.OURS else 403 if seen else 422  # a service that is not there: a wrong field
        if answer.status_code != expected or (expected != 201 and tables):
            wrong.append(f"{who}: {answer.status_code}, not {expected}, {answer.content[:200]!r}, writes {sorted(tables)}")

    assert not wrong, "\n".join(wrong)


def test_evaluation_is_there_for_the_gate_token_that_asked_and_for_people_to_look_at(visit: Visit, secrets: dict[str, str]):
    target = visit.change(visit.parts("change APPROVED", "nobody", Whose.OURS)).legs.get(is_current=True).target
    with undone():
        (_, mine), (_, other) = make_gate_token(), make_gate_token(name="Other pipeline")
        evaluation = ask(mine, body_for(target)).json()["id"]
        address = reverse("gate:evaluation", args=[evaluation])

        assert visit.call(mine, address, method="GET").status_code == 200
        assert visit.call(other, address, method="GET").status_code == 404
        for secret in secrets.values():
            assert visit.call(secret, address, method="GET").status_code == 200
            assert visit.call(secret, reverse("gate:evaluations"), body_for(target)).status_code == 403  # information, and no ticket
        for route in API:
            parts = visit.parts("change IN_REVIEW", "nobody", Whose.OURS)
            assert visit.call(mine, address_of(route, parts), method="POST" if API[route].operation else "GET").status_code == 401
