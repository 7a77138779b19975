"""Who comes through which door, by whose it is: one's own, one's team's, another team's, a restricted service's, another's draft."""

from collections.abc import Iterator

import pytest

from tests.doors.access_table import TABLE
from tests.doors.desk import TRACES, body_of
from tests.doors.estate import Parts
from tests.doors.routes import ROUTES
from tests.doors.test_access import asks_to_sign_in
from tests.doors.visiting import Visit, address_of, body, cells, new_in, written
from tests.doors.whose import NAMELESS, RULES, SENT_ELSEWHERE, Whose


@pytest.fixture(autouse=True)
def everything_undone() -> None:
    """The estate stands until the end of the module; each test looks for itself."""


def test_every_address_that_names_something_is_classified():
    naming = {name for name, route in ROUTES.items() if route.arguments and not route.is_api}

    assert naming - NAMELESS == {name for name in RULES if ROUTES[name].arguments}


@pytest.mark.parametrize("route", [name for name in RULES if TABLE[name].acts and name not in SENT_ELSEWHERE])
def test_form_is_taken_from_those_it_belongs_to_and_writes_nothing_for_others(visit: Visit, route: str):
    rule, wrong = RULES[route], []
    for who, whose in cells(rule):
        with visit.cell(rule, who, whose) as parts:
            said = taken(visit, route, who, parts) if rule.lets(who, whose) else refused(visit, route, who, whose, parts)
            wrong += [f"{who}, {whose.name}: {one}" for one in said]

    assert not wrong, "\n".join(wrong)


def taken(visit: Visit, route: str, who: str, parts: Parts) -> Iterator[str]:
    """What is wrong where the table says that they may."""
    rule, address = RULES[route], address_of(route, parts)
    form = None if rule.is_blind else visit.form(who, rule, address, parts)
    if form is None and not rule.is_blind:
        yield "may, and is shown no form"
    answer = visit.ask(who, address, body(form or visit.kept_form(rule, address, parts), parts))
    if answer.status_code not in {200, 204, 302}:
        yield f"may, and gets {answer.status_code}"


def refused(visit: Visit, route: str, who: str, whose: Whose, parts: Parts) -> Iterator[str]:
    """What is wrong where the table says that they may not."""
    rule, address = RULES[route], address_of(route, parts)
    form, before = visit.kept_form(rule, address, parts), written()
    status = visit.ask(who, address, body(form, parts)).status_code
    expected = rule.refused_with if rule.is_there(who, whose) else 404
    if status != expected:
        yield f"gets {status}, not {expected}"
    if tables := new_in(before) - TRACES:
        yield f"is refused, and yet writes {sorted(tables)}"


def test_stranger_is_asked_to_sign_in_whosever_it_is(visit: Visit):
    for route, rule in RULES.items():
        for whose in rule.cases:
            parts, before = visit.parts(rule.thing, "nobody", whose), written()
            for sent in (None, body_of(parts)):
                assert asks_to_sign_in(visit.ask("stranger", address_of(route, parts), sent)), (route, whose)
            assert not new_in(before), (route, whose)
