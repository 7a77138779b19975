"""What people, pipelines and machinery may do in a generated history, each by the real action; whether it is refused or not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from apps.accounts.actions import deactivate_person, grant_role, merge_persons, reactivate_person, revoke_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import (
    retire_policy,
    review_exception,
    revise_change,
    send_back_change,
    submit_change,
    withdraw_exception,
    withdraw_sign_off,
    write_policy,
)
from apps.approvals.models import LegException, Policy, SignOff
from apps.catalog.actions import adopt_version, end_ownership, lock_target, retire_service, start_ownership, unlock_target
from apps.catalog.models import Environment, Outcome
from apps.catalog.settings_body import settings_bytes
from apps.catalog.steps import add_settings, note_arrival, write_environment
from apps.catalog.versions import Version
from apps.changes.actions import withdraw_change
from apps.changes.facts import content_of
from apps.changes.models import Leg
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import revoke_gate_token, set_rule_mode
from apps.gate.rules import SWITCHABLE, Mode
from apps.schedule.actions import book_slot, declare_freeze, declare_window, lift_freeze, lift_hold, lift_window, place_hold, release_slot
from apps.schedule.models import CalendarRule, Hold, Slot
from tests.approvals.world import edited
from tests.factories.approvals import a_rule, newest
from tests.factories.catalog import SETTINGS
from tests.factories.exceptions import plea
from tests.factories.gate import ARTIFACT
from tests.gate.never_hands import Hands
from tests.gate.never_world import BY, DAY, HOSTED, HOUR, PEOPLE, POLICIES, VERSIONS, World

PLACES = ("web/live", "web/stage", "web/dev", "api/live")
NUMBERS = st.integers(0, 4)
WHO = st.sampled_from(PEOPLE)
SIGNERS = st.sampled_from(["bea", "ben", "tom", "max", "mia", "sam", "bea", "tom", "rita"])
PARTS = st.sampled_from(["scope", "plan", "rollback", "period", "story"])
LONGEST_WAY = 9 * DAY  # partitions of verdicts are there for so long
UNTIL = ("freeze", "window", "slot", "period", "hold", "lock", "reservation", "promotion", "evidence", "settings", "way_back")


SOMEBODY, PIPELINES = "somebody", "pipelines"
DEEDS: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {SOMEBODY: [], PIPELINES: []}


def deed(of=SOMEBODY, when=lambda _: True, **given):
    """Something that may be done. Not a rule each: Hypothesis leaves most of many rules out of a history."""

    def listed(method):
        DEEDS[of].append((method.__name__, when, given))
        return method

    return listed


class Deeds:
    """Everybody but the pipelines."""

    world: World
    hands: Hands

    def tried(self, verb, *args, **given):
        """Do it, whether it is refused or not; nobody here needs to know which."""
        try:
            return verb(*args, now=self.clock, **given)
        except (Refused, BadContent):
            return None

    def person(self, name):
        return Person.objects.get(pk=self.world.people[name])

    # What people do to changes

    @deed(name=SIGNERS, number=NUMBERS)
    def approve(self, name, number):
        self.clock += timedelta(seconds=1)
        self.tried(lambda *, now: self.hands.agree(self.world.change(number), self.person(name), now))

    @deed(number=NUMBERS, names=st.sampled_from([("tom",), ("tom", "max"), ("bea", "tom")]))
    def several_agree(self, number, names):
        for name in names:
            self.approve(name, number)

    @deed(when=lambda self: len(self.tickets) > 1, name=SIGNERS, number=NUMBERS)
    def reject(self, name, number):
        self.tried(lambda *, now: self.hands.reject(self.world.change(number), self.person(name), now))

    @deed(data=None)
    def withdraw_an_agreement(self, data):
        if rows := [*SignOff.objects.filter(withdrawn_at=None, decision="APPROVE").order_by("pk").select_related("person")]:
            row = rows[data.draw(st.integers(0, len(rows) - 1))]
            self.tried(withdraw_sign_off, sign_off_id=row.pk, by=row.person.actor)

    @deed(number=NUMBERS, part=PARTS, name=st.sampled_from(["", "", "bea", "max"]))
    def edit(self, number, part, name):
        change = self.world.change(number)
        content = edited(content_of(newest(change)), part)
        self.tried(revise_change, change_id=change.pk, content=content, by=self.world.actor(name) if name else change.requester.actor)

    @deed(number=NUMBERS)
    def move_to_another_version(self, number):
        change = self.world.change(number)
        content = content_of(newest(change))
        items = tuple(
            replace(one, identities=(*one.identities, ARTIFACT)) if ARTIFACT not in one.identities else one for one in content.scope.items
        )
        content = replace(content, scope=replace(content.scope, items=items))
        self.tried(revise_change, change_id=change.pk, content=content, by=change.requester.actor)

    @deed(number=NUMBERS)
    def send_back_or_submit(self, number):
        change = self.world.change(number)
        if change.state == "DRAFT":
            self.tried(submit_change, change_id=change.pk, by=change.requester.actor)
        else:
            self.tried(send_back_change, change_id=change.pk, by=self.world.actor("max"), reason="More, as agreed.")

    @deed(when=lambda self: len(self.tickets) > 1, number=NUMBERS)
    def withdraw(self, number):
        change = self.world.change(number)
        self.tried(withdraw_change, change_id=change.pk, by=change.requester.actor, reason="Not needed.")

    # Walls

    @deed(kind=st.sampled_from(["freeze", "window"]), place=st.sampled_from(PLACES), begins=st.integers(-1, 2), all_of_it=st.booleans())
    def declare(self, kind, place, begins, all_of_it):
        verb, target = {"freeze": declare_freeze, "window": declare_window}[kind], self.world.target(place)
        scope = {} if all_of_it else {"scope_kind": "TARGET", "scope_id": target.public_id}
        starts = self.clock + begins * HOUR / 2
        self.tried(verb, title="As planned", starts_at=starts, ends_at=starts + HOUR, time_zone="UTC", by=self.world.actor("max"), **scope)

    @deed(data=None)
    def lift_a_wall(self, data):
        if rules := [*CalendarRule.objects.filter(lifted_at=None).order_by("pk")]:
            one = rules[data.draw(st.integers(0, len(rules) - 1))]
            self.tried(lift_freeze if one.kind == "FREEZE" else lift_window, rule_id=one.pk, by=self.world.actor("max"))

    @deed(place=st.sampled_from(PLACES), kind=st.sampled_from(["EVERYTHING", "SERVICE", "ENVIRONMENT", "TARGET"]))
    def hold_or_lift(self, place, kind):
        by, target = self.world.actor("max"), self.world.target(place)
        if (hold := Hold.objects.filter(lifted_at=None).order_by("pk").first()) is not None:
            self.tried(lift_hold, hold_id=hold.pk, by=by, reason="It is well.")
            return
        scope = {
            "EVERYTHING": None,
            "SERVICE": target.service.public_id,
            "ENVIRONMENT": target.environment.public_id,
            "TARGET": target.public_id,
        }
        self.tried(place_hold, scope_kind=kind, scope_id=scope[kind], reason="We look into something.", by=by)

    @deed(number=NUMBERS, begins=st.integers(0, 3))
    def plan_or_release(self, number, begins):
        leg = Leg.objects.filter(change=self.world.changes[number], is_current=True).order_by("-pk").first()
        if leg is None or Slot.objects.filter(leg=leg).exists():
            self.tried(release_slot, leg_id=leg.pk if leg else 0, by=self.world.actor("max")) if leg else None
            return
        starts = self.clock + begins * HOUR
        self.tried(book_slot, leg_id=leg.pk, starts_at=starts, ends_at=starts + HOUR, by=self.world.actor("max"))

    @deed(place=st.sampled_from(PLACES))
    def lock_or_unlock(self, place):
        target, by = self.world.target(place), self.world.actor("ola")
        if target.locked_at is None:
            self.tried(lock_target, target.pk, reason="Disk swap.", by=by)
        else:
            self.tried(unlock_target, target.pk, by=by)

    @deed(place=st.sampled_from(["web/live", "web/stage", "api/live"]), seconds=st.integers(0, 2))
    def write_settings(self, place, seconds):
        add_settings(self.world.target(place), settings_bytes({**SETTINGS, "bake_seconds": seconds}), by=BY, at=self.clock)

    # People

    @deed(name=st.sampled_from(["bea", "tom", "max", "rita", "sam"]))
    def leave_or_come_back(self, name):
        person, self.clock = self.person(name), self.clock + timedelta(seconds=1)
        self.tried(deactivate_person if person.is_active else reactivate_person, person.pk, by=self.world.actor("ada"))

    @deed(name=st.sampled_from(["max", "mia", "rita", "tom"]), role=st.sampled_from(["RELEASE_MANAGER", "REQUESTER"]), takes=st.booleans())
    def grant_or_revoke(self, name, role, takes):
        self.tried(revoke_role if takes else grant_role, self.world.people[name], role=Role(role), by=self.world.actor("ada"))

    @deed(name=st.sampled_from(["bea", "tom", "ben"]), service=st.sampled_from(["web", "api"]), ends=st.booleans())
    def own_or_not(self, name, service, ends):
        given = {"kind": "TECHNICAL" if name == "tom" else "BUSINESS", "by": self.world.actor("ada")}
        self.tried(end_ownership if ends else start_ownership, self.world.services[service], self.world.people[name], **given)

    @deed(when=lambda self: self.running, name=st.sampled_from(["bea", "ben", "ruth"]))
    def find_out_that_two_are_one(self, name):
        self.tried(merge_persons, self.world.merging, self.world.people[name], by=self.world.actor("ada"))

    # Strictness

    @deed(name=st.sampled_from(sorted(SWITCHABLE)), rung=st.sampled_from(["live", "stage"]), mode=st.sampled_from([*Mode]))
    def set_a_mode(self, name, rung, mode):
        self.tried(set_rule_mode, environment_id=self.world.environments[rung], rule=name, mode=mode, by=HOSTED)

    @deed(rung=st.sampled_from(["dev", "stage"]), needs=st.sampled_from(["NO", "RECORDED", "APPROVED"]))
    def ask_for_more_or_less(self, rung, needs):
        place = Environment.objects.get(pk=self.world.environments[rung])
        write_environment(place, {"change_required": needs}, by=HOSTED, at=self.clock)

    @deed(
        rules=st.sampled_from(POLICIES),
        switch=st.sampled_from(["", "solo", "require_digest", "require_evidence", "require_two_factors", "require_passkey"]),
        exclude=st.sampled_from([["requester", "last_editor"], ["requester"], ["requester", "implementer"], ["requester", "author"]]),
        promotion=st.sampled_from(["ONE", "ALL"]),
        narrow=st.booleans(),
    )
    def write_a_policy(self, rules, switch, exclude, promotion, narrow):
        document = {"rules": rules, "exclude": exclude, "promotion": promotion, **({switch: True} if switch else {})}
        place = {"environment_id": self.world.environments["live"], "service_id": self.world.services["web"] if narrow else None}
        self.tried(write_policy, name="Who agrees", document=document, by=self.world.actor("ada"), **place)

    @deed(name=st.sampled_from(PEOPLE))
    def name_somebody(self, name):
        named = a_rule("named", group={"kind": "PERSONS", "persons": [str(self.person(name).public_id)]})
        self.tried(
            write_policy,
            name="Who agrees",
            document={"rules": [named]},
            by=self.world.actor("ada"),
            environment_id=self.world.environments["live"],
            service_id=self.world.services["api"],
        )

    @deed(when=lambda self: self.running)
    def end_a_policy(self):
        if (one := Policy.objects.filter(retired_at=None).order_by("-pk").first()) is not None:
            self.tried(retire_policy, policy_id=one.pk, by=self.world.actor("ada"))

    # Exceptions

    @deed(
        number=NUMBERS,
        kind=st.sampled_from(["EMERGENCY", "FREEZE", "GATE"]),
        lifts=st.sampled_from(UNTIL),
        second=st.sampled_from(["max", "mia", "tom"]),
    )
    def except_a_leg(self, number, kind, lifts, second):
        leg = Leg.objects.filter(change=self.world.changes[number], is_current=True).order_by("-pk").first()
        self.clock += timedelta(seconds=1)
        if leg is not None:
            asked = plea(kind, lifts=(lifts,) if kind == "GATE" else (), minutes=45)
            one = self.tried(lambda *, now: self.hands.ask_exception(leg, asked, leg.change.requester, now))
            if one is not None:
                self.tried(lambda *, now: self.hands.agree_exception(one, self.person(second), now))

    @deed(reviews=st.booleans())
    def withdraw_or_review_an_exception(self, reviews):
        if (one := LegException.objects.filter(agreed_at__isnull=False, withdrawn_at=None).order_by("pk").first()) is None:
            return
        if reviews:
            by = self.world.actor("max")
            self.tried(review_exception, exception_id=one.pk, by=by, review="It was right.", prevention="Ask earlier.")
        else:
            self.tried(withdraw_exception, exception_id=one.pk, by=one.asked_by.actor)

    # Pipelines and machinery

    @deed(which=st.integers(0, 2))
    def revoke_a_token(self, which):
        self.tried(revoke_gate_token, self.world.tokens[which][0], by=HOSTED)

    @deed(seconds=st.sampled_from([60, 1800, 3660, 7200, 25 * 3600, 49 * 3600, 73 * 3600]))
    def time_passes(self, seconds):
        self.clock = min(self.clock + timedelta(seconds=seconds), self.world.start + LONGEST_WAY)

    @deed(place=st.sampled_from(PLACES), version=st.sampled_from(sorted(VERSIONS)), outcome=st.sampled_from([*Outcome]))
    def arrive(self, place, version, outcome):
        reached = Version(version, VERSIONS[version])
        if outcome == Outcome.ADOPTED:
            self.tried(adopt_version, self.world.targets[place], version=reached, reason="It runs.", by=self.world.actor("ola"))
        else:
            note_arrival(self.world.target(place), reached, outcome, by=BY, at=self.clock)

    @deed(when=lambda self: len(self.tickets) > 2)
    def retire_a_service(self):
        self.tried(retire_service, self.world.services["api"], by=self.world.actor("ada"))
