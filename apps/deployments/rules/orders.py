"""Who may order, stop, settle and undo a deployment, and when. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from apps.core.refusals import Refusal, not_allowed, not_now
from apps.deployments.states import FINAL, State

OPERATING = frozenset({"OPERATOR", "RELEASE_MANAGER"})
WHO_OPERATES = "An operator or a release manager can."
# The refusals to start something, said of the person who ordered it.
ORDERERS = {
    "not_operating": "Whoever ordered it is no operator or release manager of this service any more.",
    "signed_by_you": "Whoever ordered it has signed the change, and its policy keeps signing and starting apart.",
}
STANDINGS = {
    State.QUEUED: "waits in the queue",
    State.RUNNING: "is running",
    State.VERIFYING: "is being checked",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ABORTING: "is being stopped",
    State.ABORTED: "was stopped",
    State.UNKNOWN: "lost its worker",
    State.RECONCILING: "lost its worker, and its target is being asked",
    State.NEEDS_HUMAN: "waits for a person to say what is true",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: their roles for the service, and what they are to the change."""

    roles: frozenset[str]
    is_requester: bool = False
    has_signed: bool = False

    @property
    def operates(self) -> bool:
        """Whether running deployments is their work."""
        return bool(self.roles & OPERATING)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What ordering a deployment depends on. The gate's answer is its effect and its first finding that is in the way."""

    caller: Caller
    target: str
    leg: Refusal | None = None  # what the states of the change and of its leg say
    open_order: str = ""
    forbids_signers: bool = False
    settings_fault: str = ""
    effect: str = "ALLOW"
    finding_code: str = ""
    finding: str = ""
    cure: str = ""


def why_not_start_anything(caller: Caller, *, forbids_signers: bool = False) -> Refusal | None:
    """Answer for the person alone: operators, release managers and the requester start deployments."""
    if not (caller.operates or caller.is_requester):
        return not_allowed(
            "not_operating", "You are no operator or release manager of this service.", "One of them, or the requester, can start it."
        )
    if forbids_signers and caller.has_signed:
        return not_allowed(
            "signed_by_you",
            "You signed this change, and its policy keeps signing and starting apart.",
            "Somebody who did not sign it can start it.",
        )
    return None


def why_not_order(facts: OrderFacts) -> Refusal | None:
    """Refuse an order that waiting cannot cure. PENDING is accepted: the order then waits in the queue."""
    if refusal := why_not_start_anything(facts.caller, forbids_signers=facts.forbids_signers):
        return refusal
    if facts.open_order:
        return not_now("already_ordered", f"{facts.open_order} is already on its way to {facts.target}.", "Watch it, or stop it first.")
    if facts.leg:
        return facts.leg
    if facts.settings_fault:
        return not_now("settings_unusable", facts.settings_fault, "An administrator corrects the deployment settings of the target.")
    if facts.effect == "DENY" or (facts.effect == "PENDING" and waits_for_people(facts.finding_code)):
        return not_now(facts.finding_code or "gate_denies", facts.finding or "The gate says no.", facts.cure)
    return None


def waits_for_people(code: str) -> bool:
    """Whether people end a wait, not time: a signature never starts a deployment by itself."""
    return code.startswith("sign_off")


@dataclass(frozen=True, slots=True)
class BeginFacts:
    """What a queued order depends on at the moment it begins, beside the gate. `caller` is who ordered it; None: not present any more."""

    caller: Caller | None
    by_machinery: bool = False
    forbids_signers: bool = False
    names_same_version: bool = True
    settings_hold: bool = True  # the bytes that would be carried out have the digest that was judged


def why_not_begin(facts: BeginFacts) -> Refusal | None:
    """Refuse an order that was in order once: time has passed in the queue, and people, version or settings are not what they were."""
    if not facts.names_same_version:
        return not_now("version_changed", "The change names another version since it was ordered.", "Order it again.")
    if not facts.settings_hold:
        return not_now(
            "settings_differ",
            "The stored deployment settings do not have the digest that was judged.",
            "An administrator runs the audit verifier, then writes the settings again.",
        )
    if facts.by_machinery:
        return None
    if facts.caller is None:
        return not_allowed("orderer_not_present", "Whoever ordered it is not active any more.", "Somebody who is orders it again.")
    refusal = why_not_start_anything(facts.caller, forbids_signers=facts.forbids_signers)
    return refusal and not_allowed(refusal.code, ORDERERS[refusal.code], "Somebody else orders it again.")


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """What stopping, settling and undoing one deployment depend on."""

    caller: Caller
    ref: str
    state: State
    has_switched: bool = False
    is_way_back: bool = False
    is_external: bool = False


def why_not_abort(facts: DeploymentFacts) -> Refusal | None:
    """Refuse to stop a deployment; before the switch it can be stopped, after it there is only the way back."""
    if not (facts.caller.operates or facts.caller.is_requester):
        return not_allowed(
            "not_operating", "You are no operator or release manager of this service.", "One of them, or the requester, can stop it."
        )
    if facts.state in FINAL:
        return not_now("over", f"{facts.ref} {STANDINGS[facts.state]}; it is over.", "")
    if facts.is_external:
        return not_now(
            "external", f"{facts.ref} is carried out by CI, where we cannot stop it.", "Cancel the job there, and let it report."
        )
    if facts.is_way_back:
        return not_now(
            "way_back", f"{facts.ref} takes a bad version away; stopping it would leave that version there.", "Wait until it ends."
        )
    if facts.has_switched or facts.state is State.VERIFYING:
        return not_now(
            "already_switched",
            f"{facts.ref} has already switched; stopping it now would leave the new version there.",
            "Roll it back instead.",
        )
    if facts.state not in {State.QUEUED, State.RUNNING}:
        return not_now("not_stoppable", f"{facts.ref} {STANDINGS[facts.state]}.", "It can be stopped while it is queued or running.")
    return None


class Truth(StrEnum):
    """What a person found to be true on the target."""

    NEW_RUNS = "NEW_RUNS"
    OLD_RUNS = "OLD_RUNS"
    ASK_AGAIN = "ASK_AGAIN"


def why_not_settle(facts: DeploymentFacts) -> Refusal | None:
    """Refuse to say what is true; only a deployment that needs a person is settled by one."""
    if not facts.caller.operates:
        return not_allowed("not_operating", "You are no operator or release manager of this service.", WHO_OPERATES)
    if facts.state is State.NEEDS_HUMAN or (facts.is_external and facts.state is State.UNKNOWN):
        return None
    cure = "Its job reports what becomes of it." if facts.is_external else "We ask the target ourselves; this page says what it answers."
    return not_now("not_waiting_for_you", f"{facts.ref} does not wait for a person.", cure)


def why_not_ask_again(facts: DeploymentFacts) -> Refusal | None:
    """Refuse to ask a target that only CI knows."""
    if facts.is_external:
        return not_now(
            "external", f"{facts.ref} was carried out by CI; we have no driver to ask.", "Look at the target, and say what runs."
        )
    return None


@dataclass(frozen=True, slots=True)
class WayBackFacts:
    """What undoing a deployment depends on."""

    ref: str
    is_way_back: bool
    undone_by: str = ""
    previous_label: str = ""
    is_previous_bad: bool = False
    runs_by_itself: bool = False  # the plan's strategy is one we carry out
    is_irreversible: bool = False
    is_external: bool = False


def why_not_undo(facts: WayBackFacts) -> Refusal | None:
    """Refuse a way back: never twice, never to a bad version, never past an irreversible step, only a plan that runs by itself."""
    if facts.is_way_back:
        return not_now("already_a_way_back", f"{facts.ref} is itself a rollback.", "Deploy the version you want as a new change.")
    if facts.undone_by:
        return not_now("already_undone", f"{facts.ref} is undone by {facts.undone_by}.", "")
    if not facts.previous_label:
        return not_now("nothing_before", "Nothing ran here before it, so there is nothing to go back to.", "Fix forward, as its plan says.")
    if facts.is_previous_bad:
        return not_now(
            "previous_is_bad", f"{facts.previous_label} itself failed here before.", "Deploy a version that is known to be good."
        )
    if facts.is_irreversible:
        return not_now("irreversible", "The plan names a step that cannot be undone.", "Follow the rollback plan by hand.")
    if facts.is_external:
        return not_now("external", f"{facts.ref} was carried out by CI.", "Run its rollback job: ccgate rollback, with the ticket it kept.")
    if not facts.runs_by_itself:
        return not_now("by_hand", "The rollback plan is carried out by people.", "Follow its steps; the change page lists them.")
    return None


def may_roll_back(facts: WayBackFacts) -> bool:
    """Whether we may go back by ourselves."""
    return why_not_undo(facts) is None


def why_not_roll_back(facts: DeploymentFacts, way_back: WayBackFacts, *, runs_now: bool) -> Refusal | None:
    """Refuse a person's order to roll back: it must be what runs, or being verified."""
    if not (facts.caller.operates or facts.caller.is_requester):
        return not_allowed(
            "not_operating", "You are no operator or release manager of this service.", "One of them, or the requester, can roll it back."
        )
    if refusal := why_not_undo(way_back):
        return refusal
    if facts.state is State.VERIFYING:
        return None
    if facts.state is not State.SUCCEEDED:
        return not_now("not_in_place", f"{facts.ref} {STANDINGS[facts.state]}.", "Only what has been switched can be rolled back.")
    if not runs_now:
        return not_now(
            "not_what_runs",
            f"What {facts.ref} brought does not run there any more.",
            "Roll back the deployment that brought what runs now.",
        )
    return None
