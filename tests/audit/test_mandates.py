"""Sign-offs in another's place, in an export: the verifier finds who asked for that in the stream, or says that nobody did."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from apps.audit.verifier import DoesNotHold, sentences
from apps.audit.vocabulary import Event
from apps.core.references import reference
from tests.audit.conftest import CHANGE, SIGNER, sign_off_row, statement, tell_sign_off
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_entry

ASKER, OTHER = make_actor(UUID(int=20)), make_actor(UUID(int=21))
BY = replace(SIGNER, on_behalf_of=ASKER.id)
DELEGATION, HOUR = reference("delegation", UUID(int=30)), timedelta(hours=1)
SHOP, FERRY = (reference("service", UUID(int=number)) for number in (40, 41))
RULES = [{"target": str(UUID(int=50))}]


def person(actor):
    return reference("person", actor.id)


def ask(*services, by=ASKER, to=SIGNER, starts=-HOUR, ends=HOUR, kinds=None):
    data = {"starts_at": NOW + starts, "ends_at": NOW + ends, "kinds": kinds}
    make_entry(Event.DELEGATION_GIVEN, subject=DELEGATION, by=by, at=NOW - HOUR, refs=[person(to), *services], data=data)


def sign_for(stream, *, by=BY, rules=RULES):
    """Told and stored; the change is of one target of the shop, and a NORMAL one."""
    make_entry(Event.TARGET_CREATED, subject=reference("target", UUID(int=50)), by=OTHER, at=NOW - HOUR, refs=[SHOP])
    make_entry(Event.CHANGE_CREATED, subject=reference("change", CHANGE), by=OTHER, at=NOW - HOUR, data={"kind": "NORMAL"})
    said = statement(by=by.as_data(), rules=rules, nonce="2")
    tell_sign_off(said, sign_off="2", by=by)
    stream.sign_offs.append(sign_off_row(said, sign_off="2"))


@pytest.mark.parametrize(("services", "kinds"), [((), None), ((SHOP,), None), ((SHOP, FERRY), ["NORMAL"]), ((), ["EMERGENCY", "NORMAL"])])
def test_who_was_asked_for_this_stands_in(stream, services, kinds):
    ask(*services, kinds=kinds)
    sign_for(stream)

    assert "1 of them in another's place as asked" in "\n".join(sentences(stream.verified()))


@pytest.mark.parametrize(
    "asked",
    [
        {"by": OTHER},
        {"to": OTHER},
        {"starts": HOUR, "ends": 2 * HOUR},
        {"starts": -2 * HOUR, "ends": timedelta(0)},
        {"kinds": ["EMERGENCY"]},
        {"services": (FERRY,)},
        None,
    ],
    ids=["by another", "another was asked", "begins later", "over", "another kind", "another service", "nobody asked"],
)
def test_who_was_not_asked_for_this_is_named(stream, asked):
    if asked is not None:
        ask(*asked.pop("services", ()), **asked)
    sign_for(stream)

    with pytest.raises(
        DoesNotHold, match=f"sign-off 2, position unsealed: it was given in the place of person {ASKER.id}, who had not asked"
    ):
        stream.verified()


@pytest.mark.parametrize(("ended", "holds"), [(-timedelta(minutes=1), False), (timedelta(minutes=1), True)])
def test_what_is_ended_earlier_holds_no_longer(stream, ended, holds):
    ask()
    data = {"starts_at": NOW - HOUR, "ends_at": NOW + HOUR, "kinds": None}
    make_entry(Event.DELEGATION_ENDED, subject=DELEGATION, by=OTHER, at=NOW + ended, refs=[person(ASKER), person(SIGNER)], data=data)
    sign_for(stream)

    if holds:
        assert stream.verified().stood_in == 1
    else:
        with pytest.raises(DoesNotHold, match="who had not asked"):
            stream.verified()


@pytest.mark.parametrize("by", [OTHER, SIGNER])
def test_who_was_asked_under_another_account_is_the_same_person(stream, by):
    gone = make_actor(UUID(int=22))
    ask(to=gone)
    make_entry(Event.PERSON_MERGED, subject=person(SIGNER), by=by, at=NOW, refs=[person(gone)])
    sign_for(stream)

    assert stream.verified().stood_in == 1


def test_everything_one_spoke_for_is_covered(stream):
    ask(SHOP)
    sign_for(stream, rules=[*RULES, {"target": str(UUID(int=51))}])

    with pytest.raises(DoesNotHold, match="who had not asked"):
        stream.verified()


def test_one_in_ones_own_right_needs_nobody(stream):
    assert stream.verified().stood_in == 0
    assert json.loads(statement())["by"] == SIGNER.as_data()
