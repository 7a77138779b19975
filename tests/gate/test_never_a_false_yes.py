"""Never a false yes: over generated histories the gate answers what a second judge does, which shares no code with it.

The ordinary suite walks a few histories, the same ones each time. More of them, in pieces that may run one after another:
`HISTORIES=1000 HISTORIES_SEED=1 make test ARGS="tests/gate/test_never_a_false_yes.py -k many"`"""

import os
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.approvals.proof import stated
from apps.approvals.rules import counting
from apps.catalog.models import Outcome
from apps.gate import reading, tickets
from apps.gate.models import Trust
from apps.gate.rules import Action, judging
from tests.gate.never_machine import Gated
from tests.gate.never_world import make_world

HISTORIES, SEED = int(os.environ.get("HISTORIES", "0")), int(os.environ.get("HISTORIES_SEED", "0"))
STEPS = 15
FEW, SOME = 8, 60
FOUND = r"false yes|the gate says|redeemed"
NOT_SPENT = "select %s::bigint, %s::timestamptz, %s::text, %s::text"  # as if it had been written
COMMON = {
    "stateful_step_count": STEPS,
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "report_multiple_bugs": False,
}
REACHED = ("live/DEPLOY/ALLOW", "live/DEPLOY/PENDING", "live/DEPLOY/DENY", "live/ROLLBACK/ALLOW", "stage/DEPLOY/ALLOW")


def walk(machine, **more):
    run_state_machine_as_test(machine, settings=settings(**{**COMMON, "derandomize": True, **more}))


@pytest.fixture
def machine(db, provider):
    """A machine of its own, with its own count of what happened."""
    return type("Histories", (Gated,), {"world": make_world(provider.issuer), "seen": type(Gated.seen)(), "turns": count()})


@pytest.mark.slow
def test_both_judges_agree_after_every_step_of_some_histories(machine):
    walk(machine, max_examples=FEW)

    assert [answer for answer in REACHED if not machine.seen[answer]] == []


@pytest.mark.slow
@pytest.mark.skipif(not HISTORIES, reason="HISTORIES says how many")
def test_both_judges_agree_over_many_histories(machine):
    try:
        # Whatever is found is told as it was found: making it short takes longer than all histories.
        walk(seed(SEED)(machine), max_examples=HISTORIES, derandomize=False, phases=[Phase.generate])
    finally:
        print(f"seed {SEED}:", *(f"{what}: {times}" for what, times in sorted(machine.seen.items())), sep="\n  ")

    assert [answer for answer in (*REACHED, "redeemed", "not redeemed") if not machine.seen[answer]] == []


def without(*rules):
    return lambda: patch.object(judging, "LATER", tuple(rule for rule in judging.LATER if rule.name not in rules))


def always_live(body, question, ask=reading._asker):
    return replace(ask(body, question), is_live=True)


def timeless(envelope, *, keys, now):
    opened = tickets._permit(tickets._parts(envelope)[0])
    return tickets.open_ticket(envelope, keys=keys, now=opened.not_before)


def but_editors(person, *, ask=counting.excluded_as, **more):
    found = ask(person, **more)
    return None if found == "last_editor" else found


def but_authors(person, *, ask=counting.excluded_as, **more):
    found = ask(person, **more)
    return None if found == "author" else found


def waiting_or_not():
    return Trust.objects.filter(grant__revoked_at__isnull=True).select_related("grant", "issuer")


def everywhere(found):
    stack = ExitStack()
    for place in ("counting", "seats", "verbs"):
        stack.enter_context(patch(f"apps.approvals.rules.{place}.excluded_as", found))
    return stack


def edited(number=0, *, name=""):
    return ("edit", {"number": number, "part": "scope", "name": name})


def declared(kind, begins):
    return ("declare", {"kind": kind, "place": "web/live", "begins": begins, "all_of_it": False})


def arrived(version, outcome):
    return ("arrive", {"place": "web/stage", "version": version, "outcome": Outcome(outcome)})


def by_hand(how, *, name="tom"):
    return ("put_in_an_agreement_by_hand", {"name": name, "number": 0, "how": how, "lets": False, "instead": False})


def asked_by(job, *, place="web/live", ends=False):
    return ("ask_from_a_job", {"place": place, "version": "one", "job": job, "action": Action.DEPLOY, "ends": ends})


def redeemed(*, twice=False):
    return ("redeem", {"data": First(), "twice": twice, "which": None})


class First:
    """Draws what comes first."""

    def draw(self, strategy, label=None):
        return 0


AGREED, FREEZE = ("approve", {"name": "tom", "number": 0}), declared("freeze", -1)
ASKED = ("ask", {"place": "web/live", "version": "one", "which": 0, "key": "", "action": Action.DEPLOY})
EXCEPTED = ("except_a_leg", {"number": 0, "kind": "FREEZE", "lifts": "freeze", "second": "max"})
LET_IN = ("grant_or_revoke", {"name": "tom", "role": "REQUESTER", "takes": False})
FORGED = by_hand("no signature", name="bea")
MAKERS_OUT = ("keep_makers_out", {"exclude": ["author"], "needed": 1, "narrow": False})
ENDED = ("end_a_trust", {"data": First()})
BY_HAND = ("put_in_an_agreement_by_hand", "withdraw_an_agreement")

# What somebody could break, in the one place where it would be broken, and the shortest history that is hurt by it.
PLANTED = {
    "signatures are not looked at": (lambda: patch("apps.gate.reading.proved_statement", lambda claim: stated(claim.statement)), [FORGED]),
    "an edit lapses nothing": (lambda: patch("apps.approvals.rules.counting.stands", lambda *_, **__: True), [edited()]),
    "who left still counts": (
        lambda: patch("apps.approvals.rules.counting.was_away_since", lambda *_, **__: False),
        [("leave_or_come_back", {"name": "tom"})],
    ),
    "who left the group still counts": (
        lambda: patch("apps.approvals.rules.counting.in_group", lambda *_, **__: True),
        [("own_or_not", {"name": "tom", "service": "web", "ends": True})],
    ),
    "editors agree to their own": (lambda: everywhere(but_editors), [LET_IN, edited(name="tom"), AGREED]),
    "dead tokens ask": (lambda: patch("apps.gate.reading._asker", always_live), [("revoke_a_token", {"which": 0}), ASKED]),
    "exceptions for what was there before": (
        lambda: patch("apps.gate.rules.exceptions.counts", lambda *_, **__: True),
        [FREEZE, EXCEPTED, edited(), AGREED],
    ),
    "tickets hold for ever": (
        lambda: patch("apps.gate.steps.open_ticket", timeless),
        [ASKED, ("time_passes", {"seconds": 3660}), redeemed()],
    ),
    "tickets are spent twice": (lambda: patch("apps.gate.steps.SPEND", NOT_SPENT), [ASKED, redeemed(twice=True)]),
    "no freeze": (without("freeze"), [FREEZE]),
    "no window": (without("window"), [declared("window", 2)]),
    "no hold": (without("hold"), [("hold_or_lift", {"place": "web/live", "kind": "TARGET"})]),
    "no period": (without("period"), [("time_passes", {"seconds": 49 * 3600})]),
    "no lock": (without("lock"), [("lock_or_unlock", {"place": "web/live"})]),
    "no settings": (without("settings"), [("write_settings", {"place": "web/live", "seconds": 2})]),
    "no promotion": (without("promotion"), [arrived("one", "FAILED")]),
    "no identity": (without("version"), [("move_to_another_version", {"number": 0}), AGREED, arrived("two", "SUCCEEDED")]),
    "no quorum": (without("approval"), []),
    "a passkey may answer what it likes": (
        lambda: patch("apps.approvals.proof.why_not_presented", lambda *_: None),
        [by_hand("not verified")],
    ),
    "authors agree to their own": (lambda: everywhere(but_authors), [arrived("three", "SUCCEEDED"), MAKERS_OUT]),
    "who is not known has made nothing": (
        lambda: patch("apps.approvals.rules.counting.needed_of", lambda rule, **_: rule.needed),
        [MAKERS_OUT],
    ),
    "trusts that ended are believed": (
        lambda: patch("apps.gate.reading._asker", always_live),
        [ENDED, asked_by("ours", ends=True)],
    ),
    "trusts that wait are believed": (
        lambda: patch("apps.gate.trusts.in_force", waiting_or_not),
        [("put_in_a_trust_by_hand", {"how": "waits"}), asked_by("for elsewhere")],
    ),
    "forks are taken": (
        lambda: patch("apps.gate.rules.taking._merge_request", lambda *_: None),
        [ENDED, asked_by("of a fork's code", place="web/stage")],
    ),
    "forks ask where people agree": (
        lambda: patch("apps.gate.rules.asking.unfit", lambda *_: None),
        [("put_in_a_trust_by_hand", {"how": "takes merge requests"}), asked_by("of a fork's code")],
    ),
    "jobs ask about any commit": (
        lambda: patch("apps.gate.rules.asking._fit_for", lambda *_: iter(())),
        [("put_in_a_trust_by_hand", {"how": "for its own commit"}), asked_by("ours")],
    ),
    "tokens ask for everything": (
        lambda: patch("apps.gate.reading._some", lambda ids: None),
        [("ask", {"place": "api/live", "version": "one", "which": 1, "key": "", "action": Action.DEPLOY})],
    ),
    "no leg is used up": (without("used_up", "free", "reservation"), [ASKED, redeemed()]),
}
UNSAID = {"signatures are not looked at", "no quorum", "a passkey may answer what it likes"}  # there, nobody has agreed yet
BY_CHANCE = (
    "a passkey may answer what it likes",
    "no freeze",
    "no hold",
    "no quorum",
    "signatures are not looked at",
    "who left still counts",
)


def done(machine, deeds, *, unsaid):
    """One history that somebody wrote: the two judges are asked after every step, as in a generated one."""
    one = machine()
    one.begin(unsaid={0, 1} if unsaid else set())
    try:
        one.both_judges_say_the_same()
        for name, given in deeds:
            getattr(one, name)(**given)
            one.both_judges_say_the_same()
    finally:
        one.teardown()


@pytest.mark.parametrize("bug", sorted(PLANTED))
def test_what_is_broken_is_found_by_the_second_judge(bug, machine):
    broken, deeds = PLANTED[bug]
    done(machine, deeds, unsaid=bug in UNSAID)

    with broken(), pytest.raises(AssertionError, match=FOUND):
        done(machine, deeds, unsaid=bug in UNSAID)


@pytest.mark.slow
@pytest.mark.parametrize("bug", BY_CHANCE)
def test_what_is_broken_is_found_within_some_histories(bug, machine):
    broken, deeds = PLANTED[bug]
    machine.fond_of = BY_HAND if bug in UNSAID else tuple(name for name, _ in deeds)

    with broken(), pytest.raises(AssertionError, match=FOUND):
        walk(machine, max_examples=SOME, phases=[Phase.generate])
