"""A second judge of the gate's questions, slow and plain: written from the design over a dump of all rows, without the product's code.

What it answers is what the gate must answer. Where the gate says ALLOW and this one does not, somebody was let through."""

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from tests.gate.second_judge_askers import why_not_asked
from tests.gate.second_judge_made import Makers, makers
from tests.gate.second_judge_proof import (
    Keys,
    digests_found,
    does_exception_count,
    is_approved_beforehand,
    is_intact,
    sign_off_said,
)
from tests.gate.second_judge_rows import PARTS, Asked, Dump, Human, NotJudged, Row, group_as_stated, human, is_member, stays_as
from tests.gate.second_judge_shown import is_shown_to_be_well

BILLION = 1_000_000_000
MOST_LEGS = 8
OPEN = {"IN_REVIEW", "APPROVED", "IN_PROGRESS"}
NEVER_OFF = {"version", "used_up", "approval", "signature"}
PASSED_BY = {"EMERGENCY": {"approval", "settings", "promotion", "evidence"}, "FREEZE": {"freeze", "window", "slot"}}
PASSABLE = {"freeze", "window", "slot", "period", "hold", "lock", "reservation", "promotion", "evidence", "settings", "way_back"}
Found = list[tuple[str, str]]  # effect and code


@dataclass(frozen=True)
class Opinion:
    """What the second judge says, and why."""

    verdict: str
    why: tuple[str, ...]
    on: frozenset[str] = frozenset()  # what the answer stands on, for counting what was reached


def second_judge(rows: Dump, asked: Asked, *, now: datetime, keys: Keys) -> Opinion:
    """Answer a question from the rows alone."""
    service = named(rows, "service", asked.service)
    environment = named(rows, "environment", asked.environment)
    if why := why_not_asked(rows, asked, service, environment, now=now, keys=keys):
        return Opinion("DENY", (why,))
    target = rows.one("catalog_target", service_id=service["id"], environment_id=environment["id"]) if service and environment else None
    if service is None or environment is None or target is None:
        return Opinion("DENY", ("unknown",))
    if service["retired_at"] or environment["retired_at"] or target["retired_at"]:
        return Opinion("DENY", ("retired",))
    place = Place(rows, asked, service, environment, target, now, keys)
    opinions = [opinion(place, leg) for leg in place.legs_meant()]
    return next(
        (one for verdict in ("ALLOW", "PENDING", "DENY") for one in opinions if one.verdict == verdict), Opinion("DENY", ("no_change",))
    )


def named(rows: Dump, kind: str, slug: str) -> Row | None:
    if (row := rows.one(f"catalog_{kind}", slug=slug)) is not None:
        return row
    alias = rows.one(f"catalog_{kind}alias", slug=slug)
    return rows.get(f"catalog_{kind}", alias[f"{kind}_id"]) if alias else None


class Place:
    """One question at one moment, with the rows that it is about."""

    def __init__(self, rows: Dump, asked: Asked, service: Row, environment: Row, target: Row, now: datetime, keys: Keys) -> None:
        self.rows, self.asked, self.now, self.keys = rows, asked, now, keys
        self.service, self.environment, self.target = service, environment, target
        self.goes_back = asked.action == "ROLLBACK"
        self.needs = "NO" if self.goes_back else environment["change_required"]
        self.modes = {one["rule"]: one["mode"] for one in rows.all("gate_rulemode", environment_id=environment["id"])}
        settings = rows.get("catalog_targetsettings", target["settings_id"]) if target["settings_id"] else None
        self.settings = settings["digest"] if settings else ""

    def legs_meant(self) -> list[Row | None]:
        """The legs that could be meant; one that needs no change is judged with one of exactly this version, or with none."""
        legs = [] if self.goes_back else self.open_legs()
        if self.needs != "NO":
            return [*legs]
        same = sorted((leg for leg in legs if set(self.facts(leg)["identities"]) == self.asked.identities), key=lambda leg: leg["id"])
        return [same[0] if same else None]

    def open_legs(self) -> list[Row]:
        keys = self.rows.all("changes_legidentity", service_id=self.service["id"], environment_id=self.environment["id"], is_open=True)
        ids = {one["leg_id"] for one in keys if one["identity"] in self.asked.identities}
        found = [leg for leg in self.rows.tables["changes_leg"] if leg["id"] in ids and self.asked.leg in {None, leg["id"]}]
        if len(found) > MOST_LEGS:
            raise NotJudged("more legs than are read")
        return found

    def facts(self, leg: Row) -> Row:
        """What the newest revision of the leg's change says, read from its stored bytes."""
        change = self.rows.get("changes_change", leg["change_id"])
        revision = self.rows.get("changes_revision", change["revision_id"])
        said = {part: json.loads(bytes(revision[part])) for part in PARTS}
        here = (str(self.service["public_id"]), str(self.environment["public_id"]))
        items = [
            one
            for one in said["scope"]["items"]
            if one["service"]["id"] == here[0] and here[1] in {each["id"] for each in one["environments"]}
        ]
        return {
            **said,
            "change": change,
            "revision": revision,
            "identities": items[0]["version"]["identities"] if items else [],
            "digests": digests_found(revision),
            "intact": is_intact(self.rows, revision),
            "settings": self.settings,
            "service": self.service,
            "environment": self.environment,
        }


def opinion(place: Place, leg: Row | None) -> Opinion:
    """Every rule about one leg, as it is applied in the environment and past whatever an exception passes."""
    facts = place.facts(leg) if leg else None
    passed = exceptions(place, leg, facts) if leg and facts else set()
    found: Found = []
    for name, check in RULES.items():
        mode = "ENFORCED" if name in NEVER_OFF else place.modes.get(name, "ENFORCED")
        said = check(place, leg, facts) if mode == "ENFORCED" else []
        found += [one for one in said if name not in passed or one[1] == "no_policy"]
    effects = {effect for effect, _ in found}
    verdict = "DENY" if "BLOCK" in effects else "PENDING" if "WAIT" in effects else "ALLOW"
    return Opinion(verdict, tuple(sorted(code for _, code in found)), grounds(place, facts, passed) if verdict == "ALLOW" else frozenset())


def grounds(place: Place, facts: Row | None, passed: set[str]) -> frozenset[str]:
    if facts is None or place.needs != "APPROVED":
        return frozenset()
    body, exclude = policy_of(place, facts) or {}, set((policy_of(place, facts) or {}).get("exclude", ()))
    said = {
        "past an exception": bool(passed),
        "beforehand": is_approved_beforehand(place.rows, facts, place.keys),
        "where makers are kept out": bool({"author", "committer"} & exclude),
        "where a passkey is asked for": bool(body.get("require_passkey")),
        "signed by passkey": any(said is not None and said["by"]["credential"] == "passkey" for _, said in sign_offs(place, facts)),
    }
    return frozenset(name for name, holds in said.items() if holds)


def exceptions(place: Place, leg: Row, facts: Row) -> set[str]:
    passed: set[str] = set()
    for one in place.rows.all("approvals_legexception", leg_id=leg["id"]):
        if one["agreed_at"] and does_exception_count(place.rows, one, leg, facts, place.keys, place.now):
            passed |= PASSED_BY.get(one["kind"], set(one["lifts"]) & PASSABLE)
    return passed


# Each rule: the place, the leg and what its revision says, to what is found.


def version(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.goes_back:
        before = set(place.target["previous_identities"])
        return [] if before and before <= place.asked.identities else [("BLOCK", "not_previous")]
    if place.needs == "NO":
        return []
    assert facts is not None
    approved = set(facts["identities"])
    found = [] if approved and approved <= place.asked.identities else [("BLOCK", "identity")]
    body = policy_of(place, facts)
    wants = place.needs == "APPROVED" and body is not None and body.get("require_digest")
    return [*found, ("BLOCK", "digest_required")] if wants and not any(one.startswith("sha256:") for one in approved) else found


def used_up(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs == "NO" or leg is None or facts is None:
        return []
    if leg["state"] == "STARTED":
        own = place.asked.deployment and str(place.target["occupied_by"]) == place.asked.deployment
        return [] if own else [("WAIT", "leg_started")]
    if leg["state"] not in {"WAITING", "FAILED"} or facts["change"]["state"] not in OPEN:
        return [("BLOCK", "over")]
    return [("BLOCK", "failed_too_often")] if leg["failures_count"] >= 3 else []


def approval(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs != "APPROVED" or leg is None or facts is None or is_approved_beforehand(place.rows, facts, place.keys):
        return []
    if policy_of(place, facts) is None:
        return [("BLOCK", "no_policy")]
    return [] if is_agreed(place, facts, sign_offs(place, facts)) else [("WAIT", "sign_off_missing")]


def signature(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs == "NO" or facts is None:
        return []
    found: Found = [] if facts["intact"] else [("BLOCK", "content_differs")]
    if place.needs == "APPROVED" and any(said is None for _, said in sign_offs(place, facts)):
        found.append(("BLOCK", "signature_differs"))
    return found


def settings(place: Place, leg: Row | None, facts: Row | None) -> Found:
    """What people agreed to with other settings before their eyes is no agreement to these."""
    if place.needs != "APPROVED" or facts is None or is_approved_beforehand(place.rows, facts, place.keys):
        return []
    if policy_of(place, facts) is None:
        return []
    given, target = sign_offs(place, facts), str(place.target["public_id"])
    saw = [(row, said) for row, said in given if said is not None and said["settings"].get(target, "") == place.settings]
    return [("BLOCK", "settings_changed")] if is_agreed(place, facts, given) and not is_agreed(place, facts, saw) else []


def period(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs == "NO" or facts is None:
        return []
    begins = facts["period"].get("not_before")
    if begins and place.now < datetime.fromisoformat(begins):
        return [("WAIT", "period_not_begun")]
    return [("BLOCK", "period_over")] if place.now >= datetime.fromisoformat(facts["period"]["not_after"]) else []


def walls(place: Place, kind: str) -> list[tuple[Row, bool, bool]]:
    """The calendar's rules of a kind that could matter here, each with whether it is on, and whether it is not written out."""
    rules = [one for one in place.rows.all("schedule_calendarrule", kind=kind, lifted_at=None) if one["scope"] in scopes(place)]
    now = place.now
    return [
        (
            one,
            any(part.lower <= now < part.upper for part in one["covers"]),
            one["expanded_until"] is not None and one["expanded_until"] <= now,
        )
        for one in rules
        if one["live_until"] > now
    ]


def scopes(place: Place) -> set[int]:
    ids = (place.environment["id"], place.service["tier"], place.service["team_id"], place.service["id"], place.target["id"])
    return {0, *(number * BILLION + one for number, one in enumerate(ids, start=1))}


def window(place: Place, leg: Row | None, facts: Row | None) -> Found:
    found = [] if place.goes_back else walls(place, "WINDOW")
    if not found or any(on and not behind for _, on, behind in found):
        return []
    return [("BLOCK", "calendar_behind")] if any(behind for _, _, behind in found) else [("WAIT", "outside_window")]


def freeze(place: Place, leg: Row | None, facts: Row | None) -> Found:
    found = [] if place.goes_back else walls(place, "FREEZE")
    return [("WAIT", "frozen") if on else ("BLOCK", "calendar_behind") for _, on, behind in found if on or behind]


def slot(place: Place, leg: Row | None, facts: Row | None) -> Found:
    planned = place.rows.one("schedule_slot", leg_id=leg["id"]) if leg and place.needs != "NO" else None
    return [("WAIT", "before_slot")] if planned and place.now < planned["starts_at"] else []


def hold(place: Place, leg: Row | None, facts: Row | None) -> Found:
    standing = [one for one in place.rows.all("schedule_hold", lifted_at=None) if one["scope"] in scopes(place)]
    return [("BLOCK", "held")] if standing and not place.goes_back else []


def lock(place: Place, leg: Row | None, facts: Row | None) -> Found:
    return [("BLOCK", "locked")] if place.target["locked_at"] is not None else []


def free(place: Place, leg: Row | None, facts: Row | None) -> Found:
    by = place.target["occupied_by"]
    return [("WAIT", "occupied")] if by is not None and str(by) != place.asked.deployment else []


def reservation(place: Place, leg: Row | None, facts: Row | None) -> Found:
    standing = place.rows.all("schedule_reservation", target_id=place.target["id"], released_at=None)
    others = [one for one in standing if one["reserved_until"] > place.now and str(one["held_for"]) != place.asked.deployment]
    return [("WAIT", "reserved")] if others and not place.goes_back else []


def promotion(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs == "NO" or facts is None:
        return []
    lower = [
        (target, place.rows.get("catalog_environment", target["environment_id"]))
        for target in place.rows.all("catalog_target", service_id=place.service["id"], retired_at=None)
    ]
    lower = [(target, rung) for target, rung in lower if rung["retired_at"] is None and rung["rank"] < place.environment["rank"]]
    nearest = [target for target, rung in lower if rung["rank"] == max(rung["rank"] for _, rung in lower)]
    arrived = [has_proved_itself(place, target, facts["identities"]) for target in nearest]
    wanted = (policy_of(place, facts) or {}).get("promotion", "ONE")
    enough = all(arrived) if wanted == "ALL" else any(arrived)
    return [("BLOCK", "not_promoted")] if nearest and not enough else []


def has_proved_itself(place: Place, target: Row, identities: list[str]) -> bool:
    """Whether the artifact, else the commit, arrived there and the version that arrived did not go bad since."""
    wanted = {one for one in identities if one.startswith("sha256:")} or set(identities)
    arrivals = place.rows.all("catalog_arrival", target_id=target["id"])
    good = [one for one in arrivals if one["outcome"] in {"SUCCEEDED", "ADOPTED"} and wanted and wanted <= set(one["identities"])]
    bad = [one for one in arrivals if one["outcome"] in {"FAILED", "LEFT"}]
    return any(
        not any(set(other["identities"]) == set(one["identities"]) and (other["at"], other["id"]) > (one["at"], one["id"]) for other in bad)
        for one in good
    )


def way_back(place: Place, leg: Row | None, facts: Row | None) -> Found:
    if place.needs == "NO" or facts is None:
        return []
    strategy = facts["rollback"].get("strategy")
    if strategy is None:
        return [("BLOCK", "no_rollback_plan")]
    by_itself = strategy in {"PREVIOUS_RELEASE", "TRAFFIC_SWITCH"}
    return [("BLOCK", "nothing_to_go_back_to")] if by_itself and not place.target["running_identities"] else []


def evidence(place: Place, leg: Row | None, facts: Row | None) -> Found:
    body = policy_of(place, facts) if place.needs == "APPROVED" and facts is not None else None
    if facts is None or body is None or not body.get("require_evidence"):
        return []
    is_well = is_shown_to_be_well(place.rows, facts["change"]["id"], set(facts["identities"]))
    return [] if is_well else [("BLOCK", "evidence_missing")]


CHECKS = (
    version, used_up, approval, signature, settings, period, window, slot, freeze, hold, lock, free, reservation, promotion, evidence, way_back
)  # fmt: skip
RULES = {one.__name__: one for one in CHECKS}


# Who agreed.


def policy_of(place: Place, facts: Row) -> Row | None:
    """The policy in force now: of the service before of all, of the kind before of every kind, of the highest risk reached."""
    change, here = facts["change"], place.rows.all("approvals_policy", environment_id=place.environment["id"], retired_at=None)
    fitting = [
        one
        for one in here
        if one["version_id"] is not None
        and one["service_id"] in {None, place.service["id"]}
        and one["kind"] in {"", change["kind"]}
        and one["least_risk"] <= (change["risk"] or 0)
    ]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: (one["service_id"] is not None, one["kind"] != "", one["least_risk"]))
    body: Row = json.loads(bytes(place.rows.get("approvals_policyversion", best["version_id"])["body"]))
    return body


Given = list[tuple[Row, Row | None]]


def sign_offs(place: Place, facts: Row) -> Given:
    """The sign-offs of the change that were not withdrawn, each with what it proves."""
    found = place.rows.all("approvals_signoff", change_id=facts["change"]["id"], withdrawn_at=None)
    return [(row, sign_off_said(place.rows, row, place.keys)) for row in found]


def is_agreed(place: Place, facts: Row, given: Given) -> bool:
    """Whether distinct people fill every seat of every rule."""
    body = policy_of(place, facts)
    assert body is not None
    counted = [counting(place, facts, rule, given) for rule in body["rules"]]
    heard = voices_used([one for found in counted for one in found])
    made = makers_of(place, facts) if {"author", "committer"} & set(body["exclude"]) else None
    by_stage = [rule for rule in sorted(body["rules"], key=lambda one: one["stage"]) if rule["needed"]]
    charged = by_stage[0]["key"] if by_stage and made and made.may_be_more else None  # one more, for whoever nobody knows
    seats: list[set[str]] = []
    for rule, found in zip(body["rules"], counted, strict=True):
        voices = {voice for row, signer, voice in found if heard[signer] == voice}
        more = int(rule["key"] == charged)
        seats += [voices] * (rule["needed"] + more) if rule["needed"] else everyone(place, facts, rule, body, voices)
    return bool(body["rules"]) and can_sit([*seats])


Counted = list[tuple[Row, str, str]]  # the row, who signed, and whose seat it fills


def voices_used(counted: Counted) -> dict[str, str]:
    """Who signs for several is heard once: as the one they spoke for last."""
    newest: dict[str, tuple[tuple[int, datetime, str], str]] = {}
    for row, signer, voice in counted:
        when = (row["number"], row["given_at"], str(row["public_id"]))
        if signer not in newest or newest[signer][0] < when:
            newest[signer] = (when, voice)
    return {signer: voice for signer, (_, voice) in newest.items()}


def counting(place: Place, facts: Row, rule: Row, given: Given) -> Counted:
    rows, found = place.rows, []
    for row, said in given:
        signer = human(rows, row["person_id"], place.service)
        holder = in_whose_place(place, facts, row, signer)
        if said is not None and holder is not None and counts(place, facts, rule, row, said, signer, holder):
            number = rows.get("changes_revision", row["revision_id"])["number"]
            found.append(({**row, "number": number}, signer.stays, holder.stays))
    return found


def in_whose_place(place: Place, facts: Row, row: Row, signer: Human) -> Human | None:
    """Oneself; or whom one stood in for, who had asked for it then; None where they had not."""
    if row["delegation_id"] is None:
        return signer
    asked = place.rows.get("approvals_delegation", row["delegation_id"])
    until = min(asked["ends_at"], asked["ended_at"] or asked["ends_at"])
    fits = (
        stays_as(place.rows, asked["delegate_id"]) == signer.stays
        and asked["starts_at"] <= row["given_at"] < until
        and (asked["service_ids"] is None or place.service["id"] in asked["service_ids"])
        and (asked["kinds"] is None or facts["change"]["kind"] in asked["kinds"])
    )
    person = place.rows.get("accounts_person", asked["person_id"])
    return human(place.rows, person["merged_into_id"] or person["id"], place.service) if fits else None


def counts(place: Place, facts: Row, rule: Row, row: Row, said: Row, signer: Human, holder: Human) -> bool:
    """An agreement to what is there now, that covers what the rule covers, by somebody who is there and may say so."""
    body, at = policy_of(place, facts), row["given_at"]
    assert body is not None
    spoken = {(one["group"], one["target"]) for one in said["rules"]}
    return (
        (row["decision"], row["meaning"]) == ("APPROVE", rule["meaning"])
        and signer.was_here_since(at)
        and holder.was_here_since(at)
        and (group_as_stated(rule["group"], place.service), str(place.target["public_id"])) in spoken
        and is_member(holder, rule["group"])
        and not is_kept_out(place, facts, rule, body, signer, own=signer.stays == holder.stays and row["delegation_id"] is None)
        and (row["delegation_id"] is None or not is_kept_out(place, facts, rule, body, holder, own=False))
        and said["by"]["credential"] in strong_enough(body)
        and set(rule["parts"]) <= set(said["covers"])
        and bool(said["covers"])
        and all(facts["digests"].get(part) == seen for part, seen in said["covers"].items())
    )


def strong_enough(body: Row) -> set[str]:
    """By what somebody must have proved themselves."""
    if body.get("require_passkey"):
        return {"passkey"}
    return {"passkey", "password_and_code"} if body.get("require_two_factors") else {"passkey", "password_and_code", "password"}


def is_kept_out(place: Place, facts: Row, rule: Row, body: Row, person: Human, *, own: bool) -> bool:
    """The requester always, unless alone is allowed; the last editor of what the rule covers, and who had it deployed, where said."""
    rows, change = place.rows, facts["change"]
    requester = stays_as(rows, change["requester_id"])
    alone = body.get("solo", False) and own and person.stays == requester
    editors = {last_editor(rows, facts, part) for part in rule["parts"]}
    legs = {leg["id"] for leg in rows.all("changes_leg", change_id=change["id"])}
    hands = {stays_as(rows, one["person_id"]) for one in rows.tables["approvals_implementer"] if one["leg_id"] in legs}
    if {"author", "committer"} & set(body["exclude"]):
        made = makers_of(place, facts)
        wrote = (("author", made.authors), ("committer", made.committers))
        if any(hand in body["exclude"] and person.stays in by for hand, by in wrote):
            return True
    return (
        (person.stays == requester and not alone)
        or ("last_editor" in body["exclude"] and person.stays in editors and not alone)
        or ("implementer" in body["exclude"] and person.stays in hands)
    )


def makers_of(place: Place, facts: Row) -> Makers:
    """Found once per question."""
    if "makers" not in facts:
        facts["makers"] = makers(place.rows, facts["change"], place.now)
    found: Makers = facts["makers"]
    return found


def last_editor(rows: Dump, facts: Row, part: str) -> str:
    """Who wrote the newest revision in which the part says something else than before."""
    written = [one for one in rows.all("changes_revision", change_id=facts["change"]["id"]) if one["number"] <= facts["revision"]["number"]]
    written.sort(key=lambda one: one["number"])
    pairs = zip(written, [None, *written], strict=False)
    changed = [one for one, before in pairs if before is None or one[f"{part}_digest"] != before[f"{part}_digest"]]
    return stays_as(rows, changed[-1]["author_id"])


def everyone(place: Place, facts: Row, rule: Row, body: Row, voices: set[str]) -> list[set[str]]:
    """One seat per member who is there and not kept out. Nobody there, or somebody unknown who is named: a seat nobody fills."""
    people = [human(place.rows, one["id"], place.service) for one in place.rows.tables["accounts_person"]]
    members = {
        one.stays
        for one in people
        if one.active and one.id == one.stays and is_member(one, rule["group"]) and not is_kept_out(place, facts, rule, body, one, own=True)
    }
    unknown = set(rule["group"].get("persons", ())) - {one.id for one in people}
    seats = [{member} & voices for member in sorted(members)] + [set() for _ in unknown]
    return seats or [set()]


def can_sit(seats: list[set[str]]) -> bool:
    """Whether distinct people can take all seats: by trying every way."""
    if not all(seats):
        return False
    return any(len(set(way)) == len(seats) for way in product(*seats))
