"""Why a verb would be refused now: asked by the verbs under their locks, and by pages for their buttons, with the same answer."""

from apps.catalog.models import Target
from apps.catalog.rules import PersonFacts
from apps.catalog.settings_body import read_settings
from apps.catalog.steps import asker
from apps.catalog.versions import Version
from apps.changes.models import Leg
from apps.core.actors import Actor
from apps.core.refusals import Refusal
from apps.deployments.drivers.registry import driver_named, driver_names
from apps.deployments.facts import caller, deployment_facts, forbids_signers, way_back_facts
from apps.deployments.models import Deployment
from apps.deployments.rules.orders import (
    Caller,
    OrderFacts,
    why_not_abort,
    why_not_order,
    why_not_roll_back,
    why_not_settle,
)
from apps.gate.judgement import look, question_about
from apps.gate.rules import Answer, Effect, Finding, Verdict


def order_refusal(leg: Leg, *, by: Actor) -> Refusal | None:
    """Why this person cannot order the leg now; None when the button works."""
    person = asker(by, leg.service)
    return why_not_order(order_facts(leg, person))


def order_facts(leg: Leg, person: PersonFacts) -> OrderFacts:
    """What ordering depends on, the gate's answer included."""
    _, verdict = look(question_about(leg))
    finding = in_the_way(verdict)
    on_its_way = Deployment.objects.open().filter(leg=leg).first()
    return OrderFacts(
        caller=caller(person, leg.change),
        target=str(leg.target),
        leg_state=leg.state,
        leg_can_start=leg.can_start and leg.is_current,
        open_order=on_its_way.ref if on_its_way else "",
        forbids_signers=forbids_signers(leg),
        settings_fault=settings_fault(leg.target, Version(leg.item.label, tuple(leg.item.identities))),
        effect=verdict.verdict.value,
        finding_code=finding.code if finding else "",
        finding=finding.message if finding else "",
        cure=finding.cure if finding else "",
    )


def in_the_way(verdict: Verdict) -> Finding | None:
    """The finding to name: the first that blocks; else a wait for people before a wait for time."""
    effect = {Answer.DENY: Effect.BLOCK, Answer.PENDING: Effect.WAIT}.get(verdict.verdict)
    found = [finding for finding in verdict.findings if finding.effect is effect]
    return min(found, key=lambda finding: finding.until is not None, default=None)


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


def roll_back_refusal(deployment: Deployment, *, by: Actor) -> Refusal | None:
    """Why this person cannot roll it back now."""
    facts = deployment_facts(deployment, _caller(deployment, by))
    target = deployment.target
    runs_now = sorted(target.running_identities) == sorted(deployment.identities) and target.occupied_by is None
    return why_not_roll_back(facts, way_back_facts(deployment), runs_now=runs_now)


def _caller(deployment: Deployment, by: Actor) -> Caller:
    change = deployment.leg.change if deployment.leg else None
    return caller(asker(by, deployment.target.service), change)
