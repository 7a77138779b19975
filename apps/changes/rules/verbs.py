"""What may be done with a change now, and what became of it. Pure answers over frozen facts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.accounts.roles import Role
from apps.changes.content import Content, ItemContent, Strategy
from apps.changes.states import EDITABLE, ENDED, LARGEST_FAILURES, LEG_UNTOUCHED, OPEN, LegState, Outcome, State
from apps.core.refusals import Refusal, not_allowed, not_now

Place = tuple[UUID, UUID]  # public ids of a service and an environment


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the person behind the act, and the roles they have for every service of the change."""

    id: UUID | None
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LegFacts:
    """A current leg."""

    service_id: UUID
    environment_id: UUID
    place: str  # "payments-gateway in production"
    state: LegState
    failures_count: int = 0
    rolled_back_revision: int = 0


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """A change and its current legs."""

    ref: str
    state: State
    requester_id: UUID
    not_after: datetime | None
    legs: tuple[LegFacts, ...] = ()

    @property
    def in_flight(self) -> LegFacts | None:
        """A leg that is being deployed right now."""
        return next((leg for leg in self.legs if leg.state is LegState.STARTED), None)

    @property
    def touched(self) -> LegFacts | None:
        """A leg that was started, whatever became of it."""
        return next((leg for leg in self.legs if leg.state not in LEG_UNTOUCHED), None)


def why_not_create(*, by: Asker) -> Refusal | None:
    """Whether BY may ask for a change of these services."""
    if by.id is not None and Role.REQUESTER in by.roles:
        return None
    return not_allowed(
        "not_a_requester", "Asking for a change takes the role of requester for each of its services.", "An administrator grants that role."
    )


def why_not_revise(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may change the content now."""
    if facts.state not in EDITABLE:
        return _over(facts, "Copy it to ask again.")
    return _why_not_editor(facts, by)


def why_not_submit(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may submit it now; what its content still lacks is told field by field, not here."""
    if facts.state is not State.DRAFT:
        return not_now("not_a_draft", f"{facts.ref} is submitted already.", "Edit it: a saved edit is a new revision.")
    return _why_not_editor(facts, by)


def why_not_withdraw(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may take it back: only while nothing of it was started."""
    if facts.state not in EDITABLE:
        return _over(facts, "Nothing is left to withdraw.")
    if facts.touched:
        return not_now("already_started", f"{facts.touched.place} has been started.", "Finish the change: what has not started is skipped.")
    return _why_not_one_of(facts, by, Role.RELEASE_MANAGER)


def why_not_send_back(facts: ChangeFacts) -> Refusal | None:
    """Whether it may become a draft again; who may decide that is a question of sign-offs."""
    if facts.state is not State.IN_REVIEW:
        return not_now("not_in_review", f"{facts.ref} is not in review.", "Only a change in review is sent back.")
    if facts.touched:
        return not_now(
            "already_started", f"{facts.touched.place} has been started.", "Ask for an edit in a comment, or reject what is left."
        )
    return None


def why_not_finish(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may end it where it stands: legs that wait are skipped, the review follows."""
    if facts.state not in OPEN:
        return _over(facts, "Nothing is left to finish.")
    if facts.in_flight:
        return not_now("leg_in_flight", f"{facts.in_flight.place} is being deployed.", "Wait until it ends, or abort the deployment.")
    if not facts.touched:
        return not_now("nothing_started", "Nothing of it has been started.", "Withdraw the change instead.")
    return _why_not_one_of(facts, by, Role.RELEASE_MANAGER, Role.OPERATOR)


def why_not_expire(facts: ChangeFacts, *, now: datetime) -> Refusal | None:
    """Whether its time is over and nothing is being deployed."""
    if facts.state not in OPEN:
        return _over(facts, "It no longer expires.")
    if facts.not_after is None or facts.not_after > now:
        return not_now("period_not_over", "Its period is not over.", "")
    if facts.in_flight:
        return not_now("leg_in_flight", f"{facts.in_flight.place} is being deployed.", "It ends when the deployment has ended.")
    return None


def why_not_close(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may close it after its review."""
    if facts.state is not State.POST_REVIEW:
        return not_now("not_in_post_review", f"{facts.ref} is {_word(facts.state)}.", "A change is closed once it is in post review.")
    return _why_not_one_of(facts, by, Role.RELEASE_MANAGER)


def why_not_show_evidence(facts: ChangeFacts, *, by: Asker) -> Refusal | None:
    """Whether BY may put evidence on a leg now: until the change is closed, by who runs it too; it is outside what is signed."""
    if facts.state in ENDED and facts.state is not State.POST_REVIEW:
        return _over(facts, "Copy it to ask again.")
    return _why_not_one_of(facts, by, Role.REQUESTER, Role.OPERATOR, Role.RELEASE_MANAGER)


def why_not_review(outcome: Outcome, *, review: str) -> dict[str, list[str]]:
    """A review may be left out only where all went well; field to sentences."""
    if review.strip() or outcome is Outcome.SUCCESSFUL:
        return {}
    return {"review": ["Not everything went well. Say what happened and what is done about it."]}


def why_not_start_leg(*, change: State, leg: LegState, failures_count: int) -> Refusal | None:
    """Whether the states of a change and of its leg allow a start; everything else is the gate's."""
    if change not in OPEN:
        return not_now(
            "change_not_open", f"The change is {_word(change)}.", "Submit it." if change is State.DRAFT else "Copy it to ask again."
        )
    match leg:
        case LegState.STARTED:
            return not_now("leg_in_flight", "It is being deployed already.", "Wait until it ends, or abort the deployment.")
        case LegState.DONE:
            return not_now("leg_used_up", "It has been deployed: one success uses a leg up.", "Copy the change to deploy it again.")
        case LegState.SKIPPED:
            return not_now("leg_skipped", "It was skipped.", "Copy the change to ask again.")
        case LegState.ROLLED_BACK:
            return not_now(
                "leg_rolled_back", "It was rolled back.", "Save a new revision that says what is different now, or copy the change."
            )
    if leg is LegState.FAILED and not has_tries_left(failures_count):
        return not_now("no_tries_left", f"It failed {failures_count} times.", "Copy the change with a version that works.")
    return None


def has_tries_left(failures_count: int) -> bool:
    """Whether a failed leg may be started again."""
    return failures_count < LARGEST_FAILURES


def is_finished(legs: Collection[LegFacts]) -> bool:
    """Whether no leg can do anything more by itself. A rolled-back leg waits for its requester: a revision or an end."""
    return bool(legs) and all(
        leg.state in {LegState.DONE, LegState.SKIPPED} or (leg.state is LegState.FAILED and not has_tries_left(leg.failures_count))
        for leg in legs
    )


def outcome_of(legs: Collection[LegFacts]) -> Outcome:
    """What became of a change: the worst leg speaks for all."""
    states = {leg.state for leg in legs}
    if states <= LEG_UNTOUCHED:
        return Outcome.NOT_DEPLOYED
    if LegState.FAILED in states:
        return Outcome.FAILED
    if LegState.ROLLED_BACK in states:
        return Outcome.ROLLED_BACK
    clean = states == {LegState.DONE} and not any(leg.failures_count or leg.rolled_back_revision for leg in legs)
    return Outcome.SUCCESSFUL if clean else Outcome.SUCCESSFUL_WITH_ISSUES


def why_not_change_started(old: Content, new: Content, *, legs: Collection[LegFacts]) -> Refusal | None:
    """A started leg freezes its own item: the version and that place stay as they are."""
    was = {item.service_id: item for item in old.scope.items}
    wanted = {item.service_id: item for item in new.scope.items}
    for leg in legs:
        if leg.state in LEG_UNTOUCHED:
            continue
        item = wanted.get(leg.service_id)
        if (
            item is None
            or leg.environment_id not in {each.id for each in item.environments}
            or _version(item) != _version(was[leg.service_id])
        ):
            return not_now("item_is_frozen", f"{leg.place} has been started with this version.", "Copy the change to ask for another one.")
    return None


def why_not_places(
    content: Content, *, services: Collection[UUID], environments: Collection[UUID], targets: Collection[Place]
) -> dict[str, list[str]]:
    """Services, environments and targets that are not there, or not for the asker to see; field to sentences."""
    found: dict[str, list[str]] = {}
    for at, item in enumerate(content.scope.items):
        field = f"scope.items.{at}"
        if item.service_id not in services:
            found[f"{field}.service"] = ["There is no such service, or it is retired. Choose another one."]
            continue
        for environment in item.environments:
            if environment.id not in environments:
                said = "There is no such environment, or it is retired. Choose another one."
            elif (item.service_id, environment.id) not in targets:
                said = f"{item.service_name} has no target in {environment.name}. An administrator creates it in the catalogue."
            else:
                continue
            found.setdefault(f"{field}.environments", []).append(said)
    return found


def why_not_rollback(content: Content, *, runs: Mapping[Place, bool]) -> dict[str, list[str]]:
    """A target where nothing runs has no previous release; RUNS says by place whether something runs there."""
    if content.rollback.strategy is not Strategy.PREVIOUS_RELEASE:
        return {}
    empty = [
        f"{item.service_name} in {environment.name}"
        for item in content.scope.items
        for environment in item.environments
        if not runs.get((item.service_id, environment.id), False)
    ]
    if not empty:
        return {}
    where = ", ".join(empty)
    return {
        "rollback.strategy": [
            f"A first deployment has nothing to go back to: {where}. Choose fix forward, and write how: what, who, how long, how it is proved."
        ]
    }


def _version(item: ItemContent) -> tuple[str, frozenset[str], str]:
    return item.label, frozenset(item.identities), item.repository


def _word(state: State) -> str:
    return state.value.lower().replace("_", " ")


def _over(facts: ChangeFacts, cure: str) -> Refusal:
    return not_now("change_is_over" if facts.state is not State.DRAFT else "not_submitted", f"{facts.ref} is {_word(facts.state)}.", cure)


def _why_not_editor(facts: ChangeFacts, by: Asker) -> Refusal | None:
    roles = () if facts.state is State.DRAFT else (Role.REQUESTER,)
    return _why_not_one_of(facts, by, *roles)


def _why_not_one_of(facts: ChangeFacts, by: Asker, *roles: Role) -> Refusal | None:
    if by.id is not None and (by.id == facts.requester_id or by.roles & set(roles)):
        return None
    others = {Role.REQUESTER: "somebody else who may request changes of its services"}
    names = " or ".join(["the requester", *(others.get(role, role.holder) for role in roles)])
    return not_allowed("not_yours", f"{facts.ref} is not yours to change this way.", f"Ask {names} to do it.")
