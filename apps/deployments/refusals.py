"""Why a verb would be refused now: asked by the verbs under their locks, and by pages for their buttons, with the same answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from apps.approvals.facts import PolicyShelf, policies_for
from apps.audit.names import read_actor
from apps.catalog.models import Service, Target
from apps.catalog.settings_body import read_settings
from apps.catalog.steps import asker
from apps.catalog.versions import Version
from apps.changes.models import Leg
from apps.changes.rules import why_not_start_leg
from apps.changes.states import LegState
from apps.changes.states import State as ChangeState
from apps.core.actors import Actor
from apps.core.canonical import digest
from apps.core.refusals import Refusal, Refused, not_now
from apps.deployments.drivers.registry import driver_named, driver_names
from apps.deployments.facts import caller, deployment_facts, forbids_signers, way_back_facts
from apps.deployments.models import Deployment
from apps.deployments.rules.orders import (
    BeginFacts,
    Caller,
    OrderFacts,
    waits_for_people,
    why_not_abort,
    why_not_ask_again,
    why_not_begin,
    why_not_order,
    why_not_roll_back,
    why_not_settle,
)
from apps.gate.judgement import verdict_now
from apps.gate.rules import Answer, Effect, Facts, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Look:
    """What the driver said of a version and a target's settings. It may look at a disk, which is not done behind locks."""

    about: tuple[int | None, str, Version]
    fault: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What legs share: the policies, who asks as each service sees them, and the orders that are on their way, by the leg's row."""

    shelf: PolicyShelf
    callers: Mapping[Service, Caller]
    open_orders: Mapping[int | None, str]


def look_at(leg: Leg) -> Look:
    """Ask the driver."""
    return Look(_looked_at(leg), settings_fault(leg.target, _version(leg)))


def order_refusal(leg: Leg, *, by: Actor, look: Look | None = None) -> Refusal | None:
    """Why this person cannot order the leg now; None when the button works. A look that was had before the locks is not had again."""
    known = {leg: look} if look and look.about == _looked_at(leg) else {}
    return order_refusals({leg: verdict_now(leg)}, by=by, looks=known)[leg.pk]


def order_refusals(
    verdicts: Mapping[Leg, Verdict], *, by: Actor, looks: Mapping[Leg, Look] | None = None, shared: Shared | None = None
) -> dict[int, Refusal | None]:
    """The same for legs of which the gate has just been asked, by the leg's row; what they share is read once, or given."""
    known = shared or _shared(verdicts, by)
    found = {}
    for leg, verdict in verdicts.items():
        who, on_its_way = known.callers[leg.service], known.open_orders.get(leg.pk, "")
        facts = order_facts(leg, verdict, who=who, shelf=known.shelf, open_order=on_its_way)
        look = (looks or {}).get(leg) or look_at(leg)
        found[leg.pk] = why_not_order(replace(facts, settings_fault=look.fault))
    return found


def _shared(legs: Collection[Leg], by: Actor) -> Shared:
    callers = {service: caller(asker(by, service), change) for service, change in {leg.service: leg.change for leg in legs}.items()}
    orders = Deployment.objects.open().filter(leg__in=[leg.pk for leg in legs])
    return Shared(policies_for({leg.environment for leg in legs}), callers, {order.leg_id: order.ref for order in orders})


def order_facts(leg: Leg, verdict: Verdict, *, who: Caller, shelf: PolicyShelf, open_order: str) -> OrderFacts:
    """What ordering depends on, the gate's answer included."""
    finding = in_the_way(verdict)
    return OrderFacts(
        caller=who,
        target=str(leg.target),
        leg=leg_refusal(leg),
        open_order=open_order,
        forbids_signers=forbids_signers(leg, shelf),
        effect=verdict.verdict.value,
        finding_code=finding.code if finding else "",
        finding=finding.message if finding else "",
        cure=finding.cure if finding else "",
    )


def leg_refusal(leg: Leg) -> Refusal | None:
    """Why the states of a leg and of its change allow no start; the gate does not ask where no change is needed."""
    if not leg.is_current:
        return not_now("leg_not_open", "This part is not in the change any more.", "Order what its newest revision names.")
    return why_not_start_leg(change=ChangeState(leg.change.state), leg=LegState(leg.state), failures_count=leg.failures_count)


def begin_refusal(order: Deployment, facts: Facts, verdict: Verdict) -> Refusal | None:
    """Why a queued order that was judged just now, under lock, ends instead of beginning or waiting on."""
    settings, leg, by = order.target.settings, order.leg, read_actor(order.ordered_by)
    made = digest(bytes(settings.body)) if settings else ""
    asked = BeginFacts(
        caller=_orderer(order, by),
        by_machinery=by.person_id is None,
        names_same_version=leg is None or set(order.identities) == set(leg.item.identities),
        settings_hold=settings is not None and facts.target is not None and made == settings.digest == facts.target.settings_digest,
        forbids_signers=leg is not None and forbids_signers(leg, policies_for({leg.environment})),
    )
    return why_not_begin(asked) or verdict_refusal(verdict)


def verdict_refusal(verdict: Verdict) -> Refusal | None:
    """The gate's no, or its wait that only people can end; None where it allows, or time ends the wait."""
    finding = in_the_way(verdict)
    if finding is None or (finding.effect is Effect.WAIT and not waits_for_people(finding.code)):
        return None
    return not_now(finding.code, finding.message, finding.cure)


def _orderer(order: Deployment, by: Actor) -> Caller | None:
    try:
        return _caller(order, by)
    except Refused:  # the one thing `asker` refuses: nobody present stands behind the act
        return None


def in_the_way(verdict: Verdict) -> Finding | None:
    """The finding to name: the first that blocks; else a wait for people before a wait for time."""
    effect = {Answer.DENY: Effect.BLOCK, Answer.PENDING: Effect.WAIT}.get(verdict.verdict)
    found = [finding for finding in verdict.findings if finding.effect is effect]
    return min(found, key=lambda finding: (not waits_for_people(finding.code), finding.until is not None), default=None)


def _version(leg: Leg) -> Version:
    return Version(leg.item.label, tuple(leg.item.identities))


def _looked_at(leg: Leg) -> tuple[int | None, str, Version]:
    return leg.target.settings_id, leg.target.service.repository, _version(leg)


def settings_fault(target: Target, version: Version) -> str:
    """The sentence to show where the target's settings cannot bring this version, or an empty one."""
    if target.settings is None:
        return f"{target} has no deployment settings."
    settings = read_settings(bytes(target.settings.body))
    driver = driver_named(settings.driver)
    if driver is None:
        return f"The settings of {target} name the driver {settings.driver}. There are {', '.join(driver_names())}."
    return driver.why_not(settings.options, target.service.repository, version)


def abort_refusal(deployment: Deployment, *, by: Actor) -> Refusal | None:
    """Why this person cannot stop it now."""
    return why_not_abort(deployment_facts(deployment, _caller(deployment, by)))


def settle_refusal(deployment: Deployment, *, by: Actor) -> Refusal | None:
    """Why this person cannot say what is true of it now."""
    return why_not_settle(deployment_facts(deployment, _caller(deployment, by)))


def ask_again_refusal(deployment: Deployment, *, by: Actor) -> Refusal | None:
    """Why the target cannot be asked again."""
    return why_not_ask_again(deployment_facts(deployment, _caller(deployment, by)))


def roll_back_refusal(deployment: Deployment, *, by: Actor) -> Refusal | None:
    """Why this person cannot roll it back now."""
    facts = deployment_facts(deployment, _caller(deployment, by))
    target = deployment.target
    runs_now = sorted(target.running_identities) == sorted(deployment.identities) and target.occupied_by is None
    return why_not_roll_back(facts, way_back_facts(deployment), runs_now=runs_now)


def _caller(deployment: Deployment, by: Actor) -> Caller:
    change = deployment.leg.change if deployment.leg else None
    return caller(asker(by, deployment.target.service), change)
