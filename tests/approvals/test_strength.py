"""By how much a sign-off must be proved: what a policy asks for, what is taken, and what counts."""

import io
from dataclasses import replace
from itertools import product

import pytest
from django.utils import timezone

from apps.approvals import actions
from apps.approvals.actions import draft_statement, sign_statement
from apps.approvals.facts import look_ahead, review_facts
from apps.approvals.models import SignOff
from apps.approvals.proof import claim_of, statement_holds
from apps.approvals.rules import (
    PASSKEY,
    PASSWORD,
    PASSWORD_AND_CODE,
    SESSION,
    Strength,
    forecast,
    quorum,
    strictest,
    suffices,
    unproved_words,
    why_not_counted,
)
from apps.approvals.statement import read_statement, signed_message, statement_bytes
from apps.approvals.steps import Choice, Signed, signer
from apps.audit import verifier
from apps.audit.export import write_export
from apps.audit.keys import installation_id
from apps.changes.states import State
from apps.core.canonical import digest
from apps.core.refusals import Refused
from apps.core.signing import signing_key
from apps.gate.gather import gather
from apps.gate.judgement import question_about
from tests.approvals import material
from tests.approvals.world import make_world
from tests.factories.accounts import make_passkey
from tests.factories.approvals import a_rule, make_policy, newest
from tests.factories.proving import approve_change, with_two_factors
from tests.factories.signing import Signer, proved
from tests.home.pages import get, text_of

OWNER = material.person(3, owner="BUSINESS")
CREDENTIALS = (PASSKEY, PASSWORD_AND_CODE, PASSWORD, SESSION, "token", "")
PROVED = {
    *product([PASSKEY], Strength),
    (PASSWORD_AND_CODE, Strength.ANY),
    (PASSWORD_AND_CODE, Strength.TWO_FACTORS),
    (PASSWORD, Strength.ANY),
}


@pytest.mark.parametrize(("credential", "asked"), [*product(CREDENTIALS, Strength)])
def test_each_credential_proves_what_it_proves(credential, asked):
    policy = replace(material.policy(), strength=asked)
    leg = material.leg(material.sign_off(OWNER, proof=credential), under=policy, people=(OWNER,))

    enough = (credential, asked) in PROVED

    assert suffices(credential, asked=asked) is enough
    assert why_not_counted(leg.sign_offs[0], rule=policy.rules[0], facts=leg) == (None if enough else "proof")
    assert quorum(leg).met is enough


def test_strictest_meets_all_of_them():
    assert strictest([]) is Strength.ANY
    assert strictest([Strength.TWO_FACTORS, Strength.ANY]) is Strength.TWO_FACTORS
    assert strictest([Strength.TWO_FACTORS, Strength.PASSKEY, Strength.ANY]) is Strength.PASSKEY


@pytest.fixture
def world(db):
    return make_world(require_two_factors=True)


@pytest.fixture
def change(world):
    return world.change(now=timezone.now())


def drafted(change, person, decision="APPROVE", **more):
    return draft_statement(change_id=change.pk, choice=Choice(decision, newest(change).digest, **more), by=signer(person))


def is_met(change):
    return quorum(review_facts(change).legs[0]).met


def test_password_alone_is_not_two_factors_and_the_refusal_says_what_is_missing(world, change):
    with pytest.raises(Refused) as caught:
        drafted(change, world.business)

    refusal = caught.value.refusal
    place = f"{world.target.service.name} in {world.target.environment.name}"
    assert (refusal.code, refusal.kind.name) == ("two_factors_required", "NOT_ALLOWED")
    assert refusal.reason == f"The policy of {place} asks for two factors, and your password alone is one."
    assert refusal.cure == "Add a passkey or an authenticator app on your profile, then sign with it."


def test_statement_that_was_read_under_a_milder_policy_is_not_taken(world, change):
    make_policy(world.target.environment, require_two_factors=False)
    data = drafted(change, world.business)
    make_policy(world.target.environment, require_two_factors=True)

    with pytest.raises(Refused) as caught:
        sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=signer(world.business))

    assert caught.value.refusal.code == "two_factors_required"
    assert not SignOff.objects.exists()


def test_password_and_code_are_two_factors(world, change):
    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor)

    change.refresh_from_db()
    assert (is_met(change), change.state) == (True, State.APPROVED)


def test_passkey_is_two_factors(world, change):
    Signer(world.business).sign(change)

    assert is_met(change)


def test_what_was_signed_by_password_stops_counting_when_two_factors_are_asked_for(world, change):
    make_policy(world.target.environment, require_two_factors=False)
    data = drafted(change, world.business)
    sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=signer(world.business))
    assert is_met(change)

    make_policy(world.target.environment, require_two_factors=True)

    assert not is_met(change)
    with_two_factors(world.business)
    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor)
    assert is_met(change)


def test_to_say_no_is_never_made_harder(world, change):
    data = drafted(change, world.business, "REJECT", reason="Not like this.")

    sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=signer(world.business))

    change.refresh_from_db()
    assert change.state == State.REJECTED


def test_nothing_of_the_product_signs_without_a_proof(world, change):
    person = with_two_factors(world.business)
    data = drafted(change, person)
    session = statement_bytes(replace(read_statement(data), by=person.actor.as_data()))

    for statement, by in ((data, signer(person)), (data, person.actor), (session, person.actor), (session, signer(person))):
        with pytest.raises(Refused):
            sign_statement(change_id=change.pk, signed=Signed(statement), by=by)

    assert not SignOff.objects.exists()
    assert not {"approve_change", "reject_change"} & {*dir(actions)}


def test_session_proves_nothing_even_where_our_own_key_signed_it(world, change):
    """Not even somebody with the key and the database makes a person agree by the session they once had."""
    sign_off = approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor)
    claim = claim_of(sign_off, installation=installation_id())
    assert statement_holds(claim)

    data = statement_bytes(replace(read_statement(claim.statement), by=world.business.actor.as_data(), at=claim.given_at))
    signature = signing_key().sign(signed_message(data)).value

    assert not statement_holds(replace(claim, statement=data, statement_hash=digest(data), signature=signature))


def test_gate_counts_what_the_policy_asks_for(world, change):
    make_policy(world.target.environment)
    data = drafted(change, world.business)
    sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=signer(world.business))
    leg = change.legs.get()
    asked = question_about(leg)
    assert [one.proof for one in gather(asked).facts.legs[0].quorum.sign_offs] == [PASSWORD]
    assert quorum(gather(asked).facts.legs[0].quorum).met

    make_policy(world.target.environment, require_two_factors=True)

    assert not quorum(gather(asked).facts.legs[0].quorum).met


def test_verifier_names_an_agreement_that_is_weaker_than_its_policy_asked_for(world, change):
    make_policy(world.target.environment)
    data = drafted(change, world.business)
    sign_statement(change_id=change.pk, signed=Signed(data, proved=proved(world.business)), by=signer(world.business))
    out = io.BytesIO()
    write_export(out)
    export = out.getvalue()

    assert verifier.verify(io.BytesIO(export)).sign_offs == 1
    with pytest.raises(verifier.DoesNotHold, match="proved themselves by password, and the policy asked for more"):
        verifier.verify(io.BytesIO(export.replace(b'"proof":"ANY"', b'"proof":"PASSKEY"')))


def test_forecast_names_who_adds_something_first(world, change):
    """Of whom has signed already nothing is asked any more."""
    policy = world.target.environment
    make_policy(policy, a_rule(needed=2), require_two_factors=True)

    def words():
        (leg,) = look_ahead(review_facts(change).legs, now=timezone.now())
        return unproved_words(forecast(leg), asked=leg.policy.strength)

    assert words() == "Bea and Tom add a passkey or an authenticator app first: the policy asks for two factors."
    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor)
    assert words() == "Tom adds a passkey or an authenticator app first: the policy asks for two factors."
    make_passkey(world.technical)
    assert words() == ""
    make_policy(policy, a_rule(needed=2), require_passkey=True)
    assert words() == "Bea adds a passkey first: the policy asks for a passkey."
    make_policy(policy, a_rule(needed=2))
    assert words() == ""


def test_inbox_says_what_cannot_be_signed_yet(client, world, change):
    shown = text_of(get(client, world.business, "home:inbox"))

    assert f"{change.ref}: the policy asks for two factors. You sign after adding a passkey or an authenticator app." in shown
    with_two_factors(world.business)
    assert "You sign after adding" not in text_of(get(client, world.business, "home:inbox"))


def test_change_page_says_who_adds_something_first(client, world, change):
    text = text_of(get(client, world.requester, "home:change", change.ref))

    assert "2 people can sign. Bea and Tom add a passkey or an authenticator app first: the policy asks for two factors." in text
