"""Which change the question belongs to, whether it names exactly what was approved, and whether that is used up."""

from collections.abc import Iterable

from apps.changes.states import LARGEST_FAILURES, OPEN, LegState, State
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, wait, warn

REQUESTER = "the requester"


def matches(case: Case) -> Iterable[Finding]:
    """A change names this version here, and the question carries every approved identity."""
    if case.is_rollback:
        yield from _matches_previous(case)
    elif case.needs_change:
        if case.facts.legs_cut:
            yield block(
                "too_many_changes",
                f"More open changes name this version in {case.environment.name} than are read.",
                "Withdraw the changes that are not needed.",
                who="their requesters",
            )
        elif case.leg is not None:
            yield from _differences(case)
        elif case.closed is None:
            yield _no_change(case)


def _matches_previous(case: Case) -> Iterable[Finding]:
    asked, previous = set(case.facts.question.identities), set(case.target.previous)
    if not previous:
        said = f"{case.service.name} in {case.environment.name} has no previous release."
        yield block("no_previous_release", said, "Fix forward with a change.", who=REQUESTER)
    elif not previous <= asked:
        said = f"Going back leads to {case.target.previous_label}, which ran before; the question names another version."
        yield block("not_previous_release", said, f"Ask for {_listed(previous)}.", who="whoever asks", final=True)
    elif extra := asked - previous:
        said = f"The question also names {_listed(extra)}, which {case.target.previous_label} did not; the way back leads to what ran."
        yield warn("identity_extra", said, "Ask for what ran before alone.", who="whoever asks")


def _differences(case: Case) -> Iterable[Finding]:
    leg = case.leg
    assert leg is not None  # noqa: S101 - the caller has looked
    asked, approved = set(case.facts.question.identities), set(leg.identities)
    missing, extra = sorted(approved - asked), sorted(asked - approved)
    if not approved:
        said = f"Revision {leg.revision} of {leg.ref} does not name {case.service.name} in {case.environment.name}."
        yield block("not_in_revision", said, "Revise the change.", who=REQUESTER)
    elif missing and {_kind(one) for one in missing} & {_kind(one) for one in extra}:
        said = f"{leg.ref} approves {_listed(missing)}; the question names {_listed(extra)}."
        yield block("identity_differs", said, "Deploy what was approved, or ask for a change of this version.", who=REQUESTER, final=True)
    elif missing:
        said = f"{leg.ref} also names {_listed(missing)}, and the question does not."
        yield block("identity_missing", said, "Ask again with every approved identity.", who="whoever asks", final=True)
    elif extra:
        said = f"The question also names {_listed(extra)}, which {leg.ref} does not."
        yield warn("identity_extra", said, "Add it to the next change.", who=REQUESTER)
    if (
        case.needs_approval
        and leg.quorum.policy
        and leg.quorum.policy.require_digest
        and not any(_kind(one) == "sha256" for one in approved)
    ):
        said = f"The policy {leg.quorum.policy.name} asks for an artifact digest, and {leg.ref} names none."
        yield block("digest_required", said, "Add the artifact's sha256 digest to the change.", who=REQUESTER)


def _no_change(case: Case) -> Finding:
    return block(
        "no_change",
        f"No change asks for this version of {case.service.name} in {case.environment.name}.",
        "Request a change for it.",
        who="a requester",
    )


def not_used_up(case: Case) -> Iterable[Finding]:
    """The change is submitted and open, and this leg of it may still start."""
    if case.closed is not None:
        yield _over(case.closed.ref, case.closed.change_state, case.closed.state)
    elif case.leg is not None and case.needs_change:
        leg = case.leg
        if leg.state == LegState.STARTED:
            if not case.is_own:
                said = f"{leg.ref} is being deployed to {case.environment.name} now."
                yield wait("leg_started", said, "Wait until that deployment has ended.", who="nobody")
        elif leg.state not in {LegState.WAITING, LegState.FAILED} or leg.change_state not in OPEN:
            yield _over(leg.ref, leg.change_state, leg.state)
        elif leg.failures >= LARGEST_FAILURES:
            said = f"{leg.ref} failed {leg.failures} times in {case.environment.name}."
            yield block("failed_too_often", said, "Ask for a new change; this one is not started again.", who=REQUESTER)


def _over(ref: str, change_state: str, leg_state: str) -> Finding:
    """Why a leg that is not open cannot start; never None: whatever is closed is a no."""
    match leg_state, change_state:
        case _, State.DRAFT:
            return block("not_submitted", f"{ref} is a draft.", f"Submit {ref}.", who=REQUESTER)
        case LegState.DONE, _:
            return block("used_up", f"{ref} has brought this version here already.", "Ask for a new change.", who=REQUESTER, final=True)
        case _, State.REJECTED | State.WITHDRAWN | State.EXPIRED:
            said = {"REJECTED": "was rejected", "WITHDRAWN": "was withdrawn", "EXPIRED": "expired before it was agreed or done"}[
                change_state
            ]
            return block(f"change_{change_state.lower()}", f"{ref} {said}.", "Ask for a new change.", who=REQUESTER, final=True)
        case LegState.ROLLED_BACK, _:
            return block("rolled_back", f"{ref} was rolled back here.", f"Revise {ref} and have it signed again.", who=REQUESTER)
        case _:
            return block("change_over", f"{ref} is over.", "Ask for a new change.", who=REQUESTER, final=True)


def _kind(identity: str) -> str:
    return identity.partition(":")[0]


def _listed(identities: Iterable[str]) -> str:
    return ", ".join(sorted(identities))
