"""Every rule: its name, what it asks, which codes it may answer with, and whether an environment may switch it off.

`docs/gate-rules.md` is written from here."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.gate.rules import agreement, asking, calendar, evidence, exceptions, ground, promotion, version, way_back
from apps.gate.rules.cases import Check


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `codes` says when each code is given; its message and cure are made from the facts."""

    name: str
    title: str
    check: Check
    codes: Mapping[str, str]
    can_be_off: bool = True

    @property
    def asks(self) -> str:
        """What must be so, as the check itself says it."""
        return " ".join((self.check.__doc__ or "").split())


# Nothing else is told, and nothing else is looked at, before these two are satisfied.
FIRST = (
    Rule(
        "identity", "Identity may ask", asking.may_ask, can_be_off=False,
        codes={
            "unknown_token": "nobody issued the token",
            "token_over": "the token has expired or was revoked",
            "action_out_of_scope": "the token is not for this action",
            "out_of_scope": "the token is not for this service and environment",
            "merge_request": "a CI job for a merge request or a fork asks where people must agree",
            "ref_not_protected": "a GitLab job on a ref that is not protected asks where people must agree",
            "other_commit": "a CI job whose trust is for its own commit asks about another",
        },
    ),
    Rule(
        "known_target", "Known target", asking.known_target, can_be_off=False,
        codes={
            "unknown_service": "no such service, or one that the asker may not see",
            "unknown_environment": "no such environment",
            "unknown_target": "the service has no target in the environment",
            "retired": "service, environment or target is retired",
        },
    ),
)  # fmt: skip

RULES = (
    *FIRST,
    Rule(
        "version", "A change names exactly this version", version.matches, can_be_off=False,
        codes={
            "no_change": "the environment asks for a change and none names this version",
            "too_many_changes": "more open changes name the version than are read",
            "not_in_revision": "the signed scope does not name this service and environment",
            "identity_differs": "another identity of the same kind was approved",
            "identity_missing": "an approved identity is not in the question",
            "identity_extra": "the question carries an identity that was not approved (warns)",
            "digest_required": "the policy asks for an artifact digest and the change has none",
            "no_previous_release": "going back is asked for and nothing ran before",
            "not_previous_release": "going back is asked for, to something else than what ran before",
        },
    ),
    Rule(
        "used_up", "The leg is open", version.not_used_up, can_be_off=False,
        codes={
            "not_submitted": "the change is a draft",
            "leg_started": "this leg is being deployed (waits)",
            "used_up": "this leg has succeeded: one success uses it up",
            "rolled_back": "this leg was rolled back; it needs a new revision",
            "failed_too_often": "this leg failed three times",
            "change_rejected": "the change was rejected",
            "change_withdrawn": "the change was withdrawn",
            "change_expired": "the change expired",
            "change_over": "the change is over, or the leg was skipped",
        },
    ),
    Rule(
        "approval", "Quorum of this leg", agreement.agreed, can_be_off=False,
        codes={
            "no_policy": "the environment asks for approval and no policy says whose",
            "sign_off_missing": "people have not signed yet (waits)",
            "sign_off_lapsed": "an edit lapsed a sign-off (waits)",
            "sign_off_later": "an earlier stage is not agreed (waits)",
            "not_beforehand": "the model of a standard change does not approve it beforehand, so people sign (warns)",
        },
    ),
    Rule(
        "signature", "Signatures and stored content", agreement.signed, can_be_off=False,
        codes={
            "content_differs": "stored content does not have its digest",
            "signature_differs": "a standing sign-off has no signature that verifies",
        },
    ),
    Rule(
        "settings", "Deployment settings as signed", agreement.settings_as_signed,
        codes={"settings_changed": "the target's deployment settings changed after the sign-offs"},
    ),
    Rule(
        "period", "Period", calendar.in_period,
        codes={"period_not_begun": "the signed period begins later (waits)", "period_over": "the signed period has ended"},
    ),
    Rule(
        "window", "Window", calendar.in_window,
        codes={
            "outside_window": "windows are declared and none is open (waits)",
            "calendar_behind": "the calendar is not written out up to now",
        },
    ),
    Rule(
        "slot", "Slot", calendar.in_slot,
        codes={"before_slot": "the planned start is later (waits)", "after_slot": "the planned end has passed (warns)"},
    ),
    Rule(
        "freeze", "Freeze", calendar.not_frozen,
        codes={"frozen": "a freeze covers this moment (waits)", "calendar_behind": "the calendar is not written out up to now"},
    ),
    Rule("hold", "Hold", ground.not_held, codes={"held": "a stop stands on target, service, team, tier or environment"}),
    Rule("lock", "Lock", ground.not_locked, codes={"locked": "the target is locked"}),
    Rule("free", "Target is free", ground.is_free, codes={"occupied": "another deployment is on the target (waits)"}),
    Rule(
        "reservation", "Conflict with a reservation", ground.not_reserved,
        codes={"reserved": "an earlier deployment may still have to go back (waits)"},
    ),
    Rule(
        "promotion", "Promotion", promotion.promoted,
        codes={"not_promoted": "the version has not arrived on the nearest lower rung where the service has a target, or went bad there since"},
    ),
    Rule(
        "evidence", "Evidence", evidence.is_shown,
        codes={
            "evidence_missing": "the policy asks for a test report without failures and none was shown for this version",
            "evidence_bad": "a report shown for this version counts failed tests or errors of a scanner (warns)",
        },
    ),
    Rule(
        "way_back", "Rollback plan is executable", way_back.has_way_back,
        codes={
            "no_rollback_plan": "the change has no rollback plan",
            "nothing_to_go_back_to": "the plan goes back to the previous release and what runs is not known",
        },
    ),
    Rule(
        "room", "Room for the way back", way_back.has_room,
        codes={
            "no_room_in_period": "deploying, watching and going back reach beyond the period (warns)",
            "no_room_in_window": "deploying, watching and going back reach beyond the window (warns)",
        },
    ),
    Rule(
        "exceptions", "Exceptions and their debts", exceptions.in_force,
        codes={
            "exception_in_force": "two people agreed to an exception for this leg; what it passes is a warning (warns)",
            "exception_void": "an exception does not count, and why (warns)",
            "review_overdue": "the team owes the review of an earlier exception (warns)",
        },
    ),
)  # fmt: skip

SWITCHABLE = frozenset(rule.name for rule in RULES if rule.can_be_off)
KEPT = frozenset(rule.name for rule in RULES if not rule.can_be_off)

# Rules of the design whose facts nobody records yet.
NOT_YET = {
    "Provenance": "who built the artifact, from which commit, is proved by a signed statement",
    "Rehearsal": "the rollback plan was rehearsed lately enough",
    "Dependencies": "no dependency's way back is taken away",
}
