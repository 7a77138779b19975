"""Why a sign-off does not count: the first of ten doubts, whichever others hold beside it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.approvals.rules import Strength, editor_of, excluded_as, in_group, spoken_for, stands, suffices, why_not_counted
from apps.approvals.rules.counting import was_away_since
from tests.approvals.material import ANY_OWNER, AT, BUSINESS, DIGESTS, RELEASE, SIGNED, TECHNICAL, leg, person, policy, rule, sign_off

SOMETIMES = st.integers(0, 3).map(lambda number: number == 0)
GROUPS = st.sampled_from((ANY_OWNER, BUSINESS, TECHNICAL, RELEASE))
PARTS = st.sampled_from((SIGNED, ("scope",), ("scope", "plan"), ("story", *SIGNED)))
EXCLUDED = st.sampled_from((("requester", "last_editor"), ("requester",), (), ("last_editor",)))
PERSONS = st.builds(
    lambda number, owner, role, active, until: replace(
        person(number, owner=owner, role=role, active=active), inactive_until=AT + timedelta(days=until) if until else None
    ),
    st.integers(1, 4),
    st.sampled_from(("BUSINESS", "TECHNICAL", "")),
    st.sampled_from(("RELEASE_MANAGER", "")),
    SOMETIMES.map(lambda is_gone: not is_gone),
    st.sampled_from((0, 0, 0, -1, 1)),
)
GIVEN = st.builds(
    lambda who, groups, parts, changes: sign_off(who, *groups, parts=parts, **changes),
    PERSONS,
    st.lists(GROUPS, max_size=3),
    PARTS,
    st.fixed_dictionaries(
        {},
        optional={
            "decision": st.sampled_from(("APPROVE", "REJECT")),
            "signature_ok": st.sampled_from((True, True, False, None)),
            "proof": st.sampled_from(("passkey", "password", "session", "")),
            "meaning": st.sampled_from(("APPROVAL", "APPROVAL", "REVIEW")),
            "covered": st.sampled_from(({}, {"scope": "0" * 64}, dict.fromkeys(SIGNED, "0" * 64))),
            "stands_for": PERSONS,
            "is_mandated": st.booleans(),
        },
    ),
)
LEGS = st.builds(
    lambda one, exclude, solo, strength, unknown: replace(
        leg(one, under=replace(policy(exclude=exclude, solo=solo), strength=strength)),
        hands={name: {UUID(int=2 if name.startswith("last") else 1)} for name in HANDS if name != unknown},
    ),
    GIVEN,
    EXCLUDED,
    st.booleans(),
    st.sampled_from(list(Strength)),
    st.sampled_from(("", "", "", "requester", "last_editor:plan")),
)
HANDS = ("requester", *(editor_of(part) for part in DIGESTS))


def first_doubt(one, asked, facts):
    """Every doubt looked at, as it stands written in the design; the first that holds."""
    policy, holder = facts.policy, one.stands_for or one.person
    doubts = (
        ("decision", one.decision != "APPROVE"),
        ("signature", one.signature_ok is not True),
        ("proof", not suffices(one.proof, asked=policy.strength)),
        ("meaning", one.meaning != asked.meaning),
        ("inactive", was_away_since(one.person, given_at=one.given_at) or was_away_since(holder, given_at=one.given_at)),
        ("mandate", one.stands_for is not None and not one.is_mandated),
        ("group", not in_group(holder, asked.group) or spoken_for(asked.group, facts=facts) not in one.groups),
        ("excluded", excluded_as(one.person, rule=asked, policy=policy, hands=facts.hands, stands_for=one.stands_for) is not None),
        ("parts", not set(asked.parts) <= set(one.covered)),
        ("lapsed", not stands(one.covered, digests=facts.digests)),
    )
    return next((code for code, holds in doubts if holds), None)


def kept_out(one, asked, facts):
    """By what somebody did, as the design says it: each hand looked up whole before one is found; what is not known is an error."""
    hands, of, stands_for = facts.hands, one.person.canonical_id, one.stands_for
    solo = facts.policy.solo and of in hands["requester"] and stands_for is None
    for hand in ("requester", *sorted(facts.policy.exclude - {"requester"})):
        done_by = [hands[editor_of(part)] for part in asked.parts] if hand == "last_editor" else [hands[hand]]
        if any(of in who for who in done_by) and not (solo and hand in {"requester", "last_editor"}):
            return hand
    return None


def said(act):
    try:
        return act()
    except KeyError as error:
        return "not known", error.args


@given(LEGS, GROUPS, PARTS, st.sampled_from(("APPROVAL", "REVIEW")))
def test_the_first_doubt_is_told(facts, group, parts, meaning):
    one, asked = facts.sign_offs[0], rule(group=group, parts=parts, meaning=meaning)

    assert said(lambda: why_not_counted(one, rule=asked, facts=facts)) == said(lambda: first_doubt(one, asked, facts))


@given(LEGS, GROUPS, PARTS)
def test_what_somebody_did_keeps_them_out(facts, group, parts):
    one = replace(facts.sign_offs[0], stands_for=None)
    asked = rule(group=group, parts=parts)
    found = said(lambda: excluded_as(one.person, rule=asked, policy=facts.policy, hands=facts.hands))

    assert found == said(lambda: kept_out(one, asked, facts))
